"""One command at a time in an output folder: two would mix their files and remove each other's.

Whoever writes a folder of files takes its lock before looking at what lies there, and what an earlier command that was
killed left half-written is cleared away under it. Not here: single files, which are written whole (``files``).
"""

import contextlib
import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from segtumor.errors import ConfigError
from segtumor.files import output_errors, prepare_output_folder, remove_abandoned

#: In the folder while a command works there, and after one that was killed.
LOCK_NAME = ".segtumor-lock"
_REMEDY = "Wait for it, or choose another --output"

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def lock_folder(folder: str | Path, *, remedy: str = _REMEDY) -> Iterator[Path]:
    """Hold the lock of a folder, which the system gives back when a process ends, however it ends.

    Abandoned temporary files in the folder are removed. A folder that did not exist and is still empty at the end,
    since the command was refused, is removed again.

    Args:
        folder: made if it does not exist.
        remedy: what a second command is advised to do.

    Yields:
        The folder, a Path.

    Raises:
        ConfigError: another command holds it.
        OutputError: the folder cannot be written.
    """
    folder = Path(folder)
    with output_errors(folder):
        made = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
        prepare_output_folder(folder)
    try:
        with _held(folder / LOCK_NAME, where=folder, remedy=remedy):
            remove_abandoned(folder)
            yield folder
    finally:
        with contextlib.suppress(OSError):  # not empty: the usual end
            for path in made:
                path.rmdir()


@contextlib.contextmanager
def lock_beside(path: str | Path) -> Iterator[Path]:
    """As ``lock_folder`` for a folder that is replaced as a whole: its lock lies beside it; nothing is made."""
    path = Path(path)
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8]  # the name itself may be as long as names can be
    with _held(path.with_name(f"{LOCK_NAME}-{digest}"), where=path, remedy=_REMEDY):
        yield path


def is_empty(folder: str | Path) -> bool:
    """Whether nothing is in a folder but its lock."""
    return all(path.name == LOCK_NAME for path in Path(folder).iterdir())


@contextlib.contextmanager
def _held(path: Path, *, where: Path, remedy: str) -> Iterator[None]:
    from filelock import FileLock, Timeout  # a twentieth of a second, which ``--help`` need not wait for

    lock = FileLock(path, timeout=0)
    with output_errors(path):
        try:
            lock.acquire()
        except Timeout as error:
            raise ConfigError("another command is writing into the folder", where=where, remedy=remedy) from error
        except NotImplementedError:
            logger.warning("%s: this kind of disk has no locks; do not let two commands write there at once", where)
    try:
        yield
    finally:
        if lock.is_locked:
            with contextlib.suppress(OSError):  # who has opened it meanwhile sees that its name is gone
                path.unlink()
        lock.release()
