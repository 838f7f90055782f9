import json

import numpy as np
import pytest
from PIL import Image

from segtumor.commands.data.leaks import main
from segtumor.datasets.splits.document import split_document
from segtumor.datasets.splits.split import make_kfold, make_split

pytestmark = pytest.mark.command

LESION = {"bbox": [1, 1, 2, 2], "category_id": 1, "iscrowd": 0, "area": 4, "segmentation": [[1, 1, 3, 1, 3, 3, 1, 3]]}


def coco(images):
    """COCO of {file name: case}; the first image has one lesion."""
    entries = [
        {"id": i, "file_name": name, "width": 8, "height": 8} | ({"case_id": case} if case else {})
        for i, (name, case) in enumerate(images.items(), 1)
    ]
    return {
        "images": entries,
        "annotations": [{"id": 1, "image_id": 1, **LESION}],
        "categories": [{"id": 1, "name": "benign"}],
    }


@pytest.fixture
def write(tmp_path):
    """Writes annotations/<part>.json and one distinct picture for every image of it."""

    def _write(part, images):
        (tmp_path / "annotations").mkdir(exist_ok=True)
        (tmp_path / "images").mkdir(exist_ok=True)
        path = tmp_path / "annotations" / f"{part}.json"
        path.write_text(json.dumps(coco(images)))
        for name in images:
            samples = np.random.default_rng(list(name.encode())).integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(samples).save(tmp_path / "images" / name)
        return str(path)

    return _write


def test_a_sound_folder(tmp_path, write, capsys):
    write("train", {"a.png": "1", "b.png": "1"})
    write("val", {"c.png": "2"})
    assert main([str(tmp_path)]) == 0
    assert "validation and training: nothing in common was found." in (out := capsys.readouterr().out)
    assert "turned by 3 degrees or more, cropped by more than a few percent or equalised in contrast" in out


def test_shared_cases_are_told_in_numbers_and_fail(tmp_path, write, capsys):
    write("train", {"a.png": "1", "b.png": "2"})
    write("val", {"c.png": "1", "d.png": "3", "e.png": "4", "f.png": "5"})
    report = tmp_path / "report.json"
    assert main([str(tmp_path), "--no-open", "--json", str(report)]) == 5
    out = capsys.readouterr().out
    assert "1 of 4 validation images (25%) share a case with training; with them 1 of 1 (100%) of its lesions." in out
    assert "No image was opened" in out
    assert json.loads(report.read_text())["cases_in_several"] == {"1": ["train", "val"]}


def test_an_equal_picture_under_another_name_fails(tmp_path, write, capsys):
    write("train", {"a.png": "1"})
    write("test", {"c.png": "2"})
    (tmp_path / "images" / "c.png").write_bytes((tmp_path / "images" / "a.png").read_bytes())
    assert main([str(tmp_path)]) == 5
    assert "a.png = c.png" in capsys.readouterr().out
    assert main([str(tmp_path), "--no-open"]) == 0


def test_nearly_equal_pictures_fail_only_when_strict(tmp_path, write, capsys):
    write("train", {"a.png": "1"})
    write("test", {"c.png": "2"})
    samples = np.asarray(Image.open(tmp_path / "images" / "a.png"))
    Image.fromarray(samples[:, ::-1]).save(tmp_path / "images" / "c.png")
    assert main([str(tmp_path)]) == 0
    assert "a.png ~ c.png (mirrored)" in capsys.readouterr().out
    assert main([str(tmp_path), "--strict"]) == 5
    assert main([str(tmp_path), "--strict", "--no-near"]) == 0


def test_parts_by_name_with_a_table_of_cases(tmp_path, write, capsys):
    first, second = write("x", {"a.png": None}), write("y", {"c.png": None})
    arguments = ["--part", f"train={first}", "--part", f"val={second}", "--images", str(tmp_path / "images")]
    assert main(arguments) == 0
    assert "2 images have no case_id, each counted as its own case" in capsys.readouterr().out
    table = tmp_path / "cases.csv"
    table.write_text("image_id,case_id\na.png,7\nc.png,7\n")
    assert main([*arguments, "--cases", str(table)]) == 5


def test_a_split_file_that_ignores_cases_is_judged(tmp_path, write, capsys):
    images = {f"{i}.png": f"case{i // 2}" for i in range(20)}
    annotations = write("all", images)
    split = make_split("image", list(images), list(images.values()), ["normal"] * 20, seed=0)
    path = tmp_path / "split.json"
    path.write_text(json.dumps(split_document(split, {part: {} for part in split.parts})))
    assert main(["--split", str(path), "--annotations", annotations, "--no-open"]) == 5
    assert "share a case with training" in capsys.readouterr().out
    write("all", images | {"new.png": "1"})
    assert main(["--split", str(path), "--annotations", annotations, "--no-open"]) == 5
    assert "1 images are not in the split, the first new.png" in capsys.readouterr().err


def test_the_folds_of_a_split_file_are_compared_each_by_itself(tmp_path, write, capsys):
    images = {f"{i}.png": f"case{i // 2}" for i in range(12)}
    annotations = write("all", images)
    split = make_kfold(list(images), list(images.values()), ["normal"] * 12, folds=3, seed=0)
    path = tmp_path / "split.json"
    path.write_text(json.dumps(split_document(split, {part: {} for part in split.parts})))
    assert main(["--split", str(path), "--annotations", annotations, "--no-open"]) == 0
    out = capsys.readouterr().out
    assert "fold1-validation and fold1-training: nothing in common was found." in out
    assert "fold2-val against fold1-train" not in out


def test_an_image_that_does_not_open_is_told(tmp_path, write, capsys):
    write("train", {"a.png": "1"})
    write("val", {"c.png": "2"})
    (tmp_path / "images" / "c.png").write_text("text")
    assert main([str(tmp_path)]) == 0
    assert "1 images do not open and were compared by their path only" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["folder", "--part", "a=b"],
        ["--split", "split.json"],
        ["--part", "train"],
        ["--part", "a=x.json", "--part", "a=y.json"],
        ["folder", "--workers", "0"],
    ],
)
def test_wrong_usage(arguments, capsys):
    assert main(arguments) == 2
    assert "expected" in capsys.readouterr().err or "--workers" in arguments


def test_one_part_alone_cannot_leak(tmp_path, write, capsys):
    write("all", {"a.png": "1"})
    assert main([str(tmp_path)]) == 2
    assert "only one part" in capsys.readouterr().err
