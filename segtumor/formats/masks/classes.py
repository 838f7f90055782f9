"""The classes of mask values: a list of them beside the masks, and what the values of a whole image's mask mean by it.

Without a list there is one class, or something to be ignored; nothing is guessed. Not here: decoding (``pixels``).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from segtumor.annotations.json_input import parse_json, read_bytes
from segtumor.annotations.remarks import LeftOutError, Remark
from segtumor.arrays import Mask
from segtumor.errors import DataError
from segtumor.formats.collection import Collection
from segtumor.formats.masks.pixels import IGNORED_VALUES, ONLY_IGNORED, SEVERAL_VALUES, VOID_COLOR, MaskImage
from segtumor.formats.sources.encodings import read_text

CLASS_FILES = ("classes.txt", "class_names.txt", "labels.json", "labelmap.txt", "_classes.csv", "dataset.json")
_VALUE_AND_NAME = re.compile(r"^(\d+)[\s,:;]+(\S.*)$")
_BACKGROUND = {"background", "_background_", "__background__", "bg"}
_IGNORED = {"ignore", "ignored", "__ignore__", "_ignore_", "void", "unlabeled", "unlabelled", "dontcare"}
_MAX_BYTES = 2**20
_GRAY_REPEATED = 0x010101  # value of a gray as a packed colour
#: What tools write for the one value of a binary mask; a folder may hold masks of several tools.
_WHITES = {1, 255, 65535}
#: Fewer masks of several values among the binary ones are single mistakes, which are named.
_MANY_CLASSES = 0.1


@dataclass(frozen=True)
class MaskClasses:
    """{value: name} without 0, {65536 red + 256 green + blue: name} without black, and values to be ignored."""

    names: Mapping[int, str] = field(default_factory=dict)
    colors: Mapping[int, str] = field(default_factory=dict)
    ignored: frozenset[int] = frozenset()

    @property
    def labels(self) -> tuple[str, ...]:
        """All names once, in the order of the file."""
        return tuple(dict.fromkeys((*self.names.values(), *self.colors.values())))


@dataclass
class FolderValues:
    """What the masks of a folder hold, which decides what those of a single value mean.

    ``plain``: {image: the one value of its mask of the whole image}. ``ignored``: values without a class that were
    taken as to be ignored in some mask. ``n_unnamed``: images left out since their masks hold values without names.
    """

    plain: dict[str, int] = field(default_factory=dict)
    ignored: set[int] = field(default_factory=set)
    n_unnamed: int = 0


def read_classes(folders: Iterable[Path]) -> MaskClasses:
    """The classes by the first of CLASS_FILES in the folders; raises DataError if it gives a value twice."""
    for folder in folders:
        for name in CLASS_FILES:
            path = folder / name
            if path.is_file() and (name != "dataset.json" or _labels_of(path)):
                return _read_json(path) if name.endswith(".json") else _read_lines(path)
    return MaskClasses()


def holds_classes(image: MaskImage, classes: MaskClasses) -> bool:
    """Whether its values are those of the list: several classes, or one beside what is to be ignored."""
    if len(classes.labels) != 1:
        return len(classes.labels) > 1
    levels = set(np.unique(image.values).tolist()) - {0}
    if levels and levels <= classes.ignored:
        return True
    return len(levels) > 1 and levels <= {*classes.names, *classes.ignored, *IGNORED_VALUES}


def masks_by_class(image: MaskImage, classes: MaskClasses) -> tuple[dict[str, Mask], list[int]]:
    """({class: (H, W) mask}, values taken as to be ignored); 0 is the background."""
    if image.is_colored and not classes.colors:
        raise LeftOutError("mask in colours without a list of them", "add labelmap.txt, as CVAT writes it")
    found: dict[str, Mask] = {}
    ignored: list[int] = []
    for value in np.unique(image.values[image.values != 0]).tolist():
        name = classes.colors.get(value) if image.is_colored else classes.names.get(value)
        name = name or (None if image.is_colored else classes.colors.get(value * _GRAY_REPEATED))
        if name is not None:
            mask = image.values == value
            found[name] = found[name] | mask if name in found else mask
        elif _is_ignored(value, image.is_colored, classes):
            ignored.append(value)
        else:
            raise LeftOutError("mask value without a class", str(value))
    return found, ignored


def leave_out_classes(collection: Collection, values: FolderValues) -> None:
    """Masks of one value are those of classes, too, where others of the folder hold several or another value.

    With a list of classes, masks whose one value is to be ignored in others are doubtful.
    """
    if collection.labels:
        doubtful = {name: value for name, value in values.plain.items() if value in values.ignored}
        _leave_out(collection, doubtful, ONLY_IGNORED, "value {}")
        return
    levels = set(values.plain.values())
    if values.n_unnamed < _MANY_CLASSES * len(values.plain) and (len(levels) == 1 or levels <= _WHITES):
        return
    detail = "value {}, and others of the folder hold other values; add classes.txt, or store all as 0 and 255"
    _leave_out(collection, dict(sorted(values.plain.items())), SEVERAL_VALUES, detail)


def _leave_out(collection: Collection, value_of: Mapping[str, int], kind: str, detail: str) -> None:
    collection.images = [image for image in collection.images if image.file_name not in value_of]
    collection.left_out += [Remark(name, kind, detail.format(value)) for name, value in value_of.items()]


def _is_ignored(value: int, is_color: bool, classes: MaskClasses) -> bool:
    return value in classes.ignored or (value == VOID_COLOR if is_color else value in IGNORED_VALUES)


def _labels_of(path: Path) -> Any:
    """The labels in a dataset.json of nnU-Net; None if it has none."""
    value = parse_json(read_bytes(path, max_bytes=_MAX_BYTES), path)
    return value.get("labels") if isinstance(value, dict) else None


def _read_json(path: Path) -> MaskClasses:
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


def _read_lines(path: Path) -> MaskClasses:
    text = read_text(path, max_bytes=_MAX_BYTES)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if path.name.endswith(".csv"):
        lines = lines[1:]  # Roboflow: Pixel Value, Class
    if lines and all(re.fullmatch(r"[^:]+:\d+,\d+,\d+:.*", line) for line in lines):
        return _from_colors(lines)
    matches = [match for match in map(_VALUE_AND_NAME.match, lines) if match is not None]
    if not matches or len(matches) < len(lines):
        return _from_names(lines, path)
    names = {int(match[1]): match[2].strip() for match in matches}
    if len(names) != len(matches):
        raise DataError("a value has two names", where=path)
    return _mask_classes(names)


def _from_names(names: Sequence[Any], path: Path) -> MaskClasses:
    """Names in order: background is 0 where it is first, or second after what is ignored (labelme); else from 1."""
    if not all(isinstance(name, str) for name in names):
        raise DataError("holds something that is not a name", where=path)
    folded = [name.strip().lower() for name in names[:2]]
    first = 0 if folded and folded[0] in _BACKGROUND else 1
    if len(folded) == 2 and folded[0] in _IGNORED and folded[1] in _BACKGROUND:
        first = -1
    return _mask_classes(dict(enumerate(names, start=first)))


def _from_colors(lines: Iterable[str]) -> MaskClasses:
    """CVAT's labelmap.txt, ``name:red,green,blue::``; a palette's index is the number of the line."""
    names: dict[int, str] = {}
    colors: dict[int, str] = {}
    for number, line in enumerate(lines):
        name, color = line.split(":")[:2]
        red, green, blue = (int(part) & 255 for part in color.split(","))
        names[number], colors[(red << 16) + (green << 8) + blue] = name.strip(), name.strip()
    return _mask_classes(names, colors)


def _mask_classes(names: Mapping[int, str], colors: Mapping[int, str] | None = None) -> MaskClasses:
    """The classes, without the background."""
    kept: tuple[dict[int, str], dict[int, str]] = ({}, {})
    ignored: set[int] = set()
    for found, given in zip(kept, (names, colors or {}), strict=True):
        for value, name in sorted(given.items()):
            if name.strip().lower() in _IGNORED:
                ignored.add(value)
            elif value != 0 and name.strip().lower() not in _BACKGROUND:
                found[value] = name.strip()
    return MaskClasses(kept[0], kept[1], frozenset(ignored))
