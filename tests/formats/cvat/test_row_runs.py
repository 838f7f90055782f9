"""Run lengths row by row, and masks on images of another size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtumor.annotations.flat_polygons import scale_mask
from segtumor.annotations.remarks import LeftOutError
from segtumor.annotations.rescaling import scaled_segmentation
from segtumor.formats.cvat.shapes import mask_from_row_runs, row_runs_of_mask
from segtumor.structures.masks import mask_from_rle, rle_from_mask


@pytest.mark.parametrize(
    ("rows", "runs"),
    [
        (["....", "...."], [8]),
        (["####", "####"], [0, 8]),
        ([".##.", "#..#"], [1, 2, 1, 1, 2, 1]),
        (["#...", "...#"], [0, 1, 6, 1]),
    ],
)
def test_runs_count_row_by_row_background_first(rows, runs):
    mask = np.array([[character == "#" for character in row] for row in rows])
    assert row_runs_of_mask(mask) == runs
    assert np.array_equal(mask_from_row_runs(runs, mask.shape), mask)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**81 - 1))
def test_runs_come_back(height, width, bits):
    mask = np.array([bits >> i & 1 for i in range(height * width)], dtype=bool).reshape(height, width)
    assert np.array_equal(mask_from_row_runs(row_runs_of_mask(mask), mask.shape), mask)


@pytest.mark.parametrize(
    ("runs", "size_hw"), [([3], (2, 2)), ([-1, 5], (2, 2)), ([], (2, 2)), ([10**12], (10**6, 10**6)), ([0], (0, 5))]
)
def test_runs_of_another_size_are_refused_before_they_are_unrolled(runs, size_hw):
    with pytest.raises(LeftOutError, match="mask not readable"):
        mask_from_row_runs(runs, size_hw)


def test_masks_are_resized_by_the_nearest_pixel():
    mask = np.array([[True, False], [False, True]])
    doubled = np.kron(mask, np.ones((2, 2), dtype=bool))
    assert np.array_equal(scale_mask(mask, (4, 4)), doubled)
    assert np.array_equal(scale_mask(doubled, (2, 2)), mask)
    assert np.array_equal(mask_from_rle(scaled_segmentation(rle_from_mask(mask), (2, 2), (4, 4), (2, 2))), doubled)
    assert scaled_segmentation([[0, 0, 1, 0, 1, 1]], (2, 2), (4, 4), (2, 2)) == [[0, 0, 2, 0, 2, 2]]
    assert scaled_segmentation(None, (2, 2), (4, 4), (2, 2)) is None


def test_the_middle_between_two_pixels_takes_the_further_one_whatever_the_sizes():
    """Multiplied by the rounded quotient of the sizes, the middle came out below the whole number that it is."""
    for old, new in ((2, 49), (18, 33), (24, 44), (26, 23)):
        rows = scale_mask(np.arange(old)[:, None], (new, 1))[:, 0]
        assert rows.tolist() == [(2 * i + 1) * old // (2 * new) for i in range(new)]
