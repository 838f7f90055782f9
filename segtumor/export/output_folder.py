"""The folder of an export: made beside its place, moved there when it is whole, and what may be replaced by it."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from segtumor.errors import ConfigError
from segtumor.files import TEMPORARY_PREFIX, umask
from segtumor.runs import EXPORT, OPERATING_POINTS
from segtumor.runtime.export_kinds import all_graph_files
from segtumor.runtime.exported import is_export

_FORMER = ".former"


def check_output(output: str | Path, *, overwrite: bool) -> None:
    """Refuse to replace what is no export, or holds more than one, or an export without ``overwrite``; an empty folder
    is welcome."""
    output = Path(output)
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not is_export(output):
        raise ConfigError(
            "exists and is not an export; it will not be replaced",
            where=output,
            remedy="Choose another --output",
        )
    others = _other_files(output)
    if others:
        raise ConfigError(
            "the export's folder holds other files too; it will not be replaced",
            where=output,
            got=", ".join(others)[:200],
            remedy="Move them away, or choose another --output",
        )
    if not overwrite:
        raise ConfigError("the export already exists", where=output, remedy="Replace it with --overwrite")


def _other_files(folder: Path) -> list[str]:
    """Names of what is in the folder of an export and is no part of one."""
    parts = {EXPORT, OPERATING_POINTS, *all_graph_files()}
    return sorted(path.name for path in folder.iterdir() if path.name not in parts)


@contextlib.contextmanager
def folder_beside(output: Path) -> Iterator[Path]:
    """A new folder on the same disk as ``output``, which is gone afterwards unless it was moved."""
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=output.parent, prefix=_temporary_prefix(output)))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _temporary_prefix(output: Path) -> str:
    """What the names of folders made beside ``output`` for it begin with, and for no other export there."""
    return f"{TEMPORARY_PREFIX}{hashlib.sha256(os.fsencode(output.name)).hexdigest()[:8]}."


def clear_up(output: Path) -> None:
    """Bring back the export that a process was replacing when it was killed, and remove what it left half-written."""
    left = sorted(path for path in output.parent.glob(f"{_temporary_prefix(output)}*") if path.is_dir())
    for path in left:
        if path.suffix == _FORMER and not (output.is_dir() and any(output.iterdir())):
            os.replace(path, output)
        else:
            shutil.rmtree(path, ignore_errors=True)


def move_into_place(folder: Path, output: Path) -> None:
    """Rename ``folder`` to ``output``; an export that was there goes only when the new one is in place.

    Args:
        folder: beside ``output``.
        output: no link.
    """
    folder.chmod(0o777 & ~umask())  # mkdtemp makes private folders; this is ordinary output
    if not (output.is_dir() and any(output.iterdir())):
        os.replace(folder, output)
        return
    check_output(output, overwrite=True)  # minutes have passed
    former = folder.with_name(f"{folder.name}{_FORMER}")
    os.replace(output, former)
    try:
        os.replace(folder, output)
    except BaseException:
        os.replace(former, output)
        raise
    shutil.rmtree(former, ignore_errors=True)
