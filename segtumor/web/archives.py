"""Zip archives that came from outside: which of their members are unpacked, and how far."""

import contextlib
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from segtumor.errors import DataError

#: What a zip archive begins with; the second is an empty one.
_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
#: Members of an archive, bytes of all of them, and how much larger than packed one may be once it is large.
MOST_MEMBERS = 2000
MOST_BYTES = 8 * 2**30
_MOST_RATIO, _RATIO_MATTERS_BYTES = 200, 16 * 2**20
_PIECE_BYTES = 2**20


@dataclass(frozen=True)
class Unpacked:
    """A member: its name, and where it lies or why it does not."""

    name: str
    path: Path | None = None
    reason: str | None = None


def is_archive(head: bytes) -> bool:
    """Whether a file with these first bytes is a zip archive."""
    return head.startswith(_MAGIC)


def unpacked(archive: Path, folder: Path, *, most_bytes: int) -> Iterator[Unpacked]:
    """The members of an archive, one after the other; each is removed when the next is asked for.

    Names in the archive are shown and never used on disk. Folders, and files that systems hide, are passed over.

    Args:
        folder: where members are unpacked.
        most_bytes: of a member.

    Raises:
        DataError: it cannot be opened, or holds too much altogether.
        OutputError: no space (by ``files.output_errors`` of the caller).
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [m for m in opened.infolist() if not (m.is_dir() or _is_hidden(m.filename))]
            _check_whole(members)
            for member in members:
                with tempfile.TemporaryDirectory(dir=folder) as place:
                    yield _member(opened, member, Path(place) / "member", most_bytes)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, UnicodeError) as error:
        remedy = "Pack it again, or choose the images themselves"
        raise DataError("the archive cannot be opened", remedy=remedy) from error


def _check_whole(members: list[zipfile.ZipInfo]) -> None:
    total = sum(member.file_size for member in members)
    if len(members) > MOST_MEMBERS or total > MOST_BYTES:
        got = f"{len(members)} files of {total / 1e9:.1f} GB"
        expected = f"at most {MOST_MEMBERS} files of {MOST_BYTES / 1e9:.1f} GB"
        raise DataError("the archive holds too much", got=got, expected=expected, remedy="Divide it")


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return any(part.startswith(".") and part not in (".", "..") for part in parts) or "__MACOSX" in parts


def _member(opened: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, most_bytes: int) -> Unpacked:
    name = member.filename
    reason = _why_not(member, most_bytes)
    if reason is not None:
        return Unpacked(name, reason=reason)
    try:
        with opened.open(member) as packed, open(path, "wb") as file:
            if _copied(packed, file, member, most_bytes):
                return Unpacked(name, path)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        with contextlib.suppress(OSError):
            path.unlink()
        return Unpacked(name, reason=f"cannot be unpacked: {type(error).__name__}")
    return Unpacked(name, reason="larger than the archive says")


def _why_not(member: zipfile.ZipInfo, most_bytes: int) -> str | None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        return "its name leads out of the archive"
    mode = member.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "a link or a device"
    if member.flag_bits & 1:
        return "encrypted"
    if member.file_size > most_bytes:
        return f"larger than {most_bytes / 1e6:.0f} MB"
    if member.file_size > max(_RATIO_MATTERS_BYTES, _MOST_RATIO * member.compress_size):
        return "packed far too well for an image"
    return None


def _copied(packed: IO[bytes], file: IO[bytes], member: zipfile.ZipInfo, most_bytes: int) -> bool:
    """Whether no more came than was said: what an archive says of itself may be a lie."""
    left = min(member.file_size, most_bytes)
    while piece := packed.read(_PIECE_BYTES):
        left -= len(piece)
        if left < 0:
            return False
        file.write(piece)
    return True
