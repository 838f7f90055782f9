"""Image entries: what can only mean one thing is put right; width and height are taken from the picture.

Outlines are scaled to the picture where its shape says that it is the same. Never an outline at a place where nobody
drew it: what fits neither size, and a turned picture, is left out. Not here: whether a picture opens
(``segtumor.datasets.image_checks``).
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from segtumor.annotations.file_names import file_name_fault
from segtumor.annotations.problems import place
from segtumor.annotations.regions import has_outline
from segtumor.annotations.remarks import LeftOutError
from segtumor.annotations.repair.ledger import Ledger, Work, integer_at, objects
from segtumor.annotations.repair.numbering import as_id
from segtumor.annotations.repair.omission import leave_out_images
from segtumor.annotations.repair.shapes import NOTHING
from segtumor.annotations.rescaling import Scale, scale_of, scaled_fields, scaled_segmentation, scaled_spacing
from segtumor.annotations.segmentations import Segmented, are_numbers, check_outlines, is_number
from segtumor.arrays import SizeHW
from segtumor.errors import DataError
from segtumor.imaging import read_size_hw


def repair_image(image: dict[str, Any], where: str, image_root: Path | str | None, ledger: Ledger) -> None:
    """Put one entry right, in place: file name, size and spacing, numbers that are not finite."""
    name = image.get("file_name")
    if image_root is not None and isinstance(name, str):
        _repair_name(image, name, where, Path(image_root), ledger)
    for key in ("width", "height"):
        value = as_id(image.get(key))
        if value is not None and type(image[key]) is not int:
            ledger.set(image, where, key, "read as an integer", value)
    if "spacing_mm" in image and not _is_spacing(image["spacing_mm"]):
        ledger.set(image, where, "spacing_mm", "made null: it was no spacing", None)
        if image.get("spacing_source") is not None:
            ledger.set(image, where, "spacing_source", "made null: there is no spacing", None)
    for key, value in image.items():
        if type(value) is float and not math.isfinite(value) and key not in ("id", "width", "height"):
            ledger.set(image, where, key, "made null: not a finite number", None)


def _repair_name(image: dict[str, Any], name: str, where: str, root: Path, ledger: Ledger) -> None:
    """Backslashes, and folders down to the image root's own, are taken off if the file is there and no other fits."""
    if _is_there(name, root):
        return
    parts = name.replace("\\", "/").split("/")
    below = ["/".join(parts[i + 1 :]) for i, part in enumerate(parts) if part == root.resolve().name]
    found = [better for better in ("/".join(parts), *below) if _is_there(better, root)]
    if len(found) == 1:
        what = "backslashes written as /" if found[0] == "/".join(parts) else "made relative to the image root"
        ledger.set(image, where, "file_name", what, found[0])


def _is_there(name: str, root: Path) -> bool:
    return file_name_fault(name) is None and os.path.isfile(root / name)


def _is_spacing(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, list) and len(value) == 2 and all(is_number(n) and n > 1e-6 for n in value)


#: Outlines are drawn a little over the border, by rounding and by hand; further beyond it, they are of another size.
_OVER_PX, _OVER_PART = 1.0, 0.02
_SCALED = "scaled to the size of the image file"
#: (position, annotation).
Lesion = tuple[int, dict[str, Any]]


def repair_sizes(work: Work, image_root: Path | str, ledger: Ledger) -> None:
    """Make sizes those of the files' headers, outlines with them; images for which that is no certain repair go."""
    lesions: dict[int | None, list[Lesion]] = {}
    out: dict[int, tuple[dict[str, Any], LeftOutError]] = {}
    for index, annotation in objects(work["annotations"]):
        lesions.setdefault(integer_at(annotation, "image_id"), []).append((index, annotation))
    lesions.pop(None, None)
    for index, image in objects(work["images"]):
        if file_name_fault(image.get("file_name")) is not None:
            continue
        size_hw = _size_in_header(os.path.join(image_root, image["file_name"]))
        if size_hw is None or (image.get("height"), image.get("width")) == size_hw:
            continue
        try:
            _repair_size(index, image, lesions.get(integer_at(image, "id"), []), size_hw, ledger)
        except LeftOutError as reason:
            out[id(image)] = (image, reason)
    for kind in dict.fromkeys(reason.kind for _, reason in out.values()):
        gone = {number: pair for number, pair in out.items() if pair[1].kind == kind}
        details = {image["file_name"]: reason.detail for image, reason in gone.values()}
        leave_out_images(work, ledger, _is_one_of(gone), kind, details)


def _is_one_of(gone: Mapping[int, Any]) -> Callable[[dict[str, Any]], bool]:
    return lambda entry: id(entry) in gone


def _size_in_header(path: str) -> SizeHW | None:
    """(height, width), or None for a file that is not there or no image; both are reported by the checks."""
    try:
        if not os.path.isfile(path):
            return None
        height, width = read_size_hw(path)
    except (DataError, ValueError):
        return None
    return int(height), int(width)


def _repair_size(index: int, image: dict[str, Any], own: Sequence[Lesion], size_hw: SizeHW, ledger: Ledger) -> None:
    where, listed = place("images", index, image), _listed_hw(image)
    drawn_hw = _drawn_hw(own, listed, size_hw)
    if drawn_hw != size_hw and own:
        scale_xy = scale_of(drawn_hw, size_hw)
        _check_outlines(own, drawn_hw)
        for number, annotation in own:
            _scale(annotation, place("annotations", number, annotation), drawn_hw, size_hw, scale_xy, ledger)
    if drawn_hw != size_hw and image.get("spacing_mm") is not None:
        _scale_spacing(image, where, drawn_hw, size_hw, ledger)
    for key, value in zip(("height", "width"), size_hw, strict=True):
        if image.get(key) != value or type(image.get(key)) is not int:
            ledger.set(image, where, key, "taken from the image file", value)


def _listed_hw(image: Mapping[str, Any]) -> SizeHW | None:
    """None where it is unknown: the outlines may be of the file, if they fit it."""
    height, width = integer_at(image, "height"), integer_at(image, "width")
    return None if height is None or width is None or min(height, width) <= 0 else (height, width)


def _drawn_hw(own: Sequence[Lesion], listed: SizeHW | None, size_hw: SizeHW) -> SizeHW:
    """The size that everything was drawn on; LeftOutError where it is neither that of the list nor that of the file."""
    masks = {size for _, annotation in own if (size := _mask_size(annotation)) is not None}
    if len(masks) > 1 or not masks <= {listed, size_hw}:
        raise LeftOutError("size is not that of the file", _compared(listed, size_hw) + ", and masks of another")
    drawn_hw = next(iter(masks), listed or size_hw)
    if not all(_fits(annotation, drawn_hw) for _, annotation in own):
        raise LeftOutError("size is not that of the file", _compared(listed, size_hw) + ", and outlines beyond it")
    return drawn_hw


def _compared(listed: SizeHW | None, size_hw: SizeHW) -> str:
    said = "unknown" if listed is None else f"{listed[1]} x {listed[0]} px"
    return f"{said}, the file is {size_hw[1]} x {size_hw[0]} px"


def _mask_size(annotation: Mapping[str, Any]) -> SizeHW | None:
    segmentation = annotation.get("segmentation")
    size = segmentation.get("size") if isinstance(segmentation, dict) and has_outline(annotation) else None
    is_size = isinstance(size, list) and len(size) == 2 and all(type(n) is int for n in size)
    return (size[0], size[1]) if is_size and size is not None else None


def _fits(annotation: Mapping[str, Any], drawn_hw: SizeHW) -> bool:
    height, width = drawn_hw
    box, segmentation = annotation.get("bbox"), annotation.get("segmentation")
    x: list[float] = []
    y: list[float] = []
    if are_numbers(box, 4):
        x, y = [box[0], box[0] + box[2]], [box[1], box[1] + box[3]]
    for polygon in segmentation if isinstance(segmentation, list) else ():
        if are_numbers(polygon):  # else unsound whatever the size
            x, y = x + polygon[0::2], y + polygon[1::2]
    over = [max(_OVER_PX, _OVER_PART * length) for length in (width, height)]
    return all(-over[0] <= v <= width + over[0] for v in x) and all(-over[1] <= v <= height + over[1] for v in y)


def _check_outlines(own: Sequence[Lesion], drawn_hw: SizeHW) -> None:
    outlined: list[Segmented] = [(place("annotations", n, a), a, drawn_hw, None) for n, a in own if has_outline(a)]
    unsound = [fault.order for fault in check_outlines(outlined).faults if fault.kind not in NOTHING]
    if unsound:
        raise LeftOutError("size is not that of the file", f"and the outline of {outlined[unsound[0]][0]} is unsound")


def _scale_spacing(image: dict[str, Any], where: str, drawn_hw: SizeHW, size_hw: SizeHW, ledger: Ledger) -> None:
    try:
        scale_xy = scale_of(drawn_hw, size_hw)
    except LeftOutError:  # an image without annotations, which its size alone cannot spoil
        ledger.set(image, where, "spacing_mm", "made null: it is of a picture of another shape", None)
    else:
        ledger.set(image, where, "spacing_mm", _SCALED, scaled_spacing(image["spacing_mm"], scale_xy))


def _scale(
    annotation: dict[str, Any], where: str, drawn_hw: SizeHW, size_hw: SizeHW, scale_xy: Scale, ledger: Ledger
) -> None:
    """Everything in px of one annotation. What cannot be read stays, and the checks name it."""
    box, segmentation = annotation.get("bbox"), annotation.get("segmentation")
    if has_outline(annotation):
        new = scaled_segmentation(segmentation, drawn_hw, size_hw, scale_xy)
        ledger.set(annotation, where, "segmentation", _SCALED, new)
    if are_numbers(box, 4):
        ledger.set(annotation, where, "bbox", _SCALED, [v * s for v, s in zip(box, scale_xy * 2, strict=True)])
    for key, value in scaled_fields(annotation, scale_xy).items():
        ledger.set(annotation, where, key, _SCALED, value)
