"""The files of an annotation folder, and what the folders' names say about the part of a split.

Not here: the images (``image_folder``) and what is in the files.
"""

import contextlib
import os
import re
from pathlib import Path, PurePosixPath

from segtumor.data.remarks import LeftOutError

#: No annotation file of one image is larger; checked before reading.
MAX_FILE_BYTES = 256 * 2**20

_PARTS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


def files_below(source, suffixes):
    """Paths of the files with one of ``suffixes`` (lower case), sorted within each folder; ``source`` may be the file.

    Hidden files and folders and links to folders are not entered. Lazy, so that asking for the first few is cheap.
    """
    source = Path(source)
    if source.is_file():
        if source.suffix.lower() in suffixes:
            yield source
        return
    for folder, subfolders, names in os.walk(source):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes:
                yield Path(folder, name)


def part_of_path(path):
    """ "train", "val" or "test" if exactly one of them is said by the names of the folders of ``path``, else None.

    A folder counts by its whole name or its first word: ``train``, ``valid``, ``test``, ``train2017``, ``images_val``.
    """
    words = {word for folder in PurePosixPath(path).parts[:-1] for word in re.findall("[a-z]+", folder.lower())}
    found = {_PARTS[word] for word in words if word in _PARTS}
    return found.pop() if len(found) == 1 else None


def find_image_of(name, images, folder_words):
    """File name of the image that an annotation file belongs to, by its own name.

    A folder of annotations stands for the folder of the images beside it: train/labels/x.txt is that of
    train/images/x.png or train/x.png rather than of valid/images/x.png.

    Args:
        name: path of the annotation file below the source, with /.
        images: ImageFolder.
        folder_words: names, lower case, of folders of annotations.

    Raises:
        LeftOutError: there is none, or several fit equally well.
    """
    parts = PurePosixPath(name).parts
    places = [index for index, part in enumerate(parts[:-1]) if part.lower() in folder_words]
    if places:
        before, after = parts[: places[-1]], parts[places[-1] + 1 :]
        for folder in ("images", "JPEGImages"):
            with contextlib.suppress(LeftOutError):
                return images.find("/".join((*before, folder, *after))).file_name
        parts = before + after
    return images.find("/".join(parts)).file_name


def folder_of(source):
    """The folder that ``source`` is, or lies in."""
    source = Path(source)
    return source if source.is_dir() else source.parent
