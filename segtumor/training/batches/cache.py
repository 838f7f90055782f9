"""A folder of windowed, resized images, so that a radiograph of megapixels is decoded once and not in every epoch.

An entry is one file, named by a hash of what it was made from: path, size and times of the image file, the settings of
reading, and the versions of segtumor and of this format. A changed image therefore has another name, and a wrong entry
cannot be found. Entries are written under a temporary name and renamed, as ``segtumor.files`` does, but without fsync,
which takes nine tenths of the time: what a power failure leaves behind fails its checksum and is made again. Any number
of processes may share a folder; two that make the same entry write the same bytes.

**The pixels of a DICOM file are a patient's, here as well.** Folder and files are readable by their owner alone.
Left out: removing old entries. A full cache takes no more; delete the folder to start afresh.
"""

import contextlib
import hashlib
import json
import logging
import os
import re
import struct
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtumor import __version__
from segtumor.errors import ConfigError

#: (h, w) float32 in [0, 1], and the size (H, W) of its file.
Image = tuple[NDArray[np.float32], tuple[int, int]]
_FORMAT_VERSION = 1
_MAGIC = b"segtumor"
#: Magic, (H, W) of the image file, (h, w) of the entry, CRC-32 of name and pixels; the pixels follow, little-endian.
_HEADER = struct.Struct("<8s5I")
_WHITE = np.float32(65535)

#: Marks a folder that backups and archivers leave out (https://bford.info/cachedir/).
_TAG_NAME = "CACHEDIR.TAG"
_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# Images that segtumor has read; the folder may be deleted.\n"
_ENTRY = re.compile(r"[0-9a-f]{64}\.image")
_TEMPORARY = re.compile(r"\.part-\w+")
_ABANDONED_S = 3600
_STORES_BETWEEN_COUNTS = 64

logger = logging.getLogger(__name__)


class ImageCache:
    """Images as 16-bit gray values: what comes back differs from what went in by 1 / 131070 (gray in [0, 1]) at most.

    Args:
        folder: made if it does not exist; nothing outside it is touched.
        max_gb: no more is stored once the folder holds as many gigabytes (1e9 bytes). Processes that fill it together
            each count every 64 entries, and pass the limit by no more than they store in between.
        settings: dict, JSON-able: everything beside the file that decides the pixels.

    Raises:
        ConfigError: the folder holds other things, or cannot be made.
    """

    def __init__(self, folder: str | Path, *, max_gb: float, settings: Any) -> None:
        self._folder, self._max_bytes, self._settings = Path(folder).absolute(), max_gb * 1e9, settings
        self._is_storing, self._stores_left, self._bytes = True, 0, 0
        _prepare(self._folder)

    def get(self, path: str | Path, make: Callable[[], Image]) -> Image:
        """The image of a file, from the folder or made and stored.

        Args:
            make: function of nothing -> ((h, w) float32 in [0, 1], (H, W) of the file).

        Returns:
            What ``make`` returns, rounded to 16 bits, also where it was just made: an epoch is like the next.

        Raises:
            Whatever ``make`` raises; nothing is stored then. Trouble with the folder is logged once, never raised.
        """
        try:
            name = self._name(path)
        except OSError:
            return make()  # which says what is wrong with the file
        entry = self._load(name)
        if entry is None:
            pixels, size_hw = make()
            codes = np.rint(pixels * _WHITE).astype("<u2")
            if self._is_storing:
                self._store(name, codes, size_hw)
            entry = codes, size_hw
        return np.divide(entry[0], _WHITE, dtype=np.float32), entry[1]

    def _name(self, path: str | Path) -> str:
        status = os.stat(path)
        # The change time too: a copy that keeps dates may replace a file by another of its size.
        identity = [os.path.abspath(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        text = json.dumps([_FORMAT_VERSION, __version__, identity, self._settings], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest() + ".image"

    def _load(self, name: str) -> tuple[NDArray[np.uint16], tuple[int, int]] | None:
        """(h, w) uint16 and (H, W) of the file, or None where there is no sound entry."""
        try:
            data = (self._folder / name).read_bytes()
        except OSError:
            return None
        if len(data) < _HEADER.size:
            return None
        magic, *sizes, checksum = _HEADER.unpack_from(data)
        height, width = sizes[2:]
        if magic != _MAGIC or len(data) != _HEADER.size + 2 * height * width:
            return None
        pixels = memoryview(data)[_HEADER.size :]
        if _checksum(name, sizes, pixels) != checksum:
            return None
        return np.frombuffer(pixels, dtype="<u2").reshape(height, width), tuple(sizes[:2])

    def _store(self, name: str, codes: NDArray[np.uint16], size_hw: tuple[int, int]) -> None:
        sizes, pixels = [*size_hw, *codes.shape], codes.tobytes()
        try:
            if self._has_room(_HEADER.size + len(pixels)):
                header = _HEADER.pack(_MAGIC, *sizes, _checksum(name, sizes, pixels))
                _write(self._folder / name, header + pixels)
        except OSError as error:
            self._stop(f"cannot be written ({error.strerror or error})")

    def _has_room(self, more_bytes: int) -> bool:
        if self._stores_left == 0:
            self._bytes, self._stores_left = _bytes_in(self._folder), _STORES_BETWEEN_COUNTS
        self._stores_left -= 1
        self._bytes += more_bytes
        if self._bytes > self._max_bytes:
            self._stop(f"is full ({self._max_bytes / 1e9:g} GB, INPUT.CACHE_MAX_GB)")
        return self._is_storing

    def _stop(self, reason: str) -> None:
        self._is_storing = False
        logger.warning("%s: the image cache %s; images that it lacks are read as without it", self._folder, reason)


def _checksum(name: str, sizes: Sequence[int], pixels: bytes | memoryview) -> int:
    # The name too, so that an entry renamed or copied over another is noticed.
    return zlib.crc32(pixels, zlib.crc32(f"{name} {sizes}".encode()))


def _prepare(folder: Path) -> None:
    """Make the folder, or make sure that it is a cache; take away what interrupted writers left in it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        entries = list(os.scandir(folder))
        foreign = [entry.name for entry in entries if not _is_ours(entry)]
        if foreign:
            raise ConfigError(
                f"the folder for the image cache holds other things, e.g. {sorted(foreign)[0]}",
                where="INPUT.CACHE_DIR",
                got=folder,
                remedy="Name a new or empty folder",
            )
        if not any(entry.name == _TAG_NAME for entry in entries):
            _write(folder / _TAG_NAME, _TAG)
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name):
                _remove_abandoned(entry)
    except OSError as error:
        raise ConfigError(
            f"the folder for the image cache cannot be used: {error.strerror or error}",
            where="INPUT.CACHE_DIR",
            got=folder,
            remedy="Name a folder that you may write to",
        ) from error


def _is_ours(entry: os.DirEntry[str]) -> bool:
    known = entry.name == _TAG_NAME or _ENTRY.fullmatch(entry.name) or _TEMPORARY.fullmatch(entry.name)
    return bool(known) and not entry.is_symlink() and not entry.is_dir()


def _remove_abandoned(entry: os.DirEntry[str]) -> None:
    with contextlib.suppress(FileNotFoundError):  # its writer has finished, or another process was quicker
        if time.time() - entry.stat().st_mtime > _ABANDONED_S:
            os.unlink(entry.path)


def _bytes_in(folder: Path) -> int:
    total = 0
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):
            total += entry.stat(follow_symlinks=False).st_size
    return total


def _write(path: Path, data: bytes) -> None:
    """Write atomically, readable by the owner alone; see the module for why without fsync."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
