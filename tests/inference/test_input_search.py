"""Which files are meant: nothing is passed over in silence, and no overlay is taken for a radiograph."""

import json
import os

import pytest
from fake_detector import FakeDetector
from PIL import Image

from segtumor.errors import DataError
from segtumor.inference.batch.input_search import find_inputs


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Two patients with files of one name, a note, a hidden folder; the working folder is above them."""
    for name in ("p1/IM1.png", "p2/IM1.png", "p2/deep/x.jpg", "p2/.cache/y.png", "z.bmp"):
        path = tmp_path / "scans" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8)).save(path)
    (tmp_path / "scans" / "note.txt").write_text("hello")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "scans"


def names(inputs):
    return [os.path.relpath(path) for path in inputs.paths]


def reasons(inputs):
    return {os.path.relpath(path): reason for path, reason in inputs.left_out}


def test_files_folders_and_patterns_each_once(tree):
    assert names(find_inputs(["scans"])) == ["scans/z.bmp"]
    assert names(find_inputs(["scans/p1/IM1.png", "scans/*/*.png"])) == ["scans/p1/IM1.png", "scans/p2/IM1.png"]
    assert names(find_inputs(["scans/**/*.jpg"])) == ["scans/p2/deep/x.jpg"]
    assert names(find_inputs(["scans/z.bmp", "scans", str(tree / "z.bmp")])) == ["scans/z.bmp"]


def test_what_a_folder_passes_over_is_named_with_its_reason(tree):
    (tree / "again").symlink_to(tree)
    assert reasons(find_inputs(["scans"])) == {
        "scans/again": "a link to a folder",
        "scans/note.txt": "no image by its name or first bytes",
        "scans/p1": "a sub-folder; --recursive reads it",
        "scans/p2": "a sub-folder; --recursive reads it",
    }


def test_sub_folders_are_read_if_asked_for(tree):
    (tree / "again").symlink_to(tree)  # a circle
    found = find_inputs(["scans"], recursive=True)
    assert names(found) == ["scans/z.bmp", "scans/p1/IM1.png", "scans/p2/IM1.png", "scans/p2/deep/x.jpg"]
    expected = {"scans/again": "a link to a folder", "scans/note.txt": "no image by its name or first bytes"}
    assert reasons(found) == expected
    assert names(find_inputs(["scans/p*"], recursive=True)) == names(found)[1:]


def test_inputs_that_lead_nowhere(tree):
    (tree / "p3" / "p4").mkdir(parents=True)
    for pattern, message in (
        ("scans/p3", r"folder without images \(got 1 sub-folder\)\. Add --recursive, .*'scans/p3/\*\*/\*'"),
        ("scans/p3/p4", "folder without images .*expected files that end in"),
        ("scans/*.tif", r"\*\.tif: nothing matches"),
        ("scans/p*", r"no file matches \(got 3 folders\)\. Add --recursive"),
        ("nowhere.png", r"nowhere\.png: no such file"),
        ("a\0b", "no such file"),
    ):
        with pytest.raises(DataError, match=message):
            find_inputs([pattern])
    with pytest.raises(DataError, match="folder without images"):
        find_inputs(["scans/p3"], recursive=True)
    assert names(find_inputs(["nowhere.png", "scans/z.bmp"])) == ["nowhere.png", "scans/z.bmp"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.txt", "\ufeffz.bmp\r\n\r\n# a note\r\n p1/IM1.png \r\ngone.png\r\n"),
        ("list.csv", "sex,path\nF,z.bmp\nM,p1/IM1.png\nM,gone.png\nM,\n"),
        ("list.tsv", "File\tfinding\nz.bmp\t1\nz.bmp\t2\np1/IM1.png\tnone\ngone.png\tnone\n"),
    ],
)
def test_a_list_names_files_below_its_folder(tree, name, text):
    (tree / name).write_text(text)
    assert names(find_inputs([f"scans/{name}"])) == ["scans/z.bmp", "scans/p1/IM1.png", "scans/gone.png"]


def test_a_list_made_on_windows_is_read(tree):
    (tree / "list.txt").write_bytes("z.bmp\r\np1\\IM1.png\r\n".encode("utf-16"))
    assert names(find_inputs(["scans/list.txt"])) == ["scans/z.bmp", "scans/p1/IM1.png"]


def test_dicom_that_is_called_as_a_list_is_no_list(tree):
    (tree / "scan.txt").write_bytes(bytes(128) + b"DICM" + bytes(40))
    assert names(find_inputs(["scans/scan.txt"])) == ["scans/scan.txt"]


def test_a_list_may_also_be_relative_to_the_working_folder_but_not_to_both(tree):
    (tree / "list.txt").write_text(f"scans/z.bmp\n{tree / 'p1' / 'IM1.png'}\n")
    assert names(find_inputs(["scans/list.txt"])) == ["scans/z.bmp", "scans/p1/IM1.png"]
    (tree / "scans").mkdir()
    Image.new("L", (8, 8)).save(tree / "scans" / "z.bmp")
    with pytest.raises(DataError, match=r"'scans/z\.bmp' could be scans/scans/z\.bmp or scans/z\.bmp"):
        find_inputs(["scans/list.txt"])


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"", "names no files"),
        ("a.txt", b"# only notes\n", "names no files"),
        ("a.txt", b"a\0b.png", "not a list of files"),
        ("a.csv", b"sex,age\nF,3\n", "no column of files .*got sex, age"),
        ("a.csv", b"", "names no files"),
        ("a.json", b"{}", "--annotations"),
    ],
)
def test_what_is_no_list(tree, name, data, message):
    (tree / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        find_inputs([f"scans/{name}"])


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.xlsx"])
def test_a_list_that_is_a_pipe_is_not_waited_for(tree, name):
    os.mkfifo(tree / name)
    with pytest.raises(DataError, match="not an ordinary file"):
        find_inputs([f"scans/{name}"])


def test_the_images_of_annotations(tree, tmp_path):
    images = [
        {"id": i, "file_name": n, "width": 8, "height": 8} for i, n in enumerate(("p1/IM1.png", "z.bmp"), start=1)
    ]
    coco = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "benign"}]}
    (tmp_path / "annotations").mkdir()
    path = tmp_path / "annotations" / "test.json"
    path.write_text(json.dumps(coco))
    found = find_inputs([], annotations=str(path), image_root="scans")
    assert names(found) == ["scans/p1/IM1.png", "scans/z.bmp"]
    with pytest.raises(DataError, match="Check --images"):
        find_inputs([], annotations=str(path))
    tree.rename(tmp_path / "images")
    assert names(find_inputs([], annotations=str(path))) == ["images/p1/IM1.png", "images/z.bmp"]


def test_results_of_an_earlier_run_are_no_radiographs(tree, work, tables):
    _, folder = work([tree / "z.bmp"], "scans/found", with_overlays=True)
    (tree / "run").mkdir()
    for name in ("config.yaml", "run.json"):
        (tree / "run" / name).touch()
    Image.new("L", (8, 8)).save(tree / "run" / "training_curves.png")
    (tree / "overlays").mkdir()  # of somebody else
    Image.new("L", (8, 8)).save(tree / "overlays" / "mine.png")
    found = find_inputs(["scans"], recursive=True)
    assert "scans/overlays/mine.png" in names(found) and len(names(found)) == 5
    assert reasons(found)["scans/found/overlays"] == "overlays of an earlier run"
    assert reasons(find_inputs(["scans"]))["scans/run"] == "a training run"
    assert reasons(found)["scans/run"] == "a training run"
    assert "scans/found/overlays/z.png" not in names(find_inputs(["scans/**/*.png"]))
    with pytest.raises(DataError, match=r"folder without images .*an overlay of an earlier run"):
        find_inputs(["scans/found/overlays"])
    result, _ = work([folder / "overlays" / "z.png", tree / "z.bmp"], "other")  # named one by one
    assert result.counts["failed"] == 1 and "an overlay of an earlier run" in result.first_failure


def test_two_patients_with_files_of_one_name_are_told_apart(tree, work, tables):
    paths = find_inputs(["scans"], recursive=True).paths
    _, folder = work(paths, with_overlays=True)
    entries = tables(folder)[0]["inputs"]
    assert [entry["overlay"] for entry in entries] == ["z.png", "p1_IM1.png", "p2_IM1.png", "x.png"]
    assert [entry["file"] for entry in entries] == list(map(str, paths))
    assert sorted(path.name for path in (folder / "overlays").iterdir()) == sorted(e["overlay"] for e in entries)
    detector = FakeDetector()
    work(paths, continued=True, with_overlays=True, detector=detector)
    assert detector.calls == 0


def test_results_among_the_radiographs_are_warned_of(tree, work, caplog):
    work([tree / "z.bmp"], "scans")
    assert "results are written among the radiographs" in caplog.text
    caplog.clear()
    work([tree / "z.bmp"], "elsewhere")
    assert "among the radiographs" not in caplog.text
