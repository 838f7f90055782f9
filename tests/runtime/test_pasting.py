"""Masks in their boxes, by eye."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtumor.runtime.mask_rcnn.pasting import paste_mask


def pasted(probabilities, box, size_hw, **options):
    """The whole (H, W) image as 0 and 1."""
    crop, top, left = paste_mask(np.array(probabilities, dtype=np.float32), box, size_hw, **options)
    image = np.zeros(size_hw, dtype=int)
    image[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
    return image.tolist()


def test_a_mask_of_the_size_of_its_box_is_drawn_as_it_is():
    assert pasted([[1, 0], [0.5, 0.49]], (1, 0, 3, 2), (3, 4)) == [[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_a_mask_grows_with_its_box():
    assert pasted([[1, 0], [0, 0]], (0, 0, 4, 4), (4, 4)) == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_a_box_partly_outside_shows_its_part_inside():
    assert pasted(np.ones((2, 2)), (-2, 1, 2, 5), (3, 3)) == [[0, 0, 0], [1, 1, 0], [1, 1, 0]]


@pytest.mark.parametrize("box", [(5, 5, 9, 9), (-9, -9, -5, -5), (1.2, 1.2, 1.3, 1.3), (1, 1, 1, 1)])
def test_a_box_outside_between_pixels_or_without_extent_shows_nothing(box):
    assert pasted(np.ones((3, 3)), box, (3, 3)) == [[0, 0, 0]] * 3


def test_one_pixel_around_its_centre():
    assert pasted(np.ones((3, 3)), (1.3, 0.2, 1.7, 0.8), (2, 3)) == [[0, 1, 0], [0, 0, 0]]


def test_the_threshold():
    assert pasted(np.full((2, 2), 0.6), (0, 0, 2, 2), (2, 2), threshold=0.7) == [[0, 0], [0, 0]]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 40), st.integers(1, 40))
def test_pixels_are_set_inside_the_box_only(seed, size, height, width):
    rng = np.random.default_rng(seed)
    x0, y0 = rng.uniform(-10, 30, 2)
    box = (x0, y0, x0 + rng.exponential(10), y0 + rng.exponential(10))
    crop, top, left = paste_mask(rng.random((size, size), dtype=np.float32), box, (height, width))
    rows, columns = np.nonzero(crop)
    assert top >= 0 and top + crop.shape[0] <= max(height, top)
    for centres, low, high in ((rows + top + 0.5, box[1], box[3]), (columns + left + 0.5, box[0], box[2])):
        assert (centres > low - 1e-3).all() and (centres < high + 1e-3).all()
