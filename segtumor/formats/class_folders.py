"""Images sorted into a folder for each class, without outlines: for classifiers of whole images.

``<class>/<image>``, below parts of a split if there are (``train/<class>/<image>``, ``<class>/train/<image>``). The
innermost folder that names no part is the class, and becomes the ``image_label``; ``normal``, ``healthy``,
``non-tumor`` and the like are normal images. Only folders that hold nothing but images are recognised: beside
annotation files they mean something else. Writing is not supported: a data set has more to say than that.
"""

import os
from pathlib import Path, PurePosixPath

from segtumor.annotations.remarks import LeftOutError, Remark
from segtumor.errors import DataError
from segtumor.formats.collection import NOT_ANNOTATED, Collection, SourceImage
from segtumor.formats.labels import label_key
from segtumor.formats.masks.names import FOLDERS
from segtumor.formats.sources.files import folder_of
from segtumor.formats.sources.image_folder import ImageFolder
from segtumor.formats.sources.parts import part_named, part_of_path
from segtumor.imaging import SUPPORTED_SUFFIXES
from segtumor.progress import Progress
from segtumor.taxonomy import NORMAL

UNLISTED = NOT_ANNOTATED

_NORMAL_WORDS = ("healthy", "no finding", "nontumor", "nontumour", "notumor", "notumour", "negative", NORMAL)
_MOST_LOOKED_AT = 20_000


def recognises(source: Path) -> bool:
    """Whether there are images in two or more folders of different classes, and no other files."""
    if not source.is_dir():
        return False
    classes = set()
    for number, (folder, _, names) in enumerate(os.walk(source)):
        visible = [name for name in names if not name.startswith(".")]
        if number > _MOST_LOOKED_AT or not all(name.lower().endswith(SUPPORTED_SUFFIXES) for name in visible):
            return False
        if visible:
            classes.add(_class_of(Path(folder, visible[0]).relative_to(source).as_posix()))
    named = {label_key(name) for name in classes if name}
    return None not in classes and len(named) > 1 and not named & FOLDERS


def image_root(source: Path) -> Path:
    """Where the images are unless the user says otherwise: the source itself, whatever lies beside it."""
    return folder_of(source)


def read(source: Path, images: ImageFolder, *, progress: Progress = iter) -> Collection:
    """Read the images of all class folders; those in none are in ``left_out``.

    Raises:
        DataError: all images are of one class, or in no folder.
    """
    below = folder_of(source)
    collection = Collection(root=images.root)
    for name in progress(images.names):
        path = PurePosixPath(os.path.relpath(images.root / name, below)).as_posix()
        label = None if path.startswith("..") else _class_of(path)
        if label is None:
            collection.left_out.append(Remark(name, "image in no folder of a class"))
            continue
        try:
            size_hw = images.size_hw(name)
        except LeftOutError as reason:
            collection.left_out.append(reason.remark(name))
            continue
        part = part_of_path(path)
        attributes = {"image_label": label, **({"part": part} if part else {})}
        collection.images.append(SourceImage(name, size_hw, attributes=attributes))
    found = {str(image.attributes["image_label"]): None for image in collection.images}
    collection.labels = tuple(name for name in found if name != NORMAL)
    if len({label_key(name) for name in found}) < 2:
        raise DataError(
            "the images are of one class",
            where=source,
            got=", ".join(found) or "no folder of a class",
            expected="a folder for each of two or more classes",
        )
    return collection


def _class_of(path: str) -> str | None:
    """Class of the image at a path relative to the source: that of its innermost folder that names no part."""
    folders = [folder for folder in reversed(PurePosixPath(path).parts[:-1]) if part_named(folder) is None]
    if not folders:
        return None
    words = label_key(folders[0]).replace("_", " ").replace("-", " ")
    return NORMAL if words in _NORMAL_WORDS or words.replace(" ", "") in _NORMAL_WORDS else folders[0].strip()
