"""Boxes as they were drawn: at an angle, or apart from the outline.

The corners of a box at an angle are the outline, and how it was drawn is kept in the field ``rotated_box`` of the COCO
annotation: ``{"bbox": [x, y, width, height], "degrees": clockwise, "about": "center" | "corner"}``; CVAT turns boxes
about their centre, Label Studio about their top left corner.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np

from segtumor.annotations.flat_polygons import box_polygon
from segtumor.annotations.segmentations import are_numbers, is_number
from segtumor.arrays import BoxXYWH
from segtumor.structures.polygons import tight_box

CENTER, CORNER = "center", "corner"
_TOLERANCE_PX = 0.01


def rotated_box(box_xywh: Iterable[float], degrees: float, about: str) -> dict[str, Any]:
    """The field of an annotation; px and degrees."""
    return {"bbox": [float(v) for v in box_xywh], "degrees": float(degrees), "about": about}


def rotated_box_polygon(rotated: Mapping[str, Any]) -> list[float]:
    """Its four corners as a flat polygon, the top left one of the unturned box first."""
    pivot = rotated["bbox"][:2] if rotated["about"] == CORNER else None
    return box_polygon(rotated["bbox"], rotated["degrees"], pivot)


def box_turned_about(rotated: Mapping[str, Any], about: str) -> tuple[BoxXYWH, float]:
    """(box xywh, degrees) of the same corners, for a format that turns boxes about another point."""
    x, y, width, height = rotated["bbox"]
    if about != rotated["about"]:
        corners = np.reshape(rotated_box_polygon(rotated), (-1, 2))
        x, y = (corners[0] if about == CORNER else corners.mean(axis=0) - (width / 2, height / 2)).tolist()
    return (x, y, width, height), rotated["degrees"]


def rotated_box_of(annotation: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The ``rotated_box`` of a COCO annotation, or None if it has none or its outline is no longer that box."""
    rotated, segmentation = annotation.get("rotated_box"), annotation.get("segmentation")
    if not _is_rotated_box(rotated) or not isinstance(segmentation, list) or len(segmentation) != 1:
        return None
    corners = rotated_box_polygon(rotated)
    same = len(corners) == len(segmentation[0]) and np.allclose(corners, segmentation[0], rtol=0, atol=_TOLERANCE_PX)
    return rotated if same else None


def box_drawn_apart(box_xywh: Sequence[float], outline: Sequence[float]) -> bool:
    """Whether a box is another than the tight one of an outline (flat, px): then it was drawn by hand."""
    left, top, right, bottom = tight_box(np.reshape(outline, (-1, 2)))
    return not np.allclose(box_xywh, (left, top, right - left, bottom - top), rtol=0, atol=_TOLERANCE_PX)


def _is_rotated_box(value: Any) -> TypeGuard[Mapping[str, Any]]:
    if not isinstance(value, dict) or value.get("about") not in (CENTER, CORNER):
        return False
    return are_numbers(value.get("bbox"), 4) and is_number(value.get("degrees"))
