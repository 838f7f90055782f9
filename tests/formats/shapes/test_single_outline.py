"""One polygon for parts and holes paints the same pixels."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from segtumor.formats.shapes.single_outline import join_outlines, keyhole_polygon
from segtumor.structures.masks import rle_from_mask, rle_from_polygons, rle_from_segmentation
from segtumor.structures.outlines import outlines_from_mask
from segtumor.structures.polygons import polygon_area

MASKS = npst.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def test_a_single_polygon_is_returned_as_it_is():
    polygon = [0.123456789, 0, 5, 0, 5, 5]
    assert keyhole_polygon([polygon], (8, 8)) == polygon


def test_two_squares_keep_their_corners_and_get_the_shortest_bridge():
    left, right = [0, 0, 2, 0, 2, 2, 0, 2], [4, 2, 6, 2, 6, 4, 4, 4]
    joined = keyhole_polygon([left, right], (8, 8))
    assert joined == [0, 0, 2, 0, 2, 2, 4, 2, 6, 2, 6, 4, 4, 4, 4, 2, 2, 2, 0, 2]
    assert rle_from_polygons([joined], (8, 8)) == rle_from_polygons([left, right], (8, 8))


def test_parts_drawn_in_different_senses_add_up_in_area():
    joined = keyhole_polygon([[0, 0, 2, 0, 2, 2, 0, 2], [4, 2, 4, 4, 6, 4, 6, 2]], (8, 8))
    assert polygon_area(joined) == 8


def test_overlapping_parts_are_outlined_anew():
    parts = [[0, 0, 4, 0, 4, 4, 0, 4], [2, 2, 6, 2, 6, 6, 2, 6]]
    assert rle_from_polygons([keyhole_polygon(parts, (8, 8))], (8, 8)) == rle_from_polygons(parts, (8, 8))


def test_the_area_of_a_hole_is_taken_away():
    mask = np.ones((9, 9), dtype=bool)
    mask[3:6, 3:6] = False
    area = polygon_area(keyhole_polygon(rle_from_mask(mask), (9, 9)))
    assert 64 < area < 72.0 + 1e-9


def test_noise_of_hundreds_of_parts_comes_back_to_the_pixel():
    mask = np.random.default_rng(3).random((60, 60)) < 0.3
    rle = rle_from_mask(mask)
    assert rle_from_polygons([keyhole_polygon(rle, (60, 60))], (60, 60)) == rle


def test_nothing_marked_is_no_polygon():
    assert keyhole_polygon(rle_from_mask(np.zeros((3, 3), dtype=bool)), (3, 3)) == join_outlines([]) == []


@settings(max_examples=80, deadline=None)
@given(MASKS.filter(np.any))
def test_any_mask_comes_back_to_the_pixel(mask):
    rle = rle_from_mask(mask)
    assert rle_from_polygons([keyhole_polygon(rle, mask.shape)], mask.shape) == rle
    assert len(outlines_from_mask(mask)) >= 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.floats(0, 12), min_size=6, max_size=6), min_size=2, max_size=3))
def test_any_triangles_come_back_to_the_pixel(triangles):
    wanted = rle_from_segmentation(triangles, (12, 12))
    joined = keyhole_polygon(triangles, (12, 12))
    assert not joined or rle_from_polygons([joined], (12, 12)) == wanted
