"""What a compressed frame says of its own size, read before any decoder sees it.

A decoder believes the codestream, not the DICOM header: unchecked, a file of 1 kB could ask for a picture of 65535 x
65535. Left out: entropy-coded data, which only a decoder can judge.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segtumor.errors import BadImageError
from segtumor.imaging.dicom.frames.syntaxes import JPEG, JPEG_2000, JPEG_LOSSLESS, JPEG_LS
from segtumor.imaging.dicom.layout import PixelLayout
from segtumor.imaging.jpeg import FRAME_MARKS, walk_jpeg

# ITU-T T.81 table B.1 and T.87 annex C: the frame headers that each family may have.
_FRAME_MARKERS = {JPEG: (0xC0, 0xC1), JPEG_LOSSLESS: (0xC3,), JPEG_LS: (0xF7,)}
_ALL_FRAME_MARKERS = (*FRAME_MARKS, 0xF7)
_START, _SCAN, _END_MARK = b"\xff\xd8", 0xDA, b"\xff\xd9"
_MOST_SEGMENTS = 1000
_MOST_PADDING_BYTES = 2

_J2K_START = b"\xff\x4f\xff\x51"  # SOC and SIZ, ITU-T T.800 annex A
_JP2_START = b"\0\0\0\x0cjP  \r\n\x87\n"  # T.800 annex I
_J2K_TILE_PART = b"\xff\x90"
_J2K_STYLE, _J2K_OTHER_WAYS = b"\xff\x52", (b"\xff\x50", b"\xff\x53", b"\xff\x60")  # COD; CAP, COC, PPM
_J2K_MORE_ZEROS = 24
_MOST_TILES = 65535
_MOST_TILE_PARTS = 1_000_000


@dataclass(frozen=True)
class CodedSize:
    """Size of a codestream: height and width in px, channels, and bits of a sample."""

    height: int
    width: int
    samples: int
    precision: int


def check_codestream(data: bytes, codec: str, layout: PixelLayout, path: Path) -> int:
    """Precision in bits of a codestream; raises BadImageError if size or depth are not those of the header."""
    jpeg = None if codec == JPEG_2000 else _frame_and_scan(data, _FRAME_MARKERS[codec])
    size = _j2k_size(data) if codec == JPEG_2000 else jpeg and jpeg[0]
    if size is None:
        raise BadImageError(f"DICOM frame that is not {codec} as its transfer syntax says", where=path)
    found, expected = (size.height, size.width, size.samples), (*layout.size_hw, layout.samples)
    if found != expected:
        raise BadImageError(
            "DICOM frame of another size than the header says", where=path, got=_text(found), expected=_text(expected)
        )
    if not 2 <= size.precision <= min(layout.allocated, 16):
        raise BadImageError(
            "DICOM frame of another bit depth than the header says",
            where=path,
            got=size.precision,
            expected=f"at most {min(layout.allocated, 16)}",
        )
    return size.precision


def end_of_codestream(data: bytes, codec: str, path: Path) -> int:
    """Position behind the end mark of a frame's codestream; the end of the data if a JPEG 2000 stream has no mark.

    GDCM fills what is missing of a lossless JPEG or JPEG-LS frame with invented pixels and reports nothing.

    Raises:
        BadImageError: cut off, with another mark inside the only scan of a gray frame, or with more than padding behind
            the end mark, such as another frame.
    """
    end = _j2k_end(data) if codec == JPEG_2000 else walk_jpeg(data).end if codec == JPEG else _scan_end(data, codec)
    # A byte that makes the fragment even may have any value (PS3.5 A.4 wants 00); some writers fill up with more.
    rest = b"" if end is None else data[end:]
    if end is None or (len(rest) > _MOST_PADDING_BYTES and rest.strip(b"\0\xff")):
        what = "more than one frame of" if rest.lstrip(b"\0").startswith(data[:2]) else "damaged"
        raise BadImageError(f"{what} {codec} data in a DICOM file", where=path, remedy="Copy or export the file again")
    return end


def _scan_end(data: bytes, codec: str) -> int | None:
    """As ``end_of_codestream`` for the only scan of a lossless JPEG or JPEG-LS frame; None if it is cut off."""
    found = _frame_and_scan(data, _FRAME_MARKERS[codec])
    if found is None:
        return None
    start = found[1]
    scan = np.frombuffer(data, dtype=np.uint8)[start + 2 :]
    second = scan[1:][scan[:-1] == 0xFF]
    if codec == JPEG_LS:  # T.87 A.1: bits are stuffed after FF, so that less than 80 follows
        marks = second[second >= 0x80]
    else:  # T.81 B.1.1.5: 00 is stuffed after FF; restart marks and fill bytes may stand inside
        marks = second[(second != 0) & (second != 0xFF) & ((second < 0xD0) | (second > 0xD7))]
    if marks.size == 0 or marks[0] != _END_MARK[1]:
        return None
    return data.index(_END_MARK, start + 2) + 2


def _frame_and_scan(data: bytes, wanted: Sequence[int]) -> tuple[CodedSize, int] | None:
    """(CodedSize by the only frame header in front of the scan, position of the scan's mark); None if it is missing or
    of another family."""
    if data[:2] != _START:
        return None
    position, size = 2, None
    for _ in range(_MOST_SEGMENTS):
        while data[position : position + 2] == b"\xff\xff":  # fill bytes
            position += 1
        if len(data) < position + 4 or data[position] != 0xFF:
            return None
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _SCAN:
            return None if size is None else (size, position)
        if marker in _ALL_FRAME_MARKERS:
            if marker not in wanted or size is not None or length < 8 or len(data) < position + 10:
                return None
            precision, height, width, samples = struct.unpack_from(">BHHB", data, position + 4)
            size = CodedSize(height, width, samples, precision)
        position += 2 + max(length, 2)
    return None


def bare_j2k(data: bytes) -> bytes:
    """A JPEG 2000 codestream without the JP2 boxes that some writers leave around it, against PS3.5 A.4.4."""
    position = 0 if data[:12] == _JP2_START else len(data)
    while position + 8 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] == b"jp2c":
            return data[position + 8 : position + length if length else None]
        if length < 8:
            break
        position += length
    return data


def _j2k_end(data: bytes) -> int:
    """Position behind the end mark that follows the last tile part (T.800 A.4); of the data if there is none."""
    position = 2
    for _ in range(_MOST_TILE_PARTS):
        mark, length = data[position : position + 2], int.from_bytes(data[position + 2 : position + 4], "big")
        if mark == _END_MARK:
            return position + 2
        if mark == _J2K_TILE_PART:
            part = int.from_bytes(data[position + 6 : position + 10], "big")
            if part == 0:  # up to the end mark
                return max(data.rfind(_END_MARK) + 2, 2) if _END_MARK in data else len(data)
            position += max(part, 12)
        elif mark[:1] == b"\xff":
            position += 2 + max(length, 2)
        else:
            break
    return len(data)


def check_j2k(data: bytes, path: Path) -> None:
    """Refuse a JPEG 2000 stream a part of which is zeros, which the decoder takes for coefficients.

    Arithmetic coding gives no long run of zeros; an empty packet is one zero byte (T.800 B.10.3), so that a run may be
    as long as a tile has packets. Streams for which that is not easily known are let through: precincts of their own,
    raw coded bits, packed headers, high throughput.

    Raises:
        BadImageError: such a run.
    """
    main = data[: data.find(_J2K_TILE_PART)]
    at = main.find(_J2K_STYLE)
    if at < 0 or len(main) < at + 13 or any(mark in main for mark in _J2K_OTHER_WAYS):
        return
    own_precincts, layers, levels, block_style = data[at + 4] & 1, data[at + 6 : at + 8], data[at + 9], data[at + 12]
    if own_precincts or block_style & 1:
        return
    components = int.from_bytes(data[40:42], "big")
    packets = int.from_bytes(layers, "big") * (levels + 1) * components
    if bytes(packets + _J2K_MORE_ZEROS) in data[len(main) :]:
        raise BadImageError(
            "damaged JPEG 2000 data in a DICOM file", where=path, remedy="Copy or export the file again"
        )


def _j2k_size(data: bytes) -> CodedSize | None:
    """CodedSize of the SIZ segment; None if there is no usable one, or if channels are subsampled."""
    if data[:4] != _J2K_START or len(data) < 42:
        return None
    # Lsiz, Rsiz; reference grid; image offset; tile size; tile offset; number of components (T.800 A.5.1).
    length, _, x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0, samples = struct.unpack_from(">HH8IH", data, 4)
    if length != 38 + 3 * samples or len(data) < 4 + length or not (x0 < x1 and y0 < y1 and tile_x and tile_y):
        return None
    if not (tile_x0 <= x0 < tile_x0 + tile_x and tile_y0 <= y0 < tile_y0 + tile_y):
        return None
    if -(-(x1 - tile_x0) // tile_x) * -(-(y1 - tile_y0) // tile_y) > _MOST_TILES:
        return None
    components = [struct.unpack_from(">BBB", data, 42 + 3 * index) for index in range(samples)]
    if not components or any(component != (components[0][0], 1, 1) for component in components):
        return None
    return CodedSize(y1 - y0, x1 - x0, samples, (components[0][0] & 0x7F) + 1)


def _text(size: tuple[int, int, int]) -> str:
    height, width, samples = size
    return f"{width} x {height} px of {samples}"
