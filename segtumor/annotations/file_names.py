"""File names of images: safe below an image root on every system, and there.

Not here: opening the images (``segtumor.datasets.image_checks``).
"""

import os
import posixpath
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from segtumor.annotations.attributes import is_unicode
from segtumor.annotations.problems import Problem, ProblemKind, error, place, show, value_at, warning
from segtumor.files import is_inside

_DRIVE = re.compile(r"^[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")  # and what turns text around
_DEVICE = re.compile(r"^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|:|$)", re.IGNORECASE)
_LONGEST_PART = 255
_LONGEST = 4000
#: (position, image entry) pairs.
Entries = Iterable[tuple[int, Mapping[str, Any]]]


def file_name_fault(name: Any) -> ProblemKind | None:
    """Why a file name cannot be used below an image root, or None."""
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        return ProblemKind.NO_FILE_NAME
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        return ProblemKind.ABSOLUTE
    if "\\" in name:
        return ProblemKind.BACKSLASH
    parts = name.split("/")
    if ".." in parts:
        return ProblemKind.LEAVES_ROOT
    return _text_fault(name) or next(filter(None, map(_part_fault, parts)), None)


def _text_fault(name: str) -> ProblemKind | None:
    if _CONTROL.search(name):
        return ProblemKind.CONTROL_CHARACTER
    if not is_unicode(name):
        return ProblemKind.NOT_UNICODE
    return ProblemKind.TOO_LONG if len(name) > _LONGEST else None


def _part_fault(part: str) -> ProblemKind | None:
    if _DEVICE.match(part):
        return ProblemKind.DEVICE_NAME
    if part not in ("", ".") and part[-1] in ". ":
        return ProblemKind.ENDS_IN_DOT
    return ProblemKind.TOO_LONG if len(part) > _LONGEST_PART else None


def check_names(images: Entries, found: list[Problem]) -> None:
    """Add to ``found`` what is wrong with the file names of (position, image entry) pairs."""
    names: set[str] = set()
    folded: dict[str, str] = {}
    for index, image in images:
        name = image.get("file_name")
        kind = file_name_fault(name) if "file_name" in image else ProblemKind.MISSING
        if kind is None:
            normal = posixpath.normpath(str(name))
            kind = ProblemKind.TWICE if normal in names else ProblemKind.NO_FILE_NAME if normal == "." else None
            names.add(normal)
            if folded.setdefault(normal.casefold(), normal) != normal:
                where = place("images", index, image)
                found.append(warning(where, "file_name", ProblemKind.DIFFERS_IN_CAPITALS, show(name)))
        if kind is not None:
            found.append(error(place("images", index, image), "file_name", kind, value_at(image, "file_name")))


def check_files(images: Entries, image_root: Path | str, found: list[Problem]) -> None:
    """Add to ``found`` the images that are not below ``image_root``; one system call for each."""
    root = os.path.realpath(image_root)
    if not os.path.isdir(root):
        found.append(error("image root", str(image_root), ProblemKind.NO_FOLDER))
        return
    folder_inside: dict[str, bool] = {}
    for index, image in images:
        name = image.get("file_name")
        if not isinstance(name, str) or file_name_fault(name) is not None:
            continue
        fault = _file_fault(name, root, folder_inside)
        if fault is not None:
            kind, words = fault
            found.append(error(place("images", index, image), "file_name", kind, show(name), **words))


def _file_fault(name: str, root: str, folder_inside: dict[str, bool]) -> tuple[ProblemKind, dict[str, str]] | None:
    """One system call per file; the folders' real places are remembered."""
    path = os.path.join(root, name)
    folder = os.path.dirname(path)
    try:
        if folder not in folder_inside:
            folder_inside[folder] = is_inside(folder, root)
        mode = os.lstat(path).st_mode
    except (OSError, ValueError) as fault:
        return ProblemKind.NOT_FOUND, {"reason": getattr(fault, "strerror", None) or str(fault)}
    if not folder_inside[folder] or (stat.S_ISLNK(mode) and not is_inside(path, root)):
        return ProblemKind.LINK_LEAVES_ROOT, {}
    if not os.path.isfile(path):
        return ProblemKind.NO_FILE, {}
    return None
