"""A lesion of one image on another, by eye and as properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segtumor.training.batches.copy_paste import paste_lesion

pytestmark = pytest.mark.model


def tile(size, level, lesions=()):
    """An even image with brighter lesions, given as (top, left, side)."""
    pixels, masks = np.full(size, level, dtype=np.float32), np.zeros((len(lesions), *size), dtype=bool)
    for mask, (top, left, side) in zip(masks, lesions, strict=True):
        mask[top : top + side, left : left + side] = True
        pixels[mask] = level + 0.2
    return pixels, masks


def test_it_stands_out_from_its_new_surroundings_as_from_its_old():
    onto, donor = tile((40, 40), 0.3), tile((40, 40), 0.6, [(10, 10, 8)])
    pixels, masks = paste_lesion(onto, donor, np.random.default_rng(0))
    assert masks.shape == (1, 40, 40) and masks.sum() == 64
    assert pixels[masks[0]] == pytest.approx(0.5, abs=1e-6)  # 0.3 + 0.2
    assert np.abs(pixels - onto[0])[~masks[0]].max() < 1e-6  # nothing shows around it


def test_of_several_places_it_takes_the_one_most_like_its_own():
    """Left half black, right half as bright as the lesion's surroundings."""
    onto, donor = tile((40, 80), 0.6), tile((40, 40), 0.6, [(15, 15, 6)])
    onto[0][:, :40] = 0
    for seed in range(10):
        _, masks = paste_lesion(onto, donor, np.random.default_rng(seed))
        assert np.flatnonzero(masks[0].any(axis=0)).min() > 40


@pytest.mark.parametrize(
    ("onto", "donor"),
    [
        (tile((20, 20), 0.3), tile((20, 20), 0.6)),  # no lesion
        (tile((20, 20), 0.3), tile((40, 40), 0.6, [(5, 5, 25)])),  # no room
        (tile((20, 20), 0.3, [(0, 0, 20)]), tile((20, 20), 0.6, [(5, 5, 5)])),  # a lesion everywhere
    ],
)
def test_without_a_lesion_or_room_nothing_changes(onto, donor):
    pixels, masks = paste_lesion(onto, donor, np.random.default_rng(0))
    np.testing.assert_array_equal(pixels, onto[0])
    np.testing.assert_array_equal(masks[: len(onto[1])], onto[1])
    assert len(masks) == len(onto[1]) + len(donor[1]) and not masks[len(onto[1]) :].any()


def test_lesions_beside_it_stay_as_they_are():
    onto, donor = tile((30, 30), 0.3, [(12, 12, 6)]), tile((30, 30), 0.6, [(5, 5, 6), (5, 12, 6)])
    onto[0][onto[1][0]] = 0.9
    for seed in range(30):
        pixels, masks = paste_lesion(onto, donor, np.random.default_rng(seed))
        assert np.abs(pixels - 0.9)[masks[0]].max() < 0.02
        elsewhere = ~masks.any(axis=0)
        assert np.abs(pixels - 0.3)[elsewhere].max() < 1e-6  # nothing of the donor's other lesion


@given(seed=st.integers(0, 10**6), height=st.integers(16, 60), width=st.integers(16, 60), side=st.integers(1, 12))
def test_one_lesion_more_and_the_others_where_they_were(seed, height, width, side):
    rng = np.random.default_rng(seed)
    onto = tile((height, width), 0.4, [(1, 2, 3)])
    donor = tile((30, 30), 0.5, [(3, 4, side), (16, 16, side)])
    before = onto[0].copy()
    pixels, masks = paste_lesion(onto, donor, rng)
    again, _ = paste_lesion(onto, donor, np.random.default_rng(seed))
    np.testing.assert_array_equal(pixels, again)
    np.testing.assert_array_equal(onto[0], before)
    assert masks.shape == (3, height, width) and pixels.min() >= 0 and pixels.max() <= 1
    pasted = masks[1:].sum(axis=(1, 2)).tolist()
    assert sorted(pasted) in ([0, 0], [0, side**2])
    assert not (masks[0] & masks[1:].any(axis=0)).any() and masks[0].sum() == 9
