"""One run at a time in an output folder: two would write over each other's journal and remove each other's files."""

import contextlib
import logging

from segtumor.errors import ConfigError
from segtumor.files import output_errors

LOCK_NAME = ".infer.lock"

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def alone_in(folder):
    """Hold the lock of a folder, which the system gives back when a process ends, however it ends.

    Args:
        folder: Path, exists. An empty file stays in it: two runs could hold locks of two files of one name.

    Raises:
        ConfigError: another run holds it.
        OutputError: it cannot be written.
    """
    from filelock import FileLock, Timeout  # a twentieth of a second, which ``--help`` need not wait for

    lock = FileLock(folder / LOCK_NAME, timeout=0)
    with output_errors(folder / LOCK_NAME):
        try:
            lock.acquire()
        except Timeout as error:
            remedy = "Wait for it, or choose another --output"
            raise ConfigError("another run is writing into the folder", where=folder, remedy=remedy) from error
        except NotImplementedError:
            logger.warning("%s: this kind of disk has no locks; do not let two runs write there at once", folder)
    try:
        yield
    finally:
        lock.release()
