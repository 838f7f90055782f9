"""Overlays of earlier and broken-off runs go, other files stay."""

import shutil

import numpy as np
import pytest
from fake_detector import FakeDetector
from PIL import Image

from segtumor.errors import ConfigError
from segtumor.inference.batch.earlier_output import known_files
from segtumor.system.opencv import cv2

pytestmark = pytest.mark.command


def interrupting(at_call):
    def raising(call, windows):
        if call == at_call:
            raise KeyboardInterrupt

    return FakeDetector(raising)


def overlays(folder):
    return sorted(path.name for path in (folder / "overlays").iterdir())


def test_overlays_of_an_earlier_run_are_removed(pictures, work):
    work(pictures[:2], with_overlays=True)
    _, folder = work(pictures[3:4], with_overlays=True, overwrite=True)
    assert overlays(folder) == ["3.png"]
    with pytest.raises(KeyboardInterrupt):
        work(pictures[:2], detector=interrupting(2), with_overlays=True, overwrite=True)
    assert overlays(folder) == ["0.png"]
    (folder / "summary.json").unlink()  # as if it had been killed
    work(pictures[3:4], overwrite=True, with_overlays=True)
    assert overlays(folder) == ["3.png"]


def test_panels_show_what_was_read_and_what_the_model_saw_beside_the_overlay(pictures, work):
    def drawn(**options):
        _, folder = work(pictures[:1], str(options), with_overlays=True, **options)
        return np.asarray(Image.open(folder / "overlays" / "0.png")).astype(float)

    plain, panels = drawn(), drawn(panels=True)
    (height, width, _), total = plain.shape, panels.shape[1]
    np.testing.assert_array_equal(panels[:height, -width:], plain)  # the overlay itself, to the right
    read, seen = panels[:, : (total - width) // 2], panels[:, (total - width) // 2 : total - width]
    original = np.asarray(Image.open(pictures[0])) / 255
    for panel in (read, seen):
        middle = panel[100 : 100 + panel.shape[1] // 2]
        assert np.ptp(middle) > 150 and (middle[..., 0] == middle[..., 2]).all(), "no gray picture"
    header = 2 * round(768 / 46)
    small = cv2.resize(read[header : header + 640, :, 0], original.shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.corrcoef(small.ravel(), original.ravel())[0, 1] > 0.95
    with pytest.raises(ConfigError, match="--panels"):
        work(pictures[:1], "none", panels=True)


def test_overlays_of_inputs_that_are_damaged_by_now_are_removed_and_those_not_named_stay(pictures, work, tables):
    with pytest.raises(KeyboardInterrupt):
        work(pictures[:4], detector=interrupting(4), with_overlays=True)
    folder = pictures[0].parents[1] / "found"
    (folder / "overlays" / "mine.png").touch()
    assert overlays(folder) == ["0.png", "1.png", "2.png", "mine.png"]
    pictures[1].write_bytes(b"damaged")
    work([pictures[1], *pictures[2:4]], continued=True, with_overlays=True)
    assert overlays(folder) == ["0.png", "2.png", "3.png", "mine.png"]
    assert [entry["overlay"] for entry in tables(folder)[0]["inputs"]] == ["0.png", None, "2.png", "3.png"]


def test_half_an_overlay_of_a_killed_run_is_removed(pictures, work, tmp_path):
    folder = tmp_path / "found" / "overlays"
    folder.mkdir(parents=True)
    for name in (".segtumor.abcd_123.png", ".segtumor.png", ".0.abcd_123.png", "../.segtumor.abcd_123.json"):
        (folder / name).touch()
    work(pictures[:1], with_overlays=True)
    assert overlays(folder.parent) == [".0.abcd_123.png", ".segtumor.png", "0.png"]
    assert not (folder / "../.segtumor.abcd_123.json").exists()


def test_pictures_of_somebody_else_are_not_drawn_over(pictures, work, tmp_path, tables):
    (tmp_path / "found" / "overlays").mkdir(parents=True)
    (tmp_path / "found" / "overlays" / "0.png").write_text("mine")
    _, folder = work(pictures[:2], with_overlays=True)
    assert (folder / "overlays" / "0.png").read_text() == "mine"
    assert [entry["overlay"] for entry in tables(folder)[0]["inputs"]] == ["0_2.png", "1.png"]


def test_a_missing_overlay_is_drawn_again(pictures, work):
    _, folder = work(pictures[:2], with_overlays=True)
    before = (folder / "overlays" / "1.png").read_bytes()
    (folder / "overlays" / "1.png").unlink()
    detector = FakeDetector()
    work(pictures[:2], detector=detector, with_overlays=True, continued=True)
    assert detector.calls == 1 and (folder / "overlays" / "1.png").read_bytes() == before


@pytest.mark.parametrize("link", [False, True])
def test_an_input_among_the_overlays_is_refused_and_stays(pictures, work, tmp_path, link):
    _, folder = work(pictures[:2], with_overlays=True)
    path = folder / "overlays" / "0.png"
    if link:
        (tmp_path / "link.png").symlink_to(path)
    with pytest.raises(ConfigError, match="among the overlays"):
        work([pictures[1], tmp_path / "link.png" if link else path], with_overlays=True, overwrite=True)
    assert overlays(folder) == ["0.png", "1.png"]
    shutil.copy(path, folder / "copy.png")
    assert work([folder / "copy.png"], with_overlays=True, overwrite=True)[0].counts["ok"] == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"inputs": [3]}', '{"inputs": [{"overlay": 3}]}'])
def test_a_summary_of_somebody_else_lists_no_overlays(tmp_path, text):
    (tmp_path / "summary.json").write_text(text)
    assert known_files(tmp_path) == set()
