"""The stored bytes of one frame: cut out of native pixel data, or gathered from its fragments (PS3.5 annex A.4).

Only the wanted frame is read. Left out: float pixels, and several frames in fragments without an offset table.
"""

import itertools
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from segtumor.errors import BadImageError
from segtumor.imaging.dicom.header import OpenedDicom
from segtumor.imaging.dicom.layout import PixelLayout
from segtumor.imaging.dicom.streams import Stream

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_PIXEL_DATA, _ITEM, _DELIMITER, _UNDEFINED = 0x7FE00010, 0xFFFEE000, 0xFFFEE0DD, 0xFFFFFFFF
_LONG_VRS = (b"OB", b"OW", b"UN")
_MOST_FRAGMENTS = 100_000
#: Behind the pixels: one byte makes the element even (PS3.5 8.1.1), and some writers make it two.
_MOST_PADDING_BYTES = 2
#: Coded frames may outgrow the samples a little (noise), and carry profiles and comments.
_CODED_SLACK_BYTES = 1 << 20


def native_frame(dicom: OpenedDicom, layout: PixelLayout, frame: int, path: Path) -> bytes:
    """Bytes of one uncompressed frame, as stored; raises BadImageError if they are not as many as the header makes."""
    vr, length = _pixel_element(dicom, path)
    start, wanted = dicom.stream.tell(), layout.frame_bytes * layout.frames
    if length == _UNDEFINED:
        raise BadImageError("DICOM with fragments that its transfer syntax does not allow", where=path)
    # Rows of another length would shear the picture; one black row too much, of whole ones, loses nothing.
    is_padded = length == wanted + layout.frame_bytes // layout.rows and not any(_end(dicom.stream, wanted, length))
    if not (wanted <= length <= wanted + _MOST_PADDING_BYTES or is_padded):
        raise BadImageError(
            "DICOM pixel data of another size than the header says", where=path, got=length, expected=f"{wanted} bytes"
        )
    dicom.stream.allow(start + length)
    swapped = vr == b"OW" and layout.allocated == 8 and not dicom.syntax.little_endian
    first = frame * layout.frame_bytes
    odd = first % 2 if swapped else 0
    dicom.stream.seek(start + first - odd)
    data = _exactly(dicom.stream, layout.frame_bytes + odd + (layout.frame_bytes + odd) % 2 * swapped)
    return (_swap_pairs(data) if swapped else data)[odd : odd + layout.frame_bytes]


def _end(stream: Stream, begin: int, length: int) -> bytes:
    """What follows ``begin`` bytes of the next ``length``; the position of the stream does not change."""
    start = stream.tell()
    stream.allow(start + length)
    stream.seek(start + begin)
    data = _exactly(stream, length - begin)
    stream.seek(start)
    return data


def coded_frame(dicom: OpenedDicom, layout: PixelLayout, frame: int, path: Path) -> bytes:
    """The codestream of one compressed frame; raises as ``native_frame``."""
    length = _pixel_element(dicom, path)[1]
    if length != _UNDEFINED:
        raise BadImageError("compressed DICOM whose pixel data is not in fragments", where=path)
    table = _offset_table(dicom.stream)
    fragments = _fragments(dicom.stream)
    chosen = _fragments_of(fragments, table or _extended_table(dicom.header), layout.frames, frame, path)
    size, most = sum(size for _, size in chosen), 2 * layout.frame_bytes + _CODED_SLACK_BYTES
    if size > most:
        raise BadImageError(
            "a compressed DICOM frame is larger than its picture can need",
            where=path,
            got=f"{size} bytes",
            expected=f"at most {most}",
        )
    parts = []
    for start, size in chosen:
        dicom.stream.seek(start)
        parts.append(_exactly(dicom.stream, size))
    return b"".join(parts)


def _pixel_element(dicom: OpenedDicom, path: Path) -> tuple[bytes | None, int]:
    """(VR or None, length) of the pixel data, whose first byte is next."""
    order = "<" if dicom.syntax.little_endian else ">"
    head = dicom.stream.read(8)
    if len(head) < 8:
        raise BadImageError("DICOM without pixel data", where=path, remedy="Choose an image of the study")
    group, element = struct.unpack(order + "HH", head[:4])
    if group << 16 | element != _PIXEL_DATA:
        raise BadImageError("DICOM without integer pixel data", where=path, remedy="Choose an image of the study")
    if dicom.implicit:
        return None, struct.unpack(order + "I", head[4:])[0]
    vr = head[4:6]
    if vr not in _LONG_VRS:
        raise BadImageError("DICOM pixel data of an unusual kind", where=path, expected="OB or OW")
    return vr, struct.unpack(order + "I", _exactly(dicom.stream, 4))[0]


def _offset_table(stream: Stream) -> tuple[int, ...]:
    """Offsets of the frames behind the table (PS3.5 A.4), which may be empty."""
    tag, length = _item_head(stream)
    if tag != _ITEM or length % 4 or length > 4 * _MOST_FRAGMENTS:
        raise ValueError("no offset table")
    return struct.unpack(f"<{length // 4}I", _exactly(stream, length))


def _extended_table(header: "Dataset") -> tuple[int, ...]:
    offsets = header.get("ExtendedOffsetTable")
    if not isinstance(offsets, bytes) or len(offsets) % 8:
        return ()
    return struct.unpack(f"<{len(offsets) // 8}Q", offsets)


def _fragments(stream: Stream) -> list[tuple[int, int]]:
    """[(position of the first byte, size)] of all fragments, by skipping over them."""
    found: list[tuple[int, int]] = []
    while len(found) < _MOST_FRAGMENTS:
        head = _next_item_head(stream)
        if head is None or head[0] == _DELIMITER:  # many writers forget the delimiter
            return found
        if head[0] != _ITEM or head[1] == _UNDEFINED:
            raise ValueError("no fragment")
        found.append((stream.tell(), head[1]))
        stream.seek(stream.tell() + head[1])
    raise ValueError("too many fragments")


def _fragments_of(
    fragments: list[tuple[int, int]], table: Sequence[int], frames: int, frame: int, path: Path
) -> list[tuple[int, int]]:
    if frames == 1:
        return fragments
    if len(fragments) == frames:
        return fragments[frame : frame + 1]
    if len(table) != frames or table[0] != 0 or any(a >= b for a, b in itertools.pairwise(table)):
        raise BadImageError(
            "DICOM frames cannot be separated: several fragments per frame and no offset table",
            where=path,
            remedy="Export it again as uncompressed DICOM",
        )
    begin = fragments[0][0] - 8 if fragments else 0  # offsets count from the first item's tag
    end = table[frame + 1] if frame + 1 < frames else float("inf")
    return [(start, size) for start, size in fragments if table[frame] <= start - 8 - begin < end]


def _item_head(stream: Stream) -> tuple[int, int]:
    """Tag and length of the item that is next."""
    group, element, length = struct.unpack("<HHI", stream.read(8))
    return group << 16 | element, length


def _next_item_head(stream: Stream) -> tuple[int, int] | None:
    """As ``_item_head``; None at the end of the stream."""
    start = stream.tell()
    if not stream.read(1):
        return None
    stream.seek(start)
    return _item_head(stream)


def _exactly(stream: Stream, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise ValueError("the file ends too early")
    return data


def _swap_pairs(data: bytes) -> bytes:
    swapped = bytearray(data)
    swapped[0::2], swapped[1::2] = data[1::2], data[0::2]
    return bytes(swapped)
