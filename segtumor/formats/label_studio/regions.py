"""Results of a Label Studio annotation as regions: percent of the picture to px, brush codes to masks."""

import base64
import binascii
import io
import math

import numpy as np

from segtumor.annotations.flat_polygons import ellipse_polygon, scale_between
from segtumor.annotations.remarks import LeftOutError
from segtumor.annotations.segmentations import is_number
from segtumor.formats.collection import Region
from segtumor.formats.label_studio.brush_rle import mask_from_brush
from segtumor.formats.shapes.drawn_boxes import CORNER, rotated_box, rotated_box_polygon
from segtumor.formats.shapes.mask_runs import resize_mask
from segtumor.formats.shapes.unit_round_trips import without_noise
from segtumor.imaging import MAX_PIXELS
from segtumor.structures.masks import rle_from_mask

_PNG = "data:image/png;base64,"
_SCALED = "outlines scaled to the size of the image"
_TURNED = "picture was turned on the screen, outlines are not"
#: Results that are no regions and say nothing about a lesion's outline or class.
_NO_REGION = ("relation", "choices", "textarea", "number", "rating", "taxonomy", "datetime", "pairwise", "ranker")


def check_single_image(results):
    """Raise LeftOutError if results are on more than the first picture of a task."""
    if any(result.get("item_index") not in (None, 0) for result in results):
        raise LeftOutError("several images in one task")


def regions_of(results, size_hw, notes):
    """All regions of an annotation.

    Args:
        results: list of dicts; those of one ``id`` tell of one region (its shape, its label, choices about it).
        size_hw: (height, width) of the image, px.
        notes: (kind, detail) are added to it.

    Returns:
        list of Region, and the choices made for the image as a whole, as texts.

    Raises:
        LeftOutError: a region cannot be read, or none of them can be used.
    """
    by_id = {}
    for order, result in enumerate(results):
        by_id.setdefault(result.get("id") if isinstance(result.get("id"), str) else order, []).append(result)
    regions, words, unusable, own = [], [], [], {}
    for members in by_id.values():
        shape = next((result for result in members if _kind(result)), None)
        choices = [text for result in members for text in _texts(result, "choices")]
        others = [str(result.get("type")) for result in members if result.get("type") not in _NO_REGION]
        if shape is not None:
            regions.append(_region(shape, members, choices, size_hw, own))
        elif others:
            unusable += others
        else:
            words += choices
            own.update({("result not used", str(r.get("type"))): None for r in members if r.get("type") != "choices"})
    if unusable and not regions:
        raise LeftOutError("shape not usable", ", ".join(unusable))
    if unusable:
        own["shape not usable", ", ".join(unusable)] = None
    notes.extend(own)
    return regions, words


def _value(result):
    value = result.get("value")
    return value if isinstance(value, dict) else {}


def _kind(result):
    """The function that reads a result's shape, or None; told by its fields, since ``labels`` may be any shape."""
    value = _value(result)
    for fields, kind in _KINDS:
        if all(field in value for field in fields):
            return kind
    return None


def _texts(result, key):
    given = _value(result).get(key)
    return [text for text in given if isinstance(text, str)] if isinstance(given, list) else []


def _region(shape, members, choices, size_hw, notes):
    labels = [text for r in members for key in _value(r) if key.endswith("labels") for text in _texts(r, key)]
    labels = list(dict.fromkeys(labels))
    if not labels:
        raise LeftOutError("annotation without a label")
    if len(labels) > 1:
        notes["several labels on one region, the first used", ", ".join(labels)] = None
    drawn_hw = _drawn_size(shape, size_hw)
    if drawn_hw != tuple(size_hw):
        scale_between(drawn_hw, size_hw)
        notes[_SCALED, f"from {drawn_hw} to {tuple(size_hw)} (height, width)"] = None
    if shape.get("image_rotation") not in (None, 0):
        notes[_TURNED, f"{shape['image_rotation']!r:.20} degrees"] = None
    segmentation, box, extra = _kind(shape)(_value(shape), size_hw, drawn_hw)
    return Region(labels[0], segmentation, box, {**extra, "choices": choices} if choices else extra)


def _drawn_size(result, size_hw):
    """(height, width) of the picture in Label Studio, or of the image where that is missing."""
    drawn = tuple(result.get(key) for key in ("original_height", "original_width"))
    return drawn if all(type(n) is int and 0 < n < 10**6 for n in drawn) else tuple(size_hw)


def px_of_percent(percent, size):
    """Percent of ``size`` px, in px."""
    return without_noise(percent * size / 100)


def _numbers(value, *keys):
    numbers = [value.get(key) for key in keys]
    return [_number(number, key) for number, key in zip(numbers, keys, strict=True)]


def _number(number, key):
    if not is_number(number):
        raise LeftOutError("number not readable", f"{key} {number!r:.40}")
    return number


def _polygon(value, size_hw, drawn_hw):
    points = value["points"]
    if not isinstance(points, list) or not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise LeftOutError("polygon not readable", f"{points!r:.60}")
    if value.get("closed") is False:
        raise LeftOutError("polygon is not closed")
    height, width = size_hw
    pairs = ((px_of_percent(_number(x, "x"), width), px_of_percent(_number(y, "y"), height)) for x, y in points)
    return [[number for pair in pairs for number in pair]], None, {}


def _rectangle(value, size_hw, drawn_hw):
    percents = _numbers(value, "x", "y", "width", "height")
    box = tuple(px_of_percent(percent, size_hw[1 - i % 2]) for i, percent in enumerate(percents))
    degrees = _number(value.get("rotation") or 0, "rotation")
    if degrees % 360 == 0:
        return None, box, {}
    rotated = rotated_box(box, degrees, CORNER)
    return [rotated_box_polygon(rotated)], None, {"rotated_box": rotated}


def _ellipse(value, size_hw, drawn_hw):
    percents = _numbers(value, "x", "y", "radiusX", "radiusY")
    x, y, radius_x, radius_y = (px_of_percent(percent, size_hw[1 - i % 2]) for i, percent in enumerate(percents))
    if min(radius_x, radius_y) < 0:
        raise LeftOutError("radius is negative", f"{radius_x}, {radius_y}")
    degrees = _number(value.get("rotation") or 0, "rotation")
    return [ellipse_polygon((x, y), (radius_x, radius_y), degrees)], None, {}


def _brush(value, size_hw, drawn_hw):
    return _mask(mask_from_brush(value["rle"], drawn_hw), size_hw)


def _bitmask(value, size_hw, drawn_hw):
    return _mask(_mask_from_png(value["imageDataURL"], drawn_hw), size_hw)


def _mask(mask, size_hw):
    return rle_from_mask(mask if mask.shape == tuple(size_hw) else resize_mask(mask, size_hw)), None, {}


def _mask_from_png(text, drawn_hw):
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
    return pixels[..., 3] > 0 if transparent else pixels.any(axis=-1)


#: Fields of a value -> what reads it: (value, (height, width) of the image, of the picture in Label Studio) ->
#: (segmentation, box, extra fields).
_KINDS = (
    (("points",), _polygon),
    (("rle",), _brush),
    (("imageDataURL",), _bitmask),
    (("x", "y", "radiusX", "radiusY"), _ellipse),
    (("x", "y", "width", "height"), _rectangle),
)
