"""One item of a predictions file -> a Finding, checked field by field.

Not here: files, images and which item belongs to which (``predictions``).
"""

import math

import numpy as np

from segtumor.errors import DataError
from segtumor.structures.boxes import box_xywh_to_xyxy
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_box, rle_from_segmentation
from segtumor.structures.rle import rle_runs

_LARGEST = 1e12  # no coordinate comes near it
#: Of one finding. Drawing takes time by the length of the outlines, which in a file of 1 MB can be that of a planet.
_MOST_POLYGONS, _LONGEST_OUTLINE_PX = 1_000, 1e6


def finding_of(item, size_hw, classes, class_names):
    """The Finding of a result item.

    Args:
        item: dict as in a COCO results list, perhaps with ``class_probabilities``.
        size_hw: of its image.
        classes: {category id: class_id}.
        class_names: names by ``class_id``.

    Raises:
        DataError: whatever is wrong with it.
    """
    category_id, score = item.get("category_id"), item.get("score")
    if not is_int(category_id) or category_id not in classes:
        raise DataError("unknown category_id", got=category_id, expected=sorted(classes))
    if not _is_number(score) or not 0 <= score <= 1:
        raise DataError("score is no probability", got=score, expected="0 to 1")
    segmentation = item.get("segmentation")
    rle = None if segmentation is None or segmentation == [] else _mask(segmentation, size_hw)
    return Finding(classes[category_id], float(score), _box(item, rle), rle, _probabilities(item, class_names))


def _box(item, rle):
    if item.get("bbox") is None and rle is not None:
        return rle_box(rle)
    box = item.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)) or min(box[2:]) < 0:
        raise DataError("malformed bbox", got=box, expected="[x, y, width, height], finite, no negative size")
    return tuple(box_xywh_to_xyxy(box).tolist())


def _mask(segmentation, size_hw):
    if isinstance(segmentation, list):
        _check_polygons(segmentation, size_hw)
    try:
        rle = rle_from_segmentation(segmentation, size_hw)
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        raise DataError("malformed segmentation", got=f"{segmentation!r:.60}") from error
    runs = rle_runs(rle["counts"])
    total = -1 if runs is None else int(runs.sum())
    if total != size_hw[0] * size_hw[1]:
        got = "unreadable counts" if runs is None else f"{total} px"
        raise DataError("RLE does not fill its image", got=got, expected=f"{size_hw[0] * size_hw[1]} px")
    return rle


def _check_polygons(polygons, size_hw):
    reach = max(size_hw)  # pycocotools walks along each edge: a point far outside would cost memory without end
    for polygon in polygons:
        good = isinstance(polygon, list) and len(polygon) >= 6 and len(polygon) % 2 == 0
        if not good or not all(_is_number(value) and -reach <= value <= 2 * reach for value in polygon):
            expected = "[x, y, ...] of 3 points or more, on the image"
            raise DataError("malformed polygon", got=f"{polygon!r:.60}", expected=expected)
    length_px = sum(_length_px(polygon) for polygon in polygons) if len(polygons) <= _MOST_POLYGONS else math.inf
    if length_px > _LONGEST_OUTLINE_PX:
        expected = f"at most {_MOST_POLYGONS} polygons, {_LONGEST_OUTLINE_PX:.0f} px long together"
        raise DataError("outline too long", got=f"{len(polygons)} polygons", expected=expected)


def _length_px(polygon):
    points = np.reshape(polygon, (-1, 2))
    return float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum())


def _probabilities(item, class_names):
    given = item.get("class_probabilities")
    if given is None or given == {}:
        return ()
    if not isinstance(given, dict) or not set(given) <= set(class_names):
        raise DataError("malformed class_probabilities", got=f"{given!r:.60}", expected=f"of {list(class_names)}")
    if not all(_is_number(p) and 0 <= p <= 1 for p in given.values()):
        raise DataError("class probability out of range", got=given, expected="0 to 1")
    return tuple(float(given.get(name, 0.0)) for name in class_names)


def _is_number(value):
    """Whether a JSON value is a number that one can compute with: no NaN, no infinity, nothing absurdly large."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _LARGEST


def is_int(value):
    """Whether a JSON value is an integer, which True is not."""
    return isinstance(value, int) and not isinstance(value, bool)
