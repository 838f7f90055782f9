"""Malformed COCO files: finer kinds than those of test_malformed_coco, and what is not of one value alone."""

import copy
import os

import numpy as np
import pytest
from documents import changed
from hypothesis import given, settings
from hypothesis import strategies as st

from segtumor.annotations.problems import ERROR
from segtumor.annotations.segmentations import check_outlines
from segtumor.annotations.validation import find_problems
from segtumor.structures.masks import box_from_mask, rle_from_mask

NAN, INF = float("nan"), float("inf")
SQUARE = [1, 1, 3, 1, 3, 3, 1, 3]
SOUND = {
    "images": [
        {"id": 1, "file_name": "a.png", "width": 6, "height": 4},
        {"id": 2, "file_name": "b.png", "width": 6, "height": 4},
    ],
    "annotations": [
        {
            "id": 1,
            "image_id": 1,
            "category_id": 1,
            "bbox": [1, 1, 2, 2],
            "segmentation": [SQUARE],
            "area": 4,
            "iscrowd": 0,
        }
    ],
    "categories": [{"id": 1, "name": "benign"}, {"id": 2, "name": "malignant"}],
}
ANNOTATION, IMAGE, CATEGORY = ("annotations", 0), ("images", 0), ("categories", 0)

CASES = [
    (("images",), {}, "images: is not a list"),
    (("categories",), [], "categories: is empty"),
    (IMAGE, "a.png", "is not a JSON object"),
    ((*IMAGE, "image_label"), "normal", "image_label: contradicts the annotations, of which it has some"),
    (("images", 1, "image_label"), "malignant", "image_label: contradicts the annotations, of which it has none"),
    ((*IMAGE, "height"), 4.5, "height: is not a whole number from 1"),
    ((*IMAGE, "file_name"), 5, "is not a file name"),
    ((*IMAGE, "file_name"), " ", "is not a file name"),
    ((*IMAGE, "file_name"), "a\0.png", "is not a file name"),
    ((*IMAGE, "file_name"), "b.png", "file_name: is used twice"),
    ((*IMAGE, "file_name"), "./b.png", "file_name: is used twice"),
    ((*IMAGE, "file_name"), "../a.png", "leaves the image root"),
    ((*IMAGE, "file_name"), "x/../../a.png", "leaves the image root"),
    ((*IMAGE, "file_name"), "/etc/passwd", "is absolute"),
    ((*IMAGE, "file_name"), "C:a.png", "is absolute"),
    ((*IMAGE, "file_name"), "x\\a.png", "has a backslash"),
    ((*CATEGORY, "id"), "1", "id: is not an integer"),
    ((*CATEGORY, "name"), 3, "is not a name"),
    (ANNOTATION, [], "is not a JSON object"),
    ((*ANNOTATION, "image_id"), [1], "image_id: is not an integer"),
    ((*ANNOTATION, "category_id"), 9, "category_id: is not the id of any entry"),
    ((*ANNOTATION, "category_id"), 1.0, "category_id: is not an integer"),
    ((*ANNOTATION, "bbox"), [1, 1, 2], "is not [x, y, width, height]"),
    ((*ANNOTATION, "bbox"), [1, 1, 2, "2"], "not a finite number"),
    ((*ANNOTATION, "bbox"), [1, 1, 2, NAN], "not a finite number"),
    ((*ANNOTATION, "bbox"), [1, 1, INF, 2], "not a finite number"),
    ((*ANNOTATION, "bbox"), [1, 1, 10**400, 2], "not a finite number"),
    ((*ANNOTATION, "bbox"), [1, 1, -2, 2], "has no extent"),
    ((*ANNOTATION, "bbox"), [1, 1, 0, 2], "has no extent"),
    ((*ANNOTATION, "bbox"), [6, 1, 2, 2], "bbox: is wholly outside the image"),
    ((*ANNOTATION, "bbox"), [-3, 1, 2, 2], "bbox: is wholly outside the image"),
    ((*ANNOTATION, "bbox"), [4, 1, 2, 2], "polygon does not touch its bbox"),
    ((*ANNOTATION, "area"), None, "area: is not a finite number"),
    ((*ANNOTATION, "iscrowd"), "0", "iscrowd: is neither 0 nor 1"),
    ((*ANNOTATION, "segmentation"), "x", "is neither polygons nor an RLE"),
    (
        (*ANNOTATION, "segmentation"),
        SQUARE,
        "is not a list of polygons [[x0, y0, x1, y1, ...], ...], got one flat list of 8",
    ),
    ((*ANNOTATION, "segmentation"), [[1, 1, 3, 3]], "polygon has fewer than three points, got polygon 0 of 2"),
    ((*ANNOTATION, "segmentation"), [[]], "is missing; boxes alone are accepted only when asked for, got [[]]"),
    ((*ANNOTATION, "segmentation"), [SQUARE[:-1]], "polygon has an odd number of coordinates, got polygon 0 of 7"),
    ((*ANNOTATION, "segmentation"), [SQUARE, [1, 1, 2, 2, 3, 3]], "polygon has no area, got polygon 1"),
    ((*ANNOTATION, "segmentation"), [[*SQUARE[:-1], NAN]], "polygon holds something that is not a finite number"),
    ((*ANNOTATION, "segmentation"), [[*SQUARE[:-1], "3"]], "polygon holds something that is not a finite number"),
    ((*ANNOTATION, "segmentation"), [[*SQUARE[:-1], 10**400]], "polygon holds something that is not a finite number"),
    ((*ANNOTATION, "segmentation"), [[7, 1, 9, 1, 9, 3]], "polygon is wholly outside the image"),
    ((*ANNOTATION, "segmentation"), [[5, -3, 9, -3, 9, 1]], "polygon is wholly outside the image"),
    ((*ANNOTATION, "segmentation"), {"counts": "0"}, "RLE has no size"),
    ((*ANNOTATION, "segmentation"), {"size": [6, 4], "counts": [24]}, "RLE is of another image size"),
    ((*ANNOTATION, "segmentation"), {"size": [4, 6]}, "RLE counts cannot be read"),
    ((*ANNOTATION, "segmentation"), {"size": [4, 6], "counts": ""}, "is missing; boxes alone"),
    ((*ANNOTATION, "segmentation"), {"size": [4, 6], "counts": "o"}, "RLE counts cannot be read"),
    ((*ANNOTATION, "segmentation"), {"size": [4, 6], "counts": "ooooooooooooo0"}, "RLE counts cannot be read"),
    ((*ANNOTATION, "segmentation"), {"size": [4, 6], "counts": [5, -2, 21]}, "RLE counts cannot be read"),
    (
        (*ANNOTATION, "segmentation"),
        {"size": [4, 6], "counts": [5, 2, 2]},
        "RLE counts do not add up to the image, got 9 px of 24",
    ),
    ((*ANNOTATION, "segmentation"), {"size": [4, 6], "counts": [24]}, "RLE marks no pixel"),
]


def errors(coco, **options):
    return [problem for problem in find_problems(coco, **options) if problem.severity == ERROR]


@pytest.mark.parametrize(("path", "value", "expected"), CASES)
def test_every_kind_of_problem_is_named(path, value, expected):
    found = [str(problem) for problem in errors(changed(SOUND, path, value))]
    assert any(expected in text for text in found), found


def test_a_sound_file_has_none():
    assert errors(SOUND) == []


def test_only_normal_images_is_sound():
    assert errors({**SOUND, "annotations": []}) == []


@pytest.mark.parametrize("value", [None, [], "x", 3])
def test_not_an_object(value):
    assert len(errors(value)) == 1


def test_all_problems_in_one_pass_with_their_place():
    coco = copy.deepcopy(SOUND)
    coco["images"][1]["width"] = -1
    coco["annotations"][0] |= {"bbox": [1, 1, NAN, 2], "category_id": 8}
    assert [str(problem) for problem in errors(coco)] == [
        "images[1] (id 2) width: is not a whole number from 1 to 1,000,000, got -1",
        "annotations[0] (id 1) category_id: is not the id of any entry, got 8",
        "annotations[0] (id 1) bbox: holds something that is not a finite number, got [1, 1, nan, 2]",
    ]


def test_files_are_looked_for_below_the_root(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.png").write_bytes(b"")
    (root / "sub" / "there.png").write_bytes(b"")
    (root / "inner.png").symlink_to(root / "sub" / "there.png")
    (root / "leak.png").symlink_to(outside / "secret.png")
    (root / "folder").symlink_to(outside)
    names = ["sub/there.png", "inner.png", "absent.png", "leak.png", "folder/secret.png", "sub"]
    images = [{"id": n, "file_name": name, "width": 6, "height": 4} for n, name in enumerate(names, 1)]
    found = errors({**SOUND, "images": images}, image_root=root)
    assert {problem.got: problem.what for problem in found} == {
        "'absent.png'": f"cannot be found below the image root ({os.strerror(2)})",
        "'leak.png'": "is a link that leaves the image root",
        "'folder/secret.png'": "is a link that leaves the image root",
        "'sub'": "is not a file",
    }


def test_a_linked_root_is_fine_and_a_missing_one_is_one_problem(tmp_path):
    (tmp_path / "real").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "real" / name).write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert errors(SOUND, image_root=tmp_path / "link") == []
    assert len(errors(SOUND, image_root=tmp_path / "none")) == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_every_rle_of_pycocotools_is_accepted(height, width, seed, share):
    mask = np.random.default_rng(seed).random((height, width)) < share
    mask[0, 0] = True
    rle = rle_from_mask(mask)
    assert check_outlines([(0, {"segmentation": rle}, (height, width), None)]).faults == []
    cut = {**rle, "counts": rle["counts"][:-1]}
    assert len(check_outlines([(0, {"segmentation": cut}, (height, width), None)]).faults) == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1), st.floats(0, 0.3))
def test_area_and_box_of_an_rle_are_those_of_its_pixels(height, width, seed, share):
    mask = np.random.default_rng(seed).random((height, width)) < share
    mask[height // 2, width // 3] = True
    outlines = check_outlines([(0, {"segmentation": rle_from_mask(mask)}, (height, width), None)])
    assert outlines.faults == []
    assert outlines.areas_px[0] == mask.sum()
    assert tuple(outlines.boxes_xyxy[0]) == box_from_mask(mask)


def test_outlines_measured_in_several_chunks_are_those_measured_alone(monkeypatch):
    rng = np.random.default_rng(0)
    polygons = [rng.uniform(0, 50, (2, 8)).tolist() for _ in range(30)]
    segmented = [(i, {"segmentation": outline}, (60, 60), None) for i, outline in enumerate(polygons)]
    together = check_outlines(segmented)
    monkeypatch.setattr("segtumor.annotations.segmentations._CHUNK", 20)
    in_chunks = check_outlines(segmented)
    np.testing.assert_array_equal(together.areas_px, in_chunks.areas_px)
    np.testing.assert_array_equal(together.boxes_xyxy, in_chunks.boxes_xyxy)
    alone = check_outlines(segmented[3:4])
    assert (alone.areas_px[0], *alone.boxes_xyxy[0]) == (together.areas_px[3], *together.boxes_xyxy[3])
