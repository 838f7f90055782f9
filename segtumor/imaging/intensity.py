"""Grey values as pure functions: stored samples -> [0, 1], colour -> gray, percentile normalisation.

Every step from integer samples is affine, so 8 bit, 16 bit and float files of one picture end in the same array; 16-bit
values are never clipped. Letters: H, W image height and width; C channels. Inputs are never modified.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Array, Floats, GrayImage, Mask

# ITU-R BT.601 in thousandths: for 8-bit samples the weighted sum is then exact in float32, and gray stored as RGB
# comes out bit for bit as gray.
_LUMA_THOUSANDTHS = (299, 587, 114)
_ROWS_AT_ONCE = 256

# Above this many pixels, percentiles are taken on every n-th row and column; sorting 12 megapixels takes 0.3 s.
_MAX_SORTED_PIXELS = 1_000_000


def normalize_window(pixels: ArrayLike, low_percentile: float = 0.5, high_percentile: float = 99.5) -> GrayImage:
    """Map the two percentiles linearly to 0 and 1 and clip what lies outside.

    The result does not change when ``pixels`` are multiplied by a positive number or shifted. Above one megapixel the
    percentiles are those of every n-th row and column, n the smallest that leaves about a million pixels. Where both
    percentiles are equal (a few bright pixels on black) minimum and maximum take their place; a constant picture gives
    zeros.

    Args:
        pixels: (H, W), any real dtype, finite.
        low_percentile, high_percentile: 0 <= low < high <= 100.

    Raises:
        ValueError: another shape, an empty picture, or percentiles out of order.
    """
    return linear_window(pixels, *window_limits(pixels, low_percentile, high_percentile))


def window_limits(pixels: ArrayLike, low_percentile: float = 0.5, high_percentile: float = 99.5) -> tuple[float, float]:
    """The values that ``normalize_window`` makes black and white; arguments and errors are its."""
    pixels = np.asarray(pixels)
    if pixels.ndim != 2 or pixels.size == 0:
        raise ValueError(f"pixels must be a non-empty (H, W) array, got shape {pixels.shape}")
    if not 0 <= low_percentile < high_percentile <= 100:
        raise ValueError(f"percentiles must satisfy 0 <= low < high <= 100, got {low_percentile}, {high_percentile}")
    step = int(np.ceil(np.sqrt(pixels.size / _MAX_SORTED_PIXELS)))
    sample = pixels[::step, ::step].astype(_working_dtype(pixels))
    low, high = _percentiles(sample, (low_percentile, high_percentile))
    return (low, high) if low < high else (float(pixels.min()), float(pixels.max()))


def sparse_sample(array: Array, most: int, *, without: Mask | None = None) -> Array:
    """About ``most`` values of (H, W), on every n-th row and column, flat; none where ``without`` is True."""
    step = max(1, int(np.ceil(np.sqrt(array.size / most))))
    sample = array[::step, ::step]
    if without is None:
        return sample.ravel()
    kept = sample[~without[::step, ::step]]
    return kept if kept.size else array[~without]


def _percentiles(sample: Array, percentiles: Sequence[float]) -> list[float]:
    """``np.percentile`` as floats; what that came from 8 or 16 bits are counted, which is faster than sorting."""
    if sample.dtype == np.float32 and sample.min() >= 0 and sample.max() <= 1:
        for stored in (np.uint8, np.uint16):
            top = np.float32(np.iinfo(stored).max)
            codes = np.rint(sample * top).astype(stored)
            if np.array_equal(np.divide(codes, top, dtype=np.float32), sample):
                return [float(code / top) for code in _code_percentiles(codes, percentiles)]
    return [float(value) for value in np.percentile(sample, percentiles)]


def _code_percentiles(codes: Array, percentiles: Sequence[float]) -> Floats:
    """Percentiles of unsigned integers, linear between neighbours in order, as ``np.percentile`` defines them."""
    # Four times as quick as np.bincount; its float32 counts are exact, a sample having far below 2**24.
    from segtumor.system.opencv import cv2

    levels = np.iinfo(codes.dtype).max + 1
    up_to = np.cumsum(
        cv2.calcHist([np.ascontiguousarray(codes)], [0], None, [levels], [0, levels]).ravel().astype(np.int64)
    )
    ranks = np.asarray(percentiles, dtype=np.float64) / 100 * (codes.size - 1)
    below = np.floor(ranks)
    first, second = (
        np.searchsorted(up_to, rank, side="right") for rank in (below, np.minimum(below + 1, up_to[-1] - 1))
    )
    return np.asarray(first + (ranks - below) * (second - first), dtype=np.float64)


def linear_window(values: ArrayLike, low: float, high: float) -> GrayImage:
    """Map [low, high] linearly to [0, 1] and clip; (H, W) float32. Zeros where ``low`` and ``high`` are equal."""
    if not low < high:
        return np.zeros(np.shape(values), dtype=np.float32)
    scaled = np.subtract(values, low, dtype=_working_dtype(values))
    scaled /= high - low
    return np.clip(scaled, 0, 1, out=scaled).astype(np.float32, copy=False)


def to_unit_range(samples: ArrayLike) -> GrayImage:
    """Stored samples -> [0, 1] by their type, so that pictures of one type stay comparable.

    bool: 0 and 1; uint8: / 255; uint16: / 65535; float already within [0, 1]: as it is; every other type or range:
    linearly from minimum to maximum (a constant picture gives zeros).

    Args:
        samples: (H, W), bool, integer or float.

    Returns:
        (H, W) float32 in [0, 1].

    Raises:
        ValueError: a sample is NaN or infinite, or minimum and maximum are too far apart for a float.
    """
    samples = np.asarray(samples)
    samples = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    if samples.dtype == bool:
        return samples.astype(np.float32)
    if samples.dtype in (np.uint8, np.uint16):
        shares: GrayImage = np.divide(samples, np.float32(np.iinfo(samples.dtype).max), dtype=np.float32)
        return shares
    low, high = float(samples.min()), float(samples.max())
    if not np.isfinite(high - low):
        raise ValueError("pixels are NaN, infinite or too far apart")
    if samples.dtype.kind == "f" and low >= 0 and high <= 1:
        return samples.astype(np.float32)
    return linear_window(samples, low, high)


def luma(channels: Array) -> GrayImage:
    """Gray (H, W) float32 of (H, W, C >= 3): 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), in the units of the input."""
    gray = np.zeros(channels.shape[:2], dtype=np.float32)
    for first in range(0, len(gray), _ROWS_AT_ONCE):  # a picture of 64 megapixels takes 256 MB for each float copy
        rows, total = channels[first : first + _ROWS_AT_ONCE], gray[first : first + _ROWS_AT_ONCE]
        for channel, weight in enumerate(_LUMA_THOUSANDTHS):
            total += rows[..., channel].astype(np.float32) * np.float32(weight)
        total /= np.float32(sum(_LUMA_THOUSANDTHS))
    return gray


def _working_dtype(values: ArrayLike) -> type[np.float32] | type[np.float64]:
    # float32 holds 8 and 16-bit samples exactly; wider ones need float64 before an offset is taken off.
    exact = (np.dtype(bool), np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.int16), np.dtype(np.float32))
    return np.float32 if np.asarray(values).dtype in exact else np.float64
