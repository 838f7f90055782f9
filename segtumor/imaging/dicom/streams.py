"""Bounded reading: no length in a header, and no deflated data set, can ask for more than the file may hold.

Both classes are what pydicom needs of a file: ``read``, ``seek`` and ``tell``. Left out: writing, and closing the file.
"""

import os
import zlib
from pathlib import Path
from typing import BinaryIO, Protocol

from segtumor.errors import BadImageError

#: Bytes of a deflated data set in front of its pixels, at most; an icon or private block may take a few megabytes.
HEADER_BYTES = 64_000_000
#: Calls of ``read`` on one file, at most. An element takes one or two; an endless row of empty ones must end.
_MOST_READS = 1_000_000
_CHUNK_BYTES = 1 << 18


class Stream(Protocol):
    """A file of which no more is read than it may hold."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to ``size`` bytes."""
        ...

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a position; returns it."""
        ...

    def tell(self) -> int:
        """The position."""
        ...

    def allow(self, end: int) -> None:
        """Let reading go on up to ``end``."""
        ...


class BoundedFile:
    """An open file whose ``read`` never allocates more than the file has left.

    ``open(...).read(n)`` allocates n bytes first, and n is a number of the header: up to 4 GB in a file of 1 kB.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self._reads += 1
        if self._reads > _MOST_READS:
            raise ValueError("too many elements")
        left = max(self._size - self._file.tell(), 0)
        return self._file.read(left if size is None or size < 0 else min(size, left))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def allow(self, end: int) -> None:
        """Nothing to do: the file itself is the limit."""


class InflatedFile:
    """A deflated data set (PS3.5 A.5) as a file; inflates what is read, and raises BadImageError behind a limit."""

    def __init__(self, file: BinaryIO, path: Path, limit: int | None = None) -> None:
        self._file, self._path = file, path
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._data = bytearray()
        self._position = self._reads = 0
        self._limit = HEADER_BYTES if limit is None else limit

    def read(self, size: int | None = -1) -> bytes:
        self._reads += 1
        if self._reads > _MOST_READS:
            raise ValueError("too many elements")
        end = self._limit + 1 if size is None or size < 0 else self._position + size
        self._inflate(end)
        piece = bytes(self._data[self._position : end])
        self._position += len(piece)
        return piece

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END:
            raise ValueError("the end is not known")
        self._position = max(offset + (self._position if whence == os.SEEK_CUR else 0), 0)
        return self._position

    def tell(self) -> int:
        return self._position

    def allow(self, end: int) -> None:
        """Let reading go on up to ``end``, the last byte of the pixels, whose size was checked."""
        self._limit = max(self._limit, end)

    def _inflate(self, end: int) -> None:
        while len(self._data) < end and not self._inflater.eof:
            if len(self._data) > self._limit:
                raise BadImageError(
                    "the deflated DICOM data set is larger than its picture can need",
                    where=self._path,
                    expected=f"at most {self._limit / 1e6:.0f} MB",
                    remedy="Do not open it, or export it again as uncompressed DICOM",
                )
            deflated = self._inflater.unconsumed_tail or self._file.read(_CHUNK_BYTES)
            if not deflated:
                return
            self._data += self._inflater.decompress(deflated, _CHUNK_BYTES)
