"""Which image a mask file belongs to and what its name says; and the classes of mask values.

The rules are those of the docstring of ``masks``. Not here: pixels (``mask_pixels``).
"""

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from segtumor.annotations.image_names import suffix_of
from segtumor.annotations.json_input import parse_json, read_bytes
from segtumor.annotations.remarks import LeftOutError
from segtumor.errors import DataError
from segtumor.escaping import distinct_parts, file_name_part
from segtumor.formats.sources.encodings import utf8_of
from segtumor.formats.sources.files import find_image_of

CLASS_FILES = ("classes.txt", "class_names.txt", "labels.json", "labelmap.txt", "_classes.csv", "dataset.json")
#: Folders of masks, lower case.
FOLDERS = {"masks", "mask", "labels", "annotations", "annots", "segmentation", "segmentations", "seg", "segs", "gt"}
FOLDERS |= {"ground_truth", "groundtruth", "segmentationclass", "labelstr", "labelsts"}
#: What nnU-Net adds to the name of an image: its channel, of which a radiograph has one.
CHANNEL = "_0000"
#: What else than an image and a class may stand in a file name.
WORDS = ("mask", "masks", "seg", "segmentation", "label", "labels", "gt")
_SUFFIX = re.compile(rf"[_-](?:{'|'.join(WORDS)})$", re.IGNORECASE)
_NUMBERED = re.compile(r"^(.*)[_-](\d+)$")
_VALUE_AND_NAME = re.compile(r"^(\d+)[\s,:;]+(\S.*)$")
_BACKGROUND = {"background", "_background_", "__background__", "bg"}
_IGNORED = {"ignore", "ignored", "__ignore__", "_ignore_", "void", "unlabeled", "unlabelled", "dontcare"}
_MAX_BYTES = 2**20


class Owner(NamedTuple):
    """What a file name says.

    Attributes:
        image: its image.
        unusual: how that was found, as in ``image_folder.Found``.
        label: the class, or "".
        is_lesion: whether the file is one lesion, not a whole image's mask.
    """

    image: str
    unusual: str
    label: str
    is_lesion: bool


@dataclass(frozen=True)
class MaskClasses:
    """Classes of mask values.

    Attributes:
        names: {value: name}, without the background, 0.
        colors: {65536 red + 256 green + blue: name}, without black.
        ignored: values and colours that the list calls ignore, void or the like.
    """

    names: dict = field(default_factory=dict)
    colors: dict = field(default_factory=dict)
    ignored: frozenset = frozenset()

    @property
    def labels(self):
        """All names once, in the order of the file."""
        return tuple(dict.fromkeys((*self.names.values(), *self.colors.values())))


def safe_name(text):
    """A class name as part of a file name: letters, digits and dots; all else becomes ``-``."""
    return file_name_part(text, empty="class")


def safe_names(names):
    """{name for a file: class name}; two that would be the same get a number."""
    return {part: name for name, part in distinct_parts(names, safe_name).items()}


def has_mask_word(stem):
    """Whether a stem ends as masks' do: x_mask, x-seg, x_label_2."""
    numbered = _NUMBERED.match(stem)
    return bool(_SUFFIX.search(stem) or (numbered and _SUFFIX.search(numbered[1])))


def owners_of(name, images, is_itself):
    """Everything that the name of a mask file can mean.

    Args:
        name: path of the file below the folder of the masks, with /.
        images: ImageFolder.
        is_itself: file name of an image -> whether it is the mask file itself.

    Returns:
        list of Owner: a whole image's mask first, then by the length of the image's name; empty if no image fits.
    """
    path = PurePosixPath(name)
    stem, folder = path.stem, str(path.parent)

    def image_of(candidate):
        for name in (candidate, candidate + CHANNEL) if candidate else ():
            with contextlib.suppress(LeftOutError):
                found = find_image_of(f"{folder}/{name}.png", images, FOLDERS)
                if not is_itself(found.file_name):
                    return found
        return None

    bare = _SUFFIX.sub("", stem)
    whole = image_of(stem)
    if not whole and bare != stem and image_of(bare):
        return [Owner(*image_of(bare), "", False)]  # x_1_mask is that of x_1 if there is one
    found = [Owner(*whole, "", False)] if whole else []
    numbered = _NUMBERED.match(bare)
    if numbered:
        found += _lesion_owners(numbered[1], image_of)
    if not found and path.parent.name:
        of_folder = _image_of_folder(path.parent, images)
        found = [Owner(*of_folder, _SUFFIX.sub("", numbered[1]) if numbered else "", True)] if of_folder else []
    return found


def further_channels(names: Iterable[str], used: set[str]) -> Iterator[tuple[str, str]]:
    """(name, first channel) of the further channels of nnU-Net's images, which are no images of their own.

    Args:
        names: file names of all images.
        used: those that have a mask.
    """
    for name in names:
        suffix = suffix_of(name)
        stem = name[: len(name) - len(suffix)]
        first = f"{stem[: -len(CHANNEL)]}{CHANNEL}{suffix}"
        if re.search(r"_\d{4}$", stem) and first != name and first in used and name not in used:
            yield name, first


def read_classes(folders):
    """The MaskClasses of the first of CLASS_FILES in one of the folders; none if there is no such file.

    Raises:
        DataError: it cannot be read, or gives a value twice.
    """
    for folder in folders:
        for name in CLASS_FILES:
            path = Path(folder) / name
            if path.is_file() and (name != "dataset.json" or _labels_of(path)):
                return _read_json(path) if name.endswith(".json") else _read_lines(path)
    return MaskClasses()


def _lesion_owners(text, image_of):
    """Owners for <stem> and <stem>_<class>, the longest stem first."""
    ends = [len(text), *(match.start() for match in reversed(list(re.finditer("[_-]", text))))]
    found = []
    for end in ends:
        image, label = image_of(text[:end]), text[end + 1 :]
        if image:
            label = "" if label.lower() in WORDS else label
            found.append(Owner(*image, label, True))
    return found


def _image_of_folder(folder, images):
    try:
        return find_image_of(f"{folder}.png", images, FOLDERS)
    except LeftOutError:
        return None


def _labels_of(path):
    """The labels in a dataset.json of nnU-Net; None if it has none."""
    value = parse_json(read_bytes(path, max_bytes=_MAX_BYTES), path)
    return value.get("labels") if isinstance(value, dict) else None


def _read_json(path):
    value = parse_json(read_bytes(path, max_bytes=_MAX_BYTES), path)
    if path.name == "dataset.json":
        value = value["labels"]
    if isinstance(value, list):
        return _from_names(value, path)
    if not isinstance(value, dict):
        raise DataError("is neither a list of names nor {value: name}", where=path)
    if all(type(number) is int for number in value.values()):
        value = {number: name for name, number in value.items()}
    pairs = [(str(number), name) for number, name in value.items()]
    if not all(re.fullmatch(r"\d{1,6}", number) and isinstance(name, str) for number, name in pairs):
        raise DataError("is neither a list of names nor {value: name}", where=path)
    return _mask_classes({int(number): name for number, name in pairs})


def _read_lines(path):
    try:
        text = utf8_of(read_bytes(path, max_bytes=_MAX_BYTES), path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("is not UTF-8 text", where=path, remedy="Save it as UTF-8") from error
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if path.name.endswith(".csv"):
        lines = lines[1:]  # Roboflow: Pixel Value, Class
    if lines and all(re.fullmatch(r"[^:]+:\d+,\d+,\d+:.*", line) for line in lines):
        return _from_colors(lines)
    matches = [_VALUE_AND_NAME.match(line) for line in lines]
    if not matches or not all(matches):
        return _from_names(lines, path)
    names = {int(match[1]): match[2].strip() for match in matches}
    if len(names) != len(matches):
        raise DataError("a value has two names", where=path)
    return _mask_classes(names)


def _from_names(names, path):
    """Names in order: the background is 0 where it comes first, or second behind what is ignored (labelme), else 1 is
    the first."""
    if not all(isinstance(name, str) for name in names):
        raise DataError("holds something that is no name", where=path)
    folded = [name.strip().lower() for name in names[:2]]
    first = 0 if folded and folded[0] in _BACKGROUND else 1
    if len(folded) == 2 and folded[0] in _IGNORED and folded[1] in _BACKGROUND:
        first = -1
    return _mask_classes(dict(enumerate(names, start=first)))


def _from_colors(lines):
    """CVAT's labelmap.txt, ``name:red,green,blue::``; a palette's index is the number of the line."""
    names, colors = {}, {}
    for number, line in enumerate(lines):
        name, color = line.split(":")[:2]
        red, green, blue = (int(part) & 255 for part in color.split(","))
        names[number], colors[(red << 16) + (green << 8) + blue] = name.strip(), name.strip()
    return _mask_classes(names, colors)


def _mask_classes(names, colors=()):
    """The MaskClasses, without the background."""
    kept, ignored = ({}, {}), set()
    for found, given in zip(kept, (names, dict(colors)), strict=True):
        for value, name in sorted(given.items()):
            if name.strip().lower() in _IGNORED:
                ignored.add(value)
            elif value != 0 and name.strip().lower() not in _BACKGROUND:
                found[value] = name.strip()
    return MaskClasses(*kept, frozenset(ignored))
