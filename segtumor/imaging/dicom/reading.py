"""One DICOM file -> Radiograph: header, then the bytes of one frame, then samples, then gray."""

import numpy as np

from segtumor.imaging.dicom import gray, layout, spacing
from segtumor.imaging.dicom.decoders import decode
from segtumor.imaging.dicom.frames import coded_frame, native_frame
from segtumor.imaging.dicom.header import GROUP_KEYWORDS, lift_groups, opened
from segtumor.imaging.dicom.syntaxes import NATIVE
from segtumor.imaging.radiograph import Radiograph

_KEYWORDS = (*layout.KEYWORDS, *gray.KEYWORDS, *spacing.KEYWORDS, *GROUP_KEYWORDS)


def read_dicom(path, max_pixels, frame=None):
    """Decode one frame of a DICOM file.

    Args:
        path: a Path.
        max_pixels: largest height x width to decode, px.
        frame: index from 0; None for the only one.

    Raises:
        BadImageError: a transfer syntax or colour that is not read, too large, several frames and none chosen, or
            numbers that make no sense.
        InstallationError: pydicom or the decoder is missing.
        Exception: whatever pydicom or a decoder raises on damaged files; see ``failures.foreign_errors``.
    """
    with opened(path, _KEYWORDS) as dicom:
        form = layout.read_layout(dicom.header, dicom.syntax.codec, max_pixels, path)
        index = layout.choose_frame(form.frames, frame, path)
        lift_groups(dicom.header, index)
        stored = _stored_values(dicom, form, index, path)
        if form.samples == 1:
            pixels = gray.gray_of_stored(dicom.header, stored, form, dicom.syntax.little_endian, path)
        else:
            pixels = gray.gray_of_color(stored, form, dicom.syntax.codec)
        spacing_mm, source = spacing.read_spacing(dicom.header, path)
    return Radiograph(pixels, spacing_mm, source, name=path.name, source_dtype=stored.dtype.name)


def dicom_size_hw(path):
    """(height, width) in px, from the header alone; raises as ``read_dicom``."""
    with opened(path, ("Rows", "Columns")) as dicom:
        return layout.read_size_hw(dicom.header, path)


def _stored_values(dicom, form, index, path):
    """Samples as stored, native byte order, (H, W) or (H, W, 3); unused high or low bits removed."""
    if dicom.syntax.codec == NATIVE:
        data = native_frame(dicom, form, index, path)
        order = "<" if dicom.syntax.little_endian else ">"
        samples = _shaped(np.frombuffer(data, dtype=f"{order}u{form.allocated // 8}"), form)
        used, high = form.stored, form.high
    else:
        samples, precision = decode(coded_frame(dicom, form, index, path), dicom.syntax, form, path)
        used = min(form.stored, precision)
        # Codecs put the used bits lowest; RLE alone keeps the container as it is.
        high = form.high if precision == form.allocated else used - 1
    container = f"{'i' if form.signed else 'u'}{form.allocated // 8}"
    samples = samples.astype(container, copy=False)
    if form.samples == 3 or used == form.allocated:
        return samples
    # Up and down again: drops overlay bits above, and keeps the sign of signed samples (PS3.5 8.1.1).
    return (samples << (form.allocated - 1 - high)) >> (form.allocated - used)


def _shaped(samples, form):
    if form.samples == 1:
        return samples.reshape(form.size_hw)
    if form.planar:
        return np.moveaxis(samples.reshape(3, *form.size_hw), 0, -1)
    return samples.reshape(*form.size_hw, 3)
