"""Pixel spacing and where it was measured (PS3.3 10.7.1). Left out: magnification factors and spatial registration."""

import logging

from segtumor.imaging.radiograph import AT_DETECTOR, CALIBRATED, is_spacing

_log = logging.getLogger(__name__)

KEYWORDS = ("PixelSpacing", "ImagerPixelSpacing", "PixelSpacingCalibrationType")

#: A radiograph's pixels lie far inside; a number outside is a mistake, such as metres for millimetres.
_SMALLEST_MM, _LARGEST_MM = 1e-3, 10.0


def read_spacing(header, path):
    """(spacing_mm, spacing_source); (None, None) if the file gives none, or, with a warning, none of use.

    PixelSpacing that merely repeats ImagerPixelSpacing is not calibrated, PS3.3 10.7.1.3.
    """
    calibrated, detector = (_values(header, keyword, path) for keyword in KEYWORDS[:2])
    if calibrated and (calibrated != detector or header.get("PixelSpacingCalibrationType")):
        return calibrated, CALIBRATED
    return (detector, AT_DETECTOR) if detector else (None, None)


def _values(header, keyword, path):
    try:
        value = header.get(keyword)
        if value is None or value == "":
            return None
        numbers = () if isinstance(value, str) else tuple(float(number) for number in value)
    except Exception:  # noqa: BLE001 - one number, text, bytes; pydicom converts on access, and raises kinds of its own
        numbers = ()
    if is_spacing(numbers) and all(_SMALLEST_MM <= number <= _LARGEST_MM for number in numbers):
        return numbers
    _log.warning("%s: DICOM %s is not two positive numbers and is ignored", path, keyword)
    return None
