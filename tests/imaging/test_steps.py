"""Steps between window and model: what each does to pictures whose answer is known, and what all have in common."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st

from segtumor.errors import ConfigError
from segtumor.imaging.steps import STEPS, apply_steps, check_steps

RAMP = np.linspace(0.2, 0.6, 64 * 48, dtype=np.float32).reshape(64, 48)
NOISE = np.random.default_rng(0).normal(0.5, 0.02, (64, 48)).astype(np.float32)


pictures = np_st.arrays(
    np.float32,
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    elements=st.floats(0, 1, width=32),
)


@pytest.mark.parametrize("name", STEPS)
@given(pixels=pictures)
def test_gray_stays_gray_and_the_picture_its_own(name, pixels):
    before = pixels.copy()
    found = STEPS[name](pixels)
    assert found.shape == pixels.shape and found.dtype == np.float32
    assert found.min() >= 0 and found.max() <= 1 + 1e-6 and np.isfinite(found).all()
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize("name", ["minmax", "zscore", "equalize"])
def test_brightness_and_contrast_of_the_picture_do_not_matter(name):
    np.testing.assert_allclose(STEPS[name](RAMP), STEPS[name](0.3 + 0.5 * RAMP), atol=2e-3)


def test_minmax_and_zscore_by_hand():
    pixels = np.array([[0.2, 0.4], [0.4, 0.6]], dtype=np.float32)
    np.testing.assert_allclose(STEPS["minmax"](pixels), [[0, 0.5], [0.5, 1]], atol=1e-6)
    deviation = np.sqrt(0.02)
    np.testing.assert_allclose(STEPS["zscore"](pixels), 0.5 + (pixels - 0.4) / (6 * deviation), atol=1e-6)


def test_equalizing_gives_ranks():
    pixels = np.array([[0.1, 0.2, 0.2, 0.9]], dtype=np.float32)
    np.testing.assert_allclose(STEPS["equalize"](pixels), [[0.125, 0.5, 0.5, 0.875]])


def test_clahe_brings_out_faint_contrast():
    pixels = np.full((64, 64), 0.5, dtype=np.float32)
    pixels[::2] += 0.01
    found = STEPS["clahe"](pixels)
    assert found[0].mean() - found[1].mean() > 1.3 * 0.01


def test_noise_goes_and_edges_stay():
    edge = NOISE.copy()
    edge[:, 24:] += 0.3
    for name in ("median", "denoise"):
        found = STEPS[name](edge)
        assert found[:, :20].std() < 0.7 * edge[:, :20].std(), name
        assert found[:, 28:].mean() - found[:, :20].mean() == pytest.approx(0.3, abs=0.02), name
    spot = NOISE.copy()
    spot[10, 10] = 1
    assert STEPS["median"](spot)[10, 10] < 0.7


def test_the_background_is_black_and_dark_bone_stays():
    pixels = np.full((60, 60), 0.05, dtype=np.float32)
    pixels[10:50, 20:40] = 0.6
    pixels[25:30, 25:30] = 0.02  # a cyst, as dark as the background, inside the bone
    found = STEPS["background"](pixels)
    soft = np.where(pixels > 0.5, pixels, np.float32(0.3))  # bone in soft tissue in air
    soft[:, :10] = 0.03
    parted = STEPS["background"](soft)
    assert (parted[:, :10] == 0).all() and np.array_equal(parted[:, 10:], soft[:, 10:])
    assert (found[:10] == 0).all() and (found[:, :20] == 0).all()
    assert np.array_equal(found[10:50, 20:40], pixels[10:50, 20:40])


def test_wide_shadows_go_and_edges_of_bone_stay():
    shadow = np.tile(np.linspace(0.1, 0.7, 100, dtype=np.float32), (100, 1))
    bone = shadow.copy()
    bone[45:55] += 0.2
    found = STEPS["soft_tissue"](bone)
    assert abs(found[20, 20:80].mean() - found[20, 60:80].mean()) < 0.1
    assert found[50, 50] - found[30, 50] > 0.2


def test_steps_follow_one_another():
    np.testing.assert_array_equal(apply_steps(NOISE, ["median", "minmax"]), STEPS["minmax"](STEPS["median"](NOISE)))
    assert apply_steps(NOISE, []) is NOISE
    with pytest.raises(ConfigError, match=r"INPUT\.PREPROCESSING.*sharpen.*minmax, zscore"):
        check_steps(["clahe", "sharpen"])
