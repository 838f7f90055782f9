import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtumor.structures import boxes

SIDE = 10
corner = st.integers(0, SIDE)
box = st.tuples(corner, corner, corner, corner)  # corners in any order: turned over ones have no area
several = st.lists(box, max_size=4)
few = settings(max_examples=40, deadline=None)


def raster(box_xyxy):
    """Pixels a box covers, by asking each."""
    x0, y0, x1, y1 = box_xyxy
    return np.array([[x0 <= x < x1 and y0 <= y < y1 for x in range(SIDE)] for y in range(SIDE)])


@pytest.mark.parametrize(
    ("first", "second", "iou"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 1),
        ((0, 0, 2, 2), (1, 0, 3, 2), 1 / 3),
        ((0, 0, 2, 2), (2, 0, 4, 2), 0),  # they touch and share nothing
        ((0, 0, 4, 4), (1, 1, 2, 2), 1 / 16),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0),
        ((2, 2, 1, 1), (0, 0, 4, 4), 0),
    ],
)
def test_iou_by_eye(first, second, iou):
    assert boxes.box_iou([first], [second]) == pytest.approx(np.array([[iou]]))


@few
@given(several, several)
def test_iou_agrees_with_counting_pixels(first, second):
    result = boxes.box_iou(first, second)
    assert result.shape == (len(first), len(second))
    for i, a in enumerate(map(raster, first)):
        for j, b in enumerate(map(raster, second)):
            union = np.count_nonzero(a | b)
            assert result[i, j] == pytest.approx(np.count_nonzero(a & b) / union if union else 0)


@few
@given(several)
def test_areas_agree_with_counting_pixels(several_boxes):
    counted = [np.count_nonzero(raster(b)) for b in several_boxes]
    np.testing.assert_array_equal(boxes.box_areas(np.reshape(several_boxes, (-1, 4))), counted)


@few
@given(several)
def test_conversions_are_inverse_and_leave_their_input(several_boxes):
    xyxy = np.array(several_boxes, dtype=np.float64).reshape(-1, 4)
    copy = xyxy.copy()
    np.testing.assert_array_equal(boxes.box_xywh_to_xyxy(boxes.box_xyxy_to_xywh(xyxy)), xyxy)
    np.testing.assert_array_equal(xyxy, copy)


def test_conversion_by_eye_also_of_one_box():
    np.testing.assert_array_equal(boxes.box_xyxy_to_xywh((1, 2, 4, 8)), [1, 2, 3, 6])
    np.testing.assert_array_equal(boxes.box_xywh_to_xyxy((1, 2, 3, 6)), [1, 2, 4, 8])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((-1, -2, 3, 2), (0, 0, 3, 2)),
        ((0, 0, 9, 9), (0, 0, 6, 4)),
        ((1, 1, 2, 2), (1, 1, 2, 2)),
        ((7, 7, 9, 9), (6, 4, 6, 4)),  # wholly outside
    ],
)
def test_clipping_to_an_image_of_4_rows_and_6_columns(before, after):
    np.testing.assert_array_equal(boxes.clip_boxes(before, (4, 6)), after)


@few
@given(several)
def test_clipping_twice_changes_nothing_more(several_boxes):
    once = boxes.clip_boxes(np.reshape(several_boxes, (-1, 4)), (4, 6))
    np.testing.assert_array_equal(boxes.clip_boxes(once, (4, 6)), once)
    assert np.all(boxes.box_areas(once) <= 24)
