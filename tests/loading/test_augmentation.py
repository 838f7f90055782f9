import os

import numpy as np
import pytest

from segtumor.errors import ConfigError
from segtumor.loading.augmentation import POLICIES, Augmentation

pytestmark = pytest.mark.model

PIXELS = np.linspace(0, 1, 32 * 32, dtype=np.float32).reshape(32, 32)
MASK = np.zeros((32, 32), dtype=bool)
MASK[4:12, 4:12] = True


def test_an_unknown_policy_names_the_known_ones():
    with pytest.raises(ConfigError, match="radiograph, strong"):
        Augmentation("wild")


def test_none_changes_nothing():
    pixels, masks = Augmentation("none")(PIXELS, [MASK], np.random.default_rng(0))
    assert np.array_equal(pixels, PIXELS) and np.array_equal(masks[0], MASK)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("masks", [[], [MASK], [MASK, ~MASK, MASK]], ids=len)
def test_shapes_types_and_range_are_kept_and_inputs_are_not_modified(policy, masks):
    pixels, before = PIXELS.copy(), [mask.copy() for mask in masks]
    for seed in range(5):
        image, moved = Augmentation(policy)(pixels, masks, np.random.default_rng(seed))
        assert image.shape == (32, 32) and image.dtype == np.float32
        assert float(image.min()) >= 0 and float(image.max()) <= 1
        assert [(mask.shape, mask.dtype) for mask in moved] == [((32, 32), np.dtype(bool))] * len(masks)
    assert np.array_equal(pixels, PIXELS)
    assert all(np.array_equal(mask, old) for mask, old in zip(masks, before, strict=True))


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - {"none"}))
def test_the_generator_alone_decides(policy):
    augmentation = Augmentation(policy)
    results = [augmentation(PIXELS, [MASK], np.random.default_rng(seed))[0] for seed in (1, 1, *range(2, 8))]
    assert np.array_equal(results[0], results[1])
    assert any(not np.array_equal(results[0], other) for other in results[2:])
    np.random.seed(5)
    state = np.random.get_state()[1].copy()
    augmentation(PIXELS, [MASK], np.random.default_rng(0))
    assert np.array_equal(np.random.get_state()[1], state)


def test_no_policy_turns_a_radiograph_upside_down():
    top = np.zeros((32, 32), dtype=bool)
    top[2:10, 8:24] = True
    for policy in POLICIES:
        for seed in range(20):
            _, (moved,) = Augmentation(policy)(PIXELS, [top], np.random.default_rng(seed))
            assert np.nonzero(moved)[0].mean() < 16


def test_albumentations_is_told_not_to_ask_for_updates():
    assert os.environ["NO_ALBUMENTATIONS_UPDATE"]
