"""Repairing what stands in place of an outline, a file name or an id: boxes and sound lesions are not lost for it."""

import pytest
from PIL import Image

from segtumor.annotations.problems import ERROR
from segtumor.annotations.regions import boxes_sentence, counted_regions, has_outline, region_remarks
from segtumor.annotations.repair import repair
from segtumor.annotations.validation import find_problems

SQUARE = [20, 20, 60, 20, 60, 60, 20, 60]
NOTHING = [None, [], "", {}, [[]], [[], []], [None], {"size": [100, 200], "counts": ""}, {"counts": []}]
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"


def _lesion(number=1, image_id=1, **changes):
    box = {"bbox": [20, 20, 40, 40], "area": 1600, "iscrowd": 0, "segmentation": [SQUARE]}
    return {"id": number, "image_id": image_id, "category_id": 1, **box, **changes}


def _coco(*lesions, images=1):
    entries = [{"id": i, "file_name": f"r{i}.png", "width": 200, "height": 100} for i in range(1, images + 1)]
    return {"images": entries, "annotations": list(lesions), "categories": [{"id": 1, "name": "benign"}]}


def _errors(coco, **options):
    return [(p.field, p.what) for p in find_problems(coco, **options) if p.severity == ERROR]


@pytest.mark.parametrize("nothing", NOTHING, ids=repr)
def test_a_box_with_an_empty_outline_is_a_box_without_an_outline(nothing):
    coco = _coco(_lesion(segmentation=nothing))
    assert not has_outline(coco["annotations"][0])
    assert [what[:21] for _, what in _errors(coco)] == ["is missing; boxes alo"]
    assert _errors(coco, require_masks=False) == []
    done = repair(coco, require_masks=False)
    assert done.left_out == [] and done.coco["annotations"][0]["bbox"] == [20, 20, 40, 40]
    (lesion,) = repair(coco, boxes_as_masks=True).coco["annotations"]
    assert (lesion["segmentation"], lesion["mask_from_box"]) == ([SQUARE], True)


EMPTY = [
    {"segmentation": [], "bbox": [0, 0, 0, 0], "area": 0},
    {"segmentation": [[]], "bbox": [7, 9, 0, 0]},
    {"segmentation": None, "bbox": []},
    {"segmentation": {}, "bbox": None},
    {"segmentation": [[7, 9]], "bbox": [7, 9, 0, 0]},
    {"segmentation": [[7, 9, 7, 9, 7, 9]], "bbox": [7, 9, 0, 0]},
    {"segmentation": {"size": [100, 200], "counts": [20000]}, "bbox": [0, 0, 0, 0]},
]


@pytest.mark.parametrize("empty", EMPTY, ids=repr)
def test_an_empty_object_goes_and_the_lesion_beside_it_stays(empty):
    done = repair(_coco(_lesion(1), _lesion(2, **empty)))
    assert [lesion["id"] for lesion in done.coco["annotations"]] == [1]
    assert done.left_out == [] and done.changes[-1].what.startswith("removed: an empty object")


@pytest.mark.parametrize("empty", EMPTY, ids=repr)
def test_an_image_of_nothing_but_empty_objects_is_not_made_normal(empty):
    done = repair(_coco(_lesion(1), _lesion(2, image_id=2, **empty), images=2))
    assert [remark.image for remark in done.left_out] == ["r2.png"]


def test_an_object_of_which_a_box_is_left_is_no_empty_one():
    for segmentation in ([[7, 9]], [[20, 20, 60, 60, 40, 40]]):  # a click, a stroke: a lesion is there, unknown
        done = repair(_coco(_lesion(1), _lesion(2, segmentation=segmentation), _lesion(3, image_id=2), images=2))
        assert [remark.image for remark in done.left_out] == ["r1.png"]


POINTS = [[20, 20], [60, 20], [60, 60], [20, 60]]


@pytest.mark.parametrize("outline", [SQUARE, POINTS, [POINTS], [[20.0, 20], *POINTS[1:]]])
def test_a_flat_outline_is_one_error_and_mended(outline):
    coco = _coco(_lesion(segmentation=outline))
    assert [field for field, _ in _errors(coco)] == ["segmentation"]
    (problem,) = (p for p in find_problems(coco) if p.severity == ERROR)
    assert "--fix" in problem.remedy
    assert repair(coco).coco["annotations"][0]["segmentation"] == [SQUARE]


def test_a_flat_outline_of_numbers_without_sense_is_one_error():
    for outline in ([1, 2, 3, 4], [1, 2, 3, 4, 5, 6, 7], [3]):
        assert len(_errors(_coco(_lesion(segmentation=outline)))) == 1


NAMES = [
    ("a\\r1.png", "a/r1.png"),
    ("pictures\\a\\r1.png", "a/r1.png"),
    ("C:\\data\\pictures\\a\\r1.png", "a/r1.png"),
    ("/home/x/pictures/a/r1.png", "a/r1.png"),
    ("pictures/a/r1.png", "a/r1.png"),
    (".\\a\\r1.png", "a/r1.png"),
]


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_names_of_windows_and_of_folders_above_are_mended_if_the_file_is_there(tmp_path, name, expected):
    (tmp_path / "pictures" / "a").mkdir(parents=True)
    Image.new("L", (200, 100)).save(tmp_path / "pictures" / "a" / "r1.png")
    coco = _coco(_lesion())
    coco["images"][0]["file_name"] = name
    (image,) = repair(coco, image_root=tmp_path / "pictures").coco["images"]
    assert image["file_name"].removeprefix("./") == expected


def test_a_file_of_that_name_in_another_folder_is_another_file(tmp_path):
    Image.new("L", (200, 100)).save(tmp_path / "r1.png")
    Image.new("L", (200, 100)).save(tmp_path / "r2.png")
    coco = _coco(_lesion(), _lesion(2, image_id=2), images=2)
    coco["images"][0]["file_name"] = "patient2\\r1.png"
    done = repair(coco, image_root=tmp_path)
    assert [image["file_name"] for image in done.coco["images"]] == ["r2.png"]
    assert len(done.left_out) == 1


def test_text_ids_are_numbered_anew_and_annotations_follow():
    coco = _coco(_lesion(1, image_id=UUID), _lesion("x", image_id="b", category_id="tumour"), images=3)
    for image, image_id in zip(coco["images"], (UUID, "b", 7), strict=True):
        image["id"] = image_id
    coco["categories"].append({"id": "tumour", "name": "malignant"})
    done = repair(coco)
    assert done.left_out == []
    id_of = {image["file_name"]: image["id"] for image in done.coco["images"]}
    assert sorted(id_of.values()) == [7, 8, 9]
    assert [a["image_id"] for a in done.coco["annotations"]] == [id_of["r1.png"], id_of["r2.png"]]
    assert [a["category_id"] for a in done.coco["annotations"]] == [1, 2]
    assert {category["name"]: category["id"] for category in done.coco["categories"]} == {"benign": 1, "malignant": 2}


def test_annotations_that_name_their_image_and_class_get_the_ids():
    coco = _coco(_lesion(1, image_id="r2.png", category_id="benign"), _lesion(2, image_id="nobody.png"), images=3)
    done = repair(coco)
    assert [(a["image_id"], a["category_id"]) for a in done.coco["annotations"]] == [(2, 1)]
    assert [remark.image for remark in done.left_out] == ["annotations[1] (id 2)"]
    coco["images"][2]["file_name"] = "r2.png"  # of two files of a name, nobody knows which
    assert [image["id"] for image in repair(coco).coco["images"]] == [1]


@pytest.mark.parametrize("written", ["7", "7 ", 7.0, " 7"])
def test_an_id_written_as_text_is_the_number(written):
    coco = _coco(_lesion(1, image_id=written), _lesion(2, image_id=7, bbox=[20, 20, 40, 41]))
    coco["images"][0]["id"] = 7
    assert [a["image_id"] for a in repair(coco).coco["annotations"]] == [7, 7]


@pytest.mark.parametrize("huge", [10**30, 2**53 + 1, -(2**60)])
def test_ids_beyond_what_readers_keep_are_numbered_anew(huge):
    coco = _coco(_lesion(1, image_id=huge), _lesion(2, image_id=2), images=2)
    coco["images"][0]["id"] = huge
    done = repair(coco)
    assert [image["id"] for image in done.coco["images"]] == [3, 2]
    assert [a["image_id"] for a in done.coco["annotations"]] == [3, 2]


def test_a_text_id_of_two_images_is_nobodys():
    coco = _coco(_lesion(1, image_id="a"), _lesion(2, image_id=3), images=3)
    coco["images"][0]["id"] = coco["images"][1]["id"] = "a"
    done = repair(coco)
    assert [image["id"] for image in done.coco["images"]] == [3]
    assert sorted(remark.image for remark in done.left_out)[-2:] == ["r1.png", "r2.png"]


def test_crowds_become_lesions_only_if_asked_for():
    brush = {"size": [100, 200], "counts": [2020, 40, 17940]}
    coco = _coco(_lesion(1, segmentation=brush, iscrowd=1, bbox=[20, 20, 1, 40], area=40), _lesion(2, iscrowd=True))
    assert [a["iscrowd"] for a in repair(coco).coco["annotations"]] == [1, True]
    done = repair(coco, crowds_as_lesions=True)
    assert [a["iscrowd"] for a in done.coco["annotations"]] == [0, 0]
    assert done.coco["annotations"][0]["segmentation"] == brush
    assert [change.what for change in done.changes] == ["crowd taken as a lesion, as asked"] * 2


def test_regions_are_counted_in_the_same_words_everywhere():
    own = [_lesion(1), _lesion(2, segmentation=[[]]), _lesion(3, iscrowd=1)]
    assert counted_regions(own) == "2 lesions (1 of them boxes without an outline) beside 1 crowd regions"
    assert counted_regions(own[:1]) == "1 lesions"
    assert boxes_sentence([("a", own), ("b", own[1:2])]).startswith("2 of 3 lesions, in 2 images, are boxes without")
    assert len(region_remarks([("a", own)])) == 2 and region_remarks([("a", own[:1])]) == []
