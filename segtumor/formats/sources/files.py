"""The files of an annotation folder, and what the folders' names say about the part of a split.

Not here: the images (``image_folder``) and what is in the files.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from segtumor.annotations.remarks import LeftOutError
from segtumor.datasets.image_placement import leads_out
from segtumor.formats.sources.image_folder import OTHER_FOLDER, UNNAMED_FOLDER, Found, ImageFolder

#: No annotation file of one image is larger; checked before reading.
MAX_FILE_BYTES = 256 * 2**20

_PARTS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
    "imagestr": "train", "labelstr": "train", "imagests": "test", "labelsts": "test",  # of nnU-Net
}  # fmt: skip


def part_named(text: str) -> str | None:
    """ "train", "val" or "test" of the ways to write them, in any case; None for anything else."""
    return _PARTS.get(text.strip().lower())


def files_below(source, suffixes):
    """Paths of the files with one of ``suffixes`` (lower case), sorted within each folder; ``source`` may be the file.

    Hidden files and folders and links to folders are not entered; pipes and the like, which wait for ever, and links
    out of the folder (``links_out_of``) are none. Lazy, so that asking for the first few is cheap.
    """
    source = Path(source)
    if not source.is_dir():
        if source.suffix.lower() in suffixes and source.is_file():
            yield source
        return
    for folder, subfolders, names in os.walk(source):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if name.startswith(".") or os.path.splitext(name)[1].lower() not in suffixes or not path.is_file():
                continue
            if not path.is_symlink() or not leads_out(path, source):
                yield path


def links_out_of(folder: Path) -> Iterator[str]:
    """Names of the links below a folder that lead out of it, to files or folders; what they lead to is never read."""
    for base, subfolders, names in os.walk(folder):
        for name in sorted((*subfolders, *names)):
            path = Path(base, name)
            if path.is_symlink() and not name.startswith(".") and leads_out(path, folder):
                yield path.relative_to(folder).as_posix()


def part_of_path(path):
    """ "train", "val" or "test" if exactly one of them is said by the names of the folders of ``path``, else None.

    A folder counts by its whole name or its first word: ``train``, ``valid``, ``test``, ``train2017``, ``images_val``.
    """
    words = {word for folder in PurePosixPath(path).parts[:-1] for word in re.findall("[a-z]+", folder.lower())}
    found = {part_named(word) for word in words} - {None}
    return found.pop() if len(found) == 1 else None


def find_image_of(name, images, folder_words, *, stated_path: str = ""):
    """The image that an annotation file belongs to, by its own name.

    A folder of annotations stands for the folder of the images beside it: train/labels/x.txt is that of
    train/images/x.png or train/x.png rather than of valid/images/x.png.

    Args:
        name: path of the annotation file below the source, with /.
        images: ImageFolder.
        folder_words: names, lower case, of folders of annotations.
        stated_path: as ``ImageFolder.find`` has it.

    Returns:
        ``image_folder.Found``.

    Raises:
        LeftOutError: there is none, or several fit equally well.
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
    """The image that a file in a folder of the source names, as seen from there: a.jpg of train/x.json is train/a.jpg.

    Args:
        folder: of the annotation file, below the source, with /; "" or "." is the source itself.
        name: as written.
        images: ImageFolder.

    Raises:
        LeftOutError: there is none, several fit equally well, or it is of another part of the split.
    """
    if folder in ("", "."):
        return images.find(name)
    with contextlib.suppress(LeftOutError):
        return images.find(f"{folder}/{name}")
    found = images.find(name)
    if part_named(folder.rpartition("/")[2]) not in (None, part_of_path(found.file_name) or part_named(folder)):
        raise LeftOutError("image listed but not in the folder", f"{found.file_name} is of another part")
    return found


def _by_own_name(found):
    """An annotation file has a suffix of its own: that of the image cannot be unusual, its folder can."""
    kind = next((kind for kind in (OTHER_FOLDER, UNNAMED_FOLDER) if found.unusual.startswith(kind)), "")
    return found._replace(unusual=kind)


def folder_of(source):
    """The folder that ``source`` is, or lies in."""
    source = Path(source)
    return source if source.is_dir() else source.parent
