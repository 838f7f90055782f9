"""Rows of lesions, images and cases behind the means: plain dicts; missing values are None.

Crowd regions have no row, but are counted with their image. Not here: writing them
(``segtumor.reporting.files.evaluation_files``).
"""

import math
from collections.abc import Iterator
from typing import Any

from segtumor.arrays import Floats
from segtumor.cases import case_of
from segtumor.evaluation.facts.facts import Facts, StudyFacts
from segtumor.evaluation.facts.image_level import Calls
from segtumor.evaluation.facts.matching import Match
from segtumor.evaluation.facts.patient_level import any_by_case
from segtumor.evaluation.facts.truth import UNKNOWN_CLASS
from segtumor.evaluation.study.subgroup_fields import size_of
from segtumor.evaluation.study.values import Row
from segtumor.structures.lesions import AnnotatedImage, Lesion
from segtumor.structures.masks import dice_from_iou

#: Fields of an image that its lesions repeat, for subgroup tables; lists are joined by semicolons.
SUBGROUP_FIELDS = ("subtype", "site", "view", "center", "age", "sex")
#: Names of the columns of ``Surfaces.px`` in rows, without unit.
_SURFACE = ("hausdorff", "hausdorff_95", "average_surface_distance")


def lesion_rows(facts: Facts) -> list[Row]:
    """A row for each lesion, in order."""
    names = facts.class_names
    return [_lesion_row(truth, lesion, match, names) for truth, lesion, match in _lesions(facts)]


def study_lesion_rows(facts: StudyFacts) -> list[Row]:
    """The same with size class and distances between outlines."""
    table, with_mm, rows = facts.lesions, facts.lesions.has_spacing.any(), []
    for i, row in enumerate(lesion_rows(facts)):
        row |= {"size": size_of(table.area_px[i]), **_surface_columns(facts, facts.surfaces.px[i], i, "px")}
        if with_mm:
            known = table.has_spacing[i]
            source = facts.results[table.image[i]].truth.attributes.get("spacing_source")
            row |= _surface_columns(facts, facts.surfaces.mm[i], i, "mm") if known else _no_surface("mm")
            row["spacing_source"] = source if known else None
        rows.append(row)
    return rows


def image_rows(facts: Facts) -> list[Row]:
    """A row for each image, in order."""
    return [
        {
            **_image_columns(image.truth),
            "label": image.truth.attributes.get("image_label"),
            "n_lesions": len(image.lesions),
            "n_findings": len(image.findings),
            "max_score": _or_none(image.max_score),
            "tumor_true": bool(facts.calls.tumor[i]),
            "tumor_predicted": bool(facts.calls.positive[i]),
            "true_positives": len(image.hits),
            "false_positives": len(image.false_positives),
            "missed": image.n_missed,
            "crowd_regions": image.n_crowds,
            "findings_in_crowds": len(image.ignored),
        }
        for i, image in enumerate(facts.images)
    ]


def study_image_rows(facts: StudyFacts) -> list[Row]:
    """The same with score, classes and Dice of the whole image."""
    calls = facts.calls
    return [
        {
            **row,
            "score": float(calls.score[i]),
            "true_class": _class_name(calls, calls.true_class[i]),
            "predicted_class": _class_name(calls, calls.predicted_class[i]),
            "image_dice": _or_none(float(dice_from_iou(facts.overlap[i]))),
        }
        for i, row in enumerate(image_rows(facts))
    ]


def case_rows(facts: Facts) -> list[Row]:
    """A row for each case: the patient's truth and answer; ``positive`` is the plain call, ``found`` the call after the
    rule that a tumour must be located (the same without that rule)."""
    patients, n_images = facts.patients, facts.cases.n_images
    located = any_by_case(facts.n_hits > 0, facts.cases.case_of_image, len(facts.cases))
    return [
        {
            "case_id": case_id,
            "n_images": int(n_images[i]),
            "label": _class_name(patients, patients.true_class[i]),
            "score": float(patients.score[i]),
            "positive": bool(patients.positive[i]),
            "found": bool(patients.judged[i]),
            "predicted_class": _class_name(patients, patients.predicted_class[i]),
            "tumor_true": bool(patients.tumor[i]),
            "located": bool(located[i]),
        }
        for i, case_id in enumerate(facts.cases.case_ids)
    ]


def _lesions(facts: Facts) -> Iterator[tuple[AnnotatedImage, Lesion, Match | None]]:
    for image in facts.images:
        for lesion, match in zip(image.lesions, image.matches, strict=True):
            yield image.truth, lesion, match


def _lesion_row(truth: AnnotatedImage, lesion: Lesion, match: Match | None, class_names: tuple[str, ...]) -> Row:
    return {
        **_image_columns(truth),
        "lesion_id": lesion.lesion_id,
        "class": class_names[lesion.class_id],
        "matched": match is not None,
        "hit": match is not None and match.hit,
        "iou": match.iou if match else 0.0,
        "dice": float(dice_from_iou(match.iou)) if match else 0.0,
        "score": match.finding.score if match else None,
        "predicted_class": class_names[match.finding.class_id] if match else None,
        "overlap_of": None if match is None else "mask" if match.by_mask else "box",
        "area_px": lesion.area_px,
        **{field: _cell(truth.attributes.get(field)) for field in SUBGROUP_FIELDS},
    }


def _image_columns(truth: AnnotatedImage) -> Row:
    return {"image_id": truth.image_id, "file_name": truth.file_name, "case_id": case_of(truth.attributes)}


def _surface_columns(facts: StudyFacts, surface: Floats, i: int, unit: str) -> Row:
    missed = facts.lesions.has_mask[i] and not facts.lesions.matched[i]
    columns = {f"{name}_{unit}": _or_none(value) for name, value in zip(_SURFACE, surface[:3], strict=True)}
    return {**columns, _agreement_name(unit): 0.0 if missed else _or_none(surface[3])}


def _no_surface(unit: str) -> Row:
    return {**{f"{name}_{unit}": None for name in _SURFACE}, _agreement_name(unit): None}


def _agreement_name(unit: str) -> str:
    return "normalized_surface_dice" + ("" if unit == "px" else "_mm")


def _class_name(calls: Calls, number: int) -> str | None:
    """Name of a class of Calls; None if unknown."""
    return None if number == UNKNOWN_CLASS else calls.names[number]


def _cell(value: Any) -> Any:
    return "; ".join(map(str, value)) if isinstance(value, (list, tuple)) else value


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
