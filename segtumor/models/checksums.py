"""Whether a weights file is still what was written: every byte of segtumor's own, every record of any other.

A ``.pth`` file is a zip container, which torch reads without comparing the CRC-32 that it holds of each record: one
flipped bit of a weight loads. ``seal`` therefore puts the SHA-256 of all that comes before it into the container's
comment, which every version of torch reads over. Files of others have no seal; of these, the records' own checksums are
compared. Files from before torch 1.6 are no containers and hold no checksum at all.
"""

import hashlib
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

from segtumor.errors import ModelError

_PREFIX = b"segtumor sha256:"
_SEAL = re.compile(re.escape(_PREFIX) + rb"[0-9a-f]{64}")
_SEAL_BYTES = len(_PREFIX) + 64
#: The last two bytes of a container without a comment are the length of the comment.
_NO_COMMENT, _LENGTH = b"\0\0", struct.Struct("<H")
_FOLDER = 0x10
_CHUNK_BYTES = 1 << 20
#: What zipfile raises depends on the field of the container that is damaged.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError)


def seal(path: Path) -> None:
    """Put the SHA-256 of a file that torch.save has just written into its comment.

    Raises:
        OSError: it cannot be written.
    """
    with open(path, "r+b") as file:
        file.seek(-len(_NO_COMMENT), 2)
        if file.read() != _NO_COMMENT:
            raise ValueError(f"{path} is no zip container without a comment")
        file.seek(-len(_NO_COMMENT), 2)
        file.write(_LENGTH.pack(_SEAL_BYTES))
        size = file.tell()
        file.seek(0)
        digest = _sha256(file, size)
        file.write(_PREFIX + digest.encode("ascii"))


def check_undamaged(path: Path) -> bool:
    """Refuse a weights file whose bytes are not those that were written.

    Returns:
        Whether the file holds checksums; without any, nothing was compared.

    Raises:
        ModelError: a checksum differs, or the container cannot be read.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        body = max(0, size - _SEAL_BYTES)
        file.seek(body)
        end = file.read()
        file.seek(0)
        if _SEAL.fullmatch(end):
            if _sha256(file, body).encode("ascii") != end.removeprefix(_PREFIX):
                raise _damaged(path, "checksum differs")
        elif file.read(2) == b"PK" or zipfile.is_zipfile(file):
            _check_records(file, path)
        else:
            return False
    return True


def _check_records(file: BinaryIO, path: Path) -> None:
    try:
        with zipfile.ZipFile(file) as container:
            broken = container.testzip() or _called_a_folder(container)
            is_sealed = _is_broken_seal(file, container.comment)
    except (*_UNREADABLE, RuntimeError, ValueError, EOFError, OSError) as error:
        raise _damaged(path, f"not a readable weights file: {str(error) or type(error).__name__:.120}") from error
    if broken is not None:
        raise _damaged(path, f"checksum differs (of its record {broken})")
    if is_sealed:
        raise _damaged(path, "checksum differs")


def _called_a_folder(container: zipfile.ZipFile) -> str | None:
    """Name of a record that its attributes call a folder: torch reads nothing of it and takes what is in memory."""
    return next((info.filename for info in container.infolist() if info.external_attr & _FOLDER), None)


def _is_broken_seal(file: BinaryIO, comment: bytes) -> bool:
    """Whether a container's comment is what is left of a seal: changed, or cut off, which zipfile overlooks."""
    if not comment:
        file.seek(-len(_NO_COMMENT), 2)
        return file.read() != _NO_COMMENT
    return len(comment) == _SEAL_BYTES or _PREFIX[: len(comment)] == comment[: len(_PREFIX)]


def _damaged(path: Path, reason: str) -> ModelError:
    remedy = "Copy it again from where it was trained, or take another checkpoint"
    return ModelError(f"damaged: {reason}", where=path, remedy=remedy)


def _sha256(file: BinaryIO, size: int) -> str:
    digest = hashlib.sha256()
    while size > 0 and (chunk := file.read(min(size, _CHUNK_BYTES))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()
