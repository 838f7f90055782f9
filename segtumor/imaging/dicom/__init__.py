"""DICOM -> gray in [0, 1] with its spacing; pydicom reads the header, and no message, log or warning quotes it.

Read: uncompressed, deflated, RLE, JPEG, JPEG-LS and JPEG 2000 transfer syntaxes (``syntaxes``), gray or RGB, one frame.
Refused: every other syntax, palettes, float pixels. Left out: overlays, presentation states, spatial registration.
"""

from segtumor.imaging.dicom.attributes import dicom_identity, name_reveals_patient
from segtumor.imaging.dicom.reading import dicom_size_hw, read_dicom
from segtumor.imaging.dicom.voi import apply_window

__all__ = ["apply_window", "dicom_identity", "dicom_size_hw", "name_reveals_patient", "read_dicom"]
