"""Stored values -> gray in [0, 1], in the order of PS3.3 C.11.

Modality LUT or rescale -> VOI LUT, else the first window, else percentiles 0.5 and 99.5 without padding -> inverted
once if MONOCHROME1 or PresentationLUTShape INVERSE. Left out: overlays, presentation states, shutters.
"""

import logging

import numpy as np

from segtumor.errors import BadImageError
from segtumor.imaging.dicom.elements import finite_number, first_item, word
from segtumor.imaging.dicom.layout import INVERTED
from segtumor.imaging.dicom.syntaxes import JPEG
from segtumor.imaging.dicom.tables import look_up
from segtumor.imaging.dicom.window import FUNCTIONS, apply_window
from segtumor.imaging.intensity import linear_window, luma, normalize_window

_log = logging.getLogger(__name__)

KEYWORDS = (
    "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept", "VOILUTSequence", "WindowCenter", "WindowWidth",
    "VOILUTFunction", "PresentationLUTShape", "PixelPaddingValue", "PixelPaddingRangeLimit",
)  # fmt: skip

_PERCENTILES = (0.5, 99.5)
_MOST_SORTED = 1_000_000  # as in ``normalize_window``


def gray_of_color(samples, layout, codec):
    """(H, W, 3) unsigned samples -> (H, W) float32 in [0, 1].

    The first channel of YBR_FULL is the luma itself; JPEG decoders have turned it to RGB already.
    """
    is_luma = layout.photometric == "YBR_FULL" and codec != JPEG
    gray = samples[..., 0].astype(np.float32) if is_luma else luma(samples)
    return np.minimum(gray / np.float32(2**layout.stored - 1), np.float32(1))


def gray_of_stored(header, stored, layout, little_endian, path):
    """(H, W) stored values -> (H, W) float32 in [0, 1], bright is dense.

    Raises:
        BadImageError: a number or table of the header makes no sense.
    """
    values = _modality_values(header, stored, little_endian, path)
    pixels = _voi_values(header, values, little_endian, path)
    if pixels is None:
        pixels = _percentile_window(values, _padding(header, stored, layout, path))
    inverted = layout.photometric == INVERTED or word(header, "PresentationLUTShape") == "INVERSE"
    return 1 - pixels if inverted else pixels


def _modality_values(header, stored, little_endian, path):
    """PS3.3 C.11.1: by table, else slope and intercept, else as stored."""
    table = first_item(header, "ModalityLUTSequence")
    if table is not None:
        return look_up(table, stored, little_endian, path)[0]
    slope, intercept = (finite_number(header, key, path) for key in ("RescaleSlope", "RescaleIntercept"))
    if slope == 0:
        raise BadImageError("DICOM RescaleSlope cannot be used", where=path, got=0, expected="a number other than 0")
    if slope in (None, 1) and intercept in (None, 0):
        return stored
    with np.errstate(over="ignore", invalid="ignore"):
        values = stored * np.float64(1 if slope is None else slope) + np.float64(intercept or 0)
        reach = float(values.max()) - float(values.min())
    if not np.isfinite(reach):
        raise BadImageError("DICOM rescaling leaves the range of numbers", where=path)
    return values


def _voi_values(header, values, little_endian, path):
    """PS3.3 C.11.2: the first table, else the first window, mapped to [0, 1]; None if there is none of use."""
    table = first_item(header, "VOILUTSequence")
    if table is not None:
        output, highest = look_up(table, values, little_endian, path)
        pixels = output.astype(np.float32) / np.float32(highest)
    else:
        center, width = (finite_number(header, key, path) for key in ("WindowCenter", "WindowWidth"))
        if center is None or width is None:
            return None
        pixels = apply_window(values, center, width, _voi_function(header, center, width, path))
    if pixels.min() == pixels.max() and values.min() != values.max():
        _log.warning("%s: the VOI window leaves a blank picture; percentiles are used instead", path)
        return None
    return pixels


def _voi_function(header, center, width, path):
    function = word(header, "VOILUTFunction") or "LINEAR"
    if function not in FUNCTIONS:
        raise BadImageError("DICOM VOILUTFunction", where=path, expected="LINEAR, LINEAR_EXACT or SIGMOID")
    smallest = "at least 1" if function == "LINEAR" else "above 0"
    if width <= 0 or (function == "LINEAR" and width < 1):
        raise BadImageError("DICOM WindowWidth cannot be used", where=path, got=width, expected=smallest)
    if not np.isfinite(abs(center) + width):
        raise BadImageError("DICOM window leaves the range of numbers", where=path)
    return function


def _padding(header, stored, layout, path):
    """(H, W) bool, True on pixels that are no measurement (PS3.3 C.7.5.1.1.2); None if the header names none."""
    low = finite_number(header, "PixelPaddingValue", path)
    if low is None:
        return None
    high = finite_number(header, "PixelPaddingRangeLimit", path)
    low, high = sorted(_wrapped(number, layout) for number in (low, low if high is None else high))
    padding = (stored >= low) & (stored <= high)
    return padding if padding.any() and not padding.all() else None


def _wrapped(number, layout):
    """A padding value of the wrong signedness, which pydicom takes from its VR, as the samples have it."""
    if layout.signed and number >= 2 ** (layout.stored - 1):
        return number - 2**layout.stored
    return number + 2**layout.allocated if not layout.signed and number < 0 else number


def _percentile_window(values, padding):
    if padding is None:
        return normalize_window(values)
    step = int(np.ceil(np.sqrt(values.size / _MOST_SORTED)))
    measured = values[::step, ::step][~padding[::step, ::step]]
    if measured.size == 0:
        measured = values[~padding]
    low, high = (float(value) for value in np.percentile(measured.astype(np.float64), _PERCENTILES))
    if not low < high:
        low, high = float(measured.min()), float(measured.max())
    return linear_window(values, low, high)
