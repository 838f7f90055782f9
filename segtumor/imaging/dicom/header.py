"""Opening a DICOM file: its transfer syntax and the wanted elements of its header, read once and without the rest.

Elements that no caller asked for, all patient data among them, are skipped and never converted, so that no warning or
error of pydicom can quote them. Left out: files that name no transfer syntax but have a meta group.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from segtumor.errors import BadImageError, needed
from segtumor.files import open_ordinary
from segtumor.imaging.dicom.elements import first_item
from segtumor.imaging.dicom.frames.syntaxes import TransferSyntax, find_syntax
from segtumor.imaging.dicom.signature import HEAD_BYTES, dicom_start
from segtumor.imaging.dicom.streams import BoundedFile, InflatedFile, Stream

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_TRANSFER_SYNTAX_TAG = 0x00020010
_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)

_PER_FRAME, _SHARED = "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"
#: Functional group (PS3.3 C.7.6.16) -> elements that are at the top level of other files.
_GROUPS = {
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "VOILUTFunction"),
    "PixelMeasuresSequence": ("PixelSpacing",),
}
GROUP_KEYWORDS = (_PER_FRAME, _SHARED)


@dataclass(frozen=True)
class OpenedDicom:
    """A file whose header was read, and its stream, at the pixel data or at the end.

    ``implicit``: whether the data set leaves out the value representations, as found and not as promised.
    """

    header: "Dataset"
    stream: Stream
    syntax: TransferSyntax
    implicit: bool


@contextlib.contextmanager
def opened(path: Path, keywords: Sequence[str | int]) -> Iterator[OpenedDicom]:
    """Yield OpenedDicom with the elements ``keywords``, with pydicom silenced.

    Raises BadImageError for what is no DICOM by its first bytes, of another transfer syntax or too large, and whatever
    pydicom raises on damaged files; see ``failures.decoder_errors``.
    """
    with needed("pydicom", "reading DICOM needs pydicom", remedy="Type: pip install pydicom"):
        import pydicom
        from pydicom.filereader import read_dataset

        from segtumor.imaging.dicom.silence import silent_pydicom
    with open_ordinary(path) as file, silent_pydicom():
        stream: Stream = BoundedFile(file)
        syntax = find_syntax(_transfer_syntax_uid(stream, read_dataset, path), path)
        if syntax.deflated:  # only now: a file of 1 MB may inflate to 1 GB
            stream = InflatedFile(file, path)
        header = read_dataset(
            cast(BinaryIO, stream),  # of which it uses these three methods
            syntax.implicit,
            syntax.little_endian,
            stop_when=lambda tag, vr, length: tag in _PIXEL_TAGS,
            specific_tags=[pydicom.tag.Tag(keyword) for keyword in keywords],
        )
        implicit, _ = header.original_encoding
        yield OpenedDicom(header, stream, syntax, bool(implicit))


def lift_groups(header: "Dataset", frame: int) -> None:
    """Copy the functional groups of one frame (enhanced objects) to the top of ``header``, where they are missing."""
    from pydicom.tag import Tag

    for sequence, keywords in _GROUPS.items():
        for source in (_item_at(header, _PER_FRAME, frame), first_item(header, _SHARED)):
            item = None if source is None else first_item(source, sequence)
            if item is None:
                continue
            for keyword in keywords:
                if keyword in item and keyword not in header:
                    header[Tag(keyword)] = item.get_item(Tag(keyword))  # as stored: it may not convert


def _item_at(header: "Dataset", sequence: str, index: int) -> "Dataset | None":
    items: Sequence[Dataset] = header.get(sequence)
    if first_item(header, sequence) is None or not 0 <= index < len(items):
        return None
    return items[index]


def _transfer_syntax_uid(stream: Stream, read_dataset: Callable[..., "Dataset"], path: Path) -> str:
    """The text in the file meta group, always Explicit VR Little Endian (PS3.10 7.1), or what the elements look like
    where there is none; the stream is left behind the group."""
    start = dicom_start(stream.read(HEAD_BYTES))
    if start is None:
        raise BadImageError("this is not a DICOM file", where=path)
    stream.seek(start.offset)
    if start.syntax_uid is not None:
        return start.syntax_uid
    meta = read_dataset(
        stream,
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, vr, length: tag >> 16 != 2,
        specific_tags=[_TRANSFER_SYNTAX_TAG],
    )
    return str(meta.get("TransferSyntaxUID", "")).strip(" \0")
