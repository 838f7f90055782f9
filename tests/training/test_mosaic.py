"""Mosaics of four images, by eye and as a property: masks stay on their lesions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segtumor.training.batches.mosaic import mosaic

pytestmark = pytest.mark.model


class Meeting:
    """A generator whose point is fixed: row and column as shares."""

    def __init__(self, row, column):
        self._shares = iter((row, column))

    def uniform(self, low, high):
        return next(self._shares)


def tile(value, size=(4, 4), lesions=1):
    pixels = np.full(size, value, dtype=np.float32)
    masks = np.zeros((lesions, *size), dtype=bool)
    masks[:, 1, 1] = True
    return pixels, masks


def test_four_images_meet_at_a_point():
    pixels, masks = mosaic([tile(1), tile(2), tile(3), tile(4)], Meeting(0.5, 0.25))
    assert pixels.tolist() == [[1, 2, 2, 2], [1, 2, 2, 2], [3, 4, 4, 4], [3, 4, 4, 4]]
    places = [tuple(np.argwhere(mask)[0]) if mask.any() else None for mask in masks]
    # The lower right corner of the first lies at (2, 1), so that its pixel (1, 1) is cut off, and so on.
    assert places == [None, None, None, (3, 2)]


def test_black_where_no_image_reaches():
    pixels, masks = mosaic(
        [tile(1, (8, 8)), tile(2, (2, 2)), tile(3, (2, 2), 0), tile(4, (9, 9), 2)], Meeting(0.5, 0.5)
    )
    assert masks.shape == (4, 8, 8)
    assert pixels[3].tolist() == [1, 1, 1, 1, 2, 2, 0, 0]
    assert pixels[5].tolist() == [0, 0, 3, 3, 4, 4, 4, 4] and not pixels[6, :4].any()


@given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=4, max_size=4))
def test_masks_cover_what_their_lesions_look_like(seed, sizes):
    rng = np.random.default_rng(seed)
    tiles = []
    for number, size in enumerate(sizes, start=1):
        mask = rng.random(size) < 0.3
        tiles.append((np.where(mask, np.float32(number), np.float32(-1)), mask[None]))
    pixels, masks = mosaic(tiles, rng)
    assert pixels.shape == sizes[0] and len(masks) == 4
    for number, mask in enumerate(masks, start=1):
        np.testing.assert_array_equal(pixels == number, mask)
