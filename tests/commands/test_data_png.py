"""``segtumor data png``: the pixels that are read, and nothing else."""

import csv

import numpy as np
import pytest
from PIL import Image
from repository import ROOT

from segtumor.annotations.coco import load_coco
from segtumor.commands.data.png import main
from segtumor.imaging import read_radiograph

pytestmark = pytest.mark.command


def names(output):
    with (output / "names.csv").open() as file:
        return list(csv.DictReader(file))


def pixels(path):
    with Image.open(path) as image:
        assert image.mode == "L" and not image.info
        return np.asarray(image)


#: Every gray value once; the window is 100 +- 25.
GRAY = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.fixture
def scans(tmp_path, monkeypatch):
    """A DICOM file with a window and a patient, a 16-bit PNG, and text."""
    pytest.importorskip("pydicom")
    monkeypatch.syspath_prepend(ROOT / "tests" / "imaging")
    from imaging_files import dicom_bytes

    folder = tmp_path / "scans"
    folder.mkdir()
    stored = dicom_bytes(GRAY, PatientName="Doe^John", PatientID="4711", WindowCenter=100, WindowWidth=50)
    (folder / "Doe_John.dcm").write_bytes(stored)
    Image.fromarray(GRAY.astype(np.uint16) * 257).save(folder / "knee.png")
    (folder / "notes.txt").write_text("hello")
    return folder


def test_copies_are_what_is_read_and_hold_no_name(scans, tmp_path, capsys):
    output = tmp_path / "png"
    assert main(["--source", str(scans), "--output", str(output)]) == 0
    assert "2 images" in capsys.readouterr().out
    assert sorted(path.name for path in (output / "images").iterdir()) == ["000001.png", "000002.png"]
    for row, source in zip(names(output), ["Doe_John.dcm", "knee.png"], strict=True):
        assert row["source"].endswith(source)
        expected = np.rint(read_radiograph(scans / source).pixels * 255)
        copy = output / "images" / row["file"]
        np.testing.assert_array_equal(pixels(copy), expected)
        assert not any(word in copy.read_bytes() for word in (b"Doe", b"4711", b"knee"))
        np.testing.assert_allclose(read_radiograph(copy).pixels, read_radiograph(scans / source).pixels, atol=0.5 / 255)
    windowed = pixels(output / "images" / "000001.png")
    assert set(windowed[GRAY < 75]) == {0} and set(windowed[GRAY > 125]) == {255}
    assert main(["--source", str(scans), "--output", str(output)]) == 2
    assert "earlier results" in capsys.readouterr().err


def test_annotations_follow(datasets_root, tmp_path):
    source = datasets_root / "phantoms" / "annotations" / "val.json"
    assert main(["--source", str(source), "--output", str(tmp_path)]) == 0
    before, after = load_coco(source), load_coco(tmp_path / "annotations" / "all.json")
    assert [image["file_name"] for image in after.images] == [f"{n:06d}.png" for n in range(1, len(after.images) + 1)]
    for old, new in zip(before.images, after.images, strict=True):
        assert {**old, "file_name": 0} == {**new, "file_name": 0}
        assert before.annotations_of(old) == after.annotations_of(new)


def test_what_cannot_be_read_is_said_and_the_rest_is_written(scans, tmp_path, capsys):
    (scans / "broken.png").write_bytes(b"hello")
    assert main(["--source", str(scans), "--output", str(tmp_path / "png")]) == 6
    assert "1 of 3 files failed" in capsys.readouterr().err
    rows = names(tmp_path / "png")
    assert [bool(row["failed"]) for row in rows] == [False, True, False] and rows[1]["file"] == ""
    assert main(["--source", str(scans / "broken.png"), "--output", str(tmp_path / "one")]) == 5


def test_sources_are_not_replaced(scans, tmp_path, capsys):
    inside = tmp_path / "png" / "images"
    scans.rename(tmp_path / "moved")
    inside.parent.mkdir()
    (tmp_path / "moved").rename(inside)
    assert main(["--source", str(inside), "--output", str(inside.parent), "--overwrite"]) == 2
    assert "where the copies would go" in capsys.readouterr().err
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["--source", str(empty), "--output", str(tmp_path / "none")]) == 5
