"""The shapes of CVAT's XML as regions, their grouping and scaling, and its masks. Lengths in px, angles clockwise.

CVAT counts the run lengths of a mask row by row, background first; COCO column by column (``structures.masks``).
"""

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from segtumor.annotations.flat_polygons import ellipse_polygon, scale_between, scale_box
from segtumor.annotations.remarks import LeftOutError
from segtumor.annotations.rescaling import scaled_segmentation
from segtumor.annotations.segmentations import is_number
from segtumor.arrays import BoxXYWH, Ints, Mask, SizeHW
from segtumor.formats.collection import Region, Segmentation
from segtumor.formats.shapes.drawn_boxes import CENTER, rotated_box, rotated_box_polygon
from segtumor.formats.shapes.unit_round_trips import length_between
from segtumor.imaging import MAX_PIXELS
from segtumor.structures.masks import mask_from_rle, rle_from_mask, rle_from_segmentation
from segtumor.structures.rle import flat_from_runs, run_lengths

#: Shapes without an area.
UNUSABLE_SHAPES = ("polyline", "points", "cuboid", "skeleton")
_RUNS = re.compile(r"\s*\d{1,9}\s*(,\s*\d{1,9}\s*)*")


def _box(element: Element, drawn_hw: SizeHW) -> Region:
    left, top, right, bottom = (_number(element, key) for key in ("xtl", "ytl", "xbr", "ybr"))
    if right < left or bottom < top:
        raise LeftOutError("box upside down", f"{left}, {top}, {right}, {bottom}")
    box = (left, top, length_between(left, right), length_between(top, bottom))
    degrees = _number(element, "rotation", 0.0)
    if degrees % 360 == 0:
        return _region(element, None, box)
    rotated = rotated_box(box, degrees, CENTER)
    return _region(element, [rotated_box_polygon(rotated)], None, rotated_box=rotated)


def _polygon(element: Element, drawn_hw: SizeHW) -> Region:
    pairs = [pair.split(",") for pair in element.get("points", "").strip().strip(";").split(";")]
    if any(len(pair) != 2 for pair in pairs):
        raise LeftOutError("polygon not readable", element.get("points", "")[:60])
    return _region(element, [[_parse(text, "points") for pair in pairs for text in pair]])


def _ellipse(element: Element, drawn_hw: SizeHW) -> Region:
    center = (_number(element, "cx"), _number(element, "cy"))
    radii = (_number(element, "rx"), _number(element, "ry"))
    if min(radii) < 0:
        raise LeftOutError("radius is negative", str(radii))
    return _region(element, [ellipse_polygon(center, radii, _number(element, "rotation", 0.0))])


def _mask(element: Element, drawn_hw: SizeHW) -> Region:
    left, top, width, height = (_number(element, key) for key in ("left", "top", "width", "height"))
    inside = 0 <= left <= left + width <= drawn_hw[1] and 0 <= top <= top + height <= drawn_hw[0]
    if not inside or not all(number.is_integer() for number in (left, top, width, height)):
        raise LeftOutError("mask not readable", f"left {left}, top {top}, width {width}, height {height}")
    if drawn_hw[0] * drawn_hw[1] > MAX_PIXELS:
        raise LeftOutError("mask not readable", f"on an image of {drawn_hw} px (height, width)")
    text = element.get("rle", "")
    if not _RUNS.fullmatch(text):
        raise LeftOutError("mask not readable", f"rle {text[:60]!r}")
    part = mask_from_row_runs(np.array(text.split(","), dtype=np.int64), (int(height), int(width)))
    mask = np.zeros(drawn_hw, dtype=bool)
    mask[int(top) : int(top + height), int(left) : int(left + width)] = part
    return _region(element, rle_from_mask(mask))


#: Tag of a shape -> (element, (height, width) of the image in the file) -> Region; raises LeftOutError.
SHAPES: Mapping[str, Callable[[Element, SizeHW], Region]] = {
    "box": _box,
    "polygon": _polygon,
    "ellipse": _ellipse,
    "mask": _mask,
}


def _region(
    element: Element, segmentation: Segmentation | None, box_xywh: BoxXYWH | None = None, **extra: Any
) -> Region:
    texts = {child.get("name", ""): (child.text or "") for child in element if child.tag == "attribute"}
    if texts:
        extra["attributes"] = texts
    if element.get("occluded", "0").strip() == "1":
        extra["occluded"] = True
    return Region(element.get("label", ""), segmentation, box_xywh, extra)


def _number(element: Element, key: str, default: float | None = None) -> float:
    text = element.get(key)
    if text is None and default is not None:
        return default
    return _parse(text, key)


def _parse(text: str | None, key: str) -> float:
    try:
        value = math.nan if text is None else float(text)
    except ValueError:
        value = math.nan
    if not is_number(value):
        raise LeftOutError("number not readable", f"{key} {str(text)[:40]!r}")
    return value


def join_groups(grouped: Iterable[tuple[Region, str]], size_hw: SizeHW) -> list[Region]:
    """Shapes of one label and one group_id (not 0) as one lesion; the only box of a group becomes that of its lesion.

    Boxes are not joined to one another.
    """
    lesions: dict[tuple[int] | tuple[str, str], list[Region]] = {}
    for order, (region, group_id) in enumerate(grouped):
        lesions.setdefault((order,) if group_id in ("", "0") else (region.label, group_id), []).append(region)
    return [joined for members in lesions.values() for joined in _joined(members, size_hw)]


def _joined(members: list[Region], size_hw: SizeHW) -> list[Region]:
    outlined = [(region, region.segmentation) for region in members if region.segmentation is not None]
    boxes = [region for region in members if region.segmentation is None]
    if len(members) == 1 or not outlined:
        return members
    first = outlined[0][0]
    if len(outlined) > 1:
        extra = {key: value for region, _ in outlined for key, value in region.extra.items() if key != "rotated_box"}
        first = Region(first.label, _union([segmentation for _, segmentation in outlined], size_hw), None, extra)
    if len(boxes) == 1:
        return [dataclasses.replace(first, box_xywh=boxes[0].box_xywh)]
    return [first, *boxes]


def _union(segmentations: Sequence[Segmentation], size_hw: SizeHW) -> Segmentation:
    outlines = [segmentation for segmentation in segmentations if not isinstance(segmentation, Mapping)]
    polygons = [polygon for outline in outlines for polygon in outline]
    if len(outlines) == len(segmentations):
        return polygons
    if any(len(polygon) < 6 for polygon in polygons):
        raise LeftOutError("polygon with fewer than three points")
    masks = [mask_from_rle(rle_from_segmentation(segmentation, size_hw)) for segmentation in segmentations]
    return rle_from_mask(np.logical_or.reduce(masks))


def scale_region(region: Region, drawn_hw: SizeHW, size_hw: SizeHW) -> Region:
    """A region drawn on an image of another size; raises LeftOutError if the two differ in shape."""
    scale_xy = scale_between(drawn_hw, size_hw)
    box = region.box_xywh and scale_box(region.box_xywh, scale_xy)
    segmentation = scaled_segmentation(region.segmentation, drawn_hw, size_hw, scale_xy)
    extra = {key: value for key, value in region.extra.items() if key != "rotated_box"}
    return Region(region.label, segmentation, box, extra)


def mask_from_row_runs(runs: Sequence[int] | Ints, size_hw: SizeHW) -> Mask:
    """Run lengths, the first of background, to an (H, W) mask; raises LeftOutError unless they make that size."""
    height, width = size_hw
    if min(height, width) <= 0 or height * width > MAX_PIXELS:
        raise LeftOutError("mask not readable", f"of {height} x {width} px")
    runs = np.asarray(runs, dtype=np.int64)
    if np.any(runs < 0) or np.any(runs > MAX_PIXELS) or runs.sum() != height * width:
        raise LeftOutError("mask not readable", f"its runs do not add up to {height} x {width} px")
    return flat_from_runs(runs).reshape(height, width)


def row_runs_of_mask(mask: Mask) -> list[int]:
    """(H, W) bool -> list of run lengths, row by row, background first."""
    runs: list[int] = run_lengths(mask.ravel()).tolist()
    return runs
