"""Perceptual hash of a radiograph: alike pictures have hashes that differ in few bits.

Signs of the lowest frequencies of the discrete cosine transform ("DCT based hash" of C. Zauner, Implementation and
benchmarking of perceptual image hash functions, 2010, known as pHash), with two changes. Bits are signs rather than
comparisons with the median, so that a mirrored picture has the signs of the odd columns changed and an inverted one all
of them: both are found without another transform. And there are 143 bits instead of 64: knees look alike, and 64 bits
call far too many different patients the same. A hash only proposes; ``aligned_correlation`` of the thumbnails decides.
Not here: reading files, and searching among many hashes (``segtumor.datasets.duplicates``).
"""

import functools

import numpy as np
from numpy.typing import NDArray

from segtumor.arrays import Array, Floats, GrayImage
from segtumor.imaging.intensity import normalize_window

#: Height and width of a thumbnail, px.
THUMBNAIL_SIZE = 64
#: Frequencies 0 to 11 along each axis; the constant term says nothing about the picture.
_N_FREQUENCIES = 12
HASH_BITS = _N_FREQUENCIES**2 - 1
HASH_WORDS = 3

# Wider than any part of a bone in the thumbnail: takes off exposure and the body's outline, which all pictures of one
# projection share, and keeps what tells patients apart.
_BLUR_SIGMA_PX = 4
_MARGIN_PX = 6
_SCALES = (1.0, 0.97, 1.03, 0.94, 1.06)
_ANGLES_DEG = (0, -2, 2)
_GOOD_ENOUGH = 0.97
_FLAT = 1e-3


def thumbnail_of(pixels: GrayImage) -> NDArray[np.uint8]:
    """(64, 64) uint8 of (H, W) float32 in [0, 1], whatever its size, exposure or window.

    Percentiles 0.5 and 99.5 are at 0 and 255, the aspect ratio is given up.
    """
    from segtumor.system.opencv import cv2

    size = (THUMBNAIL_SIZE, THUMBNAIL_SIZE)
    small = cv2.resize(normalize_window(pixels), size, interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(small * 255), 0, 255).astype(np.uint8)


def low_frequencies(thumbnail: NDArray[np.uint8]) -> Floats:
    """(12, 12) lowest coefficients of the orthonormal two-dimensional DCT-II of (64, 64) grey values, float64."""
    basis = _dct_basis()
    return basis @ np.asarray(thumbnail, dtype=np.float64) @ basis.T


def perceptual_hashes(thumbnail: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Hash of a thumbnail, and of its mirror image (left and right exchanged): (3,) uint64 each, of 143 bits.

    A blank picture has hashes of zeros.
    """
    coefficients = low_frequencies(thumbnail)
    # Rounding errors must not decide the sign of a frequency that the picture lacks.
    coefficients[np.abs(coefficients) < 1e-6] = 0
    mirrored = coefficients * np.where(np.arange(_N_FREQUENCIES) % 2, -1, 1)
    return _packed_signs(coefficients), _packed_signs(mirrored)


def band_passed(thumbnail: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A thumbnail (64, 64) uint8 without its slow changes, float32, for ``aligned_correlation``."""
    from segtumor.system.opencv import cv2

    values = np.asarray(thumbnail, dtype=np.float32)
    return values - cv2.GaussianBlur(values, (0, 0), _BLUR_SIGMA_PX)


def aligned_correlation(
    first: NDArray[np.float32], second: NDArray[np.float32], *, good_enough: float = _GOOD_ENOUGH
) -> float:
    """Best correlation of the middle of one picture with the other, moved, scaled and turned a little.

    The search covers shifts of 6 px of 64, scales 0.94 to 1.06 and turns of 2 degrees, as cropping and straightening
    leave behind; it ends early where a correlation above ``good_enough`` is found.

    Args:
        first, second: (64, 64) float32, from ``band_passed``.

    Returns:
        Pearson correlation, float in [-1, 1]; 0 where either picture is flat.
    """
    from segtumor.system.opencv import cv2

    template = np.ascontiguousarray(first[_MARGIN_PX:-_MARGIN_PX, _MARGIN_PX:-_MARGIN_PX])
    if template.std() < _FLAT or np.std(second) < _FLAT:
        return 0.0
    best = -1.0
    for scale in _SCALES:
        for angle in _ANGLES_DEG:
            moved = _moved(np.ascontiguousarray(second), scale, angle)
            found = cv2.matchTemplate(moved, template, cv2.TM_CCOEFF_NORMED)
            best = max(best, float(np.nan_to_num(found, nan=-1, posinf=-1, neginf=-1).max()))
            if best >= good_enough:
                return min(best, 1.0)
    return min(best, 1.0)


def _moved(picture: NDArray[np.float32], scale: float, angle_deg: float) -> NDArray[np.float32]:
    from segtumor.system.opencv import cv2

    if scale == 1 and angle_deg == 0:
        return picture
    middle = (THUMBNAIL_SIZE - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), angle_deg, scale)
    size = (THUMBNAIL_SIZE, THUMBNAIL_SIZE)
    moved: Array = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return moved


@functools.cache
def _dct_basis() -> Floats:
    """(12, 64): rows are the first cosines of the orthonormal DCT-II."""
    frequency, position = np.arange(_N_FREQUENCIES)[:, None], np.arange(THUMBNAIL_SIZE)[None]
    basis: Floats = np.cos(np.pi * frequency * (2 * position + 1) / (2 * THUMBNAIL_SIZE)) * np.sqrt(2 / THUMBNAIL_SIZE)
    basis[0] /= np.sqrt(2)
    return basis


def _packed_signs(coefficients: Floats) -> NDArray[np.uint64]:
    bits = np.zeros(64 * HASH_WORDS, dtype=np.uint8)
    bits[:HASH_BITS] = coefficients.ravel()[1:] > 0
    return np.packbits(bits, bitorder="little").view("<u8").astype(np.uint64)
