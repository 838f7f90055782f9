"""What inference writes beside predictions.json and its pictures: findings.csv, similar.csv, summary.json, as values.

Each function is pure; ``segtumor.files`` writes what they return, of thousands of inputs one entry after the other.
Nothing is left out in silence: a file that failed has its entry in both, and so has one on which nothing was found.
Sizes are the extents of a finding's box. Not here: predictions.json (``segtumor.annotations.predictions.writing``).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import segtumor
from segtumor import NOTICE
from segtumor.annotations.predictions.writing import (
    named_attributes,
    named_image_probabilities,
    named_probabilities,
)
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_area
from segtumor.structures.outcomes import STATUS_OK, InferenceOutcome
from segtumor.structures.readings import UNLIKE_TRAINING, Reading
from segtumor.taxonomy import NORMAL

SCHEMA_VERSION = 1
SIMILAR_COLUMNS = ("file", "status", "rank", "similar_file", "case_id", "class", "distance")


def findings_columns(
    class_names: Sequence[str], *, judges_images: bool = False, makes_dicom: bool = False
) -> tuple[str, ...]:
    """Columns of findings.csv, in order; the last ones only where whole images are judged or DICOM objects made."""
    probabilities = tuple(f"image_probability_{name}" for name in (NORMAL, *class_names))
    of_images = (*probabilities, "uncertainty", "agreement", "prediction_set")
    return (
        "file",
        "status",
        "finding",
        "class",
        "score",
        *(f"probability_{name}" for name in class_names),
        *("x0_px", "y0_px", "x1_px", "y1_px"),
        *("width_px", "height_px", "area_px"),
        *("width_mm", "height_mm", "area_mm2", "spacing_source"),
        "overlay",
        "reason",
        "note",
        *(of_images if judges_images else ()),
        *(("dicom",) if makes_dicom else ()),
    )


def judges_image(outcome: InferenceOutcome) -> bool:
    """Whether there is something to write in the last columns."""
    reading = outcome.reading
    if reading is None:
        return False
    agreements = (finding.agreement for finding in reading.findings)
    of_image = (reading.image_probabilities, reading.uncertainty, reading.prediction_set)
    return any(value is not None for value in (*of_image, *agreements))


def rows_of_one(
    outcome: InferenceOutcome,
    class_names: Sequence[str],
    *,
    note: str | None = None,
    judges_images: bool = False,
    makes_dicom: bool = False,
) -> list[dict[str, Any]]:
    """Rows of findings.csv that belong to one input, dicts by ``findings_columns``: one per finding.

    ``note`` holds for every input and comes after the reading's own. An input without a finding has one row with "none"
    as its finding, one that is not "ok" a row with its reason. Cells that do not apply are empty: sizes in mm without a
    spacing, the area without a mask.
    """
    columns = findings_columns(class_names, judges_images=judges_images, makes_dicom=makes_dicom)
    common = dict.fromkeys(columns, "")
    notes = "; ".join(text for text in (outcome.note, note) if text)
    common |= {"file": outcome.file_name, "status": outcome.status, "note": notes}
    if makes_dicom and outcome.dicom is not None:
        common["dicom"] = "; ".join(outcome.dicom.names)
    if outcome.reading is None:
        return [{**common, "reason": outcome.reason}]
    common |= {"overlay": outcome.overlay or "", **(_cells_of_image(outcome.reading) if judges_images else {})}
    return [
        {**common, "finding": number, **_cells(finding, outcome.reading)}
        for number, finding in enumerate(outcome.findings, start=1)
    ] or [{**common, "finding": "none"}]


def similar_rows(outcome: InferenceOutcome) -> list[dict[str, Any]]:
    """Rows of similar.csv that belong to one input, dicts by ``SIMILAR_COLUMNS``; one with its status without any."""
    common = {"file": outcome.file_name, "status": outcome.status}
    similar = outcome.reading.similar if outcome.reading is not None else ()
    return [
        {
            **common,
            "rank": rank,
            "similar_file": one.file_name,
            "case_id": one.case_id,
            "class": one.label,
            "distance": _number(one.distance, 4),
        }
        for rank, one in enumerate(similar, start=1)
    ] or [common]


def summary_head(*, settings: Mapping[str, Any], model: Mapping[str, Any], counts: Mapping[str, int]) -> dict[str, Any]:
    """What comes before the list of inputs in summary.json.

    Args:
        model: what identifies the model (file, hash, classes, ...).
    """
    heading = {"schema_version": SCHEMA_VERSION, "segtumor_version": segtumor.__version__, "notice": NOTICE}
    return {**heading, "settings": settings, "model": model, "counts": counts}


def count_dicom(outcomes: Iterable[InferenceOutcome]) -> dict[str, int]:
    """Of the "counts", where DICOM objects were asked for: objects, inputs with some, and inputs where they failed."""
    made = [outcome.dicom for outcome in outcomes if outcome.dicom is not None]
    return {
        "dicom_objects": sum(len(one.names) for one in made),
        "with_dicom": sum(bool(one.names) for one in made),
        "dicom_failed": sum(one.failed for one in made),
    }


def count(outcomes: Iterable[InferenceOutcome], *, tumor_from: float | None = None) -> dict[str, int]:
    """The "counts" of summary.json.

    Args:
        tumor_from: score, [0, 1], from which a whole image is called tumour, which "called_tumor" counts then: a
            classifier has no findings. Counted with it are images with the note that they are unlike the training
            images, and those of them with findings. None where no image is judged.
    """
    names = ("inputs", "ok", "failed", "not_reached", "with_findings", "without_findings", "findings")
    of_images = ("called_tumor", "unlike_training", "unlike_training_with_findings")
    counts = dict.fromkeys(names if tumor_from is None else (*names, *of_images), 0)
    for outcome in outcomes:
        done, found = outcome.status == STATUS_OK, len(outcome.findings)
        counts["inputs"] += 1
        counts[outcome.status.replace(" ", "_")] += 1
        counts["with_findings"] += done and found > 0
        counts["without_findings"] += done and not found
        counts["findings"] += found
        if tumor_from is not None and outcome.reading is not None:
            unlike = outcome.reading.has_note(UNLIKE_TRAINING)
            counts["called_tumor"] += outcome.reading.tumor_score >= tumor_from
            counts["unlike_training"] += unlike
            counts["unlike_training_with_findings"] += unlike and found > 0
    return counts


def summary_entry(outcome: InferenceOutcome) -> dict[str, Any]:
    """One of "inputs" in summary.json."""
    entry: dict[str, Any] = {
        "file": outcome.file_name,
        "status": outcome.status,
        "reason": outcome.reason,
        "n_findings": len(outcome.findings) if outcome.status == STATUS_OK else None,
        "seconds": outcome.seconds,
        "overlay": outcome.overlay,
        "note": outcome.note,
    }
    if outcome.reading is not None and outcome.reading.image_probabilities is not None:
        entry["image_probabilities"] = named_image_probabilities(outcome.reading)
    if outcome.reading is not None and outcome.reading.attributes:
        entry["attributes"] = named_attributes(outcome.reading)
    if outcome.dicom is not None:
        entry["dicom"], entry["dicom_reason"] = list(outcome.dicom.names), outcome.dicom.reason
    return entry


def box_extent_px(finding: Finding) -> tuple[float, float]:
    """(width, height) of a finding's box, px."""
    x0, y0, x1, y1 = finding.box_xyxy
    return x1 - x0, y1 - y0


def box_extent_mm(finding: Finding, spacing_mm: tuple[float, float]) -> tuple[float, float]:
    """(width, height) of a finding's box in mm; ``spacing_mm`` is (row, column), as DICOM orders it."""
    width_px, height_px = box_extent_px(finding)
    row_mm, column_mm = spacing_mm
    return width_px * column_mm, height_px * row_mm


def _cells_of_image(reading: Reading) -> dict[str, Any]:
    cells = {f"image_probability_{name}": _number(p, 4) for name, p in named_image_probabilities(reading).items()}
    if reading.uncertainty is not None:
        cells["uncertainty"] = _number(reading.uncertainty, 4)
    return {**cells, "prediction_set": "; ".join(reading.prediction_set or ())}


def _cells(finding: Finding, reading: Reading) -> dict[str, Any]:
    corners = zip(("x0_px", "y0_px", "x1_px", "y1_px"), finding.box_xyxy, strict=True)
    width_px, height_px = box_extent_px(finding)
    probabilities = named_probabilities(finding, reading.class_names)
    cells = {
        "class": reading.class_names[finding.class_id],
        "score": round(float(finding.score), 4),
        **{f"probability_{name}": _number(p, 4) for name, p in probabilities.items()},
        **{name: _number(value, 1) for name, value in corners},
        "width_px": _number(width_px, 1),
        "height_px": _number(height_px, 1),
        "area_px": "" if finding.rle is None else rle_area(finding.rle),
        **({} if finding.agreement is None else {"agreement": _number(finding.agreement, 4)}),
    }
    return cells | _cells_mm(finding, reading)


def _cells_mm(finding: Finding, reading: Reading) -> dict[str, Any]:
    if reading.spacing_mm is None:
        return {}
    width_mm, height_mm = box_extent_mm(finding, reading.spacing_mm)
    row_mm, column_mm = reading.spacing_mm
    return {
        "width_mm": _number(width_mm, 1),
        "height_mm": _number(height_mm, 1),
        "area_mm2": "" if finding.rle is None else _number(rle_area(finding.rle) * row_mm * column_mm, 1),
        "spacing_source": reading.spacing_source or "",
    }


def _number(value: float, digits: int) -> float | str:
    """Rounded for reading; an undefined number is an empty cell."""
    return "" if math.isnan(value) else round(float(value), digits)
