"""Boxes to maps of the pyramid."""

import numpy as np

from segtumor.runtime.mask_rcnn.levels import box_levels, regions_by_level


def levels(boxes, strides_px=(4, 8, 16, 32)):
    return box_levels(
        np.array(boxes, dtype=np.float32).reshape(-1, 4),
        strides_px=strides_px,
        canonical_box_px=224,
        canonical_level=4,
    ).tolist()


def test_a_box_of_224_px_belongs_to_stride_16_and_half_of_it_one_level_below():
    squares = [[0, 0, side, side] for side in (1, 111, 112, 223, 224, 447, 448, 5000)]
    assert levels(squares) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_an_empty_box_belongs_to_the_finest_map_and_one_map_takes_all():
    assert levels([[5, 5, 5, 5]]) == [0]
    assert levels([[0, 0, 1, 1], [0, 0, 900, 900]], strides_px=(16,)) == [0, 0]
    assert levels([]) == []


def test_regions_come_sorted_and_the_rows_undo_it():
    boxes = np.arange(20, dtype=np.float32).reshape(5, 4)
    parts, rows = regions_by_level(boxes, [0, 0, 1, 1, 1], np.array([2, 0, 2, 0, 2]), 4)
    assert [part.shape for part in parts] == [(2, 5), (0, 5), (3, 5), (0, 5)]
    assert all(part.dtype == np.float32 for part in parts)
    regions = np.concatenate(parts)[rows]
    assert regions[:, 0].tolist() == [0, 0, 1, 1, 1]
    assert np.array_equal(regions[:, 1:], boxes)
