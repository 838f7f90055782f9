"""The files of an annotation folder: which there are, how they begin, how large they are.

Not here: which image each belongs to (``image_folder``), and what is in them.
"""

import os
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path

from segtumor.errors import DataError
from segtumor.files import is_inside, open_ordinary

#: Larger annotation files are not read; an image of 64 megapixels in 16 bits, embedded in base64, fits.
MAX_FILE_BYTES = 256 * 2**20
HEAD_BYTES = 65_536


def files_in(source: Path, suffix: str, at_most: int | None = None) -> list[Path]:
    """The file itself if it has the suffix, or such files directly in the folder, by name; [] if there are none."""
    if source.is_dir():
        found = (path for path in sorted(source.glob("[!.]*")) if path.suffix.lower() == suffix and path.is_file())
        return list(islice((path for path in found if is_inside(path, source)), at_most))
    return [source] if source.is_file() and source.suffix.lower() == suffix else []


def files_below(source: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Paths of the files with one of ``suffixes`` (lower case), sorted within each folder; ``source`` may be the file.

    Hidden files and folders and links to folders are not entered; pipes and the like, which wait for ever, and links
    out of the folder (``links_out_of``) are skipped. Lazy, so that asking for the first few is cheap.
    """
    if not source.is_dir():
        if source.suffix.lower() in suffixes and source.is_file():
            yield source
        return
    for folder, subfolders, names in os.walk(source):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if name.startswith(".") or os.path.splitext(name)[1].lower() not in suffixes or not path.is_file():
                continue
            if not path.is_symlink() or is_inside(path, source):
                yield path


def links_out_of(folder: Path) -> Iterator[str]:
    """Names of the links below a folder that lead out of it, to files or folders; what they lead to is never read."""
    for base, subfolders, names in os.walk(folder):
        for name in sorted((*subfolders, *names)):
            path = Path(base, name)
            if path.is_symlink() and not name.startswith(".") and not is_inside(path, folder):
                yield path.relative_to(folder).as_posix()


def folder_of(source: Path) -> Path:
    """The folder that ``source`` is, or lies in."""
    return source if source.is_dir() else source.parent


def head_of(path: Path, size: int = HEAD_BYTES) -> bytes:
    """The first bytes of a file; empty if it cannot be read."""
    try:
        with open_ordinary(path) as file:
            return file.read(size)
    except OSError:
        return b""


def ascii_head_of(path: Path, size: int = HEAD_BYTES) -> bytes:
    """The first bytes of a file, without the zeros of UTF-16 and UTF-32: names of keys and tags can be searched."""
    return head_of(path, size).replace(b"\0", b"")


def check_size(path: Path) -> None:
    """Raise DataError if an annotation file is missing, or larger than is read at once."""
    try:
        with open_ordinary(path) as file:
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise DataError(f"annotation file: {error.strerror}", where=path, remedy="Check --source") from error
    if size > MAX_FILE_BYTES:
        got, expected = f"{size / 2**20:.0f} MB", f"{MAX_FILE_BYTES / 2**20:.0f} MB at most"
        raise DataError("annotation file too large", where=path, got=got, expected=expected, remedy="Export in parts")
