"""Finding the image that an annotation file means.

A name in an annotation file is never joined to a path: it is looked up among the files below the image root, so that no
``..``, absolute path or link can lead out of it, and paths of another computer still find their image.
"""

import os
from pathlib import Path
from typing import NamedTuple

from segtumor.data.remarks import LeftOutError
from segtumor.errors import BadImageError, DataError
from segtumor.imaging import MAX_PIXELS, list_images, read_size_hw
from segtumor.imaging.radiograph import check_size

_USUAL_NAMES = ("images", "JPEGImages", "imgs", "img")


class Found(NamedTuple):
    """An image below the root: its name, and what is unusual about how it was found, or ""."""

    file_name: str
    unusual: str


class ImageFolder:
    """The images of a folder and its subfolders, by name.

    Args:
        root: folder; links to folders are not followed, links to files only if they stay below it.

    Raises:
        DataError: it is not a folder.
    """

    def __init__(self, root):
        self.root = Path(root)
        self.names = sorted(_names_below(self.root))
        self._known = set(self.names)
        self._by_name, self._by_stem = {}, {}
        for name in self.names:
            base = name.rpartition("/")[2].casefold()
            self._by_name.setdefault(base, []).append(name)
            self._by_stem.setdefault(os.path.splitext(base)[0], []).append(name)

    def find(self, name):
        """The image called ``name`` in an annotation file.

        Tried in this order: the very name below the root; the file name, without regard to case, in whichever folder
        shares most of the path; the name without its suffix.

        Raises:
            LeftOutError: there is none, or several that fit equally well.
        """
        wanted = str(name).replace("\\", "/")
        if wanted in self._known:
            return Found(wanted, "")
        base = wanted.rpartition("/")[2].casefold()
        if base in self._by_name:
            return Found(_closest(wanted, self._by_name[base]), "")
        stem = os.path.splitext(base)[0]
        if not stem or stem not in self._by_stem:
            raise LeftOutError("image listed but not in the folder", wanted)
        return Found(_closest(wanted, self._by_stem[stem]), "found with another file name suffix")

    def path(self, file_name):
        """Path of one of ``names``."""
        return self.root / file_name

    def size_hw(self, file_name):
        """(height, width) of one of ``names``, px, upright; raises LeftOutError if it is unreadable or too large."""
        try:
            size_hw = read_size_hw(self.path(file_name))
            check_size(size_hw, MAX_PIXELS, file_name)  # masks of this size will be made
            return size_hw
        except BadImageError as error:
            raise LeftOutError("image cannot be read", str(error)) from error


def usual_image_root(source):
    """Where the images of an annotation file or folder are by custom: in a folder called images, else beside it."""
    folder = Path(source) if Path(source).is_dir() else Path(source).parent
    for candidate in (*(folder / name for name in _USUAL_NAMES), *(folder.parent / name for name in _USUAL_NAMES)):
        if candidate.is_dir():
            return candidate
    return folder


def _names_below(root):
    if not root.is_dir():
        raise DataError("is not a folder", where=root, remedy="Give the folder of the images with --images")
    real_root = os.path.realpath(root)
    for folder, subfolders, _ in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for path in list_images(folder):
            if not path.is_symlink() or os.path.realpath(path).startswith(real_root + os.sep):
                yield path.relative_to(root).as_posix()


def _closest(wanted, candidates):
    """The candidate whose path shares the longest end with ``wanted``."""
    parts = [part.casefold() for part in wanted.split("/")][-2::-1]
    shared = []
    for candidate in candidates:
        own = [part.casefold() for part in candidate.split("/")][-2::-1]
        shared.append(next((i for i, pair in enumerate(zip(parts, own, strict=False)) if pair[0] != pair[1]), len(own)))
    best = [name for name, length in zip(candidates, shared, strict=True) if length == max(shared)]
    if len(best) > 1:
        raise LeftOutError("several images of that name", ", ".join(best))
    return best[0]
