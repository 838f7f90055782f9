"""``segtumor data check``: what is printed, written and returned."""

import json

import pytest
from PIL import Image

from segtumor.annotations.problems import Problem, ProblemKind, error
from segtumor.commands.cli import main
from segtumor.datasets import file_check

pytestmark = pytest.mark.command

SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]


def _coco(n=2):
    """``n`` images with one lesion each, of two classes."""
    images = [
        {
            "id": i,
            "file_name": f"{i}.png",
            "width": 60,
            "height": 40,
            "case_id": f"c{i}",
            "image_label": ("benign", "malignant")[i % 2],
        }
        for i in range(1, n + 1)
    ]
    lesions = [
        {
            "id": i,
            "image_id": i,
            "category_id": 1 + i % 2,
            "bbox": [10, 10, 20, 20],
            "segmentation": [SQUARE],
            "area": 400,
            "iscrowd": 0,
        }
        for i in range(1, n + 1)
    ]
    categories = [{"id": 1, "name": "benign"}, {"id": 2, "name": "malignant"}]
    return {"images": images, "annotations": lesions, "categories": categories}


@pytest.fixture
def check(tmp_path, capsys):
    def checker(coco, *options):
        path = tmp_path / "gt.json"
        path.write_text(coco if isinstance(coco, str) else json.dumps(coco))
        code = main(["data", "check", str(path), *map(str, options)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return checker


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in (1, 2):
        Image.new("L", (60, 40), color=100 * i).save(folder / f"{i}.png")
    return folder


def _opened(monkeypatch, *found):
    """Replace what opens images; returns the list of file names that it is asked for."""
    asked = []

    def image_problems(images, image_root, *, progress=iter, near=True):
        asked.extend(image["file_name"] for image in images)
        return [problem for problem in found if problem.got in asked], {}

    monkeypatch.setattr(file_check, "image_problems", image_problems)
    return asked


def test_a_sound_file(check):
    code, out, _ = check(_coco())
    assert code == 0
    assert "0 errors, 0 warnings in 2 images and 2 lesions" in out
    assert "not looked for: give --images" in out


def test_errors_are_grouped_with_examples_and_remedies(check):
    coco = _coco(20)
    for lesion in coco["annotations"]:
        lesion["bbox"] = [10, 10, 0, 20]
    code, out, _ = check(coco)
    assert code == 5
    assert out.count("has no extent") == 1 and out.count("annotations[") == 5 and "... and 15 more" in out
    assert "annotations[0] (id 1) of '1.png': [10, 10, 0, 20]" in out
    assert "--fix does it" in out
    assert check(coco, "--all")[1].count("annotations[") == 20


def test_warnings_fail_only_when_strict(check):
    coco = _coco()
    del coco["annotations"][0]["iscrowd"]
    assert check(coco)[0] == 0
    code, out, _ = check(coco, "--strict")
    assert code == 5 and "warning       1  annotations: iscrowd is missing" in out


def test_training_size(check):
    code, out, _ = check(_coco(), "--train-size", 2, 3)
    assert code == 0 and "smaller than one pixel at the training size" not in out
    assert "2 of 2 lesions" in out  # of side 1 px, below 4
    assert "side 0.5 px" in check(_coco(), "--train-size", 1, 3)[1]


def test_the_report_has_everything(check, tmp_path):
    coco = _coco(20)
    for lesion in coco["annotations"]:
        lesion["area"] = -1
    check(coco, "--json", tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["counts"] == {"error": 20, "warning": 0}
    assert (report["schema_version"], report["images_checked"], len(report["sha256"])) == (1, 0, 64)
    assert report["problems"][3]["where"] == "annotations[3] (id 4)"
    assert set(report["problems"][3]) == set(Problem._fields) - {"kind"}


def test_fix_writes_a_sound_copy_and_what_it_changed(check, tmp_path):
    coco = _coco(3)
    coco["annotations"][0]["bbox"] = [10, 10, 30, 30]
    coco["annotations"][1]["segmentation"] = [[1, 1, 2, 2]]
    fixed = tmp_path / "out" / "fixed.json"
    code, out, _ = check(coco, "--fix", fixed)
    assert code == 0
    assert "1  bbox: taken from the outline" in out and "left out: 1 entries" in out
    changes = json.loads((tmp_path / "out" / "fixed.changes.json").read_text())
    assert changes["changes"][0]["before"] == "[10, 10, 30, 30]"
    assert changes["left_out"][0]["image"] == "2.png"
    assert check(fixed.read_text())[0] == 0


def test_fix_does_not_overwrite_its_input_and_needs_something_left(check, tmp_path):
    code, _, err = check(_coco(), "--fix", tmp_path / "gt.json")
    assert code == 2 and "would overwrite the file to be checked" in err
    assert check(_coco(), "--json", tmp_path / "x", "--fix", tmp_path / "x")[0] == 2
    assert check(_coco(), "--changes", tmp_path / "x")[0] == 2
    code, _, err = check({**_coco(), "images": []}, "--fix", tmp_path / "fixed.json")
    assert code == 5 and "nothing is left" in err and not (tmp_path / "fixed.json").exists()


def test_a_repeated_key_is_found_with_everything_else_and_not_guessed_at(check, tmp_path):
    text = json.dumps(_coco()).replace('"width": 60', '"width": 60, "width": 60', 1).replace("400", "-1", 1)
    code, out, _ = check(text)
    assert code == 5 and "'width' is a duplicate key" in out and "area is not a finite number" in out
    assert check(text, "--fix", tmp_path / "fixed.json")[0] == 5
    assert not (tmp_path / "fixed.json").exists()


def test_what_is_no_coco_file(check):
    code, out, _ = check([])
    assert code == 5 and "is not a JSON object with images" in out
    assert "cut off" in check('{"images": [')[2]


def test_images_are_looked_for_and_opened(check, images, monkeypatch):
    asked = _opened(monkeypatch)
    code, out, _ = check(_coco(3), "--images", images)
    assert code == 5 and "cannot be found below the image root" in out
    assert asked == ["1.png", "2.png"] and "2 images" in out  # the third is not there
    asked.clear()
    assert "but not opened" in check(_coco(), "--images", images, "--no-open")[1]
    assert asked == []
    code, _, err = check(_coco(), "--images", images / "none")
    assert code == 5 and "is not a folder" in err


def test_images_that_cannot_be_opened_are_left_out_of_the_copy(check, images, monkeypatch, tmp_path):
    _opened(monkeypatch, error("images[0] (id 1)", "file_name", ProblemKind.DOES_NOT_OPEN, "1.png"))
    code, out, _ = check(_coco(), "--images", images)
    assert code == 5 and "file_name does not open" in out
    code, out, _ = check(_coco(), "--images", images, "--fix", tmp_path / "fixed.json")
    assert code == 0
    assert [i["file_name"] for i in json.loads((tmp_path / "fixed.json").read_text())["images"]] == ["2.png"]


def test_real_images_of_another_size_are_told_and_corrected_in_the_copy(check, images, tmp_path):
    coco = _coco()
    coco["images"][0] |= {"width": 120, "height": 80}
    code, out, _ = check(coco, "--images", images, "--fix", tmp_path / "fixed.json")
    assert code == 0 and "is not the size of the file" in out and "width: taken from the image file" in out
    assert "bbox: scaled to the size of the image file" in out
    (images / "2.png").write_bytes(b"no picture")
    code, out, _ = check(coco, "--images", images, "--fix", tmp_path / "fixed.json")
    assert code == 0 and "does not open" in out and "left out: 1 entries" in out
    assert check((tmp_path / "fixed.json").read_text(), "--images", images)[0] == 0


def _crowds(n_crowds):
    coco = _coco()
    for lesion in coco["annotations"][:n_crowds]:
        lesion["iscrowd"] = 1
    return coco


def test_crowds_are_counted_apart_and_named(check):
    code, out, _ = check(_crowds(1))
    assert code == 0 and "0 errors, 1 warnings in 2 images and 1 lesions beside 1 crowd regions" in out
    assert "images[0] (id 1) of '1.png': 1 of 1 regions" in out and "--crowds-as-lesions" in out


def test_a_file_of_crowds_alone_is_an_error_until_they_are_taken_as_lesions(check, tmp_path):
    fixed = tmp_path / "fixed.json"
    code, out, _ = check(_crowds(2), "--fix", fixed)
    assert code == 5 and "1 errors" in out and "2 of 2 regions, in 2 images, are crowds" in out
    assert "no errors" not in out
    code, out, _ = check(_crowds(2), "--fix", fixed, "--crowds-as-lesions")
    assert code == 0 and "2 images with 2 lesions, no errors" in out
    assert check(fixed.read_text())[0] == 0
    assert check(_coco(), "--crowds-as-lesions")[0] == check(_coco(), "--boxes-as-masks")[0] == 2  # without --fix


def test_boxes_alone_are_an_error_that_names_the_option_and_are_not_lost(check, tmp_path):
    fixed, coco = tmp_path / "fixed.json", _coco()
    for lesion in coco["annotations"]:
        lesion["segmentation"] = [[]]
    code, out, _ = check(coco, "--fix", fixed)
    assert code == 5 and "2 lesions (2 of them boxes without an outline)" in out and "--boxes-as-masks" in out
    assert [lesion["bbox"] for lesion in json.loads(fixed.read_text())["annotations"]] == [[10, 10, 20, 20]] * 2
    assert check(coco, "--boxes-only", "--fix", fixed)[0] == 0
    assert check(coco, "--boxes-as-masks", "--fix", fixed)[0] == 0
    assert check(fixed.read_text())[0] == 0
    coco["annotations"][0]["segmentation"] = [SQUARE]
    code, out, _ = check(coco, "--fix", fixed)  # beside outlines, a box alone has no certain repair
    assert code == 0 and "left out: 1 entries" in out and "add --boxes-only, or --boxes-as-masks" in out
