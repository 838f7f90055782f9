"""Which image a mask file belongs to, and what its name says.

The rules are in the docstring of ``segtumor.formats.masks``. Not here: what is in the file (``pixels``, ``classes``).
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from segtumor.annotations.image_names import suffix_of
from segtumor.annotations.remarks import LeftOutError
from segtumor.escaping import distinct_parts, file_name_part
from segtumor.formats.sources.image_folder import Found, ImageFolder, find_image_of

#: Folders of masks, lower case.
FOLDERS = {"masks", "mask", "labels", "annotations", "annots", "segmentation", "segmentations", "seg", "segs", "gt"}
FOLDERS |= {"ground_truth", "groundtruth", "segmentationclass", "labelstr", "labelsts"}
#: What nnU-Net adds to the name of an image: its channel, of which a radiograph has one.
CHANNEL = "_0000"
#: What else than an image and a class a file name may hold.
WORDS = ("mask", "masks", "seg", "segmentation", "label", "labels", "gt")
_SUFFIX = re.compile(rf"[_-](?:{'|'.join(WORDS)})$", re.IGNORECASE)
_NUMBERED = re.compile(r"^(.*)[_-](\d+)$")


class Owner(NamedTuple):
    """What a file name says: its image, how that was found, the class or "", and whether it is one lesion."""

    image: str
    unusual: str
    label: str
    is_lesion: bool


def safe_name(text: str) -> str:
    """A class name as part of a file name: letters, digits and dots; all else becomes ``-``."""
    return file_name_part(text, empty="class")


def safe_names(names: Iterable[str]) -> dict[str, str]:
    """{name for a file: class name}; two that would be the same get a number."""
    return {part: name for name, part in distinct_parts(names, safe_name).items()}


def has_mask_word(stem: str) -> bool:
    """Whether a stem ends as masks' do: x_mask, x-seg, x_label_2."""
    numbered = _NUMBERED.match(stem)
    return bool(_SUFFIX.search(stem) or (numbered and _SUFFIX.search(numbered[1])))


def owners_of(name: str, images: ImageFolder, is_itself: Callable[[str], bool]) -> list[Owner]:
    """Everything that a path below the folder of the masks can mean: a whole image's mask first, then the longest name.

    ``is_itself`` says whether an image is the mask file itself. Empty if no image fits.
    """
    path = PurePosixPath(name)
    stem, folder = path.stem, str(path.parent)

    def image_of(candidate: str) -> Found | None:
        for name in (candidate, candidate + CHANNEL) if candidate else ():
            with contextlib.suppress(LeftOutError):
                found = find_image_of(f"{folder}/{name}.png", images, FOLDERS)
                if not is_itself(found.file_name):
                    return found
        return None

    bare = _SUFFIX.sub("", stem)
    whole = image_of(stem)
    of_bare = None if whole or bare == stem else image_of(bare)
    if of_bare:  # x_1_mask is that of x_1 if there is one
        return [Owner(of_bare.file_name, of_bare.unusual, "", False)]
    found = [Owner(whole.file_name, whole.unusual, "", False)] if whole else []
    numbered = _NUMBERED.match(bare)
    if numbered:
        found += _lesion_owners(numbered[1], image_of)
    if not found and path.parent.name:
        of_folder = _image_of_folder(path.parent, images)
        label = _SUFFIX.sub("", numbered[1]) if numbered else ""
        found = [Owner(of_folder.file_name, of_folder.unusual, label, True)] if of_folder else []
    return found


def further_channels(names: Iterable[str], used: set[str]) -> Iterator[tuple[str, str]]:
    """(name, first channel) of further channels of nnU-Net's images, no images of their own; ``used`` have a mask."""
    for name in names:
        suffix = suffix_of(name)
        stem = name[: len(name) - len(suffix)]
        first = f"{stem[: -len(CHANNEL)]}{CHANNEL}{suffix}"
        if re.search(r"_\d{4}$", stem) and first != name and first in used and name not in used:
            yield name, first


def _lesion_owners(text: str, image_of: Callable[[str], Found | None]) -> list[Owner]:
    """Owners for <stem> and <stem>_<class>, the longest stem first."""
    ends = [len(text), *(match.start() for match in reversed(list(re.finditer("[_-]", text))))]
    found = []
    for end in ends:
        image, label = image_of(text[:end]), text[end + 1 :]
        if image:
            label = "" if label.lower() in WORDS else label
            found.append(Owner(image.file_name, image.unusual, label, True))
    return found


def _image_of_folder(folder: PurePosixPath, images: ImageFolder) -> Found | None:
    try:
        return find_image_of(f"{folder}.png", images, FOLDERS)
    except LeftOutError:
        return None
