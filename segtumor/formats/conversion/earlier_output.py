"""An earlier conversion in the output folder: refused, or removed by the list of files in its report, and nothing else.

What is left of an earlier conversion would be read as part of the new one: outlines of images that it left out. So a
report lists the files of its conversion; a conversion overwrites no other file, and removes its own if it fails. Not
here: the parts of a split (``segtumor.datasets.splits.output``), whose names split.json holds.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from segtumor.errors import ConfigError, OutputError
from segtumor.files import is_inside, read_ordinary, watched_files

REPORT = "conversion_report.json"
_ELSEWHERE = "Choose another --output, or remove it yourself"


def check_no_earlier(output: str | Path, *, overwrite: bool) -> None:
    """Raise ConfigError for an earlier conversion that may not be replaced, or whose report does not list its files."""
    report = Path(output) / REPORT
    if not os.path.lexists(report) or _listed(report) == []:  # a conversion that came to nothing is in nobody's way
        return
    if not overwrite:
        remedy = "Choose another --output, or replace it with --overwrite"
        raise ConfigError("the folder holds an earlier conversion", where=output, remedy=remedy)
    if _listed(report) is None:
        what = "the report of the earlier conversion does not list its files: they cannot be distinguished from yours"
        raise ConfigError(what, where=report, remedy=_ELSEWHERE)


def remove_earlier(output: str | Path, *, keep: Iterable[str | Path] = ()) -> list[str]:
    """Remove what the report of an earlier conversion lists, itself last, and folders that become empty; the names.

    Nothing outside of ``output`` is removed. Raises ConfigError if one of ``keep`` would be, which the new one is made
    from, OutputError if a file cannot be removed.
    """
    output = Path(output)
    paths = [output / name for name in _listed(output / REPORT) or () if _is_inside(output, name)]
    doomed = {os.path.realpath(path) for path in paths if not path.is_symlink()}
    needed = next((str(path) for path in keep if os.path.realpath(path) in doomed), None)
    if needed is not None:
        what = "the earlier conversion holds what the new one is made from"
        raise ConfigError(what, where=output, got=needed, remedy="Choose another --output")
    removed = [path for path in (*paths, output / REPORT) if _remove(path)]
    _remove_empty_folders(removed, output)
    return [path.relative_to(output).as_posix() for path in removed]


@contextlib.contextmanager
def new_files(output: str | Path) -> Iterator[list[Path]]:
    """Collects the files written inside the block, and links that the caller adds; after a failure they are gone.

    Raises ConfigError instead of replacing a file that was there before.
    """
    output = Path(output)
    written: list[Path] = []
    known: set[Path] = set()

    def watch(path: Path) -> None:
        if path in known:
            return
        if os.path.lexists(path):
            raise ConfigError("a file is there that no conversion has written", where=path, remedy=_ELSEWHERE)
        known.add(path)
        written.append(path)

    try:
        with watched_files(watch):
            yield written
    except BaseException:
        for path in written:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        _remove_empty_folders(written, output)
        raise


def _remove_empty_folders(paths: Iterable[Path], output: Path) -> None:
    """The folders of removed files, below ``output``, the innermost first."""
    for folder in sorted({parent for path in paths for parent in path.parents}, key=lambda p: -len(p.parts)):
        if output in folder.parents and not folder.is_symlink():
            with contextlib.suppress(OSError):  # not empty: something of the user's
                folder.rmdir()


def names_of_files(output: Path, written: Iterable[Path]) -> list[str]:
    """What a report lists: paths below ``output``, folders separated by /."""
    return sorted(Path(path).relative_to(output).as_posix() for path in written)


def _listed(report: Path) -> list[str] | None:
    """The files of a report, or None where it does not list them."""
    try:
        files = json.loads(read_ordinary(report))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return files if isinstance(files, list) and all(isinstance(name, str) for name in files) else None


def _is_inside(output: Path, name: str) -> bool:
    """Whether a listed name is below the folder, also after following links: reports may be changed by hand."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        return False
    return is_inside((output / name).parent, output)


def _remove(path: Path) -> bool:
    try:
        if path.is_dir() and not path.is_symlink():
            return False
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise OutputError(f"cannot remove an earlier file: {error.strerror}", where=path) from error
    return True
