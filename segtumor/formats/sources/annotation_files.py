"""The annotation files that a source names: one file, or those directly in a folder; their beginnings and sizes."""

import os
from itertools import islice
from pathlib import Path

from segtumor.datasets.image_placement import leads_out
from segtumor.errors import DataError
from segtumor.files import open_ordinary

MAX_BYTES = 256 * 2**20
_HEAD_BYTES = 65536


def files_of(source, suffix, at_most=None):
    """The file itself if it has the suffix, or such files directly in the folder, by name; [] if there are none."""
    source = Path(source)
    if source.is_dir():
        found = (path for path in sorted(source.glob("[!.]*")) if path.suffix.lower() == suffix and path.is_file())
        return list(islice((path for path in found if not leads_out(path, source)), at_most))
    return [source] if source.is_file() and source.suffix.lower() == suffix else []


def head_of(path):
    """The first bytes of a file; none if it cannot be read."""
    try:
        with open_ordinary(path) as file:
            return file.read(_HEAD_BYTES)
    except OSError:
        return b""


def check_size(path):
    """Raise DataError if an annotation file is missing, or larger than is read at once."""
    try:
        with open_ordinary(path) as file:
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise DataError(f"annotation file: {error.strerror}", where=path, remedy="Check --source") from error
    if size > MAX_BYTES:
        got, expected = f"{size / 2**20:.0f} MB", f"{MAX_BYTES / 2**20:.0f} MB at most"
        raise DataError("annotation file too large", where=path, got=got, expected=expected, remedy="Export in parts")
