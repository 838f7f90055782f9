"""Repairing COCO files: what is mended, what is left out, and that the copy is always sound."""

import copy
import json
import random
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from segtumor.annotations.coco import load_coco
from segtumor.annotations.json_input import parse_json
from segtumor.annotations.problems import ERROR
from segtumor.annotations.repair import repair
from segtumor.annotations.validation import find_problems
from segtumor.errors import DataError, SegtumorError
from segtumor.structures.masks import mask_from_rle, rle_from_mask

NAN, INF = float("nan"), float("inf")
GONE = object()
SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]
MASK = np.zeros((40, 60), dtype=bool)
MASK[10:30, 10:30] = True


def _image(number, **changes):
    return {"id": number, "file_name": f"{number}.png", "width": 60, "height": 40, "case_id": f"c{number}", **changes}


def _lesion(number, **changes):
    box = {"bbox": [10, 10, 20, 20], "segmentation": [SQUARE], "area": 400, "iscrowd": 0}
    return {"id": number, "image_id": number, "category_id": 1, **box, **changes}


def _coco():
    return {
        "info": {"version": "1"},
        "images": [_image(1), _image(2), _image(3, image_label="normal", site=["femur"], spacing_mm=[0.1, 0.1])],
        "annotations": [_lesion(1), _lesion(2, segmentation=rle_from_mask(MASK))],
        "categories": [{"id": 1, "name": "benign"}],
    }


def _repaired_lesion(**changes):
    """The first lesion after its repair; GONE removes a key."""
    coco = _coco()
    coco["annotations"][0] = {k: v for k, v in {**coco["annotations"][0], **changes}.items() if v is not GONE}
    repaired = repair(coco)
    assert len(repaired.coco["images"]) == 3
    return repaired.coco["annotations"][0], repaired


MENDED = [
    ({"iscrowd": GONE}, "iscrowd", 0),
    ({"iscrowd": "0"}, "iscrowd", 0),
    ({"area": GONE}, "area", 400),
    ({"area": NAN}, "area", 400),
    ({"area": -3}, "area", 400),
    ({"area": 3}, "area", 400),
    ({"bbox": GONE}, "bbox", [10, 10, 20, 20]),
    ({"bbox": [10, 10, NAN, 20]}, "bbox", [10, 10, 20, 20]),
    ({"bbox": [10, 10, 30, 30]}, "bbox", [10, 10, 20, 20]),  # corners
    ({"bbox": [50, 30, 5, 5]}, "bbox", [10, 10, 20, 20]),
    ({"bbox": [10, 10, 20, 40]}, "bbox", [10, 10, 20, 30]),  # over the border, and still a fair box
    ({"id": "1"}, "id", 1),
    ({"id": 2}, "id", 2),  # the first keeps it, the second is numbered anew
    ({"image_id": "1"}, "image_id", 1),
    ({"category_id": 1.0}, "category_id", 1),
    ({"segmentation": SQUARE}, "segmentation", [SQUARE]),
    ({"segmentation": [SQUARE, SQUARE]}, "segmentation", [SQUARE]),
    ({"segmentation": [SQUARE, [1, 1, 2, 2]]}, "segmentation", [SQUARE]),
    ({"segmentation": [[5, 5, 9, 9, 7, 7], SQUARE]}, "segmentation", [SQUARE]),
]


@pytest.mark.parametrize(("changes", "field", "expected"), MENDED)
def test_what_is_certain_is_mended_and_told(changes, field, expected):
    lesion, repaired = _repaired_lesion(**changes)
    assert lesion[field] == expected
    assert repaired.left_out == []
    assert [change.field for change in repaired.changes]


UNCERTAIN = [
    {"segmentation": [[1, 1, 2, 2]]},  # a sound box does not say what the outline was
    {"segmentation": GONE},
    {"segmentation": [SQUARE, [*SQUARE[:-1], NAN]]},
    {"segmentation": {"size": [60, 40], "counts": [2400]}},
    {"category_id": 7},
    {"iscrowd": 2},
]


@pytest.mark.parametrize("changes", UNCERTAIN)
def test_an_image_whose_lesion_is_beyond_repair_goes_as_a_whole(changes):
    coco = _coco()
    coco["annotations"][0] = {k: v for k, v in _lesion(1, **changes).items() if v is not GONE}
    coco["annotations"].append(_lesion(9, image_id=1, bbox=[11, 11, 19, 19]))
    repaired = repair(coco)
    assert [image["id"] for image in repaired.coco["images"]] == [2, 3]
    assert [lesion["id"] for lesion in repaired.coco["annotations"]] == [2]
    assert [remark.image for remark in repaired.left_out] == ["1.png"]


def test_boxes_alone_are_kept_when_asked_for_and_cut():
    coco = _coco()
    coco["annotations"] = [_lesion(1, segmentation=[], area=GONE, bbox=[50, 30, 20, 20])]
    del coco["annotations"][0]["area"]
    (lesion,) = repair(coco, require_masks=False).coco["annotations"]
    assert (lesion["bbox"], lesion["area"]) == ([50, 30, 10, 10], 100)


def test_polygons_over_the_border_are_cut_without_changing_their_mask(tmp_path):
    coco = _coco()
    coco["annotations"][0] |= {"segmentation": [[-5, -5, 20, -5, 20, 20, -5, 20]], "bbox": [-5, -5, 25, 25]}
    repaired = repair(coco)
    assert repaired.coco["annotations"][0]["bbox"] == [0, 0, 20, 20]
    masks = []
    for number, content in enumerate((coco, repaired.coco)):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(content))
        masks.append(mask_from_rle(load_coco(path, check_files=False).annotated_images[0].lesions[0].rle))
    np.testing.assert_array_equal(*masks)


def test_text_ids_are_read_in_all_lists_at_once():
    coco = _coco()
    for image, lesion in zip(coco["images"], coco["annotations"], strict=False):
        image["id"], lesion["image_id"], lesion["category_id"] = str(image["id"]), str(lesion["image_id"]), "1"
    coco["categories"][0]["id"] = "1"
    repaired = repair(coco)
    assert repaired.left_out == []
    assert [lesion["image_id"] for lesion in repaired.coco["annotations"]] == [1, 2]


def test_ids_that_become_equal_are_ambiguous_and_go():
    coco = _coco()
    coco["images"].append(_image("1", file_name="other.png"))
    repaired = repair(coco)
    assert [image["id"] for image in repaired.coco["images"]] == [2, 3]
    assert sorted(remark.image for remark in repaired.left_out) == ["1.png", "other.png"]
    assert [lesion["image_id"] for lesion in repaired.coco["annotations"]] == [2]


def test_exact_copies_are_merged_and_orphans_listed():
    coco = _coco()
    coco["images"].append(dict(coco["images"][0]))
    coco["categories"].append({"id": 1, "name": "benign", "supercategory": "tumor"})
    coco["annotations"] += [_lesion(8, image_id=1), _lesion(9, image_id=77), None]
    repaired = repair(coco)
    assert [len(repaired.coco[name]) for name in ("images", "annotations", "categories")] == [3, 2, 1]
    assert len(repaired.changes) == 3
    assert [remark.image for remark in repaired.left_out] == ["annotations[3] (id 9)", "annotations[4]"]


def test_without_a_list_of_annotations_only_normal_images_are_known():
    coco = _coco()
    del coco["annotations"]
    assert [image["id"] for image in repair(coco).coco["images"]] == [3]


def test_what_the_image_files_say(tmp_path):
    (tmp_path / "a").mkdir()
    for name, size_wh in (("a/1.png", (60, 40)), ("2.png", (60, 40)), ("3.png", (50, 45))):
        Image.new("L", size_wh).save(tmp_path / name)
    coco = _coco()
    coco["images"][0] |= {"file_name": "a\\1.png", "width": "60", "height": 40.0}
    coco["images"].append(_image(4, image_label="normal"))
    repaired = repair(coco, image_root=tmp_path)
    sizes = {image["file_name"]: (image["width"], image["height"]) for image in repaired.coco["images"]}
    assert sizes == {"a/1.png": (60, 40), "2.png": (60, 40), "3.png": (50, 45)}
    assert [remark.image for remark in repaired.left_out] == ["4.png"]
    assert find_problems(repaired.coco, image_root=tmp_path, with_warnings=False) == []
    coco["annotations"][1] |= {"bbox": [40, 10, 19, 20], "segmentation": [[40, 10, 59, 10, 59, 30, 40, 30]]}
    Image.new("L", (50, 40)).save(tmp_path / "2.png")
    kept = repair(coco, image_root=tmp_path).coco["images"]
    assert [image["id"] for image in kept] == [1, 3]  # of another shape, so one of the two is of another image


def test_unusable_images_are_left_out_with_their_reason():
    repaired = repair(_coco(), unusable={"2.png": "cannot be opened"})
    assert [image["id"] for image in repaired.coco["images"]] == [1, 3]
    assert repaired.left_out[0].detail == "cannot be opened"


@pytest.mark.parametrize("coco", [None, [], {}, {"images": [], "annotations": [], "categories": []}])
def test_nothing_left_is_a_data_error(coco):
    with pytest.raises(DataError):
        repair(coco)


STRANGE = [
    None,
    True,
    -1,
    0,
    1.5,
    2.0,
    NAN,
    INF,
    10**30,
    10**400,
    "",
    "1",
    "x\\y.png",
    "../z",
    [],
    [[]],
    {},
    [NAN],
    {"a": {}},
    "images\\1.png",
    "1.png",
    [10, 10, 30, 10, 30, 30],
    [[10, 10], [30, 10], [30, 30]],
    {"size": [80, 120], "counts": [0, 9600]},
]


def _places(value, way=()):
    """Paths of all values inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*way, key)
        yield from _places(inner, (*way, key))


def _mutate(coco, rng, mild):
    *way, last = rng.choice(list(_places(coco)))
    entry = coco
    for key in way:
        entry = entry[key]
    kind = 4 if mild else rng.randrange(6)
    if kind == 0:
        del entry[last]
    elif kind == 1 and isinstance(entry, list):
        entry.append(copy.deepcopy(entry[last]))
    elif kind == 2:
        entry[last] = [entry[last]]
    elif kind == 3:
        entry[last] = str(entry[last])
    elif kind == 4 and type(entry[last]) in (int, float) and abs(entry[last]) < 1e6:
        changed = entry[last] * rng.uniform(0.5, 1.5) - rng.choice((0, 0, 40))
        entry[last] = int(changed) if type(entry[last]) is int else changed
    elif not mild:
        entry[last] = copy.deepcopy(rng.choice(STRANGE))


def _nest(coco, rng):
    *way, last = rng.choice(list(_places(coco)))
    entry = coco
    for key in way:
        entry = entry[key]
    for _ in range(rng.choice((5, 50, 300))):
        entry[last] = {"a": entry[last]} if rng.random() < 0.5 else [entry[last]]


def _malformed(seed):
    """Bytes of a file with one to four mutations; some only in their numbers, some nested or cut off."""
    rng = random.Random(seed)
    coco, mild = copy.deepcopy(_coco()), rng.random() < 0.4
    for _ in range(rng.choice((1, 1, 2, 4))):
        if isinstance(coco, dict) and coco:
            _mutate(coco, rng, mild)
    if coco and not mild and rng.random() < 1 / 8:
        _nest(coco, rng)
    data = bytearray(json.dumps(coco).encode())
    if rng.random() < 1 / 8:
        data = data[: rng.randrange(len(data))]
    if rng.random() < 1 / 8 and data:
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def _use(path):
    """Whatever is accepted must work to the end."""
    dataset = load_coco(path, check_files=False)
    for record, image in zip(dataset.records, dataset.annotated_images, strict=True):
        assert len(record["annotations"]) == len(image.lesions)
        assert all(lesion.area_px >= 0 and mask_from_rle(lesion.rle).shape == image.size_hw for lesion in image.lesions)
    return dataset


@pytest.mark.fuzz
@pytest.mark.parametrize("start", range(0, 500, 250))
def test_generated_malformed_files_meet_only_our_own_errors(start, tmp_path):
    path, accepted, fixed = tmp_path / "gt.json", 0, 0
    tracemalloc.start()
    for seed in range(start, start + 250):
        data = _malformed(seed)
        path.write_bytes(data)
        try:
            coco = parse_json(data, path)
        except SegtumorError:
            continue
        errors = [problem for problem in find_problems(coco) if problem.severity == ERROR]
        try:
            _use(path)
            accepted += 1
            assert not errors
        except DataError:
            assert errors, seed
        before = repr(coco)
        try:
            repaired = repair(coco)
        except DataError:
            continue
        finally:
            assert repr(coco) == before, seed
        path.write_text(json.dumps(repaired.coco))
        _use(path)
        fixed += 1
        assert errors or len(repaired.coco["images"]) == len(coco["images"]), seed
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6
    assert accepted > 5 and fixed > 100


@pytest.mark.fuzz
def test_malformed_files_beside_pictures_of_other_sizes_are_repaired_or_refused(tmp_path):
    folder, repaired = tmp_path / "images", 0
    folder.mkdir()
    for number, size_wh in ((1, (120, 80)), (2, (60, 40)), (3, (40, 60))):
        Image.new("L", size_wh).save(folder / f"{number}.png")
    for seed in range(250):
        rng = random.Random(seed)
        options = {name: rng.random() < 0.5 for name in ("require_masks", "crowds_as_lesions", "boxes_as_masks")}
        try:
            coco = parse_json(_malformed(seed), "gt.json")
            done = repair(coco, image_root=folder, **options)
        except SegtumorError:
            continue
        repaired += 1
        checked = {"image_root": folder, "require_masks": options["require_masks"]}
        assert [p for p in find_problems(done.coco, **checked) if p.severity == ERROR] == [], seed
        for image in done.coco["images"]:
            with Image.open(folder / image["file_name"]) as picture:
                assert picture.size == (image["width"], image["height"]), seed
    assert repaired > 100
