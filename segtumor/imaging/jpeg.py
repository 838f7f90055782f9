"""What Pillow leaves unchecked in a JPEG stream: damage inside its coded data, and how many scans it has.

libjpeg decodes whatever bits it finds; from a damaged place on the picture is shifted, gray or white. It counts that as
warnings, which Pillow and OpenCV drop and simplejpeg (libjpeg-turbo once more) raises. Damaged bits that happen to make
as many blocks as the intact ones pass libjpeg, too; the commonest kind, a sector of zeros, is found here. Clauses and
tables are of ITU-T T.81. Not here: decoding.
"""

import logging
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from segtumor.errors import BadImageError

_START, _SCAN, _END, _TABLES, _RESTART_FIRST = 0xD8, 0xDA, 0xD9, 0xC4, 0xD0
FRAME_MARKS = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_SEQUENTIAL = (0xC0, 0xC1)
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD8))  # table B.1
#: In coded data FF00 stands for FF, and restart marks and fill bytes may occur inside (B.1.1.5).
_NEXT_MARK = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_MOST_SEGMENTS = 10_000

#: libjpeg-turbo advises as much (LIBJPEG-TURBO's fuzzers); usual progressive files have about ten.
MOST_SCANS = 500
#: An empty scan takes a nanosecond for each pixel.
_MOST_SCANNED_PIXELS = 4_000_000_000

#: Bits of so many zero bytes are more coefficients than a block has, all alike.
_ZEROS = bytes(24)
_END_OF_BLOCK = 0x00

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JpegStream:
    """One JPEG stream, as its marks say.

    Attributes:
        size_hw: of the frame header, px.
        process: second byte of the frame header's mark, such as 0xC0.
        end: position behind the end mark.
        zeros_are_flat: whether zero bits in the coded data may mean a flat part of the picture.
        coded: (begin, end) of the coded data of each scan.
    """

    size_hw: tuple[int, int]
    process: int
    scans: int
    end: int
    zeros_are_flat: bool
    coded: tuple[tuple[int, int], ...]


def walk_jpeg(data: bytes) -> JpegStream:
    """JpegStream of a file or frame, up to its end mark; raises ValueError if it is no JPEG, cut off or damaged."""
    if data[:2] != bytes((0xFF, _START)):
        raise ValueError("no JPEG data")
    position, flat = 2, True
    frame: tuple[int, int, int] | None = None
    coded: list[tuple[int, int]] = []
    first_symbols: dict[tuple[int, int], int] = {}
    for _ in range(_MOST_SEGMENTS):
        position, mark = _mark_at(data, position)
        if mark == _END:
            if frame is None or not coded:
                raise ValueError("JPEG data without a picture")
            return JpegStream(frame[1:], frame[0], len(coded), position, flat, tuple(coded))
        if mark in _WITHOUT_LENGTH:
            continue
        body = _body_at(data, position)
        position += 2 + len(body)
        if mark in FRAME_MARKS:
            if frame is not None or len(body) < 6:
                raise ValueError("JPEG data with a damaged header")
            height, width = struct.unpack_from(">HH", body, 1)
            frame = (mark, height, width)
        elif mark == _TABLES:
            first_symbols.update(_first_symbols(body))
        elif mark == _SCAN:
            flat = flat and all(first_symbols.get(table) == _END_OF_BLOCK for table in _ac_tables(body))
            following = _NEXT_MARK.search(data, position)
            if following is None:
                raise ValueError("the JPEG data is truncated")
            coded.append((position, following.start()))
            position = following.start()
    raise ValueError("JPEG data in too many pieces")


def check_jpeg(data: bytes, max_pixels: int, where: str | Path) -> None:
    """Refuse a stream, also of a part of a TIFF file with its tables, that is damaged or has too many scans.

    ``max_pixels`` are of the size in its header, which is believed from here on. Raises BadImageError, or ValueError if
    it is cut off, too large, or no JPEG.
    """
    stream = walk_jpeg(data)
    pixels = stream.size_hw[0] * stream.size_hw[1]
    if not 0 < pixels <= max_pixels:
        raise ValueError("JPEG data of a size that does not fit")
    most = max(1, min(MOST_SCANS, _MOST_SCANNED_PIXELS // pixels))
    if stream.scans > most:
        remedy = "Save it again as PNG, or as JPEG that is not progressive"
        what = "JPEG of so many scans that decoding would take minutes"
        raise BadImageError(what, where=where, got=stream.scans, expected=f"at most {most}", remedy=remedy)
    zeros_mean_damage = stream.process in _SEQUENTIAL and not stream.zeros_are_flat
    if zeros_mean_damage and any(data.find(_ZEROS, begin, end) >= 0 for begin, end in stream.coded):
        raise _damaged("a part of it is zeros", where)
    _decode_strictly(data[: stream.end], where)


def with_tables(tables: bytes | None, part: bytes) -> bytes:
    """An abbreviated stream, as parts of TIFF files are, with the tables that it lacks in front (T.81 B.4, B.5)."""
    return tables[:-2] + part[2:] if tables else part


def _decode_strictly(data: bytes, where: str | Path) -> None:
    try:
        import simplejpeg
    except ImportError:  # an older installation; every other check is made
        logger.warning("damage inside JPEG data is not looked for without simplejpeg; type: pip install simplejpeg")
        return
    try:
        # An eighth of the size is enough: every bit is read, and little is computed.
        simplejpeg.decode_jpeg(data, colorspace="GRAY", min_height=1, min_width=1, strict=True)
    except ValueError as error:
        raise _damaged(str(error).removeprefix("Corrupt JPEG data: "), where) from error


def _damaged(how: str, where: str | Path) -> BadImageError:
    return BadImageError("damaged JPEG data", where=where, got=how, remedy="Copy or export the file again")


def _mark_at(data: bytes, position: int) -> tuple[int, int]:
    """(position behind a mark, its second byte); fill bytes in front of it are skipped (B.1.1.2)."""
    while data[position : position + 2] == b"\xff\xff":
        position += 1
    if len(data) < position + 2:
        raise ValueError("the JPEG data is truncated")
    if data[position] != 0xFF or data[position + 1] == 0:
        raise ValueError("damaged JPEG data: bytes between its segments")
    return position + 2, data[position + 1]


def _body_at(data: bytes, position: int) -> bytes:
    length = int.from_bytes(data[position : position + 2], "big")
    body = data[position + 2 : position + length]
    if length < 2 or len(body) != length - 2:
        raise ValueError("the JPEG data is truncated")
    return body


def _first_symbols(body: bytes) -> dict[tuple[int, int], int]:
    """{(class, id): symbol whose code is all zeros} of a segment of Huffman tables (B.2.4.2)."""
    found: dict[tuple[int, int], int] = {}
    position = 0
    while position + 17 < len(body):
        found[divmod(body[position], 16)] = body[position + 17]
        position += 17 + sum(body[position + 1 : position + 17])
    return found


def _ac_tables(body: bytes) -> list[tuple[int, int]]:
    """(1, id) of the table that each component of a scan takes (B.2.3)."""
    return [(1, body[2 + 2 * index] & 15) for index in range(body[0]) if len(body) > 2 + 2 * index] if body else []
