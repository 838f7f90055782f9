"""File names of images: safe below an image root on every system, and there.

Not here: opening the images (``segtumor.datasets.image_checks``).
"""

import os
import posixpath
import re
import stat

from segtumor.annotations.attributes import is_unicode
from segtumor.annotations.problem import error, place, show, value_at, warning

_DRIVE = re.compile(r"^[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")  # and what turns text around
_DEVICE = re.compile(r"^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|:|$)", re.IGNORECASE)
_LONGEST_PART = 255
_LONGEST = 4000


def file_name_fault(name):
    """Why a file name cannot be used below an image root, or None."""
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        return "is not a file name"
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        return "is absolute; names are relative to the image root"
    if "\\" in name:
        return "has a backslash; separate folders by /"
    parts = name.split("/")
    if ".." in parts:
        return "leaves the image root"
    return _text_fault(name) or next(filter(None, map(_part_fault, parts)), None)


def _text_fault(name):
    if _CONTROL.search(name):
        return "has a control character"
    if not is_unicode(name):
        return "holds text that is not Unicode"
    return "is too long" if len(name) > _LONGEST else None


def _part_fault(part):
    if _DEVICE.match(part):
        return "is a device name on Windows"
    if part not in ("", ".") and part[-1] in ". ":
        return "has a part that ends in a dot or blank"
    return "is too long" if len(part) > _LONGEST_PART else None


def check_names(images, found) -> None:
    """Add to ``found`` what is wrong with the file names of (position, image entry) pairs."""
    names, folded = set(), {}
    for index, image in images:
        name = image.get("file_name")
        what = file_name_fault(name) if "file_name" in image else "is missing"
        if what is None:
            normal = posixpath.normpath(name)
            what = "is used twice" if normal in names else "is not a file name" if normal == "." else None
            names.add(normal)
            if folded.setdefault(normal.casefold(), normal) != normal:
                what_else = "differs from another only in upper and lower case"
                found.append(warning(place("images", index, image), "file_name", what_else, show(name)))
        if what is not None:
            found.append(error(place("images", index, image), "file_name", what, value_at(image, "file_name")))


def check_files(images, image_root, found) -> None:
    """Add to ``found`` the images that are not below ``image_root``; one system call for each."""
    root = os.path.realpath(image_root)
    if not os.path.isdir(root):
        found.append(error("image root", str(image_root), "is not a folder"))
        return
    folder_inside = {}
    for index, image in images:
        name = image.get("file_name")
        if file_name_fault(name) is not None:
            continue
        what = _file_fault(name, root, folder_inside)
        if what is not None:
            found.append(error(place("images", index, image), "file_name", what, show(name)))


def _file_fault(name, root, folder_inside):
    """One system call per file; the folders' real places are remembered."""
    path = os.path.join(root, name)
    folder = os.path.dirname(path)
    try:
        if folder not in folder_inside:
            folder_inside[folder] = _inside(folder, root)
        mode = os.lstat(path).st_mode
    except (OSError, ValueError) as fault:
        return f"cannot be found below the image root ({getattr(fault, 'strerror', None) or fault})"
    if not folder_inside[folder] or (stat.S_ISLNK(mode) and not _inside(path, root)):
        return "is a link that leaves the image root"
    if not os.path.isfile(path):
        return "is not a file"
    return None


def _inside(path, root):
    real = os.path.realpath(path)
    return real == root or real.startswith(root.rstrip(os.sep) + os.sep)
