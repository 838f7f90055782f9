"""One item of a predictions file -> a Finding, one image of it -> what is said of it as a whole; checked by field.

Not here: files, images and which item belongs to which (``document``).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np

from segtumor.arrays import Box, Rle
from segtumor.errors import DataError
from segtumor.structures.boxes import box_xywh_to_xyxy
from segtumor.structures.lesions import UNPLACED, Finding
from segtumor.structures.masks import rle_box, rle_from_segmentation
from segtumor.structures.readings import OTHER_NOTE, Note, Similar
from segtumor.structures.rle import rle_runs
from segtumor.taxonomy import NORMAL

_LARGEST = 1e12  # no coordinate comes near it
#: Of one finding. Drawing takes time by the length of the outlines, which in a file of 1 MB can be that of a planet.
_MOST_POLYGONS, _LONGEST_OUTLINE_PX = 1_000, 1e6


def finding_of(
    item: Mapping[str, Any], size_hw: tuple[int, int], classes: Mapping[int, int], class_names: Sequence[str]
) -> Finding:
    """The Finding of a COCO result item, perhaps with ``class_probabilities`` and ``agreement``.

    Args:
        classes: {category id: class_id}.
    """
    category_id, score = item.get("category_id"), item.get("score")
    if not is_int(category_id) or category_id not in classes:
        raise DataError("unknown category_id", got=category_id, expected=sorted(classes))
    if not _is_number(score) or not 0 <= score <= 1:
        raise DataError("score is no probability", got=score, expected="0 to 1")
    segmentation = item.get("segmentation")
    rle = None if segmentation is None or segmentation == [] else _mask(segmentation, size_hw)
    agreement = item.get("agreement")
    return Finding(
        classes[category_id],
        float(score),
        _box(item, rle),
        rle,
        _probabilities(item, class_names),
        None if agreement is None else _probability("agreement", agreement),
    )


def reading_fields(image: Mapping[str, Any], class_names: Sequence[str]) -> dict[str, Any]:
    """The fields of ``Reading`` that an entry of "images" has, ``class_names`` and ``size_hw`` apart."""
    readers: dict[str, Callable[[Any], Any]] = {
        "image_probabilities": lambda given: _image_probabilities(given, class_names),
        "marks_lesions": lambda given: _yes_or_no("marks_lesions", given),
        "uncertainty": lambda given: _probability("uncertainty", given),
        "prediction_set": lambda given: _prediction_set(given, class_names),
        "attributes": _attributes,
        "notes": _notes,
        "similar": _similar,
        "timings_s": _timings,
    }
    return {key: read(image[key]) for key, read in readers.items() if image.get(key) is not None}


def _image_probabilities(given: Any, class_names: Sequence[str]) -> tuple[float, ...]:
    names = (NORMAL, *class_names)
    if not isinstance(given, dict) or set(given) != set(names):
        raise DataError("malformed image_probabilities", got=f"{given!r:.60}", expected=f"one each for {list(names)}")
    return tuple(_probability("image probability", given[name]) for name in names)


def _prediction_set(given: Any, class_names: Sequence[str]) -> tuple[str, ...]:
    names = (NORMAL, *class_names)
    if not isinstance(given, list) or not all(isinstance(name, str) and name in names for name in given):
        raise DataError("malformed prediction_set", got=f"{given!r:.60}", expected=f"a list of some of {list(names)}")
    return tuple(given)


def _yes_or_no(what: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise DataError(f"malformed {what}", got=f"{value!r:.60}", expected="true or false")
    return value


def _notes(given: Any) -> tuple[Note, ...]:
    if not isinstance(given, list) or not all(isinstance(note, dict) for note in given):
        raise DataError("malformed notes", got=f"{given!r:.60}", expected='a list of {"code", "text"}')
    return tuple(Note(str(note.get("code", OTHER_NOTE)), str(note.get("text", ""))) for note in given)


def _similar(given: Any) -> tuple[Similar, ...]:
    if not isinstance(given, list) or not all(
        isinstance(one, dict) and _is_number(one.get("distance")) for one in given
    ):
        raise DataError("malformed similar", got=f"{given!r:.60}", expected="a list of images with their distance")
    return tuple(
        Similar(str(one.get("file_name", "")), str(one.get("case_id", "")), str(one.get("label", "")), one["distance"])
        for one in given
    )


def _attributes(given: Any) -> dict[str, tuple[str, float]]:
    if not isinstance(given, dict) or not all(isinstance(said, dict) for said in given.values()):
        expected = '{task: {"value", "probability"}}'
        raise DataError("malformed attributes", got=f"{given!r:.60}", expected=expected)
    return {
        str(task): (str(said.get("value")), _probability(f"probability of {task}", said.get("probability")))
        for task, said in given.items()
    }


def _timings(given: Any) -> dict[str, float]:
    if not isinstance(given, dict) or not all(_is_number(seconds) and seconds >= 0 for seconds in given.values()):
        raise DataError("malformed timings_s", got=f"{given!r:.60}", expected="seconds by name")
    return {str(name): float(seconds) for name, seconds in given.items()}


def _probability(what: str, value: Any) -> float:
    if not _is_number(value) or not 0 <= value <= 1:
        raise DataError(f"{what} out of range", got=value, expected="0 to 1")
    return float(value)


def _box(item: Mapping[str, Any], rle: Rle | None) -> Box:
    if item.get("bbox") is None and rle is not None:
        return rle_box(rle)
    if "bbox" in item and item["bbox"] is None and "segmentation" in item:
        return UNPLACED  # written down as such; a key that is missing is a mistake
    box = item.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)) or min(box[2:]) < 0:
        raise DataError("malformed bbox", got=box, expected="[x, y, width, height], finite, no negative size")
    x0, y0, x1, y1 = box_xywh_to_xyxy(box).tolist()
    return x0, y0, x1, y1


def _mask(segmentation: Any, size_hw: tuple[int, int]) -> Rle:
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


def _check_polygons(polygons: Sequence[Any], size_hw: tuple[int, int]) -> None:
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


def _length_px(polygon: Sequence[float]) -> float:
    points = np.reshape(polygon, (-1, 2))
    return float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum())


def _probabilities(item: Mapping[str, Any], class_names: Sequence[str]) -> tuple[float, ...]:
    given = item.get("class_probabilities")
    if given is None or given == {}:
        return ()
    if not isinstance(given, dict) or not set(given) <= set(class_names):
        raise DataError("malformed class_probabilities", got=f"{given!r:.60}", expected=f"of {list(class_names)}")
    # null is NaN: of a class that was not judged at this place (``postprocessing.suppress_across_classes``).
    if not all(p is None or (_is_number(p) and 0 <= p <= 1) for p in given.values()):
        raise DataError("class probability out of range", got=given, expected="0 to 1")
    probabilities = (given.get(name, 0.0) for name in class_names)
    return tuple(math.nan if p is None else float(p) for p in probabilities)


def _is_number(value: Any) -> TypeGuard[float]:
    """Whether a JSON value is a number that one can compute with: no NaN, no infinity, nothing absurdly large."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _LARGEST


def is_int(value: Any) -> TypeGuard[int]:
    """Whether a JSON value is an integer, which True is not."""
    return isinstance(value, int) and not isinstance(value, bool)
