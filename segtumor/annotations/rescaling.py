"""Annotations of a picture that has been made larger or smaller since: everything in pixels, and millimetres per pixel.

Never a guess: another shape, or a turned picture (width and height exchanged), is no other size of the same picture.
"""

import math
from collections.abc import Mapping
from typing import Any

from segtumor.annotations.flat_polygons import scale_between, scale_mask, scale_polygon
from segtumor.annotations.remarks import LeftOutError
from segtumor.annotations.segmentations import are_numbers, is_number
from segtumor.imaging import MAX_PIXELS
from segtumor.structures.masks import mask_from_rle, rle_from_mask, rle_from_segmentation

Scale = tuple[float, float]


def scale_of(drawn_hw: tuple[int, int], size_hw: tuple[int, int]) -> Scale:
    """As ``scale_between``; raises LeftOutError also where masks of the size drawn on would be too large."""
    if tuple(drawn_hw) != tuple(size_hw) and drawn_hw[0] * drawn_hw[1] > MAX_PIXELS:
        raise LeftOutError("outlines drawn on an image too large to scale them", str(tuple(drawn_hw)))
    return scale_between(drawn_hw, size_hw)


def scaled_segmentation(segmentation: Any, drawn_hw: tuple[int, int], size_hw: tuple[int, int], scale_xy: Scale) -> Any:
    """Polygons as points, an RLE by the nearest pixel; nothing stays nothing."""
    if isinstance(segmentation, dict):
        mask = mask_from_rle(rle_from_segmentation(segmentation, drawn_hw))
        return rle_from_mask(scale_mask(mask, size_hw))
    return segmentation and [scale_polygon(polygon, scale_xy) for polygon in segmentation]


def scaled_fields(annotation: Mapping[str, Any], scale_xy: Scale) -> dict[str, Any]:
    """The further fields of an annotation that are in pixels, scaled; what is malformed stays as it is and is missing.

    These are ``area``, ``drawn_box``, ``rotated_box``, ``circle`` (of another size in x than in y, it is none) and
    ``keypoints``; ``bbox`` and ``segmentation`` are not among them.
    """
    (x, y), found = scale_xy, {}
    if is_number(annotation.get("area"), limit=1e12):
        found["area"] = annotation["area"] * x * y
    if are_numbers(annotation.get("drawn_box"), 4):
        found["drawn_box"] = scale_polygon(annotation["drawn_box"], scale_xy)
    if are_numbers(annotation.get("circle"), 3):
        circle = annotation["circle"]
        found["circle"] = [circle[0] * x, circle[1] * y, circle[2] * x] if math.isclose(x, y) else None
    rotated = annotation.get("rotated_box")
    if isinstance(rotated, dict) and are_numbers(rotated.get("bbox"), 4):
        found["rotated_box"] = {**rotated, "bbox": scale_polygon(rotated["bbox"], scale_xy)}
    points = annotation.get("keypoints")
    if isinstance(points, list) and len(points) % 3 == 0 and are_numbers(points, len(points)):
        found["keypoints"] = [value * (x, y, 1)[i % 3] for i, value in enumerate(points)]
    return found


def scaled_spacing(spacing_mm: Any, scale_xy: Scale) -> Any:
    """[row, column] in mm per pixel of the picture as it is now; what is no spacing stays as it is."""
    if not are_numbers(spacing_mm, 2):
        return spacing_mm
    return [spacing_mm[0] / scale_xy[1], spacing_mm[1] / scale_xy[0]]
