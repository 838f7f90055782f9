"""Finding the image that an annotation file means.

A name in an annotation file is never joined to a path: it is looked up among the files below the image root, so that no
``..``, absolute path or link can lead out of it, and paths of another computer still find their image.
"""

import contextlib
import itertools
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from segtumor.annotations.image_names import Fit, NameIndex, NameParts, folders_shared, parts_of, suffix_of
from segtumor.annotations.remarks import LeftOutError
from segtumor.arrays import SizeHW
from segtumor.errors import BadImageError, DataError
from segtumor.files import is_inside
from segtumor.formats.collection import NOT_IN_FOLDER
from segtumor.formats.sources.parts import part_named, part_of_path
from segtumor.imaging import MAX_PIXELS, SUPPORTED_SUFFIXES, list_images, read_size_hw
from segtumor.imaging.radiograph import check_size
from segtumor.texts import some_of

OTHER_SUFFIX = "found with another file name suffix"
OTHER_FOLDER = "found in another folder than is named"
UNNAMED_FOLDER = "found in a folder that is not named"
_SHOWN = 5
_USUAL_NAMES = ("images", "JPEGImages", "imgs", "img", "imagesTr")


class Found(NamedTuple):
    """An image below the root, and what is unusual about how it was found; ``elsewhere`` may be OTHER_FOLDER."""

    file_name: str
    elsewhere: str = ""
    other_suffix: bool = False

    @property
    def unusual(self) -> str:
        """Kind of the Remark on it, or ""."""
        if self.elsewhere:
            return f"{self.elsewhere}, with another file name suffix" if self.other_suffix else self.elsewhere
        return OTHER_SUFFIX if self.other_suffix else ""


class ImageFolder:
    """The images of a folder and its subfolders, by name.

    Args:
        root: folder; links to folders are not followed, links to files only if they stay below it.
        names: of its images, where somebody has listed them; None lists them.

    Raises:
        DataError: it is not a folder.
    """

    def __init__(self, root: str | Path, names: Iterable[str] | None = None) -> None:
        self.root = Path(root)
        self.names = sorted(_names_below(self.root) if names is None else names)
        self._index = NameIndex(self.names)
        self._root_folders = parts_of(f"{self.root.absolute().as_posix()}/x").folders
        self._claims: dict[str, dict[str, NameParts]] = {}

    def find(self, name: str, *, stated_path: str = "") -> Found:
        """The image called ``name`` in an annotation file.

        Tried in this order: the very name below the root; the file name, without regard to case; the name without its
        suffix; then all three with %20 and the like decoded. Folders may be missing on one side, which is reported, but
        must not contradict those of the file (``segtumor.annotations.image_names``).

        Args:
            stated_path: what else the annotation says about where the image is, for a name without folders.

        Raises:
            LeftOutError: there is none, or several that fit equally well.
        """
        name = str(name)
        for text in dict.fromkeys((name, unquote(name))):
            folders = parts_of(text).folders or parts_of(stated_path).folders
            fit = self._index.fit(text, folders)
            if len(fit.indices) > 1 and folders and self._is_root(folders):  # /else/scans/x.png is x.png of scans
                beside = [index for index in fit.indices if not parts_of(self.names[index]).folders]
                fit = fit._replace(indices=beside) if len(beside) == 1 else fit
            if len(fit.indices) > 1:
                fitting = [self.names[i] for i in fit.indices]
                raise LeftOutError("several images of that name", some_of(fitting, _SHOWN))
            if fit.indices:
                found = self.names[fit.indices[0]]
                self._claims.setdefault(found, {})[name] = NameParts(folders, parts_of(text).base)
                return Found(found, self._elsewhere(found, text, fit), fit.other_suffix)
        raise LeftOutError(NOT_IN_FOLDER, stated_path or name)

    def contested(self) -> dict[str, list[str]]:
        """{file name: names} of the images that were found by names which cannot mean one and the same file."""
        return {found: list(names) for found, names in self._claims.items() if _disagree(names.values())}

    def path(self, file_name: str) -> Path:
        """Path of one of ``names``."""
        return self.root / file_name

    def size_hw(self, file_name: str) -> SizeHW:
        """(height, width) of one of ``names``, px, upright; raises LeftOutError if it is unreadable or too large."""
        try:
            height, width = read_size_hw(self.path(file_name))
            check_size((height, width), MAX_PIXELS, file_name)  # masks of this size will be made
            return height, width
        except BadImageError as error:
            raise LeftOutError("image cannot be read", str(error)) from error

    def _elsewhere(self, found: str, text: str, fit: Fit) -> str:
        named, own = parts_of(text).folders, parts_of(found).folders
        if found != text and fit.shared == 0 and (own or not self._is_root(named)):
            return OTHER_FOLDER if named else UNNAMED_FOLDER
        return ""

    def _is_root(self, folders: Sequence[str]) -> bool:
        """Whether a path ends in the name of the root itself, or has no folder at all."""
        return not folders or bool(folders_shared(tuple(folders[-1:]), self._root_folders[-1:]))


def find_image_of(name: str, images: ImageFolder, folder_words: Collection[str], *, stated_path: str = "") -> Found:
    """The image that an annotation file belongs to, by its own name below the source; raises LeftOutError as ``find``.

    A folder of annotations is taken for the folder of the images beside it: train/labels/x.txt is that of
    train/images/x.png or train/x.png rather than of valid/images/x.png.
    """
    parts = PurePosixPath(name).parts
    places = [index for index, part in enumerate(parts[:-1]) if part.lower() in folder_words]
    if places:
        before, after = parts[: places[-1]], parts[places[-1] + 1 :]
        for folder in ("images", "JPEGImages"):
            with contextlib.suppress(LeftOutError):
                return _by_own_name(images.find("/".join((*before, folder, *after)), stated_path=stated_path))
        parts = before + after
    return _by_own_name(images.find("/".join(parts), stated_path=stated_path))


def find_from(folder: str, name: str, images: ImageFolder) -> Found:
    """The image that a file in ``folder`` of the source names, as seen from there: a.jpg in train is train/a.jpg.

    ``folder`` is "" or "." for the source itself. Raises LeftOutError as ``find``, and for one of another part of the
    split.
    """
    if folder in ("", "."):
        return images.find(name)
    with contextlib.suppress(LeftOutError):
        return images.find(f"{folder}/{name}")
    found = images.find(name)
    if part_named(folder.rpartition("/")[2]) not in (None, part_of_path(found.file_name) or part_named(folder)):
        raise LeftOutError(NOT_IN_FOLDER, f"{found.file_name} is of another part")
    return found


def usual_image_root(source: str | Path) -> Path:
    """Where the images of an annotation file or folder usually are: in a folder called images, else beside it."""
    folder = Path(source) if Path(source).is_dir() else Path(source).parent
    for candidate in (*(folder / name for name in _USUAL_NAMES), *(folder.parent / name for name in _USUAL_NAMES)):
        if candidate.is_dir():
            return candidate
    return folder


def _by_own_name(found: Found) -> Found:
    """An annotation file has a suffix of its own: that of the image cannot be unusual, its folder can."""
    return found._replace(other_suffix=False)


def _names_below(root: Path) -> Iterator[str]:
    if not root.is_dir():
        raise DataError("is not a folder", where=root, remedy="Give the folder of the images with --images")
    for folder, subfolders, _ in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for path in list_images(folder):
            if not path.is_symlink() or is_inside(path, root):
                yield path.relative_to(root).as_posix()


def _disagree(claims: Iterable[NameParts]) -> bool:
    """Whether two of the NameParts are of two files: other folders, one of them in none, or other suffixes."""
    for first, second in itertools.combinations(set(claims), 2):
        if folders_shared(first.folders, second.folders) is None or bool(first.folders) != bool(second.folders):
            return True
        suffixes = {suffix_of(first.base), suffix_of(second.base)}
        if len(suffixes) == 2 and suffixes <= set(SUPPORTED_SUFFIXES):
            return True
    return False
