"""Offsets to boxes, clipping and scaling, by eye."""

import numpy as np

from segtumor.runtime.mask_rcnn.box_coding import SCALE_LIMIT, clip_boxes, decode_boxes, longer_than, scale_boxes

BOX = [[10, 20, 30, 60]]  # 20 wide, 40 high, centre (20, 40)


def test_no_offset_leaves_the_box():
    assert decode_boxes(np.zeros((1, 4)), BOX, (1, 1, 1, 1)).tolist() == BOX


def test_a_box_moves_by_its_own_size_and_grows_by_a_power_of_e():
    moved = decode_boxes([[0.5, -0.25, 0, np.log(2)]], BOX, (1, 1, 1, 1))
    assert np.allclose(moved, [[20, -10, 40, 70]])  # centre (30, 30), 20 wide, 80 high


def test_offsets_are_divided_by_their_weights():
    assert np.allclose(decode_boxes([[5, -2.5, 0, 5 * np.log(2)]], BOX, (10, 10, 5, 5)), [[20, -10, 40, 70]])


def test_boxes_of_several_classes_stay_in_their_columns():
    moved = decode_boxes([[0, 0, 0, 0, 1, 0, 0, 0]], BOX, (1, 1, 1, 1))
    assert moved.tolist() == [[10, 20, 30, 60, 30, 20, 50, 60]]


def test_growth_is_limited():
    assert np.array_equal(
        decode_boxes([[0, 0, 50, 0]], BOX, (1, 1, 1, 1)), decode_boxes([[0, 0, SCALE_LIMIT, 0]], BOX, (1, 1, 1, 1))
    )


def test_what_is_not_finite_stays_visible():
    assert np.isnan(decode_boxes([[np.nan, 0, 0, 0]], BOX, (1, 1, 1, 1))).tolist() == [[True, False, True, False]]
    assert not np.isfinite(decode_boxes([[0, np.inf, 0, 0]], BOX, (1, 1, 1, 1))).all()


def test_no_boxes():
    assert decode_boxes(np.zeros((0, 8)), np.zeros((0, 4)), (1, 1, 1, 1)).size == 0


def test_clipping_and_sides():
    boxes = np.array([[-5, 2, 4, 50], [30, 30, 40, 40], [1, 1, 3, 2]], dtype=np.float32)
    clipped = clip_boxes(boxes, (10, 20))
    assert clipped.tolist() == [[0, 2, 4, 10], [20, 10, 20, 10], [1, 1, 3, 2]]
    assert longer_than(clipped, 0).tolist() == [True, False, True]
    assert longer_than(clipped, 1).tolist() == [True, False, False]  # a side of exactly 1 is not longer
    assert boxes[0, 0] == -5


def test_scaling_takes_height_and_width_apart():
    boxes = np.array([[1, 2, 3, 4]], dtype=np.float32)
    assert scale_boxes(boxes, (10, 10), (20, 50)).tolist() == [[5, 4, 15, 8]]
