"""Anchors, by eye; the second opinion is in test_parts_oracle.py."""

import numpy as np

from segtumor.runtime.mask_rcnn.anchors import anchors_at, cell_anchors


def test_anchors_of_a_cell_keep_their_area_and_are_ordered_by_size_then_ratio():
    assert cell_anchors((8, 16), (1.0, 4.0)).tolist() == [
        [-4, -4, 4, 4],
        [-2, -8, 2, 8],
        [-8, -8, 8, 8],
        [-4, -16, 4, 16],
    ]


def test_positions_run_by_row_then_column_then_anchor():
    cell = np.array([[-1, -1, 1, 1], [-2, -2, 2, 2]], dtype=np.float32)
    grid = anchors_at(np.arange(8), cell=cell, map_width=2, stride_px=10, offset=0.5)
    assert grid.dtype == np.float32
    assert grid.tolist() == [
        [4, 4, 6, 6],
        [3, 3, 7, 7],
        [14, 4, 16, 6],
        [13, 3, 17, 7],
        [4, 14, 6, 16],
        [3, 13, 7, 17],
        [14, 14, 16, 16],
        [13, 13, 17, 17],
    ]


def test_positions_come_in_any_order_and_twice():
    cell = cell_anchors((8, 11), (0.5, 1, 2))
    found = anchors_at(np.array([209, 0, 17, 17]), cell=cell, map_width=7, stride_px=4, offset=0.0)
    # 6 anchors of a cell: 209 is the last one of row 4, column 6; 17 that of row 0, column 2.
    expected = [cell[5] + [24, 16, 24, 16], cell[0], *[cell[5] + [8, 0, 8, 0]] * 2]
    assert np.array_equal(found, np.float32(expected))


def test_no_position_gives_no_anchor():
    cell = cell_anchors((8,), (1,))
    none = np.zeros(0, dtype=np.intp)
    assert anchors_at(none, cell=cell, map_width=3, stride_px=4, offset=0).shape == (0, 4)
