"""DICOM objects of a run of inference: which inputs have some, and that resuming neither loses nor doubles them."""

import csv
import json
import sys

import numpy as np
import pytest
from dicom_radiographs import radiograph_file
from fake_detector import FakeDetector
from PIL import Image

from segtumor.commands.common.infer_options import build_parser
from segtumor.errors import ConfigError, InstallationError
from segtumor.inference.batch.input_search import find_inputs

pytestmark = pytest.mark.command
pytest.importorskip("highdicom")
pydicom = pytest.importorskip("pydicom")

ALL = ("seg", "sr", "sc")


@pytest.fixture
def scans(tmp_path):
    """Paths: two radiographs as DICOM, one on which nothing is found, one that cannot be filed with, and a PNG."""
    folder, rng = tmp_path / "Mueller_Hans", np.random.default_rng(0)
    folder.mkdir()
    bright, dark = rng.integers(0, 255, (48, 40), dtype=np.uint8), np.zeros((48, 40), dtype=np.uint8)
    dark[:2, :2] = 255
    Image.fromarray(bright).save(folder / "e.png")
    return [
        radiograph_file(folder / "a.dcm", bright, WindowCenter=128, WindowWidth=256),
        radiograph_file(folder / "b.dcm", bright.T.copy()),
        radiograph_file(folder / "c.dcm", dark),
        radiograph_file(folder / "d.dcm", bright, SeriesInstanceUID=None),
        folder / "e.png",
    ]


def entries(folder):
    return {entry["file"][-5:]: entry for entry in json.loads((folder / "summary.json").read_text())["inputs"]}


def uids(folder):
    return {path.name: pydicom.dcmread(path).SOPInstanceUID for path in (folder / "dicom").iterdir()}


def test_each_dicom_input_has_its_objects_and_the_others_a_reason(scans, work):
    result, folder = work(scans, dicom_output=ALL)
    found = entries(folder)
    assert [[name[17:-4] for name in entry["dicom"]] for entry in found.values()] == [
        *(["seg", "sr", "sc"], ["seg", "sr", "sc"], ["sr", "sc"], [], []),
    ]
    assert {entry["status"] for entry in found.values()} == {"ok"}, "findings count, whatever becomes of the objects"
    assert found["c.dcm"]["dicom_reason"] == "no segmentation: no finding with a mask is shown"
    assert found["e.png"]["dicom_reason"] == "the input is no DICOM file" and not found["a.dcm"]["dicom_reason"]
    assert "SeriesInstanceUID is missing" in found["d.dcm"]["dicom_reason"] == result.first_dicom_failure
    assert set(result.without_dicom.values()) == {1} and len(result.without_dicom) == 2
    names = {name for entry in found.values() for name in entry["dicom"]}
    assert {path.name for path in (folder / "dicom").iterdir()} == names and len(names) == 8
    assert not any("Mueller" in name or "SECRET" in name for name in names)
    counts = json.loads((folder / "summary.json").read_text())["counts"]
    assert {name: counts[name] for name in ("dicom_objects", "with_dicom", "dicom_failed")} == {
        **{"dicom_objects": 8, "with_dicom": 3, "dicom_failed": 1},
    }
    with (folder / "findings.csv").open() as file:
        rows = {row["file"][-5:]: row["dicom"] for row in csv.DictReader(file)}
    assert rows == {name: "; ".join(entry["dicom"]) for name, entry in found.items()}


def test_objects_show_what_the_reading_says(scans, work):
    _, folder = work(scans[:1], dicom_output=("seg", "sc"))
    segmentation, capture = (pydicom.dcmread(folder / "dicom" / name) for name in entries(folder)["a.dcm"]["dicom"])
    height, width = 48, 40
    expected = np.zeros((height, width), dtype=np.uint8)
    expected[: height // 2, : width // 2] = 1
    np.testing.assert_array_equal(segmentation.pixel_array.reshape(height, width), expected)
    _, drawn = work(scans[:1], "drawn", with_overlays=True)
    overlay = np.asarray(Image.open(drawn / "overlays" / "a.png"))
    assert capture.pixel_array.shape == overlay.shape
    assert not (folder / "overlays").exists()
    # But for the name of the file, which may be a patient's, the two are one picture.
    title = 60
    np.testing.assert_array_equal(capture.pixel_array[title:], overlay[title:])
    assert (capture.pixel_array[:title] != overlay[:title]).any()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_resuming_neither_loses_nor_doubles_objects(scans, work, num_workers):
    def interrupt(call, windows):
        if call == 3:
            raise KeyboardInterrupt

    _, whole = work(scans, "whole", dicom_output=ALL, num_workers=num_workers)
    with pytest.raises(KeyboardInterrupt):
        work(scans, detector=FakeDetector(interrupt), dicom_output=ALL, num_workers=num_workers)
    folder = whole.parent / "found"
    before = uids(folder)
    listed = {name for entry in entries(folder).values() for name in entry.get("dicom", ())}
    assert listed == set(before) and len(listed) == 6
    work(scans, continued=True, dicom_output=ALL, num_workers=num_workers)
    after = uids(folder)
    assert set(after) == set(uids(whole)) and before.items() <= after.items(), "what is done is not made again"
    with pytest.raises(ConfigError, match=r"settings.dicom_output"):
        work(scans, continued=True, dicom_output=("sr",))


def test_a_missing_object_is_made_again_and_a_failed_one_tried_again(scans, work):
    _, folder = work(scans, dicom_output=ALL)
    before, missing = uids(folder), entries(folder)["b.dcm"]["dicom"][1]
    (folder / "dicom" / missing).unlink()
    detector = FakeDetector()
    work(scans, detector=detector, continued=True, dicom_output=ALL)
    after = uids(folder)
    assert detector.calls == 2, "the input without one of its objects, and the one where they failed"
    assert set(after) == set(before) and after[missing] != before[missing]
    assert sum(after[name] == before[name] for name in before) == 5, "all of an input are new together"
    scans[3].unlink()
    result, _ = work(scans[:3], detector=(third := FakeDetector()), continued=True, dicom_output=ALL)
    assert third.calls == 0 and result.counts["dicom_failed"] == 1, "a file that is gone keeps its findings"


def test_objects_of_an_earlier_run_are_removed_and_other_files_stay(scans, work):
    _, folder = work(scans[:2], dicom_output=ALL)
    (folder / "dicom" / "mine.dcm").touch()
    work(scans[2:3], overwrite=True, dicom_output=("sr",))
    kept = sorted(path.name for path in (folder / "dicom").iterdir())
    assert kept == sorted(["mine.dcm", *entries(folder)["c.dcm"]["dicom"]]) and len(kept) == 2
    _, folder = work(scans[:1], "again", dicom_output=("seg",))
    (name,) = uids(folder)
    radiograph_file(scans[0], np.zeros((48, 40), dtype=np.uint8))  # nothing to be found any more
    work(scans[:1], "again", continued=True, dicom_output=("seg",))
    assert entries(folder)["a.dcm"]["dicom"] == [] and not (folder / "dicom" / name).exists()


def test_objects_are_no_inputs(scans, work):
    _, folder = work(scans[:1], "Mueller_Hans/found", dicom_output=("sc",))
    found = find_inputs([str(scans[0].parent)], recursive=True)
    assert len(found.paths) == 5
    assert {item.path.name: item.reason for item in found.left_out}["dicom"] == "DICOM objects of an earlier run"
    capture = folder / "dicom" / entries(folder)["a.dcm"]["dicom"][0]
    with pytest.raises(ConfigError, match="among the DICOM objects of --output"):
        work([capture], "Mueller_Hans/found", overwrite=True)
    result, _ = work([capture, scans[1]], "other")
    assert "this is a DICOM object of an earlier run" in result.first_failure


def test_without_the_package_only_who_asks_for_objects_hears_of_it(scans, work, monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    assert work(scans[:1])[0].counts["ok"] == 1
    with pytest.raises(InstallationError, match=r"needs highdicom.*pip install 'segtumor\[dicom\]'"):
        work(scans[:1], "other", dicom_output=("seg",))


@pytest.mark.parametrize(
    ("text", "kinds"), [("seg,sr,sc", ALL), (" SR , seg,sr", ("sr", "seg")), ("", ("",)), ("rt", ("rt",))]
)
def test_kinds_are_named_in_one_word(text, kinds):
    assert build_parser().parse_args(["--output", "o", "--dicom-output", text]).dicom_output == kinds
