"""What libraries raise when memory runs out or a worker process is lost, as errors with a remedy.

They say so in many ways, torch mostly with RuntimeError, and that a worker is gone wherever the main process happens to
be: an error that was raised from one of these is one of these. Not here: what the memory was wanted for.
"""

import errno
import re
from collections.abc import Iterator

from segtumor.errors import BadImageError, InstallationError, SegtumorError

# torch on a processor and on a GPU, oneDNN, ONNX Runtime, OpenVINO, OpenCV, the system's loader; lower case.
_SAYINGS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "bad_alloc",
    "bad allocation",
    "failed to allocate",
    "insufficient memory",
    "could not create a memory",
    "could not create a primitive",
    "failed to map segment",
    "can't start new thread",
    "alloc_failed",
)
_NOT_MEMORY = "static tls"  # of a library that was loaded too late
_LOST_WORKER = re.compile(r"DataLoader worker .*(is killed by signal|exited unexpectedly)")
_SHARED_MEMORY = re.compile(r"Bus error|shared memory")
_LESS_MEMORY = "Use smaller images (INPUT.MIN_SIZE_*), a smaller batch, fewer workers, or a machine with more memory"
_FEWER_WORKERS = "Use fewer DATALOADER.NUM_WORKERS; 0 reads in the training process"
_MORE_SHARED = "Use DATALOADER.NUM_WORKERS 0, or give the container more shared memory (docker run --shm-size=2g)"


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether ``error``, or the one that it was raised from, says that memory ran out."""
    return any(_says_memory(one) for one in _chain(error))


def resource_error_of(error: BaseException) -> InstallationError | None:
    """What the user should read where memory or a process is missing; None for any other error.

    Args:
        error: whatever was raised. Of segtumor's own errors only what they were raised from is examined: they may quote
            names of files.
    """
    for one in _chain(error, with_context=True):
        if isinstance(one, RuntimeError) and _LOST_WORKER.search(str(one)):
            return _lost_worker(str(one))
        if _says_memory(one) and not (isinstance(one, SegtumorError) and not _got_memory_error(one)):
            return InstallationError("out of memory", got=_first_line(one), remedy=_LESS_MEMORY)
    return None


def _chain(error: BaseException | None, *, with_context: bool = False) -> Iterator[BaseException]:
    """The error and what it was raised from; ``with_context``: or while what was handled."""
    seen = []
    while error is not None and error not in seen:  # an error that is raised again may go in circles
        seen.append(error)
        yield error
        context = error.__context__ if with_context and not error.__suppress_context__ else None
        error = error.__cause__ or context


def _says_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or _got_memory_error(error):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    text = str(error).lower()
    return _NOT_MEMORY not in text and any(saying in text for saying in _SAYINGS)


def _got_memory_error(error: BaseException) -> bool:
    # Of a damaged DICOM file only the kind of the error is kept (imaging.failures), in a worker's error only the text.
    return isinstance(error, BadImageError) and (
        str(error.got).startswith("MemoryError") or "(got MemoryError" in str(error)
    )


def _lost_worker(text: str) -> InstallationError:
    shared = _SHARED_MEMORY.search(text)
    what = f"a process that reads images was killed, most often for want of {'shared ' if shared else ''}memory"
    return InstallationError(what, remedy=_MORE_SHARED if shared else _FEWER_WORKERS)


def _first_line(error: BaseException) -> str | None:
    line = next(iter(str(error).strip().splitlines()), "")
    return f"{line:.200}" or None
