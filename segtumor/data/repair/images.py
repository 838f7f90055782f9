"""Image entries: what can only mean one thing is put right. Not here: leaving images out (``omission``)."""

import math
import os

from segtumor.data.file_names import file_name_fault
from segtumor.data.problem import place
from segtumor.data.segmentations import is_number
from segtumor.errors import DataError
from segtumor.imaging import read_size_hw

_OVER_PX = 0.5


def repair_image(image, where, image_root, ledger):
    """Put one entry right, in place: file name, spacing, numbers that are not finite."""
    name = image.get("file_name")
    if image_root is not None and isinstance(name, str) and "\\" in name:
        better = name.replace("\\", "/")
        if file_name_fault(better) is None and os.path.isfile(os.path.join(image_root, better)):
            ledger.set(image, where, "file_name", "backslashes written as /", better)
    if "spacing_mm" in image and not _is_spacing(image["spacing_mm"]):
        ledger.set(image, where, "spacing_mm", "made null: it was no spacing", None)
        if image.get("spacing_source") is not None:
            ledger.set(image, where, "spacing_source", "made null: there is no spacing", None)
    for key, value in image.items():
        if type(value) is float and not math.isfinite(value) and key not in ("id", "width", "height"):
            ledger.set(image, where, key, "made null: not a finite number", None)


def _is_spacing(value):
    if value is None:
        return True
    return isinstance(value, list) and len(value) == 2 and all(is_number(n) and n > 1e-6 for n in value)


def repair_size(work, image_root, ledger):
    """Take width and height from the files' headers where they differ, if all lesions of the image fit into them."""
    lesions = {}
    for _, annotation in work["annotations"]:
        if isinstance(annotation, dict) and type(annotation.get("image_id")) is int:
            lesions.setdefault(annotation["image_id"], []).append(annotation)
    for index, image in work["images"]:
        if not isinstance(image, dict) or file_name_fault(image.get("file_name")) is not None:
            continue
        size_hw = _size_in_header(os.path.join(image_root, image["file_name"]))
        if size_hw is None or (image.get("height"), image.get("width")) == size_hw:
            continue
        of_image = lesions.get(image["id"], []) if type(image.get("id")) is int else []
        if all(_fits(annotation, size_hw) for annotation in of_image):
            for key, value in zip(("height", "width"), size_hw, strict=True):
                if image.get(key) != value or type(image.get(key)) is not int:
                    ledger.set(image, place("images", index, image), key, "taken from the image file", value)


def _size_in_header(path):
    """(height, width), or None for a file that is not there or no image; both are told by the checks."""
    try:
        return tuple(int(n) for n in read_size_hw(path)) if os.path.isfile(path) else None
    except (DataError, ValueError):
        return None


def _fits(annotation, size_hw):
    box, segmentation = annotation.get("bbox"), annotation.get("segmentation")
    if isinstance(box, list) and len(box) == 4 and all(map(is_number, box)):
        x, y, width, height = box
        if min(x, y) < -_OVER_PX or x + width > size_hw[1] + _OVER_PX or y + height > size_hw[0] + _OVER_PX:
            return False
    if isinstance(segmentation, dict):
        return segmentation.get("size") == list(size_hw)
    polygons = segmentation if isinstance(segmentation, list) else []
    return all(_polygon_fits(polygon, size_hw) for polygon in polygons)


def _polygon_fits(polygon, size_hw):
    if not isinstance(polygon, list) or len(polygon) < 2 or not all(map(is_number, polygon)):
        return True  # unsound whatever the size
    x, y = polygon[0::2], polygon[1::2]
    return min(*x, *y) >= -_OVER_PX and max(x) <= size_hw[1] + _OVER_PX and max(y) <= size_hw[0] + _OVER_PX
