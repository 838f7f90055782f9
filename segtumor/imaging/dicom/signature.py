"""What the first bytes of a file say of DICOM: where its elements begin, and whether it is a picture at all.

Nothing is imported for it and nothing converted, so that a folder of ten thousand files is looked through in a second.
Left out: a preamble without its mark, and the mark without a preamble.
"""

import re
import struct
from typing import NamedTuple

#: Enough for the file meta group, or for the first elements where there is none.
HEAD_BYTES = 1024
_MARK, _MARK_AT = b"DICM", 128

_IMPLICIT, _EXPLICIT, _BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
_SHORT_VRS = b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split()
_LONG_VRS = b"OB OW OF OD OL OV SQ UC UN UR UT".split()
_META, _IDENTIFYING = 0x0002, 0x0008
_ELEMENTS_ENOUGH, _LONGEST_VALUE = 3, 1024

#: Media storage class in the meta group, else the class of the data set (PS3.10 7.1, PS3.3 C.12.1); PS3.6 annex A.
_CLASS = re.compile(rb"(?:\x02\x00\x02\x00|\x08\x00\x16\x00)(?:UI..|....)(1\.2\.840\.10008\.[0-9.]{1,45})", re.DOTALL)
_WITHOUT_PICTURE = {
    "1.2.840.10008.1.3.10": "a directory (DICOMDIR)",
    "1.2.840.10008.5.1.4.1.1.88.59": "a key object selection",
    "1.2.840.10008.5.1.4.1.1.88": "a structured report",
    "1.2.840.10008.5.1.4.1.1.11": "a presentation state",
    "1.2.840.10008.5.1.4.1.1.104": "a document",
    "1.2.840.10008.5.1.4.1.1.9": "a waveform",
    "1.2.840.10008.5.1.4.1.1.66": "a registration, segmentation or raw data",
    "1.2.840.10008.5.1.4.1.1.481.3": "a structure set",
    "1.2.840.10008.5.1.4.1.1.481.5": "a treatment plan",
}


class DicomStart(NamedTuple):
    """Where the elements begin, and the transfer syntax that they seem to have where no meta group names one."""

    offset: int
    syntax_uid: str | None


def dicom_start(head: bytes) -> DicomStart | None:
    """DicomStart of a file by its first HEAD_BYTES bytes; None if it is not DICOM.

    Without preamble and mark (PS3.10 wants both, older archives have neither) the first elements must be DICOM's: of
    group 0002 or 0008, in order, with value representations or short values of even length. So is a data set that
    follows the mark at once, without its meta group.
    """
    has_mark = head[_MARK_AT : _MARK_AT + len(_MARK)] == _MARK
    offset = _MARK_AT + len(_MARK) if has_mark else 0
    elements = head[offset:]
    if not has_mark and _are_elements(elements, "<", True, _META):
        return DicomStart(0, None)
    for syntax, order, explicit in ((_EXPLICIT, "<", True), (_IMPLICIT, "<", False), (_BIG, ">", True)):
        if _are_elements(elements, order, explicit, _IDENTIFYING):
            return DicomStart(offset, syntax)
    return DicomStart(offset, None) if has_mark else None


def what_without_picture(head: bytes) -> str | None:
    """What a DICOM file is that holds no picture, such as "a structured report"; None if it may hold one."""
    found = _CLASS.search(head)
    parts = found[1].decode("ascii").rstrip(".").split(".") if found else []
    for length in range(len(parts), 0, -1):
        if (name := _WITHOUT_PICTURE.get(".".join(parts[:length]))) is not None:
            return name
    return None


def _are_elements(head: bytes, order: str, explicit: bool, first_group: int) -> bool:
    position, last = 0, -1
    for count in range(_ELEMENTS_ENOUGH):
        if len(head) < position + 12:
            return count > 1 and len(head) >= HEAD_BYTES - _MARK_AT - len(_MARK)
        group, element = struct.unpack_from(order + "HH", head, position)
        tag, size = group << 16 | element, _size(head, position, order, explicit)
        if (count == 0 and group != first_group) or tag <= last or size is None:
            return False
        position, last = position + size, tag
    return True


def _size(head: bytes, position: int, order: str, explicit: bool) -> int | None:
    """Bytes of the element at ``position`` with its head; None if it is none."""
    kind = head[position + 4 : position + 6]
    if not explicit:
        start, length = 8, struct.unpack_from("<I", head, position + 4)[0]
    elif kind in _SHORT_VRS:
        start, length = 8, struct.unpack_from(order + "H", head, position + 6)[0]
    elif kind in _LONG_VRS:
        start, length = 12, struct.unpack_from(order + "I", head, position + 8)[0]
    else:
        return None
    return start + length if length % 2 == 0 and length <= _LONGEST_VALUE else None
