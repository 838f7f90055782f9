"""One DICOM file -> Radiograph: header, then the bytes of one frame, then samples, then gray."""

from pathlib import Path

import numpy as np

from segtumor.arrays import Array, SizeHW
from segtumor.errors import BadImageError
from segtumor.imaging.contrast import remarks_on
from segtumor.imaging.dicom import gray, layout
from segtumor.imaging.dicom.frames.decoders import decode
from segtumor.imaging.dicom.frames.stored import coded_frame, native_frame
from segtumor.imaging.dicom.frames.syntaxes import NATIVE
from segtumor.imaging.dicom.header import GROUP_KEYWORDS, OpenedDicom, lift_groups, opened
from segtumor.imaging.radiograph import Radiograph

_KEYWORDS: tuple[str | int, ...] = (
    *layout.KEYWORDS, *layout.OVERLAY_TAGS, *gray.KEYWORDS, *layout.SPACING_KEYWORDS, *GROUP_KEYWORDS,
)  # fmt: skip
_EXPORT_AGAIN = "Export the file again"


def read_dicom(path: Path, max_pixels: int, frame: int | None = None) -> Radiograph:
    """Decode one frame of a DICOM file.

    Args:
        max_pixels: largest height x width to decode, px.
        frame: index from 0; None for the only one.

    Raises:
        BadImageError: a transfer syntax or colour that is not read, too large, several frames and none chosen, or
            numbers that make no sense.
        InstallationError: pydicom or the decoder is missing.
        Exception: whatever pydicom or a decoder raises on damaged files; see ``failures.decoder_errors``.
    """
    with opened(path, _KEYWORDS) as dicom:
        form = layout.read_layout(dicom.header, dicom.syntax.codec, max_pixels, path)
        index = layout.choose_frame(form.frames, frame, path)
        lift_groups(dicom.header, index)
        stored = _stored_values(dicom, form, index, path)
        if form.samples == 1:
            pixels, remarks = gray.gray_of_stored(dicom.header, stored, form, dicom.syntax.little_endian, path)
        else:
            pixels, remarks = gray.gray_of_color(stored, form, dicom.syntax.codec), []
        spacing_mm, source, ignored = layout.read_spacing(dicom.header)
    all_remarks = (*remarks, *ignored, *remarks_on(pixels))
    return Radiograph(pixels, spacing_mm, source, path.name, stored.dtype.name, all_remarks)


def dicom_size_hw(path: Path) -> SizeHW:
    """(height, width) in px, from the header alone; raises as ``read_dicom``."""
    with opened(path, ("Rows", "Columns")) as dicom:
        return layout.read_size_hw(dicom.header, path)


def _stored_values(dicom: OpenedDicom, form: layout.PixelLayout, index: int, path: Path) -> Array:
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
    if used == form.allocated:
        return samples
    has_overlay = any(tag in dicom.header for tag in layout.OVERLAY_TAGS)
    if not has_overlay and not _fits(samples.view(f"u{form.allocated // 8}"), form, used, high):
        raise BadImageError(
            "DICOM samples that need more bits than the header says",
            where=path,
            got=f"{used} of {form.allocated} bits, HighBit {high}",
            remedy=_EXPORT_AGAIN,
        )
    # Up and down again: drops overlay bits above, and keeps the sign of signed samples (PS3.5 8.1.1).
    return (samples << (form.allocated - 1 - high)) >> (form.allocated - used)


def _fits(samples: Array, form: layout.PixelLayout, used: int, high: int) -> bool:
    """Whether the bits that the header does not count are the same everywhere, or the sign (PS3.5 8.1.1).

    Otherwise dropping them would turn bright into dark: the header contradicts the pixels, or an overlay lies in them
    that the header does not name.
    """
    full = 2**form.allocated - 1
    above, below = full << (high + 1) & full, 2 ** (high + 1 - used) - 1
    unused = samples & samples.dtype.type(above | below)
    if unused.min() == unused.max():
        return True
    sign = samples >> samples.dtype.type(high) & samples.dtype.type(1)
    return form.signed and np.array_equal(unused, sign * samples.dtype.type(above))


def _shaped(samples: Array, form: layout.PixelLayout) -> Array:
    if form.samples == 1:
        return samples.reshape(form.size_hw)
    if form.planar:
        return np.moveaxis(samples.reshape(3, *form.size_hw), 0, -1)
    return samples.reshape(*form.size_hw, 3)
