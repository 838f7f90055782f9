"""Annotations: box and area from the outline, polygons cut at the border, missing ``iscrowd``.

Not here: outlines of which nobody knows the truth; their images are left out (``omission``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from segtumor.annotations.plausibility import AREA_FACTOR, AREA_TOLERANCE_PX
from segtumor.annotations.problems import place
from segtumor.annotations.regions import has_outline
from segtumor.annotations.repair.ledger import Ledger, Work, integer_at, objects
from segtumor.annotations.repair.numbering import same
from segtumor.annotations.repair.shapes import NOTHING
from segtumor.annotations.segmentations import (
    FITS_BADLY_IOU,
    Outlines,
    are_numbers,
    check_outlines,
    is_number,
    paired_iou,
)
from segtumor.annotations.validation import LONGEST_EDGE_PX, MOST_PIXELS
from segtumor.arrays import Floats, SizeHW
from segtumor.structures.polygons import clip_polygon, outside_image, polygon_area

_FLAGS = {None: 0, "0": 0, "1": 1, 0.0: 0, 1.0: 1}
#: (position, annotation, size of its image) of annotations whose image has one.
Lesions = Sequence[tuple[int, dict[str, Any], SizeHW]]


def repair_lesions(work: Work, ledger: Ledger) -> None:
    """Put annotations right, in place, wherever their image's size is known."""
    sizes = {integer_at(image, "id"): _size_hw(image) for _, image in objects(work["images"])} | {None: None}
    lesions = []
    for index, annotation in objects(work["annotations"]):
        _repair_flag(index, annotation, ledger)
        size_hw = sizes.get(integer_at(annotation, "image_id"))
        if size_hw is not None:
            lesions.append((index, annotation, size_hw))
    _repair_outlines(lesions, ledger)
    _repair_measures(lesions, ledger)


def _size_hw(image: Mapping[str, Any]) -> SizeHW | None:
    height, width = integer_at(image, "height"), integer_at(image, "width")
    if height is None or width is None or min(height, width) <= 0:
        return None
    return None if max(height, width) > LONGEST_EDGE_PX or height * width > MOST_PIXELS else (height, width)


def _repair_flag(index: int, annotation: dict[str, Any], ledger: Ledger) -> None:
    flag = annotation.get("iscrowd")
    if type(flag) in (type(None), str, float) and flag in _FLAGS:
        what = "added" if flag is None else "read as an integer"
        ledger.set(annotation, place("annotations", index, annotation), "iscrowd", what, _FLAGS[flag])


def _measured(lesions: Lesions) -> Outlines:
    """Outlines of all lesions, against their images but not their boxes."""
    outlined = [a if has_outline(a) else {"segmentation": []} for _, a, _ in lesions]
    return check_outlines([(None, a, lesion[2], None) for a, lesion in zip(outlined, lesions, strict=True)])


def _repair_outlines(lesions: Lesions, ledger: Ledger) -> None:
    """Polygons with nothing in the image beside others are dropped, copies removed, the rest cut at the border."""
    outlines = _measured(lesions)
    faulty = {fault.order for fault in outlines.faults}
    for order, (index, annotation, size_hw) in enumerate(lesions):
        outline = annotation.get("segmentation")
        if not isinstance(outline, list) or not outline or not all(isinstance(polygon, list) for polygon in outline):
            continue
        where = place("annotations", index, annotation)
        if len(outline) > 1:
            _drop_polygons(annotation, where, size_hw, order in faulty, ledger)
        over = np.any(outlines.boxes_xyxy[order] < 0) or np.any(outlines.boxes_xyxy[order][2:] > size_hw[::-1])
        if over or order in faulty:
            _cut(annotation, where, size_hw, ledger)


def _drop_polygons(annotation: dict[str, Any], where: str, size_hw: SizeHW, faulty: bool, ledger: Ledger) -> None:
    polygons = annotation["segmentation"]
    different = [
        polygon
        for i, polygon in enumerate(polygons)
        if not any(same(polygon, other) for other in polygons[max(0, i - 20) : i])
    ]
    if len(different) < len(polygons):
        ledger.set(annotation, where, "segmentation", "copies of polygons removed", different)
    if not faulty:
        return
    faults = [check_outlines([(None, {"segmentation": [p]}, size_hw, None)]).faults for p in different]
    kept = [p for p, found in zip(different, faults, strict=True) if not found or found[0].kind not in NOTHING]
    if kept and len(kept) < len(different):
        ledger.set(annotation, where, "segmentation", "polygons without any area in the image removed", kept)


def _cut(annotation: dict[str, Any], where: str, size_hw: SizeHW, ledger: Ledger) -> None:
    polygons = annotation["segmentation"]
    if check_outlines([(None, annotation, size_hw, None)]).faults:
        return
    cut = [_cut_polygon(polygon, size_hw) if outside_image(polygon, size_hw) else polygon for polygon in polygons]
    if any(new is not old for new, old in zip(cut, polygons, strict=True)):
        ledger.set(annotation, where, "segmentation", "cut at the border of the image", cut)


def _cut_polygon(polygon: Sequence[float], size_hw: SizeHW) -> list[float]:
    points = clip_polygon(np.reshape(polygon, (-1, 2)), size_hw)
    rounded = np.round(points, 3)
    # Rounding may flatten a sliver; it then keeps its digits.
    cut: list[float] = (rounded if polygon_area(rounded) > 0 else points).ravel().tolist()
    return cut


def _repair_measures(lesions: Lesions, ledger: Ledger) -> None:
    outlines = _measured(lesions)
    faulty = {fault.order for fault in outlines.faults}
    for order, (index, annotation, size_hw) in enumerate(lesions):
        tight = outlines.boxes_xyxy[order]
        known = order not in faulty and not np.isnan(tight[0])
        if not known and has_outline(annotation):
            continue
        where = place("annotations", index, annotation)
        _repair_box(annotation, where, tight if known else None, size_hw, ledger)
        _repair_area(annotation, where, outlines.areas_px[order] if known else None, ledger)


def _repair_box(
    annotation: dict[str, Any], where: str, tight_xyxy: Floats | None, size_hw: SizeHW, ledger: Ledger
) -> None:
    """The box cut at the border; that of the outline where the one given is unsound or far from it."""
    given, height, width = _corners(annotation.get("bbox")), *size_hw
    limits = np.array([width, height, width, height], dtype=np.float64)
    clipped = None if given is None else np.clip(given, 0, limits)
    if clipped is not None and not np.all(clipped[2:] > clipped[:2]):
        clipped = None
    if tight_xyxy is not None:
        tight = np.clip(tight_xyxy, 0, limits)
        if clipped is None or paired_iou(clipped[None], tight[None])[0] < FITS_BADLY_IOU:
            ledger.set(annotation, where, "bbox", "taken from the outline", _xywh(tight))
            return
    if clipped is not None and np.any(clipped != given):
        ledger.set(annotation, where, "bbox", "cut at the border of the image", _xywh(clipped))


def _corners(box: Any) -> Floats | None:
    if not are_numbers(box, 4) or min(box[2:]) <= 0:
        return None
    return np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]], dtype=np.float64)


def _xywh(box_xyxy: Floats) -> list[float]:
    x0, y0, x1, y1 = map(float, box_xyxy)
    exact = [x0, y0, x1 - x0, y1 - y0]
    rounded = [round(value, 3) for value in exact]
    return rounded if min(rounded[2:]) > 0 else exact


def _repair_area(annotation: dict[str, Any], where: str, area_px: float | None, ledger: Ledger) -> None:
    given, box = annotation.get("area"), annotation.get("bbox")
    if area_px is not None:
        area = round(float(area_px), 3)
    elif box is not None and _corners(box) is not None:
        area = round(box[2] * box[3], 3)
    else:
        return
    if given is None or not is_number(given, limit=1e12) or given < 0:
        ledger.set(annotation, where, "area", f"taken from the {'box' if area_px is None else 'outline'}", area)
    elif area_px is not None and _disagree(given, area):
        ledger.set(annotation, where, "area", "taken from the outline", area)


def _disagree(given: float, area: float) -> bool:
    return abs(given - area) > AREA_TOLERANCE_PX and (given > area * AREA_FACTOR or given * AREA_FACTOR < area)
