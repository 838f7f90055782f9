"""Writing files so that a reader never sees half of one.

Every file is written to a temporary name in the same folder, flushed to disk (fsync) and renamed: an interrupted run
or a full disk leaves the old file or none, never a truncated one. Failures are ``OutputError``.

A process that is killed leaves its temporary file behind. As long as it is written, its writer holds a lock on it, so
that ``remove_abandoned`` can distinguish a dead file from a live one.
"""

import contextlib
import contextvars
import csv
import errno
import hashlib
import io
import json
import math
import os
import re
import stat
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from segtumor.errors import OutputError
from segtumor.escaping import csv_cell

try:
    import fcntl
except ImportError:  # Windows, which refuses to remove a file that is open
    fcntl = None  # type: ignore[assignment]  # a module that may be missing

#: Temporary files begin so, whatever they will be called: a name may be as long as the file system allows.
TEMPORARY_PREFIX = ".segtumor."
_LONGEST_SUFFIX = 32
_TEMPORARY = re.compile(re.escape(TEMPORARY_PREFIX) + r"[a-z0-9_]{8}(\..*)?")
_ONE_AT_A_TIME = threading.Lock()
_WATCHER: contextvars.ContextVar[Callable[[Path], None] | None] = contextvars.ContextVar("watcher", default=None)
#: Folders in which abandoned files were looked for by this process.
_CLEARED: set[Path] = set()
#: Descriptors of the temporary files that are being written.
_HELD: set[int] = set()


def prepare_output_folder(path: str | Path) -> Path:
    """Create ``path`` if needed and prove that it can be written; returns it as a Path.

    Raises:
        OutputError: it is a file, or cannot be created or written.
    """
    folder = Path(path)
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    return folder


@contextlib.contextmanager
def watched_files(watcher: Callable[[Path], None]) -> Iterator[None]:
    """Call ``watcher`` with the path of each file that is about to be written inside the block; it may refuse it."""
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on leaving without an error it is synced and renamed to ``path``."""
    path, watcher = Path(path), _WATCHER.get()
    if watcher is not None:
        watcher(path)
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        suffix = path.suffix[:_LONGEST_SUFFIX]  # libraries recognise the format by it
        with _temporary_beside(path, suffix) as temporary:
            yield temporary
            temporary.chmod(0o666 & ~umask())  # mkstemp makes private files; these are ordinary output
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)


@contextlib.contextmanager
def _temporary_beside(path: Path, suffix: str) -> Iterator[Path]:
    """A new file beside ``path``, marked as alive by its lock; removed afterwards unless it was renamed."""
    if path.parent not in _CLEARED:  # commands that write a single file hold no lock of its folder
        _CLEARED.add(path.parent)
        remove_abandoned(path.parent, depth=0)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY_PREFIX, suffix=suffix)
    owner = os.getpid()
    try:
        if fcntl is None:
            os.close(descriptor)
        else:
            _HELD.add(descriptor)
            with contextlib.suppress(OSError):  # a disk without locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield Path(name)
    finally:
        if os.getpid() == owner:  # a child that was forked meanwhile unwinds here as well
            Path(name).unlink(missing_ok=True)
            if fcntl is not None:
                _HELD.discard(descriptor)
                os.close(descriptor)


def _let_go() -> None:
    """In a forked child: what it inherits would hold the locks of its parent after the parent's death."""
    while _HELD:
        os.close(_HELD.pop())


if fcntl is not None:
    os.register_at_fork(after_in_child=_let_go)


def remove_abandoned(folder: str | Path, *, depth: int = 3) -> None:
    """Remove the temporary files that killed processes left in ``folder`` and below it; links are not followed.

    A file that another process is writing at this moment stays, and so does every other file.

    Args:
        folder: where to look.
        depth: how many levels of folders below it; it may be somebody's home folder.
    """
    top = len(Path(folder).parts)
    for path, subfolders, names in os.walk(folder):
        if len(Path(path).parts) - top >= depth:
            subfolders.clear()
        for name in filter(_TEMPORARY.fullmatch, names):
            _remove_unless_alive(os.path.join(path, name))


def _remove_unless_alive(path: str) -> None:
    if os.path.islink(path) or not os.path.isfile(path):
        return
    with contextlib.suppress(OSError):  # held by its writer, renamed or removed meanwhile, or a disk without locks
        if fcntl is None:
            os.unlink(path)
            return
        descriptor = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
        finally:
            os.close(descriptor)


def remove_files(paths: Iterable[Path]) -> None:
    """Remove those of the files that are there, in this order; raises OutputError where one cannot be.

    Files that belong together are removed before the first of them is written anew: an interruption then leaves less,
    never new numbers beside an old report.
    """
    for path in paths:
        with output_errors(path):
            Path(path).unlink(missing_ok=True)


def write_bytes(path: str | Path, data: bytes | memoryview) -> None:
    """Write ``data`` to ``path``, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8 to ``path``, atomically; what UTF-8 lacks as ``\\udcff`` (see ``write_csv``)."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: str | Path, value: Any, *, indent: int | None = 2) -> None:
    """Write ``value`` as strict JSON: NaN and infinities become null, since JSON has neither."""
    write_text(path, _json(value, indent) + "\n")


def write_json_stream(
    path: str | Path, head: Mapping[str, Any], lists: Mapping[str, Iterable[Any]], *, indent: int = 2
) -> None:
    """Write the bytes of ``write_json(path, {**head, **lists})``, of which only one item is in memory at a time.

    Args:
        head: dict, not empty.
        lists: {key: iterable of values}, written in this order.
    """
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write(_json(head, indent).removesuffix("\n}"))
        for key, items in lists.items():
            file.write(f",\n{' ' * indent}{json.dumps(key)}: [")
            count = 0
            for count, item in enumerate(items, start=1):
                file.write(",\n" if count > 1 else "\n")
                file.write(textwrap.indent(_json(item, indent), " " * 2 * indent))
            file.write(f"\n{' ' * indent}]" if count else "]")
        file.write("\n}\n")


def write_csv(path: str | Path, rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> None:
    """Write ``rows`` (dicts, any iterable) with a header of ``columns``; keys that are not columns raise ValueError.

    What UTF-8 cannot represent, such as undecodable bytes in a file name, is written as ``\\udcff``. Texts that a
    spreadsheet would take for a formula get an apostrophe (``escaping.csv_cell``).
    """
    with (
        atomic_path(path) as temporary,
        open(temporary, "w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        # Only what ends a line is quoted: a lone return within a cell is not, unless it is part of the ends of lines.
        lines = SimpleNamespace(write=lambda line: file.write(line.removesuffix("\r\n") + "\n"))
        writer = csv.DictWriter(lines, fieldnames=list(columns), lineterminator="\r\n")
        writer.writerow({name: csv_cell(name) for name in columns})
        writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in rows)


def open_ordinary(path: str | Path) -> io.BufferedReader:
    """An ordinary file, open for reading bytes; for whatever comes from outside.

    Raises:
        OSError: as ``open``, and for a pipe, socket or device, which would be waited for.
    """
    file = open(path, "rb", opener=_open_without_waiting)  # noqa: SIM115 - the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "this is not an ordinary file", str(path))
    return file


def read_ordinary(path: str | Path) -> bytes:
    """The bytes of an ordinary file; raises as ``open_ordinary``."""
    with open_ordinary(path) as file:
        return file.read()


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # no difference for an ordinary file


def is_inside(path: str | Path, folder: str | Path) -> bool:
    """Whether a path is a folder or lies below it, after following links."""
    real, root = os.path.realpath(path), os.path.realpath(folder)
    return real == root or real.startswith(root.rstrip(os.sep) + os.sep)


def sha256_of_file(path: str | Path) -> str:
    """SHA-256 of an ordinary file's bytes as hexadecimal text."""
    with open_ordinary(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _json(value: Any, indent: int | None) -> str:
    return json.dumps(_strict(value), indent=indent, allow_nan=False)


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return _strict(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def umask() -> int:
    """What the process takes away from the modes of new files; a number."""
    with _ONE_AT_A_TIME:  # it can only be read by setting it: two threads would leave the other's 0 behind
        current = os.umask(0)
        os.umask(current)
    return current


@contextlib.contextmanager
def output_errors(path: str | Path) -> Iterator[None]:
    """Turn what the system says about a file that cannot be written into OutputError that names ``path``."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write: {error.strerror or error}",
            where=path,
            remedy="Choose a folder that you may write to and that has space left",
        ) from error
