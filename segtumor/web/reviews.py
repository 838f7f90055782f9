"""What a reader says of an image: checked when it comes in, and what it means for a data set.

A review judges findings of the model (accepted, rejected, edited) and has lesions of its own (drawn). What is not
mentioned is not judged. The model's own answer stays as it is beside it.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segtumor.errors import DataError
from segtumor.structures.polygons import clip_polygon, polygon_area
from segtumor.structures.readings import Reading
from segtumor.web.storage.schema import Review

ACCEPTED, REJECTED, EDITED, DRAWN = "accepted", "rejected", "edited", "drawn"
VERDICTS = (ACCEPTED, REJECTED, EDITED, DRAWN)
_MOST_FINDINGS, _MOST_OUTLINES, _MOST_POINTS, _LONGEST_COMMENT = 200, 50, 5000, 4000
#: An outline below it is a slip of the mouse, px^2.
_LEAST_AREA_PX = 1.0

Outline = list[list[float]]


@dataclass(frozen=True)
class Judged:
    """One finding of a review; fields as in the API's description."""

    origin: int | None
    verdict: str
    class_name: str
    outlines: tuple[Outline, ...]
    comment: str


@dataclass(frozen=True)
class Judgement:
    """A review's content."""

    findings: tuple[Judged, ...]
    comment: str

    @property
    def lesions(self) -> tuple[Judged, ...]:
        """What the reader takes for lesions."""
        return tuple(finding for finding in self.findings if finding.verdict != REJECTED)

    def is_complete(self, reading: Reading | None, threshold: float) -> bool:
        """Whether every finding of at least the threshold is judged; of an image without a reading it is."""
        judged = {finding.origin for finding in self.findings}
        found = () if reading is None else reading.findings
        return all(index in judged for index, f in enumerate(found) if f.score >= threshold and f.is_placed)


def judgement_of(
    value: Any, *, class_names: Sequence[str], size_hw: tuple[int, int], reading: Reading | None
) -> Judgement:
    """Check what the page sent.

    Args:
        value: {"findings": [...], "comment": ...}, of JSON.
        size_hw: of the radiograph, px; outlines are cut at its borders.
        reading: of the model, whose findings ``origin`` counts; None where there is none yet.

    Raises:
        DataError: a field is missing or wrong; it is named.
    """
    items = value.get("findings") if isinstance(value, dict) else None
    if not isinstance(items, list) or len(items) > _MOST_FINDINGS:
        raise DataError("not a review", where="findings", expected=f"a list of at most {_MOST_FINDINGS}")
    count = 0 if reading is None else len(reading.findings)
    findings = tuple(_judged(f"findings[{n}]", item, class_names, size_hw, count) for n, item in enumerate(items))
    origins = [finding.origin for finding in findings if finding.origin is not None]
    if len(set(origins)) < len(origins):
        raise DataError("a finding is judged twice", where="findings", expected="each origin once")
    return Judgement(findings, _comment("comment", value.get("comment", "")))


def to_text(judgement: Judgement) -> str:
    """JSON to be kept."""
    return json.dumps(content_of(judgement), allow_nan=False)


def content_of(judgement: Judgement) -> dict[str, Any]:
    """As the API has it, without revision, user and time."""
    return {
        "findings": [
            {
                "origin": finding.origin,
                "verdict": finding.verdict,
                "class": finding.class_name,
                "outlines": list(finding.outlines),
                "comment": finding.comment,
            }
            for finding in judgement.findings
        ],
        "comment": judgement.comment,
    }


def kept_judgement(review: Review) -> Judgement:
    """The content of a review that was kept."""
    value = json.loads(review.document)
    findings = (
        Judged(f["origin"], f["verdict"], f["class"], tuple(f["outlines"]), f["comment"]) for f in value["findings"]
    )
    return Judgement(tuple(findings), value["comment"])


def as_plain(review: Review) -> dict[str, Any]:
    """A kept review as the API has it."""
    content: dict[str, Any] = json.loads(review.document)
    return {
        "revision": review.revision,
        "user": review.user,
        "saved": review.saved.isoformat(timespec="seconds") + "Z",
        **content,
    }


def _judged(where: str, item: Any, class_names: Sequence[str], size_hw: tuple[int, int], count: int) -> Judged:
    if not isinstance(item, dict):
        raise DataError("not a finding", where=where, expected="an object")
    origin, verdict, name = item.get("origin"), item.get("verdict"), item.get("class")
    if verdict not in VERDICTS:
        raise DataError("no verdict", where=f"{where}.verdict", expected=f"one of {', '.join(VERDICTS)}")
    if (verdict == DRAWN) != (origin is None):
        expected = "null for what the reader drew, else the index of the model's finding"
        raise DataError("origin and verdict contradict each other", where=f"{where}.origin", expected=expected)
    if origin is not None and (type(origin) is not int or not 0 <= origin < count):
        raise DataError("no such finding", where=f"{where}.origin", expected=f"0 to {count - 1}")
    if not isinstance(name, str) or name not in class_names:
        raise DataError("no such class", where=f"{where}.class", expected=f"one of {', '.join(class_names)}")
    outlines = _outlines(f"{where}.outlines", item.get("outlines", []), size_hw)
    if verdict in (EDITED, DRAWN) and not outlines:
        raise DataError("no outline within the picture", where=f"{where}.outlines", expected="at least one")
    return Judged(origin, verdict, name, outlines, _comment(f"{where}.comment", item.get("comment", "")))


def _outlines(where: str, value: Any, size_hw: tuple[int, int]) -> tuple[Outline, ...]:
    if not isinstance(value, list) or len(value) > _MOST_OUTLINES:
        raise DataError("not outlines", where=where, expected=f"a list of at most {_MOST_OUTLINES}")
    kept = []
    for number, points in enumerate(value):
        clipped = clip_polygon(_points(f"{where}[{number}]", points), size_hw)
        if polygon_area(clipped) >= _LEAST_AREA_PX:
            kept.append(np.round(clipped, 2).tolist())
    return tuple(kept)


def _points(where: str, points: Any) -> list[list[float]]:
    expected = f"3 to {_MOST_POINTS} pairs of numbers [x, y], px"
    if not isinstance(points, list) or not 3 <= len(points) <= _MOST_POINTS:
        raise DataError("not an outline", where=where, expected=expected)
    for point in points:
        if not isinstance(point, list) or len(point) != 2 or not all(map(_is_coordinate, point)):
            raise DataError("not an outline", where=where, expected=expected)
    return points


def _is_coordinate(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) < 1e6


def _comment(where: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_COMMENT:
        raise DataError("not a comment", where=where, expected=f"a text of at most {_LONGEST_COMMENT} characters")
    return value
