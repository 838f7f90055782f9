"""What Pillow leaves unchecked in a PNG file: checksums, a missing end, orientation stored after the pixels.

Pillow skips the checksums of the pixel data, so a flipped byte can give a full picture with wrong pixels. Clauses are
of the PNG Specification, Third Edition. Not here: decoding.
"""

import os
import struct
import zlib

_SIGNATURE_LENGTH = 8


def check_png(file):
    """Check the checksum (clause 5.5) of every chunk that matters for the pixels, and that the file has its end.

    Raises:
        ValueError: a checksum is wrong, or the file stops before its IEND chunk.
    """
    for kind, offset, length in _chunks(file):
        if kind[:1].isupper():  # critical chunk, clause 5.4; damaged notes do not change the picture
            file.seek(offset)
            data, stored = file.read(length), file.read(4)
            if struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))) != stored:
                raise ValueError("the checksum of the pixel data or header is wrong")


def png_exif(file):
    """The bytes of the eXIf chunk, which may stand before or after the pixels (clause 11.3.4.5); b"" if none."""
    for kind, offset, length in _chunks(file):
        if kind == b"eXIf":
            file.seek(offset)
            return file.read(length)
    return b""


def _chunks(file):
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
