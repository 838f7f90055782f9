"""Writing predictions.json, as infer and the final evaluation do: COCO results with their images and categories.

Schema version 2. Beside what COCO has, an image may have ``image_probabilities`` ({name: probability}, normal first),
``marks_lesions``, ``uncertainty``, ``prediction_set`` (names), ``notes`` ([{"code", "text"}]) and ``similar``
([{"file_name", "case_id", "label", "distance"}]); a finding without a place has neither box nor segmentation. Keys that
do not apply are left out, so that a file of a detector differs from version 1 by its number only. Two runs of one model
over the same files write the same bytes: nothing here depends on the clock. Each function is pure; ``segtumor.files``
writes what they return. Not here: reading it (``document``), whose keys these are.
"""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any

import segtumor
from segtumor import NOTICE
from segtumor.structures.boxes import box_xyxy_to_xywh
from segtumor.structures.lesions import Finding
from segtumor.structures.outcomes import InferenceOutcome
from segtumor.structures.readings import Reading
from segtumor.taxonomy import NORMAL, Taxonomy

SCHEMA_VERSION = 2


def predictions_document(outcomes: Iterable[InferenceOutcome], class_names: Sequence[str]) -> dict[str, Any]:
    """The whole file; ``image_id`` is the position from 1, ``category_id`` is ``class_id + 1``."""
    numbered = list(enumerate(outcomes, start=1))
    return {
        **predictions_head(class_names),
        "images": [image_entry(image_id, outcome) for image_id, outcome in numbered],
        "annotations": [
            entry for image_id, outcome in numbered for entry in annotation_entries(image_id, outcome, class_names)
        ],
    }


def predictions_head(class_names: Sequence[str]) -> dict[str, Any]:
    """What comes before the lists of images and annotations."""
    return {
        "schema_version": SCHEMA_VERSION,
        "segtumor_version": segtumor.__version__,
        "notice": NOTICE,
        "categories": Taxonomy(tuple(class_names)).coco_categories(),
    }


def image_entry(image_id: int, outcome: InferenceOutcome) -> dict[str, Any]:
    """One of "images"."""
    height, width = outcome.size_hw or (None, None)
    return {
        "image_id": image_id,
        "file_name": outcome.file_name,
        "width": width,
        "height": height,
        "status": outcome.status,
        **({} if outcome.reading is None else _of_the_whole_image(outcome.reading)),
    }


def annotation_entries(image_id: int, outcome: InferenceOutcome, class_names: Sequence[str]) -> list[dict[str, Any]]:
    """Those of "annotations" that belong to one input."""
    return [
        {
            "image_id": image_id,
            "category_id": finding.class_id + 1,
            "bbox": box_xyxy_to_xywh(finding.box_xyxy).tolist() if finding.is_placed else None,
            "score": float(finding.score),
            "segmentation": None if finding.rle is None else dict(finding.rle),
            "class_probabilities": {
                name: None if math.isnan(probability) else probability
                for name, probability in named_probabilities(finding, class_names).items()
            },
            **({} if finding.agreement is None else {"agreement": float(finding.agreement)}),
        }
        for finding in outcome.findings
    ]


def named_probabilities(finding: Finding, class_names: Sequence[str]) -> dict[str, float]:
    """{name: probability}; empty if the model gave none."""
    if len(finding.probabilities) > len(class_names):
        raise ValueError(f"{len(finding.probabilities)} probabilities for {len(class_names)} classes")
    return {name: float(p) for name, p in zip(class_names, finding.probabilities, strict=False)}


def named_image_probabilities(reading: Reading) -> dict[str, float]:
    """{name: probability}, normal first; empty if the model judges no whole image."""
    names = (NORMAL, *reading.class_names)
    return {name: float(p) for name, p in zip(names, reading.image_probabilities or (), strict=False)}


def named_attributes(reading: Reading) -> dict[str, dict[str, Any]]:
    """{task: {"value", "probability"}}; empty if the model has learnt no further tasks."""
    return {task: {"value": value, "probability": p} for task, (value, p) in reading.attributes.items()}


def _of_the_whole_image(reading: Reading) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    if reading.image_probabilities is not None:
        entry["image_probabilities"] = named_image_probabilities(reading)
    if reading.marks_lesions is not None:
        entry["marks_lesions"] = reading.marks_lesions
    if reading.uncertainty is not None:
        entry["uncertainty"] = reading.uncertainty
    if reading.prediction_set is not None:
        entry["prediction_set"] = list(reading.prediction_set)
    if reading.attributes:
        entry["attributes"] = named_attributes(reading)
    if reading.notes:
        entry["notes"] = [dataclasses.asdict(note) for note in reading.notes]
    if reading.similar:
        entry["similar"] = [dataclasses.asdict(similar) for similar in reading.similar]
    return entry
