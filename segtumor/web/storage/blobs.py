"""Files named by the SHA-256 of what they hold: radiographs, readings, heat maps. No name that anybody chose."""

import hashlib
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from segtumor.files import atomic_path, write_bytes

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """A folder of them, in sub-folders by their first two digits."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, sha256: str) -> Path:
        """Where it lies, or would; raises ValueError for what is no hash."""
        if not _SHA256.fullmatch(sha256):
            raise ValueError("not a SHA-256")
        return self._folder / sha256[:2] / sha256

    def put(self, data: bytes) -> str:
        """Keep bytes; returns their hash. Raises OutputError where there is no space."""
        sha256 = hashlib.sha256(data).hexdigest()
        if not self.path(sha256).exists():
            write_bytes(self.path(sha256), data)
        return sha256

    def put_file(self, source: Path) -> str:
        """Keep a copy of a file; as ``put``."""
        with open(source, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if not self.path(sha256).exists():
            with atomic_path(self.path(sha256)) as temporary:
                shutil.copyfile(source, temporary)
        return sha256

    def get(self, sha256: str) -> bytes:
        """The bytes of a hash; raises OSError where it is gone."""
        return self.path(sha256).read_bytes()

    def remove(self, hashes: Iterable[str]) -> None:
        """Remove what nobody names any more."""
        for sha256 in hashes:
            self.path(sha256).unlink(missing_ok=True)
