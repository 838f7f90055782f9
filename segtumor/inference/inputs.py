"""Which files are meant by what was typed, and what their overlays are called."""

import functools
import glob
import os
from pathlib import Path

from segtumor.errors import DataError
from segtumor.imaging import SUPPORTED_SUFFIXES, list_images

_LONGEST_STEM_BYTES = 200  # of the 255 that file systems allow: the rest is for a number and the suffix


def find_inputs(patterns):
    """Files, folders and glob patterns to a list of files, each once, in the order given.

    A missing file stays in the list, where it fails alone, if another input is there.

    Raises:
        DataError: nothing there, a pattern without a match, or a folder without images.
    """
    paths = []
    for pattern in patterns:
        if os.path.isdir(pattern):
            found = list_images(pattern)
            if not found:
                suffixes = " ".join(sorted(SUPPORTED_SUFFIXES))
                raise DataError("folder without images", where=pattern, expected=f"files that end in {suffixes}")
        elif os.path.exists(pattern):
            found = [Path(pattern)]
        else:
            found = [Path(name) for name in sorted(glob.glob(pattern, recursive=True)) if os.path.isfile(name)]
            if not found and glob.has_magic(pattern):
                raise DataError("nothing matches", where=pattern, remedy="Check --input")
            found = found or [Path(pattern)]
        paths += found
    if not any(map(os.path.exists, paths)):
        raise DataError("no such file or folder", where=paths[0], remedy="Check --input")
    return distinct(paths)


def distinct(paths):
    """Paths, each file once under the name that it was first given, a list."""
    key_of, first = input_keys(), {}
    for path in paths:
        first.setdefault(key_of(path), path)
    return list(first.values())


def input_keys():
    """A function of a path -> text that tells a file however its folder is typed.

    The folder is resolved, the last name is not: of two links to one file, each is an input. Folders are looked up
    once, so the function is good for one run in one working folder.
    """
    resolved = functools.cache(os.path.realpath)

    def key_of(path):
        try:
            return os.path.join(resolved(os.path.dirname(path)), os.path.basename(path))
        except ValueError:  # a path with a null character
            return str(path)

    return key_of


def overlay_names(paths, given=None, *, taken=()):
    """A distinct ``.png`` name for each path: its stem, cut where it is long, with a number where stems repeat.

    Args:
        paths: of the inputs.
        given: {path as text: name} of overlays that exist already and keep their names.
        taken: names of other files in their folder.
    """
    given = given or {}
    names, taken = [], {name.casefold() for name in (*given.values(), *taken)}
    numbers = {}  # of each stem, the number to try next: ten thousand files of one name are not tried from 2 each
    for path in paths:
        name = given.get(str(path))
        if name is None:
            name = _free_name(_cut(path.stem), taken, numbers)
            taken.add(name.casefold())  # some file systems do not tell upper from lower case
        names.append(name)
    return names


def file_identity(path):
    """[bytes, time of change in ns] of a file, None where there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: a path with a null character
        return None
    return [status.st_size, status.st_mtime_ns]


def _cut(stem):
    data = os.fsencode(stem)
    return stem if len(data) <= _LONGEST_STEM_BYTES else data[:_LONGEST_STEM_BYTES].decode("utf-8", "ignore")


def _free_name(stem, taken, numbers):
    name, number = f"{stem}.png", numbers.get(stem.casefold(), 2)
    while name.casefold() in taken:
        name, number = f"{stem}_{number}.png", number + 1
    numbers[stem.casefold()] = number
    return name
