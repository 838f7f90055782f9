"""Results of a Label Studio annotation as regions: percent of the picture to px, brush codes to masks."""

import base64
import binascii
import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard

import numpy as np

from segtumor.annotations.flat_polygons import ellipse_polygon, scale_between, scale_mask
from segtumor.annotations.remarks import LeftOutError
from segtumor.annotations.segmentations import is_number
from segtumor.arrays import BoxXYWH, Mask, SizeHW
from segtumor.formats.collection import OUTLINES_SCALED, SHAPE_NOT_USABLE, Region, Segmentation
from segtumor.formats.label_studio.brush_rle import mask_from_brush
from segtumor.formats.label_studio.tasks import KindAndDetail
from segtumor.formats.shapes.drawn_boxes import CORNER, rotated_box, rotated_box_polygon
from segtumor.formats.shapes.unit_round_trips import without_noise
from segtumor.imaging import MAX_PIXELS
from segtumor.structures.masks import rle_from_mask

_PNG = "data:image/png;base64,"
_TURNED = "picture was turned on the screen, outlines are not"
#: Results that are not regions and say nothing about a lesion's outline or class.
_NO_REGION = ("relation", "choices", "textarea", "number", "rating", "taxonomy", "datetime", "pairwise", "ranker")


class _Drawn(NamedTuple):
    """A shape: its outline, or its box, and further fields of the annotation."""

    segmentation: Segmentation | None
    box_xywh: BoxXYWH | None = None
    extra: Mapping[str, Any] = {}


#: The value of a result, (height, width) of the image, of the picture in Label Studio -> its shape.
_Read = Callable[[Mapping[str, Any], SizeHW, SizeHW], _Drawn]


def check_single_image(results: Sequence[Mapping[str, Any]]) -> None:
    """Raise LeftOutError if results are on more than the first picture of a task."""
    if any(result.get("item_index") not in (None, 0) for result in results):
        raise LeftOutError("several images in one task")


def regions_of(
    results: Sequence[Mapping[str, Any]], size_hw: SizeHW, notes: list[KindAndDetail]
) -> tuple[list[Region], list[str]]:
    """All regions of an annotation, and the choices for the image as a whole; adds to ``notes``.

    Results of one ``id`` describe one region: its shape, its label, choices about it. Raises LeftOutError where a
    region cannot be read, or none can be used.
    """
    by_id: dict[str | int, list[Mapping[str, Any]]] = {}
    for order, result in enumerate(results):
        key = result.get("id")
        by_id.setdefault(key if isinstance(key, str) else order, []).append(result)
    regions, words, unusable = list[Region](), list[str](), list[str]()
    own: dict[KindAndDetail, None] = {}
    for members in by_id.values():
        shape, reader = next(((result, kind) for result in members if (kind := _kind(result))), (None, None))
        choices = [text for result in members for text in _texts(result, "choices")]
        others = [str(result.get("type")) for result in members if result.get("type") not in _NO_REGION]
        if shape is not None and reader is not None:
            regions.append(_region(shape, reader, members, choices, size_hw, own))
        elif others:
            unusable += others
        else:
            words += choices
            own.update({("result not used", str(r.get("type"))): None for r in members if r.get("type") != "choices"})
    if unusable and not regions:
        raise LeftOutError(SHAPE_NOT_USABLE, ", ".join(unusable))
    if unusable:
        own[SHAPE_NOT_USABLE, ", ".join(unusable)] = None
    notes.extend(own)
    return regions, words


def _value(result: Mapping[str, Any]) -> dict[str, Any]:
    value = result.get("value")
    return value if isinstance(value, dict) else {}


def _kind(result: Mapping[str, Any]) -> _Read | None:
    """What reads a result's shape, or None; recognised by its fields, since ``labels`` may be of any shape."""
    value = _value(result)
    for fields, kind in _KINDS:
        if all(field in value for field in fields):
            return kind
    return None


def _texts(result: Mapping[str, Any], key: str) -> list[str]:
    given = _value(result).get(key)
    return [text for text in given if isinstance(text, str)] if isinstance(given, list) else []


def _region(
    shape: Mapping[str, Any],
    read: _Read,
    members: Sequence[Mapping[str, Any]],
    choices: list[str],
    size_hw: SizeHW,
    notes: dict[KindAndDetail, None],
) -> Region:
    labels = [text for r in members for key in _value(r) if key.endswith("labels") for text in _texts(r, key)]
    labels = list(dict.fromkeys(labels))
    if not labels:
        raise LeftOutError("annotation without a label")
    if len(labels) > 1:
        notes["several labels on one region, the first used", ", ".join(labels)] = None
    drawn_hw = _drawn_size(shape, size_hw)
    if drawn_hw != size_hw:
        scale_between(drawn_hw, size_hw)
        notes[OUTLINES_SCALED, f"from {drawn_hw} to {size_hw} (height, width)"] = None
    if shape.get("image_rotation") not in (None, 0):
        notes[_TURNED, f"{shape['image_rotation']!r:.20} degrees"] = None
    drawn = read(_value(shape), size_hw, drawn_hw)
    extra = {**drawn.extra, "choices": choices} if choices else drawn.extra
    return Region(labels[0], drawn.segmentation, drawn.box_xywh, extra)


def _drawn_size(result: Mapping[str, Any], size_hw: SizeHW) -> SizeHW:
    """(height, width) of the picture in Label Studio, or of the image where that is missing."""
    height, width = result.get("original_height"), result.get("original_width")
    return (height, width) if _is_length(height) and _is_length(width) else size_hw


def _is_length(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 < value < 10**6


def px_of_percent(percent: float, size: int) -> float:
    """Percent of ``size`` px, in px."""
    return without_noise(percent * size / 100)


def _numbers(value: Mapping[str, Any], *keys: str) -> list[float]:
    return [_number(value.get(key), key) for key in keys]


def _number(number: Any, key: str) -> float:
    if not is_number(number):
        raise LeftOutError("number not readable", f"{key} {number!r:.40}")
    return float(number)


def _polygon(value: Mapping[str, Any], size_hw: SizeHW, drawn_hw: SizeHW) -> _Drawn:
    points = value["points"]
    if not isinstance(points, list) or not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise LeftOutError("polygon not readable", f"{points!r:.60}")
    if value.get("closed") is False:
        raise LeftOutError("polygon is not closed")
    height, width = size_hw
    pairs = ((px_of_percent(_number(x, "x"), width), px_of_percent(_number(y, "y"), height)) for x, y in points)
    return _Drawn([[number for pair in pairs for number in pair]])


def _rectangle(value: Mapping[str, Any], size_hw: SizeHW, drawn_hw: SizeHW) -> _Drawn:
    percents = _numbers(value, "x", "y", "width", "height")
    x, y, width, height = (px_of_percent(percent, size_hw[1 - i % 2]) for i, percent in enumerate(percents))
    box = (x, y, width, height)
    degrees = _number(value.get("rotation") or 0, "rotation")
    if degrees % 360 == 0:
        return _Drawn(None, box)
    rotated = rotated_box(box, degrees, CORNER)
    return _Drawn([rotated_box_polygon(rotated)], extra={"rotated_box": rotated})


def _ellipse(value: Mapping[str, Any], size_hw: SizeHW, drawn_hw: SizeHW) -> _Drawn:
    percents = _numbers(value, "x", "y", "radiusX", "radiusY")
    x, y, radius_x, radius_y = (px_of_percent(percent, size_hw[1 - i % 2]) for i, percent in enumerate(percents))
    if min(radius_x, radius_y) < 0:
        raise LeftOutError("radius is negative", f"{radius_x}, {radius_y}")
    degrees = _number(value.get("rotation") or 0, "rotation")
    return _Drawn([ellipse_polygon((x, y), (radius_x, radius_y), degrees)])


def _brush(value: Mapping[str, Any], size_hw: SizeHW, drawn_hw: SizeHW) -> _Drawn:
    return _mask(mask_from_brush(value["rle"], drawn_hw), size_hw)


def _bitmask(value: Mapping[str, Any], size_hw: SizeHW, drawn_hw: SizeHW) -> _Drawn:
    return _mask(_mask_from_png(value["imageDataURL"], drawn_hw), size_hw)


def _mask(mask: Mask, size_hw: SizeHW) -> _Drawn:
    return _Drawn(rle_from_mask(mask if mask.shape == size_hw else scale_mask(mask, size_hw)))


def _mask_from_png(text: Any, drawn_hw: SizeHW) -> Mask:
    """A PNG as a data URI; what is not transparent, or without transparency not black, is the mask."""
    from PIL import Image

    if not isinstance(text, str) or not text.startswith(_PNG):
        raise LeftOutError("mask not readable", f"{text!r:.40}")
    try:
        with Image.open(io.BytesIO(base64.b64decode(text[len(_PNG) :], validate=True)), formats=("PNG",)) as picture:
            if picture.size != drawn_hw[::-1] or math.prod(picture.size) > MAX_PIXELS:
                raise LeftOutError("mask not readable", f"of {picture.size}, expected {drawn_hw[::-1]} (width, height)")
            transparent = "A" in picture.getbands() or "transparency" in picture.info
            pixels = np.asarray(picture.convert("RGBA" if transparent else "RGB"))
    except (OSError, ValueError, SyntaxError, binascii.Error, Image.DecompressionBombError) as error:
        raise LeftOutError("mask not readable", str(error)[:80]) from error
    return pixels[..., 3] > 0 if transparent else np.any(pixels, axis=-1)


#: Fields of a value -> what reads it.
_KINDS: tuple[tuple[tuple[str, ...], _Read], ...] = (
    (("points",), _polygon),
    (("rle",), _brush),
    (("imageDataURL",), _bitmask),
    (("x", "y", "radiusX", "radiusY"), _ellipse),
    (("x", "y", "width", "height"), _rectangle),
)
