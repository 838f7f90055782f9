import numpy as np
import pytest
from scipy.fft import dctn

from segtumor.imaging.perceptual_hash import (
    HASH_BITS,
    aligned_correlation,
    band_passed,
    low_frequencies,
    perceptual_hashes,
    thumbnail_of,
)


def picture(seed, size_hw=(120, 90)):
    """A smooth random picture in [0, 1]."""
    import cv2

    noise = np.random.default_rng(seed).random(size_hw, dtype=np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), 4)
    return (blurred - blurred.min()) / np.ptp(blurred)


def distance(first, second):
    return int(np.bitwise_count(first ^ second).sum())


def hash_of(pixels):
    return perceptual_hashes(thumbnail_of(pixels))[0]


def test_frequencies_are_those_of_the_dct_of_scipy():
    thumbnail = thumbnail_of(picture(0))
    expected = dctn(thumbnail.astype(np.float64), norm="ortho")[:12, :12]
    np.testing.assert_allclose(low_frequencies(thumbnail), expected, atol=1e-9)


def test_the_hash_is_the_signs_row_by_row_without_the_constant():
    coefficients = dctn(thumbnail_of(picture(1)).astype(np.float64), norm="ortho")[:12, :12].ravel()[1:]
    words = hash_of(picture(1))
    bits = [int(words[i // 64]) >> (i % 64) & 1 for i in range(192)]
    assert bits == [*(coefficients > 0).astype(int).tolist(), *[0] * (192 - HASH_BITS)]


@pytest.mark.parametrize("seed", range(5))
def test_the_mirror_hash_is_the_hash_of_the_mirrored_picture(seed):
    thumbnail = thumbnail_of(picture(seed))
    plain, mirrored = perceptual_hashes(thumbnail)
    plain_of_mirror, mirrored_of_mirror = perceptual_hashes(np.ascontiguousarray(thumbnail[:, ::-1]))
    np.testing.assert_array_equal(mirrored, plain_of_mirror)
    np.testing.assert_array_equal(plain, mirrored_of_mirror)


def test_inverting_changes_every_bit():
    thumbnail = thumbnail_of(picture(2))
    assert distance(perceptual_hashes(thumbnail)[0], perceptual_hashes(255 - thumbnail)[0]) == HASH_BITS


def test_exposure_does_not_matter():
    assert distance(hash_of(picture(3)), hash_of(picture(3) * np.float32(0.5) + np.float32(0.2))) <= 2


def test_size_hardly_matters_and_another_picture_does():
    import cv2

    small = cv2.resize(picture(4), (63, 84), interpolation=cv2.INTER_AREA)
    assert distance(hash_of(picture(4)), hash_of(small)) < 10
    assert distance(hash_of(picture(4)), hash_of(picture(5))) > 45


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 300), (300, 1), (2, 3)])
def test_tiny_pictures_have_a_thumbnail(size_hw):
    pixels = np.linspace(0, 1, size_hw[0] * size_hw[1], dtype=np.float32).reshape(size_hw)
    assert thumbnail_of(pixels).shape == (64, 64)


def test_a_blank_picture_has_an_empty_hash_and_correlates_with_nothing():
    blank = thumbnail_of(np.full((40, 40), 0.5, dtype=np.float32))
    plain, mirrored = perceptual_hashes(blank)
    assert not plain.any() and not mirrored.any()
    assert aligned_correlation(band_passed(blank), band_passed(blank)) == 0
    assert aligned_correlation(band_passed(thumbnail_of(picture(6))), band_passed(blank)) == 0


def test_correlation_sees_through_a_crop_but_not_through_another_patient():
    whole, other = (band_passed(thumbnail_of(picture(seed, (200, 200)))) for seed in (7, 8))
    cropped = band_passed(thumbnail_of(picture(7, (200, 200))[6:-6, 6:-6]))
    assert aligned_correlation(whole, whole) == pytest.approx(1)
    assert aligned_correlation(whole, cropped) > 0.9
    assert aligned_correlation(whole, other) < 0.6
    assert aligned_correlation(whole, -whole) < 0.6
