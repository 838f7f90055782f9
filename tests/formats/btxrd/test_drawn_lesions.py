"""LabelMe shapes to lesions, each once."""

import json

import numpy as np
import pytest

from segtumor.errors import DataError
from segtumor.formats.btxrd.drawn_lesions import DrawnLesion, fit_lesion, pair_shapes, read_labelme


def _rectangle(x0, y0, x1, y1, label="osteosarcoma"):
    return {"label": label, "shape_type": "rectangle", "points": [[x0, y0], [x1, y1]], "group_id": None}


def _polygon(x0, y0, x1, y1, label="osteosarcoma"):
    points = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
    return {"label": label, "shape_type": "polygon", "points": points, "group_id": None}


def _read(tmp_path, *shapes, **more):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"shapes": list(shapes), "imageHeight": 40, "imageWidth": 60, **more}))
    return read_labelme(path)


def _boxes(lesions):
    return [(*lesion.outline_xy.min(axis=0), *lesion.outline_xy.max(axis=0)) for lesion in lesions]


def test_a_lesion_drawn_twice_is_one(tmp_path):
    drawn = _read(tmp_path, _rectangle(1, 1, 11, 11), _polygon(2, 2, 10, 10))
    (lesion,) = pair_shapes(drawn.shapes)
    assert drawn.size_hw == (40, 60) and drawn.unusable == ()
    assert (lesion.drawn_box_xyxy, lesion.mask_from_box) == ((1, 1, 11, 11), False)
    assert _boxes([lesion]) == [(2, 2, 10, 10)]


def test_neighbours_are_paired_by_the_best_sum_not_by_their_order(tmp_path):
    shapes = [_rectangle(10, 0, 20, 10), _rectangle(0, 0, 10, 10), _polygon(1, 0, 10, 10), _polygon(11, 0, 20, 10)]
    lesions = pair_shapes(_read(tmp_path, *shapes).shapes)
    assert [lesion.drawn_box_xyxy for lesion in lesions] == [(0, 0, 10, 10), (10, 0, 20, 10)]


def test_corners_in_any_order(tmp_path):
    (lesion,) = pair_shapes(_read(tmp_path, _rectangle(11, 11, 1, 1), _polygon(2, 2, 10, 10)).shapes)
    assert lesion.drawn_box_xyxy == (1, 1, 11, 11)


def test_a_lonely_rectangle_is_a_lesion_with_its_box_as_mask(tmp_path):
    drawn = _read(tmp_path, _rectangle(0, 0, 10, 10), _polygon(0, 0, 9, 9), _rectangle(30, 30, 40, 36))
    lesions = pair_shapes(drawn.shapes)
    assert [lesion.mask_from_box for lesion in lesions] == [False, True]
    assert _boxes(lesions)[1] == (30, 30, 40, 36)


def test_a_lonely_polygon_is_a_lesion(tmp_path):
    (lesion,) = pair_shapes(_read(tmp_path, _polygon(0, 0, 9, 9)).shapes)
    assert lesion.drawn_box_xyxy is None and not lesion.mask_from_box


def test_labels_are_normalised_and_never_paired_across(tmp_path):
    drawn = _read(tmp_path, _rectangle(0, 0, 9, 9, "  Other   BT "), _polygon(0, 0, 9, 9, "other mt"))
    assert [(x.label, x.mask_from_box) for x in pair_shapes(drawn.shapes)] == [("other mt", False), ("other bt", True)]


def test_a_repeated_shape_counts_once(tmp_path):
    pair = [_rectangle(0, 0, 9, 9), _polygon(0, 0, 9, 9)]
    drawn = _read(tmp_path, *pair, *pair)
    assert len(pair_shapes(drawn.shapes)) == 1
    assert drawn.unusable == tuple(f"shape {n} repeats an earlier shape point by point" for n in (2, 3))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("text", "has no label"),
        ({"label": None}, "has no label"),
        ({"label": "x", "shape_type": "circle", "points": []}, "is a circle"),
        ({"label": "x", "shape_type": "polygon", "points": [[1, 1], [2, 2]]}, "has 2 points"),
        ({"label": "x", "shape_type": "polygon", "points": [[1, 1], [2, 2], [3, 3]]}, "has no area"),
        ({"label": "x", "shape_type": "polygon", "points": [[1, 1], [2, 2], [3, float("nan")]]}, "not two finite"),
        ({"label": "x", "shape_type": "rectangle", "points": [[1, 1]]}, "has 1 points"),
        ({"label": "x", "shape_type": "rectangle", "points": [[1, 1], [1, 5]]}, "has no area"),
        ({"label": "x", "shape_type": "rectangle", "points": [[1, "1"], [2, 5]]}, "not two finite"),
        ({"label": "x", "shape_type": "rectangle"}, "not two finite"),
    ],
)
def test_a_degenerate_shape_is_told_and_left_out(tmp_path, shape, expected):
    drawn = _read(tmp_path, shape)
    assert drawn.shapes == () and expected in drawn.unusable[0]


@pytest.mark.parametrize("content", ["", "[]", '{"shapes": 3}'])
def test_what_is_no_labelme_file_is_refused(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"a\.json"):
        read_labelme(path)


def test_size_may_be_missing(tmp_path):
    assert _read(tmp_path, imageHeight=None).size_hw is None


def test_fitting_scales_and_cuts():
    lesion = DrawnLesion("x", np.array([[0.0, 0], [10, 0], [10, 10], [0, 10]]), (0.0, 0.0, 11.0, 11.0))
    fitted = fit_lesion(lesion, (2, 2), (100, 15))
    assert _boxes([fitted]) == [(0, 0, 15, 20)]
    assert fitted.drawn_box_xyxy == (0, 0, 22, 22)
    assert lesion.outline_xy.max() == 10  # the input is as it was
    assert fit_lesion(DrawnLesion("x", lesion.outline_xy + 50, None), (1, 1), (40, 40)) is None
