"""Writing files so that a reader never sees half of one.

Every file is written to a temporary name in the same folder, flushed to disk (fsync) and renamed: an interrupted run
or a full disk leaves the old file or none, never a truncated one. Failures are ``OutputError``.
"""

import contextlib
import csv
import errno
import hashlib
import json
import math
import os
import stat
import tempfile
import textwrap
import threading
from pathlib import Path
from types import SimpleNamespace

from segtumor.errors import OutputError
from segtumor.names import csv_cell

#: Temporary files begin so, whatever they will be called: a name may be as long as the file system allows.
TEMPORARY_PREFIX = ".segtumor."
_LONGEST_SUFFIX = 32
_ONE_AT_A_TIME = threading.Lock()


def prepare_output_folder(path):
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
def atomic_path(path):
    """Yield a temporary path beside ``path``; on leaving without an error it is synced and renamed to ``path``."""
    path = Path(path)
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        suffix = path.suffix[:_LONGEST_SUFFIX]  # libraries tell the format by it
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY_PREFIX, suffix=suffix)
        os.close(descriptor)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o666 & ~umask())  # mkstemp makes private files; these are ordinary output
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_bytes(path, data):
    """Write ``data`` to ``path``, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path, text):
    """Write ``text`` as UTF-8 to ``path``, atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path, value, *, indent=2):
    """Write ``value`` as strict JSON: NaN and infinities become null, since JSON has neither."""
    write_text(path, _json(value, indent) + "\n")


def write_json_stream(path, head, lists, *, indent=2):
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


def write_csv(path, rows, columns):
    """Write ``rows`` (dicts, any iterable) with a header of ``columns``; keys that are not columns raise ValueError.

    What UTF-8 cannot hold, such as bytes in a file name that mean no letter, is written as ``\\udcff``. Texts that a
    spreadsheet would take for a formula get an apostrophe (``names.csv_cell``).
    """
    options = {"encoding": "utf-8", "errors": "backslashreplace", "newline": ""}
    with atomic_path(path) as temporary, open(temporary, "w", **options) as file:
        # Only what ends a line is quoted: a lone return within a cell is not, unless it is part of the ends of lines.
        lines = SimpleNamespace(write=lambda line: file.write(line.removesuffix("\r\n") + "\n"))
        writer = csv.DictWriter(lines, fieldnames=list(columns), lineterminator="\r\n")
        writer.writerow({name: csv_cell(name) for name in columns})
        writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in rows)


def open_ordinary(path):
    """An ordinary file, open for reading bytes; for whatever comes from outside.

    Raises:
        OSError: as ``open``, and for a pipe, socket or device, which would be waited for.
    """
    file = open(path, "rb", opener=_open_without_waiting)  # noqa: SIM115 - the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "this is not an ordinary file", str(path))
    return file


def _open_without_waiting(path, flags):
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # no difference for an ordinary file


def sha256_of_file(path):
    """SHA-256 of a file's bytes as hexadecimal text."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _json(value, indent):
    return json.dumps(_strict(value), indent=indent, allow_nan=False)


def _strict(value):
    if isinstance(value, dict):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return _strict(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def umask():
    """What the process takes away from the modes of new files; a number."""
    with _ONE_AT_A_TIME:  # it can only be read by setting it: two threads would leave the other's 0 behind
        current = os.umask(0)
        os.umask(current)
    return current


@contextlib.contextmanager
def output_errors(path):
    """Turn what the system says about a file that cannot be written into OutputError that names ``path``."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write: {error.strerror or error}",
            where=path,
            remedy="Choose a folder that you may write to and that has space left",
        ) from error
