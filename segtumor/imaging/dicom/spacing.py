"""Pixel spacing and where it was measured (PS3.3 10.7.1). Left out: magnification factors and spatial registration.

PixelSpacing alone may be the distance at the detector or a calibrated one, and the header does not say which: only a
calibration type, or another value than that of the detector or of the scanned film, makes it calibrated (10.7.1.3).
"""

import math

from segtumor.imaging.dicom.elements import numbers, word
from segtumor.imaging.radiograph import AT_DETECTOR, CALIBRATED, UNKNOWN, is_spacing

KEYWORDS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelSpacingCalibrationType")

#: A radiograph's pixels lie far inside; a number outside is a mistake, such as metres for millimetres.
_SMALLEST_MM, _LARGEST_MM = 1e-3, 10.0
_CALIBRATIONS = ("GEOMETRY", "FIDUCIAL")
#: Two writings of one number differ by less, and a magnification by more.
_SAME = 2e-3


def read_spacing(header):
    """(spacing_mm, spacing_source, remarks); (None, None, remarks) if the file gives no spacing of use."""
    remarks = []
    pixel, imager, film = (_values(header, keyword, remarks) for keyword in KEYWORDS[:3])
    detector = imager or film
    if pixel is None:
        return detector, AT_DETECTOR if detector else None, remarks
    if word(header, "PixelSpacingCalibrationType") in _CALIBRATIONS:
        return pixel, CALIBRATED, remarks
    if detector is None:
        return pixel, UNKNOWN, remarks
    same = all(math.isclose(first, second, rel_tol=_SAME) for first, second in zip(pixel, detector, strict=True))
    return (detector, AT_DETECTOR, remarks) if same else (pixel, CALIBRATED, remarks)


def _values(header, keyword, remarks):
    found = numbers(header, keyword)
    if not found:
        return None
    if None not in found and is_spacing(found) and all(_SMALLEST_MM <= number <= _LARGEST_MM for number in found):
        return tuple(found)
    remarks.append(f"DICOM {keyword} is not two positive numbers and is ignored")
    return None
