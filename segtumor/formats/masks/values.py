"""What the values of a whole image's mask mean: classes by a list, one lesion class, or something to be ignored.

Not here: decoding (``mask_pixels``), the list of classes (``mask_names``).
"""

import numpy as np

from segtumor.annotations.remarks import LeftOutError, Remark
from segtumor.formats.masks.pixels import IGNORED_VALUES, ONLY_IGNORED, SEVERAL_VALUES, VOID_COLOR

TAKEN_AS_IGNORED = "mask value without a class, taken as to be ignored"
_GRAY_REPEATED = 0x010101  # value of a gray as a packed colour
#: What tools write for the one value of a binary mask; a folder may hold masks of several tools.
_WHITES = {1, 255, 65535}
#: Fewer masks of several values among the binary ones are single mistakes, which are named.
_MANY_CLASSES = 0.1


def holds_classes(image, classes):
    """Whether its values are those of the list: several classes, or one beside what is to be ignored."""
    if len(classes.labels) != 1:
        return len(classes.labels) > 1
    levels = set(np.unique(image.values).tolist()) - {0}
    if levels and levels <= classes.ignored:
        return True
    return len(levels) > 1 and levels <= {*classes.names, *classes.ignored, *IGNORED_VALUES}


def masks_by_class(image, classes):
    """({class: (H, W) bool}, values taken as to be ignored, as texts); 0 is the background."""
    if image.is_colored and not classes.colors:
        raise LeftOutError("mask in colours without a list of them", "add labelmap.txt, as CVAT writes it")
    found, ignored = {}, []
    for value in np.unique(image.values[image.values != 0]).tolist():
        name = classes.colors.get(value) if image.is_colored else classes.names.get(value)
        name = name or (None if image.is_colored else classes.colors.get(value * _GRAY_REPEATED))
        if name is None and _is_ignored(value, image.is_colored, classes):
            ignored.append(str(value))
            continue
        if name is None:
            raise LeftOutError("mask value without a class", str(value))
        found[name] = found.get(name, False) | (image.values == value)
    return found, ignored


def _is_ignored(value, is_color, classes):
    return value in classes.ignored or value == VOID_COLOR if is_color else value in {*classes.ignored, *IGNORED_VALUES}


def _leave_out_ignored(collection, plain_values) -> None:
    """Of one class, masks whose one value is to be ignored in others."""
    ignored = {int(n) for note in collection.notes if note.kind == TAKEN_AS_IGNORED for n in note.detail.split(", ")}
    doubtful = {name: value for name, value in plain_values.items() if value in ignored}
    collection.images = [image for image in collection.images if image.file_name not in doubtful]
    collection.left_out += [Remark(name, ONLY_IGNORED, f"value {value}") for name, value in doubtful.items()]


def leave_out_classes(collection, plain_values) -> None:
    """Masks of one value are those of classes, too, where others of the folder hold several or another value."""
    if collection.labels:
        _leave_out_ignored(collection, plain_values)
        return
    classes = sum(remark.kind in (SEVERAL_VALUES, ONLY_IGNORED) for remark in collection.left_out)
    values = set(plain_values.values())
    if classes < _MANY_CLASSES * len(plain_values) and (len(values) == 1 or values <= _WHITES):
        return
    detail = "value {}, and others of the folder hold other values; add classes.txt, or store all as 0 and 255"
    collection.images = [image for image in collection.images if image.file_name not in plain_values]
    collection.left_out += [Remark(name, SEVERAL_VALUES, detail.format(n)) for name, n in sorted(plain_values.items())]
