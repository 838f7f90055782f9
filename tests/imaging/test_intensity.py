import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtumor.imaging.intensity import _percentiles, linear_window, luma, normalize_window, to_unit_range


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([[False, True]]), [[0, 1]]),
        (np.array([[0, 51, 255]], np.uint8), [[0, 0.2, 1]]),
        (np.array([[0, 13107, 65535]], np.uint16), [[0, 0.2, 1]]),
        (np.array([[0, 13107, 65535]], ">u2"), [[0, 0.2, 1]]),
        (np.array([[0.25, 0.5]], np.float32), [[0.25, 0.5]]),
        (np.array([[-1.0, 0.0, 3.0]], np.float32), [[0, 0.25, 1]]),
        (np.array([[-100, 0, 300]], np.int32), [[0, 0.25, 1]]),
        (np.array([[7.0, 7.0]], np.float32), [[0, 0]]),
        (np.array([[7]], np.int32), [[0]]),
        (np.array([[2**31, 2**31 + 1, 2**31 + 2]], np.int64), [[0, 0.5, 1]]),
    ],
)
def test_to_unit_range(samples, expected):
    unit = to_unit_range(samples)
    assert unit.dtype == np.float32
    np.testing.assert_allclose(unit, expected, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_to_unit_range_refuses_what_is_not_finite(bad):
    with pytest.raises(ValueError, match="NaN"):
        to_unit_range(np.array([[0.5, bad]]))


def test_to_unit_range_refuses_a_range_beyond_float():
    with pytest.raises(ValueError, match="too far apart"):
        to_unit_range(np.array([[-1.7e308, 1.7e308]]))


def test_luma_of_primaries_and_of_gray():
    primaries = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [77, 77, 77]]], np.uint8)
    np.testing.assert_array_equal(luma(primaries), np.float32([[76.245, 149.685, 29.07, 77]]))


def test_every_gray_level_as_rgb_is_bitwise_the_gray():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(luma(np.stack([levels] * 3, -1)), levels.astype(np.float32))


def test_linear_window_clips_and_keeps_its_input():
    values = np.array([[-5.0, 0.0, 5.0, 10.0, 15.0]])
    np.testing.assert_array_equal(linear_window(values, 0, 10), np.float32([[0, 0, 0.5, 1, 1]]))
    assert values[0, 0] == -5


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.full((4, 4), 0.3, np.float32), np.zeros((4, 4))),  # constant
        (np.array([[9]], np.uint8), [[0]]),  # one pixel
        (np.array([[0.2, 0.6]], np.float32), [[0, 1]]),
    ],
)
def test_normalize_window_of_tiny_pictures(pixels, expected):
    np.testing.assert_array_equal(normalize_window(pixels), expected)


def test_normalize_window_keeps_one_bright_pixel_on_black():
    pixels = np.zeros((100, 100), np.float32)
    pixels[3, 4] = 0.5
    window = normalize_window(pixels)
    assert window[3, 4] == 1
    assert window.sum() == 1


def test_normalize_window_is_numpys_percentile():
    pixels = np.random.default_rng(0).gamma(2, 100, (60, 50))
    low, high = np.percentile(pixels, (2, 97))
    np.testing.assert_allclose(normalize_window(pixels, 2, 97), np.clip((pixels - low) / (high - low), 0, 1), atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([255, 65535]), st.floats(0, 49), st.floats(51, 100))
def test_counted_percentiles_are_numpys(seed, top, low_percentile, high_percentile):
    """Gray values of 8 and 16 bits are counted and not sorted; sizes and values that leave gaps between neighbours."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, rng.integers(2, top + 2), (rng.integers(1, 30), rng.integers(1, 30)))
    pixels = (levels / np.float32(top)).astype(np.float32)
    low, high = np.percentile(pixels.astype(np.float64), (low_percentile, high_percentile))
    found = _percentiles(pixels, (low_percentile, high_percentile))
    np.testing.assert_allclose(found, (low, high), rtol=0, atol=1e-7)


def test_values_between_the_levels_are_sorted():
    pixels = (np.random.default_rng(0).random((30, 30))).astype(np.float32)
    np.testing.assert_allclose(_percentiles(pixels, (3, 98)), np.percentile(pixels, (3, 98)), rtol=0, atol=1e-7)


def test_normalize_window_of_a_large_picture_is_close_to_all_its_pixels():
    pixels = np.random.default_rng(0).normal(100, 20, (1200, 1100)).astype(np.float32)
    low, high = np.percentile(pixels, (0.5, 99.5))
    np.testing.assert_allclose(normalize_window(pixels), np.clip((pixels - low) / (high - low), 0, 1), atol=5e-3)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1000), st.floats(-1000, 1000))
def test_normalize_window_does_not_see_scale_and_offset(seed, scale, offset):
    pixels = np.random.default_rng(seed).integers(0, 256, (7, 9)).astype(np.uint8)
    kept = pixels.copy()
    expected = normalize_window(pixels)
    np.testing.assert_allclose(normalize_window(pixels.astype(np.uint16) * 257), expected, atol=1e-5)
    np.testing.assert_allclose(normalize_window(pixels * scale + offset), expected, atol=1e-5)
    np.testing.assert_array_equal(pixels, kept)


@pytest.mark.parametrize("arguments", [(50, 50), (60, 40), (-1, 99), (1, 101)])
def test_normalize_window_refuses_percentiles_out_of_order(arguments):
    with pytest.raises(ValueError, match="percentiles"):
        normalize_window(np.zeros((2, 2)), *arguments)


@pytest.mark.parametrize("shape", [(0, 3), (3,), (3, 3, 3)])
def test_normalize_window_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        normalize_window(np.zeros(shape))
