"""RLE of DICOM (PS3.5 annex G): one segment for each byte of a sample, the highest first, each packed as runs.

Written out here because the compiled decoder, pylibjpeg-rle 2.2, panics on damaged frames, which is not an Exception
and ends the process. Left out: encoding.
"""

import itertools
import struct
from pathlib import Path

import numpy as np

from segtumor.arrays import Array
from segtumor.errors import BadImageError
from segtumor.imaging.dicom.layout import PixelLayout

_HEADER_BYTES, _MOST_SEGMENTS = 64, 15
_PADDING = b"\x00\x80"  # zeros make a segment even; 80 stands for nothing (G.3.2)


def decode_rle(data: bytes, layout: PixelLayout, path: Path) -> Array:
    """One frame, (H, W) or (H, W, 3) of ``layout.allocated`` bits; raises BadImageError if it is damaged."""
    size_bytes, pixels = layout.allocated // 8, layout.rows * layout.columns
    planes = np.empty((layout.samples, pixels, size_bytes), dtype=np.uint8)
    for index, segment in enumerate(_segments(data, layout.samples * size_bytes, path)):
        unpacked, rest = unpack_runs(segment, pixels)
        # A plane of another size than the header says would shear the picture; an odd one may be padded to even.
        if not pixels <= len(unpacked) <= pixels + pixels % 2 or rest.strip(_PADDING):
            raise BadImageError("damaged RLE data in a DICOM file", where=path, remedy="Copy or export the file again")
        planes[index // size_bytes, :, index % size_bytes] = np.frombuffer(unpacked, dtype=np.uint8, count=pixels)
    samples = planes.view(f">u{size_bytes}").reshape(layout.samples, *layout.size_hw)
    return samples[0] if layout.samples == 1 else np.moveaxis(samples, 0, -1)


def unpack_runs(segment: bytes, size: int) -> tuple[bytearray, bytes]:
    """Unpack a segment (PS3.5 G.3.2) until ``size`` bytes are there; returns them, fewer if it holds fewer, and more if
    the last run reaches beyond, and the packed bytes that are left."""
    unpacked, position, end = bytearray(), 0, len(segment)
    while position < end and len(unpacked) < size:
        head = segment[position]
        if head < 128:  # the next head + 1 bytes as they are
            unpacked += segment[position + 1 : position + 2 + head]
            position += 2 + head
        elif head > 128:  # the next byte 257 - head times
            unpacked += segment[position + 1 : position + 2] * (257 - head)
            position += 2
        else:  # nothing
            position += 1
    return unpacked, segment[position:]


def _segments(data: bytes, expected: int, path: Path) -> list[bytes]:
    """The packed segments that the frame's header names."""
    if len(data) < _HEADER_BYTES:
        raise BadImageError("DICOM frame without an RLE header", where=path)
    count, *offsets = struct.unpack(f"<{_MOST_SEGMENTS + 1}I", data[:_HEADER_BYTES])
    if count != expected or count > _MOST_SEGMENTS:
        raise BadImageError("DICOM frame of another number of RLE segments", where=path, got=count, expected=expected)
    bounds = [*offsets[:count], len(data)]
    pairs = list(itertools.pairwise(bounds))
    if bounds[0] != _HEADER_BYTES or any(start >= stop for start, stop in pairs):
        raise BadImageError("DICOM frame with RLE segments that contradict each other", where=path)
    return [data[start:stop] for start, stop in pairs]
