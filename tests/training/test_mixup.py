"""Two images that shine through one another, by eye and as properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segtumor.training.batches.mixup import mixup

pytestmark = pytest.mark.model


class Share:
    """A generator that draws this share of the first image."""

    def __init__(self, share):
        self._share = share

    def beta(self, a, b):
        return self._share


def tile(level, size, lesion=None):
    """An even image with at most one lesion, a pixel."""
    masks = np.zeros((int(lesion is not None), *size), dtype=bool)
    if lesion:
        masks[(0, *lesion)] = True
    return np.full(size, level, dtype=np.float32), masks


@pytest.mark.parametrize(
    ("share", "there", "beyond"),
    [(0.75, 0.75 * 0.8 + 0.25 * 0.4, 0.75 * 0.8), (0.5, 0.6, 0.4), (0.01, 0.25 * 0.8 + 0.75 * 0.4, 0.2)],
)
def test_the_mean_of_both_and_black_beyond_the_second(share, there, beyond):
    pixels, masks = mixup(tile(0.8, (3, 4), (0, 3)), tile(0.4, (2, 5), (1, 1)), Share(share))
    assert pixels[:2] == pytest.approx(there) and pixels[2] == pytest.approx(beyond)
    assert [tuple(np.argwhere(mask)[0]) for mask in masks] == [(0, 3), (1, 1)]


def test_a_lesion_that_is_cut_off_has_an_empty_mask():
    _, masks = mixup(tile(0, (3, 3)), tile(1, (5, 5), (4, 1)), Share(0.5))
    assert masks.shape == (1, 3, 3) and not masks.any()


@given(
    seed=st.integers(0, 2**32), sizes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=2, max_size=2)
)
def test_within_both_and_the_first_images_lesions_as_they_were(seed, sizes):
    rng = np.random.default_rng(seed)
    onto, other = ((rng.random(size, dtype=np.float32), rng.random((2, *size)) < 0.3) for size in sizes)
    before = onto[0].copy()
    pixels, masks = mixup(onto, other, rng)
    np.testing.assert_array_equal(onto[0], before)
    np.testing.assert_array_equal(masks[:2], onto[1])
    assert pixels.shape == sizes[0] and pixels.dtype == np.float32 and len(masks) == 4
    assert pixels.min() >= 0 and pixels.max() <= max(onto[0].max(), other[0].max()) + 1e-6
