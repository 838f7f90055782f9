"""What Pillow leaves unchecked in a PNG file: checksums, a missing end, too many pixels, orientation stored after them.

Pillow skips the checksums of the pixel data, so a flipped byte can give a full picture with wrong pixels, and leaves
alone what the header does not count, so a width of one less shears the picture. Clauses are of the PNG Specification,
Third Edition. Not here: decoding.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

_SIGNATURE_LENGTH = 8
#: First column and row of each pass, and the steps to the next (clause 8.1).
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
#: Some writers leave a few bytes behind the last row.
_SLACK_BYTES, _PIECE_BYTES = 16, 1 << 18


def check_png(file: BinaryIO) -> None:
    """Raise ValueError for a wrong checksum (clause 5.5), a missing end, or more pixels than the header says.

    Checksums are checked of every chunk that matters for the pixels.
    """
    counter = None
    for kind, offset, length in _chunks(file):
        if kind[:1].isupper():  # critical chunk, clause 5.4; damaged notes do not change the picture
            file.seek(offset)
            data, stored = file.read(length), file.read(4)
            if struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))) != stored:
                raise ValueError("the checksum of the pixel data or header is wrong")
            if kind == b"IHDR":
                counter = InflatedCounter(_inflated_bytes(data) + _SLACK_BYTES)
            elif kind == b"IDAT" and counter is not None:
                counter.add(data)


def png_channels(color_type: int) -> int:
    """Channels of a colour type (clause 11.2.1); 4, the most, for one that does not exist."""
    return {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(color_type, 4)


class InflatedCounter:
    """Inflates pixel data piece by piece, and no further than to ``most`` bytes: then ``add`` raises ValueError."""

    def __init__(self, most: int) -> None:
        self._left, self._inflater = most, zlib.decompressobj()

    def add(self, data: bytes) -> None:
        """Count another piece of deflated data."""
        while data and not self._inflater.eof:
            inflated = len(self._inflater.decompress(data, _PIECE_BYTES))
            self._left -= inflated
            if self._left < 0:
                raise ValueError("there are more pixels than the header says")
            data = self._inflater.unconsumed_tail if inflated else b""


def _inflated_bytes(header: bytes) -> int:
    """Bytes of all filtered rows (clauses 7.2, 8.1 and 9.2), of the passes of an interlaced picture."""
    width, height, bits, color_type, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    parts = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-max(width - x, 0) // step_x), -(-max(height - y, 0) // step_y)) for x, y, step_x, step_y in parts]
    bits_per_pixel = bits * png_channels(color_type)
    return sum(rows * (1 + -(-columns * bits_per_pixel // 8)) for columns, rows in sizes if columns)


def png_exif(file: BinaryIO) -> bytes:
    """The bytes of the eXIf chunk, which may come before or after the pixels (clause 11.3.4.5); b"" if none."""
    for kind, offset, length in _chunks(file):
        if kind == b"eXIf":
            file.seek(offset)
            return file.read(length)
    return b""


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, offset of the data, length) of each chunk up to IEND."""
    end = file.seek(0, os.SEEK_END)
    position, kind = _SIGNATURE_LENGTH, b""
    while kind != b"IEND":
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            raise ValueError("the file is truncated")
        length, kind = struct.unpack(">I4s", header)
        if position + 12 + length > end:
            raise ValueError("the file is truncated")
        yield kind, position + 8, length
        position += 12 + length
