"""File -> Radiograph: the one reader for training, inference and every later use. Core: no torch, no detectron2.

PNG, JPEG, TIFF, BMP (``raster``) and DICOM (``dicom``; pydicom and the decoders are imported only when needed).
Every way in which a file can be wrong is one exception, ``segtumor.errors.BadImageError``.
"""

from segtumor.imaging.intensity import normalize_window
from segtumor.imaging.listing import SUPPORTED_SUFFIXES, list_images
from segtumor.imaging.radiograph import AT_DETECTOR, CALIBRATED, MAX_PIXELS, UNKNOWN, Radiograph
from segtumor.imaging.reader import read_radiograph, read_size_hw

__all__ = [
    "AT_DETECTOR",
    "CALIBRATED",
    "MAX_PIXELS",
    "SUPPORTED_SUFFIXES",
    "UNKNOWN",
    "Radiograph",
    "list_images",
    "normalize_window",
    "read_radiograph",
    "read_size_hw",
]
