"""Stored values -> gray in [0, 1], in the order of PS3.3 C.11.

Modality LUT or rescale -> VOI LUT, else a window, else percentiles 0.5 and 99.5 without padding -> inverted once if
MONOCHROME1 or PresentationLUTShape INVERSE. Left out: overlays, presentation states, shutters.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segtumor.arrays import Array, GrayImage, Mask
from segtumor.errors import BadImageError
from segtumor.imaging.dicom.elements import finite_number, first_item, numbers, word
from segtumor.imaging.dicom.frames.syntaxes import JPEG
from segtumor.imaging.dicom.layout import INVERTED, PixelLayout
from segtumor.imaging.dicom.voi import KEYWORDS as VOI_KEYWORDS
from segtumor.imaging.dicom.voi import look_up, voi_pixels
from segtumor.imaging.intensity import linear_window, luma, normalize_window, sparse_sample

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

KEYWORDS = (
    "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept", *VOI_KEYWORDS, "PresentationLUTShape",
    "PixelPaddingValue", "PixelPaddingRangeLimit",
)  # fmt: skip

_PERCENTILES = (0.5, 99.5)
_MOST_SORTED = 1_000_000  # as in ``normalize_window``
_EXPORT_AGAIN = "Export the file again"


def gray_of_color(samples: Array, layout: PixelLayout, codec: str) -> GrayImage:
    """(H, W, 3) unsigned samples -> (H, W) float32 in [0, 1].

    The first channel of YBR_FULL is the luma itself; JPEG decoders have turned it to RGB already.
    """
    is_luma = layout.photometric == "YBR_FULL" and codec != JPEG
    gray = samples[..., 0].astype(np.float32) if is_luma else luma(samples)
    shares: GrayImage = np.minimum(gray / np.float32(2**layout.stored - 1), np.float32(1))
    return shares


def gray_of_stored(
    header: "Dataset", stored: Array, layout: PixelLayout, little_endian: bool, path: Path
) -> tuple[GrayImage, list[str]]:
    """(H, W) stored values -> ((H, W) float32 in [0, 1], bright is dense; list of remarks).

    Raises BadImageError for a number or table of the header that changes the values and makes no sense.
    """
    values, merged = _modality_values(header, stored, little_endian, path)
    padding = _padding(header, stored, layout)
    pixels, passed_over = voi_pixels(header, values, padding, little_endian)
    if pixels is None:
        pixels = _percentile_window(values, padding)
    inverted = layout.photometric == INVERTED or word(header, "PresentationLUTShape") == "INVERSE"
    return 1 - pixels if inverted else pixels, [remark for remark in (merged, passed_over) if remark]


def _modality_values(header: "Dataset", stored: Array, little_endian: bool, path: Path) -> tuple[Array, str | None]:
    """PS3.3 C.11.1: by table, else slope and intercept, else as stored; and a remark, or None."""
    table = first_item(header, "ModalityLUTSequence")
    if table is not None:
        found = look_up(table, stored, little_endian)
        if found is None or (_is_flat(found[0]) and not _is_flat(stored)):
            raise BadImageError("DICOM look-up table that cannot be used", where=path, remedy=_EXPORT_AGAIN)
        return found[0], None
    slope, intercept = (finite_number(header, key, path) for key in ("RescaleSlope", "RescaleIntercept"))
    if slope == 0:
        raise BadImageError("DICOM RescaleSlope cannot be used", where=path, got=0, expected="a number other than 0")
    if slope in (None, 1) and intercept in (None, 0):
        return stored, None
    slope = np.float64(1 if slope is None else slope)
    with np.errstate(over="ignore", invalid="ignore"):
        values = stored * slope + np.float64(intercept or 0)
        low, high = float(values.min()), float(values.max())
    if not np.isfinite(high - low) or (low == high and not _is_flat(stored)):
        raise BadImageError("DICOM rescaling leaves the range of numbers", where=path, remedy=_EXPORT_AGAIN)
    # Neighbouring numbers of this size lie further apart than one step of the stored values.
    is_merged = np.spacing(max(abs(low), abs(high))) > abs(slope)
    return values, "DICOM rescaling takes neighbouring gray values together" if is_merged else None


def _is_flat(array: Array) -> bool:
    return bool(array.min() == array.max())


def _padding(header: "Dataset", stored: Array, layout: PixelLayout) -> Mask | None:
    """(H, W) bool, True on pixels that are not a measurement (PS3.3 C.7.5.1.1.2); None if the header names none."""
    low, high = (next(iter(numbers(header, key)), None) for key in ("PixelPaddingValue", "PixelPaddingRangeLimit"))
    if low is None:
        return None
    low, high = sorted(_wrapped(number, layout) for number in (low, low if high is None else high))
    padding = (stored >= low) & (stored <= high)
    return padding if padding.any() and not padding.all() else None


def _wrapped(number: float, layout: PixelLayout) -> float:
    """A padding value of the wrong signedness, which pydicom takes from its VR, as the samples have it."""
    if layout.signed and number >= 2 ** (layout.stored - 1):
        return float(number - 2**layout.stored)
    return float(number + 2**layout.allocated) if not layout.signed and number < 0 else number


def _percentile_window(values: Array, padding: Mask | None) -> GrayImage:
    if padding is None:
        return normalize_window(values)
    measured = sparse_sample(values, _MOST_SORTED, without=padding)
    low, high = (float(value) for value in np.percentile(measured.astype(np.float64), _PERCENTILES))
    if not low < high:
        low, high = float(measured.min()), float(measured.max())
    return linear_window(values, low, high)
