"""Readings: how they are kept, and how the page is told of them.

A kept reading is one line of inference's journal with the model's name and threshold of that time, so that a later
model does not change what was said.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from segtumor.errors import DataError
from segtumor.inference.batch.journal_lines import outcome_line, outcome_of
from segtumor.structures.diameters import longest_extent
from segtumor.structures.lesions import Finding
from segtumor.structures.outcomes import InferenceOutcome
from segtumor.structures.outlines import outlines_from_mask
from segtumor.structures.readings import Reading
from segtumor.system.opencv import cv2
from segtumor.taxonomy import MALIGNANT, NORMAL
from segtumor.web.storage.schema import Image
from segtumor.web.storage.store import Store

_VERSION = 1


class NoReadingError(DataError):
    """An image that is not read yet, or could not be."""


#: Outlines are shown and edited with few corners: none of the mask's own lies farther from them than so many px, or
#: than this share of its longest diameter.
_TOLERANCE_PX, _TOLERANCE = 0.7, 0.004


@dataclass(frozen=True)
class KeptReading:
    """A reading with the model that gave it and the threshold that was its own, [0, 1]."""

    reading: Reading
    model: str
    threshold: float


def to_bytes(kept: KeptReading) -> bytes:
    """What ``from_bytes`` reads; maps and embedding are not kept."""
    outcome = InferenceOutcome(kept.reading.name, kept.reading)
    value = {
        "schema_version": _VERSION,
        "model": kept.model,
        "threshold": kept.threshold,
        "class_names": list(kept.reading.class_names),
        "outcome": outcome_line(outcome, "", None),
    }
    return json.dumps(value).encode()


def from_bytes(data: bytes) -> KeptReading:
    """A kept reading; raises DataError where it is damaged."""
    try:
        value = json.loads(data)
        outcome = outcome_of(value["outcome"], value["class_names"])
        if outcome is None or outcome.reading is None or value["schema_version"] != _VERSION:
            raise ValueError("no reading")
        return KeptReading(outcome.reading, str(value["model"]), float(value["threshold"]))
    except (KeyError, TypeError, ValueError) as error:
        remedy = "Remove the image and upload it again"
        raise DataError("the kept reading of this image is damaged", remedy=remedy) from error


def kept_reading(store: Store, image: Image) -> KeptReading:
    """The reading of an image; raises NoReadingError where there is none."""
    if image.reading_sha256 is None:
        raise NoReadingError("this image has no reading", got=image.status, remedy=image.reason or "Wait for it")
    return from_bytes(store.blobs.get(image.reading_sha256))


def malignant_score(reading: Reading) -> float | None:
    """Score of malignant of the whole image, [0, 1]; None from a model without that class."""
    if MALIGNANT not in reading.class_names:
        return None
    return float(reading.class_scores[1 + reading.class_names.index(MALIGNANT)])


def called(reading: Reading, threshold: float) -> str:
    """Name of the class that the whole image is called."""
    return (NORMAL, *reading.class_names)[reading.image_class(threshold)]


def as_plain(kept: KeptReading) -> dict[str, Any]:
    """What the page is told of a reading; all findings, which it filters itself."""
    reading = kept.reading
    names = (NORMAL, *reading.class_names)
    return {
        "threshold": kept.threshold,
        "model": kept.model,
        "tumour": reading.tumor_score,
        "called": called(reading, kept.threshold),
        "probabilities": dict(zip(names, reading.class_scores.tolist(), strict=True)),
        "findings": [_finding(reading, index, finding) for index, finding in enumerate(reading.findings)],
        "notes": [{"code": note.code, "text": note.text} for note in reading.notes],
        "seconds": sum(reading.timings_s.values()) or None,
    }


def _finding(reading: Reading, index: int, finding: Finding) -> dict[str, Any]:
    names = reading.class_names
    placed = finding.is_placed
    probabilities: Mapping[str, float] = dict(zip(names, finding.probabilities, strict=False))
    return {
        "index": index,
        "class": names[finding.class_id],
        "score": finding.score,
        "probabilities": {name: None if np.isnan(p) else p for name, p in probabilities.items()},
        "box": [round(value, 2) for value in finding.box_xyxy] if placed else None,
        "outlines": outlines_of(finding),
        "area_px": _area(finding),
        "diameter_px": round(_diameter(finding), 1) if placed else None,
        "diameter_mm": round(_diameter(finding, reading.spacing_mm), 1) if placed and reading.spacing_mm else None,
    }


def outlines_of(finding: Finding) -> list[list[list[float]]]:
    """Polygons [[x, y], ...] of a finding, px: of its mask, with fewer corners, or of its box; none without a place."""
    mask = finding.mask
    if mask is not None:
        tolerance = max(_TOLERANCE_PX, _TOLERANCE * _diameter(finding))
        return [_fewer_corners(polygon, tolerance) for polygon in outlines_from_mask(mask)]
    if not finding.is_placed:
        return []
    x0, y0, x1, y1 = map(float, finding.box_xyxy)
    return [[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]]


def _fewer_corners(polygon: list[float], tolerance: float) -> list[list[float]]:
    points = np.reshape(polygon, (-1, 1, 2)).astype(np.float32)
    fewer = cv2.approxPolyDP(points, tolerance, True)
    kept = fewer if len(fewer) >= 3 else points
    return [[round(float(x), 2), round(float(y), 2)] for x, y in kept[:, 0]]


def _area(finding: Finding) -> int | None:
    mask = finding.mask
    return None if mask is None else int(mask.sum())


def _diameter(finding: Finding, spacing: tuple[float, float] | None = None) -> float:
    return longest_extent(finding, spacing or (1.0, 1.0))
