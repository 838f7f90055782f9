"""What inference writes beside its pictures: predictions.json, findings.csv and summary.json, as plain values.

Each function is pure; ``segtumor.files`` writes what they return, of thousands of inputs one entry after the other.
Nothing is left out in silence: a file that failed has its entry in each of the three, and so has one on which nothing
was found. Sizes are the extents of a finding's box.
"""

import math
from dataclasses import dataclass

import segtumor
from segtumor import NOTICE
from segtumor.structures.boxes import box_xyxy_to_xywh
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_area
from segtumor.taxonomy import Taxonomy

SCHEMA_VERSION = 1
STATUS_OK, STATUS_FAILED, STATUS_NOT_REACHED = "ok", "failed", "not reached"


@dataclass(frozen=True)
class InferenceOutcome:
    """What became of one input.

    Attributes:
        file_name: name by which the user knows the file.
        size_hw: (height, width) in px; None if the file could not be read.
        findings: what was found, highest score first; the position from 1 is a finding's number everywhere.
        status: "ok", "failed", or "not reached" if the run was stopped before it.
        reason: why it is not "ok"; None if it is.
        seconds: time taken, s.
        spacing_mm: (row, column) distance between pixels in mm, or None if unknown.
        spacing_source: where ``spacing_mm`` comes from, or None.
        overlay: name of its overlay in ``overlays/``, or None.
        note: what a reader of the findings must know of how they came about, or None.
    """

    file_name: str
    size_hw: tuple[int, int] | None
    findings: tuple[Finding, ...] = ()
    status: str = STATUS_OK
    reason: str | None = None
    seconds: float | None = None
    spacing_mm: tuple[float, float] | None = None
    spacing_source: str | None = None
    overlay: str | None = None
    note: str | None = None

    def __post_init__(self):
        if self.status not in (STATUS_OK, STATUS_FAILED, STATUS_NOT_REACHED):
            raise ValueError(f"unknown status {self.status!r}")
        if (self.status == STATUS_OK) != (self.reason is None):
            raise ValueError(f"an input that is not 'ok' has a reason and no other has one: {self.file_name}")


def predictions_document(outcomes, class_names):
    """predictions.json: COCO results with the images and categories they speak of.

    Args:
        outcomes: sequence of InferenceOutcome; ``image_id`` is the position from 1.
        class_names: names by ``class_id``; ``category_id`` is ``class_id + 1``.
    """
    numbered = list(enumerate(outcomes, start=1))
    return {
        **predictions_head(class_names),
        "images": [image_entry(image_id, outcome) for image_id, outcome in numbered],
        "annotations": [
            entry for image_id, outcome in numbered for entry in annotation_entries(image_id, outcome, class_names)
        ],
    }


def predictions_head(class_names):
    """What stands before the lists of images and annotations in predictions.json."""
    return {**_heading(), "categories": Taxonomy(tuple(class_names)).coco_categories()}


def image_entry(image_id, outcome):
    """One of "images" in predictions.json."""
    height, width = outcome.size_hw or (None, None)
    return {
        "image_id": image_id,
        "file_name": outcome.file_name,
        "width": width,
        "height": height,
        "status": outcome.status,
    }


def annotation_entries(image_id, outcome, class_names):
    """Those of "annotations" in predictions.json that belong to one input, a list of dicts."""
    return [_annotation(image_id, finding, class_names) for finding in outcome.findings]


def findings_columns(class_names):
    """Columns of findings.csv, in order."""
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
    )


def rows_of_one(outcome, class_names):
    """Rows of findings.csv that belong to one input, dicts by ``findings_columns``: one per finding.

    An input without a finding has one row with "none" as its finding, one that is not "ok" a row with its reason.
    Cells that do not apply are empty: sizes in mm without a spacing, the area without a mask.
    """
    common = {"file": outcome.file_name, "status": outcome.status, "note": outcome.note or ""}
    if outcome.status != STATUS_OK:
        return [_row(class_names, **common, reason=outcome.reason)]
    common["overlay"] = outcome.overlay or ""
    if not outcome.findings:
        return [_row(class_names, **common, finding="none")]
    return [
        _row(class_names, **common, finding=number, **_cells(finding, outcome, class_names))
        for number, finding in enumerate(outcome.findings, start=1)
    ]


def summary_head(*, settings, model, counts):
    """What stands before the list of inputs in summary.json.

    Args:
        settings: dict of what the run was asked to do.
        model: dict that identifies the model (file, hash, classes, ...).
        counts: from ``count``.
    """
    return {**_heading(), "settings": settings, "model": model, "counts": counts}


def count(outcomes):
    """The "counts" of summary.json, of any iterable of InferenceOutcome."""
    names = ("inputs", "ok", "failed", "not_reached", "with_findings", "without_findings", "findings")
    counts = dict.fromkeys(names, 0)
    for outcome in outcomes:
        done, found = outcome.status == STATUS_OK, len(outcome.findings)
        counts["inputs"] += 1
        counts[outcome.status.replace(" ", "_")] += 1
        counts["with_findings"] += done and found > 0
        counts["without_findings"] += done and not found
        counts["findings"] += found
    return counts


def summary_entry(outcome):
    """One of "inputs" in summary.json."""
    return {
        "file": outcome.file_name,
        "status": outcome.status,
        "reason": outcome.reason,
        "n_findings": len(outcome.findings) if outcome.status == STATUS_OK else None,
        "seconds": outcome.seconds,
        "overlay": outcome.overlay,
        "note": outcome.note,
    }


def box_extent_px(finding):
    """(width, height) of a finding's box, px."""
    x0, y0, x1, y1 = finding.box_xyxy
    return x1 - x0, y1 - y0


def box_extent_mm(finding, spacing_mm):
    """(width, height) of a finding's box in mm; ``spacing_mm`` is (row, column), as DICOM orders it."""
    width_px, height_px = box_extent_px(finding)
    row_mm, column_mm = spacing_mm
    return width_px * column_mm, height_px * row_mm


def _heading():
    return {"schema_version": SCHEMA_VERSION, "segtumor_version": segtumor.__version__, "notice": NOTICE}


def _annotation(image_id, finding, class_names):
    return {
        "image_id": image_id,
        "category_id": finding.class_id + 1,
        "bbox": box_xyxy_to_xywh(finding.box_xyxy).tolist(),
        "score": float(finding.score),
        "segmentation": None if finding.rle is None else dict(finding.rle),
        "class_probabilities": _named_probabilities(finding, class_names),
    }


def _named_probabilities(finding, class_names):
    """{name: probability}; empty if the model gave none."""
    if len(finding.probabilities) > len(class_names):
        raise ValueError(f"{len(finding.probabilities)} probabilities for {len(class_names)} classes")
    return {name: float(p) for name, p in zip(class_names, finding.probabilities, strict=False)}


def _row(class_names, **cells):
    return dict.fromkeys(findings_columns(class_names), "") | cells


def _cells(finding, outcome, class_names):
    corners = zip(("x0_px", "y0_px", "x1_px", "y1_px"), finding.box_xyxy, strict=True)
    width_px, height_px = box_extent_px(finding)
    cells = {
        "class": class_names[finding.class_id],
        "score": round(float(finding.score), 4),
        **{f"probability_{name}": _number(p, 4) for name, p in _named_probabilities(finding, class_names).items()},
        **{name: _number(value, 1) for name, value in corners},
        "width_px": _number(width_px, 1),
        "height_px": _number(height_px, 1),
        "area_px": "" if finding.rle is None else rle_area(finding.rle),
    }
    return cells | _cells_mm(finding, outcome)


def _cells_mm(finding, outcome):
    if outcome.spacing_mm is None:
        return {}
    width_mm, height_mm = box_extent_mm(finding, outcome.spacing_mm)
    row_mm, column_mm = outcome.spacing_mm
    return {
        "width_mm": _number(width_mm, 1),
        "height_mm": _number(height_mm, 1),
        "area_mm2": "" if finding.rle is None else _number(rle_area(finding.rle) * row_mm * column_mm, 1),
        "spacing_source": outcome.spacing_source or "",
    }


def _number(value, digits):
    """Rounded for reading; an undefined number is an empty cell."""
    return "" if math.isnan(value) else round(float(value), digits)
