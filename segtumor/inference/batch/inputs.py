"""What inputs are known by and what their overlays are called. Not here: which files are meant (``finding``)."""

import functools
import os
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path

_LONGEST_STEM_BYTES = 200  # of the 255 that file systems allow: the rest is for a number and the suffix


def distinct(paths: Iterable[Path]) -> list[Path]:
    """Paths, each file once under the name that it was first given, a list."""
    key_of = input_keys()
    first: dict[str, Path] = {}
    for path in paths:
        first.setdefault(key_of(path), path)
    return list(first.values())


def input_keys() -> Callable[[str | Path], str]:
    """A function of a path -> text that tells a file however its folder is typed.

    The folder is resolved, the last name is not: of two links to one file, each is an input. Folders are looked up
    once, so the function is good for one run in one working folder.
    """
    resolved = functools.cache(os.path.realpath)

    def key_of(path: str | Path) -> str:
        try:
            return os.path.join(resolved(os.path.dirname(path)), os.path.basename(path))
        except ValueError:  # a path with a null character
            return str(path)

    return key_of


def overlay_names(paths: list[Path], given: Mapping[str, str] | None = None, *, taken: Iterable[str] = ()) -> list[str]:
    """A distinct ``.png`` name for each path: its stem, cut where it is long.

    Where stems repeat, as IM0001 does in the folder of each patient, as many folders stand before it as tell them
    apart, and a number after it if none does.

    Args:
        given: {path as text: name} of overlays that exist already and keep their names.
        taken: names of other files in their folder.
    """
    given = given or {}
    names: list[str] = []
    occupied = {name.casefold() for name in (*given.values(), *taken)}
    numbers: dict[
        str, int
    ] = {}  # of each stem, the number to try next: ten thousand files of one name are not tried from 2 each
    for path, label in zip(paths, _labels(paths), strict=True):
        name = given.get(str(path))
        if name is None:
            name = _free_name(_cut(label), occupied, numbers)
            occupied.add(name.casefold())  # some file systems do not tell upper from lower case
        names.append(name)
    return names


def file_identity(path: str | Path) -> list[int] | None:
    """[bytes, time of change in ns] of a file, None where there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: a path with a null character
        return None
    return [status.st_size, status.st_mtime_ns]


def _labels(paths: list[Path]) -> list[str]:
    """The stem of each path, with folders before it where another path has the same stem."""
    folders_of: dict[str, set[tuple[str, ...]]] = {}
    for path in paths:
        folders_of.setdefault(path.stem.casefold(), set()).add(path.parent.parts)
    depth_of = {stem: _depth_that_tells(folders) for stem, folders in folders_of.items()}
    parts = [(*_last(path.parent.parts, depth_of[path.stem.casefold()]), path.stem) for path in paths]
    return ["_".join(part.strip("/\\:") for part in parts_of_one) for parts_of_one in parts]


def _depth_that_tells(folders: set[tuple[str, ...]]) -> int:
    """How many of the last parts of each of a set of folders tell them apart."""
    depth = 0
    while len({_last(parts, depth) for parts in folders}) < len(folders):
        depth += 1
    return depth


def _last(parts: tuple[str, ...], count: int) -> tuple[str, ...]:
    return parts[len(parts) - min(count, len(parts)) :]


def _cut(stem: str) -> str:
    data = os.fsencode(stem)
    return stem if len(data) <= _LONGEST_STEM_BYTES else data[:_LONGEST_STEM_BYTES].decode("utf-8", "ignore")


def _free_name(stem: str, taken: Container[str], numbers: dict[str, int]) -> str:
    name, number = f"{stem}.png", numbers.get(stem.casefold(), 2)
    while name.casefold() in taken:
        name, number = f"{stem}_{number}.png", number + 1
    numbers[stem.casefold()] = number
    return name
