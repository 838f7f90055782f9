"""The radiograph: pixels, physical spacing and where both come from.

Not here: reading files (``reader``) and gray-value mathematics (``intensity``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from segtumor.arrays import SizeHW
from segtumor.errors import BadImageError

#: Largest picture read by default, in px; a 17 x 17 inch detector of 0.1 mm pixels has 19 million.
MAX_PIXELS = 64_000_000

#: Bytes of a pixel's samples that ``MAX_PIXELS`` allows for: 16 bits of gray, 8 bits of colour with alpha.
_BYTES_PER_PIXEL = 4

#: The three values of ``Radiograph.spacing_source``: at the patient, magnified at the detector, or one of the two and
#: the file does not say which.
CALIBRATED, AT_DETECTOR, UNKNOWN = "mm (calibrated)", "mm at detector", "mm (calibration unknown)"


@dataclass(frozen=True, eq=False)
class Radiograph:
    """One grayscale picture as every room sees it; bright is dense (bone), as MONOCHROME2.

    Attributes:
        pixels: (H, W) float32 in [0, 1], finite, upright.
        spacing_mm: (row, column) distance of neighbouring pixels in mm, or None where the file does not say.
        spacing_source: "mm (calibrated)", "mm at detector" or "mm (calibration unknown)"; None exactly where
            ``spacing_mm`` is None.
        name: file name without folders.
        source_dtype: NumPy name of the stored samples, such as "uint16".
        remarks: what a reader must know of the picture or its file, a tuple of sentences without patient data.

    Raises:
        ValueError: a field is not as described; readers never let that happen.
    """

    pixels: np.ndarray = field(repr=False)
    spacing_mm: tuple[float, float] | None
    spacing_source: str | None
    name: str
    source_dtype: str
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_pixels(self.pixels)
        if (self.spacing_mm is None) != (self.spacing_source is None):
            raise ValueError("spacing_mm and spacing_source must both be given or both be None")
        if self.spacing_mm is not None and not is_spacing(self.spacing_mm):
            raise ValueError(f"spacing_mm must be two positive numbers, got {self.spacing_mm!r}")

    @property
    def size_hw(self) -> SizeHW:
        """(height, width), px."""
        return self.pixels.shape


def is_spacing(values: Sequence[float]) -> bool:
    """Whether ``values`` are two finite numbers above zero."""
    return len(values) == 2 and all(math.isfinite(value) and value > 0 for value in values)


class TooLargeError(BadImageError):
    """A picture larger than what is read; ``needed_pixels`` is the limit that would let it in."""

    needed_pixels = 0


class OneFrameError(BadImageError):
    """Another frame than the first of a file that has one."""


def check_size(size_hw: SizeHW, max_pixels: int, where: str | Path, *, bytes_per_pixel: float = 1) -> None:
    """Refuse a picture by the size its header gives, before any pixel is decoded.

    Args:
        size_hw: (height, width), px.
        max_pixels: the limit; samples of more than 4 bytes a pixel (16-bit colour) count for more than one pixel.
        bytes_per_pixel: of the decoded samples of all channels.

    Raises:
        BadImageError: no pixels at all.
        TooLargeError: more than ``max_pixels``.
    """
    height, width = size_hw
    size = f"{width} x {height} px"
    if height < 1 or width < 1:
        raise BadImageError("the picture has no pixels", where=where, got=size)
    needed = math.ceil(height * width * max(bytes_per_pixel / _BYTES_PER_PIXEL, 1))
    if needed > max_pixels:
        wide = f" of {bytes_per_pixel:g} bytes" if needed > height * width else ""
        most = max_pixels * height * width / needed
        error = TooLargeError(
            "the picture is too large",
            where=where,
            got=f"{size}, {height * width / 1e6:.1f} megapixels{wide}",
            expected=f"at most {most / 1e6:.3g} megapixels{wide}",
            remedy=f"Resize it, or raise max_pixels to {needed} if the file can be trusted",
        )
        error.needed_pixels = needed
        raise error


def _check_pixels(pixels: object) -> None:
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.dtype != np.float32 or pixels.size == 0:
        got = f"{pixels.dtype} of shape {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise ValueError(f"pixels must be a non-empty (H, W) float32 array, got {got}")
    if not (pixels.min() >= 0 and pixels.max() <= 1):  # a NaN fails the comparison too
        raise ValueError(f"pixels must be finite and lie in [0, 1], got {pixels.min():g} to {pixels.max():g}")
