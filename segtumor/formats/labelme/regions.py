"""The shapes of one LabelMe file as lesions, each once: groups joined, rectangles given to the outlines they enclose.

``group_id`` says that shapes of one label are one lesion. What it does not link is paired by geometry, as in BTXRD,
whose lesions were drawn twice. Not here: reading (``shapes``).
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from segtumor.annotations.flat_polygons import box_from_corners, ellipse_polygon, scale_box, scale_mask, scale_polygon
from segtumor.arrays import Box, BoxXYWH, SizeHW
from segtumor.formats.collection import Region
from segtumor.formats.labelme.shapes import CIRCLE, POLYGON, RECTANGLE, Shape, pair_by_label
from segtumor.structures.masks import mask_from_rle, rle_from_mask, rle_from_polygons

#: Fields of a COCO annotation that an ``attributes`` of a shape must not overwrite.
_OWN = {"id", "image_id", "category_id", "bbox", "segmentation", "area"}


def regions(
    shapes: Sequence[Shape], *, drawn_hw: SizeHW, size_hw: SizeHW, scale_xy: tuple[float, float]
) -> tuple[tuple[Region, ...], int]:
    """Lesions in the order of their outlines, boxes alone last; and how many had a rectangle beside their outline."""
    outlined, boxed = list[list[Shape]](), list[list[Shape]]()
    for unit in _units(shapes):
        (boxed if all(shape.kind == RECTANGLE for shape in unit) else outlined).append(unit)
    free = [number for number, unit in enumerate(outlined) if not _rectangles(unit)]
    pairs = pair_by_label(
        [(unit[0].label, _hull(unit)) for unit in boxed],
        [(outlined[number][0].label, _hull(outlined[number])) for number in free],
    )
    for number, partner in pairs.items():
        outlined[free[number]] = [*outlined[free[number]], *boxed[partner]]
    alone = [unit for number, unit in enumerate(boxed) if number not in pairs.values()]
    found = [_outlined(unit, drawn_hw, size_hw, scale_xy) for unit in outlined]
    found += [Region(unit[0].label, None, _box(unit, scale_xy), _extra(unit)) for unit in alone]
    return tuple(found), sum(bool(_rectangles(unit)) for unit in outlined)


def _units(shapes: Sequence[Shape]) -> Collection[list[Shape]]:
    """Lists of the shapes of one lesion, as the groups say."""
    units: dict[tuple[int | str, int | None], list[Shape]] = {}
    for number, shape in enumerate(shapes):
        key = (number, None) if shape.group is None else (shape.label, shape.group)
        units.setdefault(key, []).append(shape)
    return units.values()


def _rectangles(unit: Sequence[Shape]) -> list[Shape]:
    return [shape for shape in unit if shape.kind == RECTANGLE]


def _hull(unit: Sequence[Shape]) -> Box:
    """The box xyxy around all shapes."""
    lefts, tops, rights, bottoms = zip(*(shape.box_xyxy for shape in unit), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _box(rectangles: Sequence[Shape], scale_xy: tuple[float, float]) -> BoxXYWH:
    return box_from_corners(scale_box(_hull(rectangles), scale_xy))


def _outlined(unit: Sequence[Shape], drawn_hw: SizeHW, size_hw: SizeHW, scale_xy: tuple[float, float]) -> Region:
    outlines, rectangles, extra = [shape for shape in unit if shape.kind != RECTANGLE], _rectangles(unit), _extra(unit)
    if rectangles:
        extra["drawn_box"] = list(_box(rectangles, scale_xy))
    if len(outlines) == 1 and outlines[0].kind == CIRCLE and scale_xy == (1.0, 1.0):
        extra["circle"] = [*outlines[0].points_xy[0].tolist(), outlines[0].radius_px]
    polygons = [_polygon(shape, scale_xy) for shape in outlines if shape.kind in (POLYGON, CIRCLE)]
    masks = [(shape.mask, shape.points_xy[0]) for shape in outlines if shape.mask is not None]
    if not masks:
        return Region(outlines[0].label, polygons, None, extra)
    union = mask_from_rle(rle_from_polygons(polygons, size_hw)) if polygons else np.zeros(size_hw, dtype=bool)
    for mask, (x, y) in masks:
        union |= scale_mask(mask, size_hw, corner_xy=(int(x), int(y)), drawn_hw=drawn_hw)
    return Region(outlines[0].label, rle_from_mask(union), None, extra)


def _polygon(shape: Shape, scale_xy: tuple[float, float]) -> list[float]:
    if shape.kind == CIRCLE:
        flat = ellipse_polygon(shape.points_xy[0], (shape.radius_px, shape.radius_px))
    else:
        flat = [float(value) for value in shape.points_xy.ravel()]
    return flat if scale_xy == (1.0, 1.0) else scale_polygon(flat, scale_xy)


def _extra(unit: Sequence[Shape]) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    for shape in reversed(unit):  # where shapes of one lesion contradict each other, the first wins
        attributes = shape.fields.get("attributes", {})
        extra |= {key: value for key, value in attributes.items() if key not in _OWN}
        extra |= {key: shape.fields[key] for key in ("description", "flags") if key in shape.fields}
    groups = [shape.group for shape in unit if shape.group is not None]
    return {**extra, "group_id": groups[0]} if groups else extra
