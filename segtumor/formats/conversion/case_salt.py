"""The secret that turns patients into case ids (``imaging.dicom.attributes``).

It is kept outside every data set, so that nobody who has the data alone can find out, by trying, which patient a case
is. Not supported: more than one secret; two collections that must not be linked need two files.
"""

import os
import secrets
import stat
from pathlib import Path

from segtumor.errors import DataError, OutputError
from segtumor.files import read_ordinary

SALT_BYTES = 32


def default_salt_path() -> Path:
    """$XDG_CONFIG_HOME/segtumor/case_salt; without that variable, in ~/.config."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "segtumor" / "case_salt"


def load_salt(path: str | Path | None = None) -> bytes:
    """The 32 secret bytes of ``path``, or of ``default_salt_path()``; drawn on first use, for their owner alone (0600).

    Two processes that start at the same time end with the same salt. Raises DataError for a file of another length, or
    one that others may read, OutputError if it cannot be created.
    """
    path = default_salt_path() if path is None else Path(path)
    if not path.exists():
        _create(path)
    try:
        salt, mode = bytes(read_ordinary(path)), path.stat().st_mode
    except OSError as error:
        raise DataError(f"the salt of the case ids cannot be read: {error.strerror}", where=path) from error
    if len(salt) != SALT_BYTES:
        raise DataError(
            "this is not a salt for case ids",
            where=path,
            got=f"{len(salt)} bytes",
            expected=f"{SALT_BYTES} bytes",
            remedy="Name another file, or delete it to draw a new salt; case ids will change",
        )
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise DataError("others may read the salt of the case ids", where=path, remedy=f"Type: chmod 600 {path}")
    return salt


def _create(path: Path) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(SALT_BYTES))
                file.flush()
                os.fsync(file.fileno())
            _publish(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"the salt of the case ids cannot be written: {error.strerror}", where=path) from error


def _publish(temporary: Path, path: Path) -> None:
    """Give the complete file its name unless another process was first, whose salt then counts."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        if not path.exists():
            os.replace(temporary, path)
