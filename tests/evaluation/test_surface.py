import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from segtumor.errors import DataError
from segtumor.evaluation.facts.surface import surface_distances
from segtumor.structures.masks import rle_from_mask

ROOT2 = math.sqrt(2)


def mask_of(*rows):
    """Rows of text, # for a pixel of the mask."""
    return np.array([[character == "#" for character in row] for row in rows])


def distances(first, second, tolerance=1.0, spacing=(1.0, 1.0)):
    return surface_distances(rle_from_mask(first), rle_from_mask(second), tolerance=tolerance, spacing=spacing)


def numbers(found):
    return [found.hausdorff, found.hausdorff_95, found.average, found.normalized_dice]


EMPTY = mask_of("....", "....", "....", "....")
LEFT_PIXEL = mask_of("....", "#...", "....", "....")
RIGHT_PIXEL = mask_of("....", "...#", "....", "....")
TOP_CORNER = mask_of("#...", "....", "....", "....")
LOW_CORNER = mask_of("....", "....", "....", "...#")
SQUARE = mask_of("......", ".###..", ".###..", ".###..", "......", "......")
SHIFTED = mask_of("......", "..###.", "..###.", "..###.", "......", "......")
SQUARE_AT_BORDER = mask_of("###...", "###...", "###...", "......", "......", "......")
RING = mask_of("......", ".###..", ".#.#..", ".###..", "......", "......")
LINE = mask_of("####", "....", "....", "....")
PIXEL_OF_LINE = mask_of("#...", "....", "....", "....")

# Distances from first to second and from second to first stand beside each case.
BY_EYE = {
    "one pixel and one pixel": (LEFT_PIXEL, RIGHT_PIXEL, [3, 3, 3, 0]),  # 3 | 3
    "opposite corners": (TOP_CORNER, LOW_CORNER, [3 * ROOT2, 3 * ROOT2, 3 * ROOT2, 0]),
    "the same": (SQUARE, SQUARE, [0, 0, 0, 1]),
    # A left column of three at 1, the five others of the square's eight surface pixels at 0; the middle one is none,
    # but the other's left column passes through it: (2, 2) is one from the surface. So: four at 1, four at 0, twice.
    "shifted by one": (SQUARE, SHIFTED, [1, 1, 0.5, 1]),
    # 0, 1, 2, 3 | 0: the 95th percentile of four values lies at rank 2.85.
    "line and its end": (LINE, PIXEL_OF_LINE, [3, 2.85, 6 / 5, 3 / 5]),
    # The hole is one pixel, so the ring has the surface of the square.
    "a hole of one pixel": (SQUARE, RING, [0, 0, 0, 1]),
}


@pytest.mark.parametrize("case", BY_EYE)
def test_by_eye(case):
    first, second, expected = BY_EYE[case]
    assert numbers(distances(first, second)) == pytest.approx(expected)
    assert numbers(distances(second, first)) == pytest.approx(expected)


def test_the_image_border_belongs_to_the_surface():
    # Were the border no surface, the corner square would have only its right and lower edge, and (0, 0) be 2 away.
    corner = mask_of("#.....", "......", "......", "......", "......", "......")
    found = distances(SQUARE_AT_BORDER, corner)
    assert found.hausdorff == pytest.approx(2 * ROOT2)
    # To the corner: 0, 1, 2, 1, 2, root 5 twice, 2 root 2; the middle pixel is no surface. From the corner: 0.
    assert found.average == pytest.approx((1 + 2 + 1 + 2 + 2 * math.sqrt(5) + 2 * ROOT2) / 9)
    assert found.normalized_dice == pytest.approx(4 / 9)


def test_a_mask_over_the_whole_image():
    full = np.ones((4, 4), dtype=bool)
    assert distances(full, full).hausdorff == 0
    inner = mask_of("....", ".##.", ".##.", "....")  # its four pixels are no surface of the full mask: 1 away
    assert distances(full, inner).hausdorff == pytest.approx(ROOT2)
    assert distances(full, inner, tolerance=1.0).normalized_dice == pytest.approx((8 + 4) / (12 + 4))


@pytest.mark.parametrize(("first", "second", "dice"), [(EMPTY, EMPTY, 1), (EMPTY, LEFT_PIXEL, 0), (LINE, EMPTY, 0)])
def test_empty_masks_have_no_distance(first, second, dice):
    found = distances(first, second)
    assert np.isnan([found.hausdorff, found.hausdorff_95, found.average]).all()
    assert found.normalized_dice == dice


def test_spacing_is_row_then_column():
    assert distances(LEFT_PIXEL, RIGHT_PIXEL, spacing=(5.0, 0.5)).hausdorff == pytest.approx(1.5)
    assert distances(LEFT_PIXEL.T, RIGHT_PIXEL.T, spacing=(5.0, 0.5)).hausdorff == pytest.approx(15)


def test_tolerance_is_inclusive_despite_rounding():
    assert 3 * 0.1 > 0.3
    assert distances(LEFT_PIXEL, RIGHT_PIXEL, tolerance=0.3, spacing=(0.1, 0.1)).normalized_dice == 1
    assert distances(LEFT_PIXEL, RIGHT_PIXEL, tolerance=0.2999, spacing=(0.1, 0.1)).normalized_dice == 0
    assert distances(SQUARE, SHIFTED, tolerance=0).normalized_dice == pytest.approx(0.5)


def test_the_larger_directed_percentile_not_that_of_both_joined():
    # From 20 pixels of a line to the other mask: 0; from the other mask, twice as long: 0 twenty times, then 1 to 20.
    short, long = np.zeros((3, 40), dtype=bool), np.zeros((3, 40), dtype=bool)
    short[1, :20], long[1, :] = True, True
    there = np.concatenate([np.zeros(20), np.arange(1, 21)])
    assert distances(short, long).hausdorff_95 == pytest.approx(np.percentile(there, 95))
    assert np.percentile(np.concatenate([np.zeros(20), there]), 95) < distances(short, long).hausdorff_95


def surface_pixels(mask):
    """Straight from the definition: pixels with one of four neighbours outside the mask or the image."""
    height, width = mask.shape
    return [
        (row, column)
        for row, column in np.argwhere(mask).tolist()
        if any(
            not (0 <= r < height and 0 <= c < width) or not mask[r, c]
            for r, c in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
        )
    ]


def by_all_pairs(first, second, tolerance, spacing):
    pairs = np.array(surface_pixels(first))[:, None] - np.array(surface_pixels(second))[None]
    every = np.sqrt(((pairs * spacing) ** 2).sum(axis=-1))
    there, back = every.min(axis=1), every.min(axis=0)
    both = np.concatenate([there, back])
    percentile = max(np.percentile(there, 95), np.percentile(back, 95))
    return [both.max(), percentile, both.mean(), np.mean(both <= tolerance + 1e-9)]


def random_masks(seed):
    """Two masks of blocks in one image of up to 14 px, often touching its border, neither empty."""
    rng = np.random.default_rng(seed)
    size_hw = rng.integers(1, 15, 2)
    masks = np.zeros((2, *size_hw), dtype=bool)
    for mask in masks:
        for _ in range(rng.integers(1, 4)):
            row, column = rng.integers(0, size_hw)
            mask[row : row + rng.integers(1, 8), column : column + rng.integers(1, 8)] = True
    return masks


SEEDS = st.integers(0, 2**32 - 1)
SPACINGS = st.sampled_from([(1.0, 1.0), (0.5, 0.2), (0.143, 0.143), (2.0, 3.0)])


@settings(max_examples=150, deadline=None)
@given(SEEDS, SPACINGS, st.sampled_from([0.0, 0.3, 1.0, 2.5]))
def test_equals_the_distances_of_all_pairs(seed, spacing, tolerance):
    first, second = random_masks(seed)
    expected = by_all_pairs(first, second, tolerance, spacing)
    assert numbers(distances(first, second, tolerance, spacing)) == pytest.approx(expected)
    assert numbers(distances(second, first, tolerance, spacing)) == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(SEEDS, SPACINGS)
def test_twice_the_spacing_is_twice_the_distance(seed, spacing):
    first, second = random_masks(seed)
    once = numbers(distances(first, second, 1.0, spacing))
    twice = numbers(distances(first, second, 2.0, (2 * spacing[0], 2 * spacing[1])))
    assert twice == pytest.approx([2 * once[0], 2 * once[1], 2 * once[2], once[3]])


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(0, 3), st.integers(0, 3))
def test_where_in_the_image_does_not_matter(seed, rows, columns):
    first, second = random_masks(seed)
    moved = [np.pad(mask, ((rows, 2), (columns, 1))) for mask in (first, second)]
    assert numbers(distances(*moved)) == pytest.approx(numbers(distances(first, second)))
    assert numbers(distances(first, first)) == [0, 0, 0, 1]


def test_counts_may_be_bytes():
    as_bytes = [coco_mask.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in (LEFT_PIXEL, RIGHT_PIXEL)]
    assert surface_distances(*as_bytes, tolerance=1).hausdorff == 3


@pytest.mark.parametrize("tolerance", [-1, math.nan, math.inf])
def test_refuses_an_impossible_tolerance(tolerance):
    with pytest.raises(DataError, match="tolerance"):
        distances(SQUARE, SHIFTED, tolerance=tolerance)


@pytest.mark.parametrize("spacing", [(0, 1), (1, -1), (math.nan, 1), (1, math.inf), (1, 1, 1)])
def test_refuses_an_impossible_spacing(spacing):
    with pytest.raises(DataError, match="spacing"):
        distances(SQUARE, SHIFTED, spacing=spacing)


def test_refuses_masks_of_two_sizes():
    with pytest.raises(DataError, match=r"got \[6, 6\]; expected \[4, 4\]"):
        distances(LINE, SQUARE)


@pytest.mark.parametrize("counts", ["", "0", "1111", "\x7f"])
def test_refuses_a_damaged_mask(counts):
    with pytest.raises(DataError, match="damaged"):
        surface_distances({"size": [4, 4], "counts": counts}, rle_from_mask(LINE), tolerance=1)
