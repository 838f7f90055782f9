"""Outlines of masks: to the pixel, holes and islands with their sense of rotation."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from segtumor.structures.masks import mask_from_rle, rle_from_polygons
from segtumor.structures.outlines import outlines_from_mask, polygons_from_mask, turned

MASKS = npst.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def _signed_area(polygon):
    x, y = np.reshape(polygon, (-1, 2)).T
    return (np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def test_an_empty_mask_has_no_outline():
    assert polygons_from_mask(np.zeros((4, 4), dtype=bool)) == outlines_from_mask(np.zeros((4, 4), dtype=bool)) == []


def test_one_pixel_is_outlined_inside_its_edges():
    mask = np.zeros((3, 4), dtype=bool)
    mask[1, 2] = True
    assert polygons_from_mask(mask) == [[2.17, 1.17, 2.17, 1.83, 2.83, 1.83, 2.83, 1.17]]


def test_a_ring_with_an_island_has_three_outlines_of_alternating_sense():
    mask = np.ones((7, 7), dtype=bool)
    mask[1:6, 1:6] = False
    mask[3, 3] = True
    outer, hole, island = outlines_from_mask(mask)
    assert _signed_area(outer) > 0 > _signed_area(hole) and _signed_area(island) > 0


def test_turned_keeps_the_first_point():
    square = [0, 0, 1, 0, 1, 1, 0, 1]  # clockwise as seen, y down
    assert turned(square, clockwise=True) == square
    assert turned(square, clockwise=False) == [0, 0, 0, 1, 1, 1, 1, 0]


@settings(max_examples=60, deadline=None)
@given(MASKS)
def test_the_exclusive_or_of_the_outlines_is_the_mask(mask):
    painted = np.zeros_like(mask)
    for polygon in outlines_from_mask(mask):
        painted ^= mask_from_rle(rle_from_polygons([polygon], mask.shape))
    assert np.array_equal(painted, mask)
