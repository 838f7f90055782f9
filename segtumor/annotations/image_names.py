"""Which image a name means: names in annotations and tables often lack the folder or the suffix, or have others.

A file of the same name in another folder is another file: folders may be missing on either side, but never contradict
each other. ``patient1/IM1.png`` is ``IM1.png`` if there is no other of that name, and never ``patient2/IM1.png``.
Not here: which files there are (``segtumor.formats.sources.image_folder``).
"""

import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from segtumor.imaging import SUPPORTED_SUFFIXES

#: Columns that hold the name of an image, in the order in which they are looked for.
IMAGE_COLUMNS = ("image_id", "file_name", "filename", "image", "image_name", "name", "file", "path")

#: Folders that only say what they hold: they do not distinguish patients or parts.
PLAIN_FOLDERS = {"images", "image", "imgs", "img", "jpegimages", "pictures", "masks", "mask", "default"}
PLAIN_FOLDERS |= {"imagestr", "imagests", "labelstr", "labelsts"}  # of nnU-Net
PLAIN_FOLDERS |= {"labels", "annotations", "annots", "xml", "xmls", "json", "jsons"}
#: What may be taken off a name. Of a DICOM file's 1.2.840.17 the last number is no suffix, and left and right are none.
_SUFFIXES = (*SUPPORTED_SUFFIXES, ".jpe", ".jfif", ".jp2", ".webp", ".gif", ".ima", ".txt", ".xml", ".json")


def stem_of(file_name: str) -> str:
    """``IMG000001`` of ``IMG000001.jpeg``; tables and folders may give the suffix differently."""
    base = file_name.strip().replace("\\", "/").rpartition("/")[2]
    suffix = suffix_of(base)
    return base[: -len(suffix)] if suffix else base


def suffix_of(base: str) -> str:
    """The suffix of a file name if it is one that images or annotation files have, in lower case, else ""."""
    lower = base.lower()
    return next((suffix for suffix in _SUFFIXES if lower.endswith(suffix) and len(lower) > len(suffix)), "")


class NameParts(NamedTuple):
    """A path as it is compared: without regard to case and spelling, drives, plain folders, dots and blanks at ends."""

    folders: tuple[str, ...]
    base: str


def parts_of(name: str) -> NameParts:
    """NameParts of a path with / or \\, also of another computer."""
    text = unicodedata.normalize("NFC", name).replace("\\", "/").casefold()
    *folders, base = (part.strip().rstrip(". ") for part in text.split("/"))
    return NameParts(tuple(f for f in folders if f and not f.endswith(":") and f not in PLAIN_FOLDERS), base)


def folders_shared(first: tuple[str, ...], second: tuple[str, ...]) -> int | None:
    """How many folders before the file name are the same; None where the two contradict each other."""
    shared = 0
    for one, other in zip(reversed(first), reversed(second), strict=False):
        if one != other:
            return None
        shared += 1
    return shared


class Fit(NamedTuple):
    """Positions of the images that a name may mean; several where it does not say which.

    ``other_suffix``: it fits without its suffix. ``shared``: folders that name and image have in common at their ends.
    """

    indices: list[int]
    other_suffix: bool = False
    shared: int = 0


#: {last folder as a tuple, empty for none: positions of images of one name}.
_ByLastFolder = dict[tuple[str, ...], list[int]]


class NameIndex:
    """Finds images (folders separated by /) by what others call them: with or without folders and suffix."""

    def __init__(self, file_names: Iterable[str]) -> None:
        self._exact: dict[str, list[int]] = {}
        self._by_base: dict[str, _ByLastFolder] = {}
        self._by_stem: dict[str, _ByLastFolder] = {}
        self._folders: list[tuple[str, ...]] = []
        for index, name in enumerate(file_names):
            folders, base = parts_of(name)
            self._folders.append(folders)
            self._exact.setdefault(name, []).append(index)
            for lookup, key in ((self._by_base, base), (self._by_stem, stem_of(base))):
                lookup.setdefault(key, {}).setdefault(folders[-1:], []).append(index)

    def fit(self, name: str, folders: tuple[str, ...] = ()) -> Fit:
        """What ``name`` may mean; ``folders`` are those it is known to be in where it names none itself."""
        wanted = parts_of(name)
        for text in (name, name.strip().replace("\\", "/")):
            if text in self._exact:
                return Fit(self._exact[text], shared=len(wanted.folders))
        folders = wanted.folders or folders
        for lookup, key in ((self._by_base, wanted.base), (self._by_stem, stem_of(wanted.base))):
            found, shared = self._closest(folders, lookup.get(key, {}) if key else {})
            if found:
                return Fit(found, lookup is self._by_stem, shared)
        return Fit([])

    def candidates(self, name: str) -> list[int]:
        """Positions of the images that fit best; several where the name does not say which, none where none fits."""
        return self.fit(name).indices

    def find(self, name: str) -> int | None:
        """Position of the one image that fits best, or None."""
        found = self.candidates(name)
        return found[0] if len(found) == 1 else None

    def _closest(self, folders: tuple[str, ...], by_last: _ByLastFolder) -> tuple[list[int], int]:
        """(those whose folders share the most with ``folders`` and do not contradict them, how many they share).

        Args:
            by_last: {last folder as a tuple, empty for none: positions of images of one name}; with equal names in
                thousands of folders only those of the same last folder are compared.
        """
        if not folders:
            return by_last.get(()) or [index for indices in by_last.values() for index in indices], 0
        near = by_last.get(folders[-1:], [])
        shared = {index: n for index in near if (n := folders_shared(folders, self._folders[index])) is not None}
        if shared:
            best = max((n, self._folders[index] == folders) for index, n in shared.items())
            return [i for i, n in shared.items() if (n, self._folders[i] == folders) == best], best[0]
        alone = by_last.get((), [])
        if alone and len(by_last) > 1:  # one in no folder, and others elsewhere: nobody knows which
            return [index for indices in by_last.values() for index in indices], 0
        return alone, 0
