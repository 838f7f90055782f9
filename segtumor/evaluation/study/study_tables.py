"""Rows, curves and confusion tables of a study, from its Facts. Missing values are None.

Not here: writing and drawing them (``segtumor.reporting``).
"""

import math

from segtumor.evaluation.facts.image_level import UNKNOWN_CLASS
from segtumor.evaluation.facts.patient_level import any_by_case
from segtumor.evaluation.measures.calls import N_BINS, calibrated
from segtumor.evaluation.measures.froc import froc
from segtumor.evaluation.study.subgroup_fields import size_of
from segtumor.statistics.calibration import reliability
from segtumor.statistics.roc import pr_curve, roc_curve
from segtumor.structures.masks import dice_from_iou

#: Names of the columns of ``LesionTable.surface_px`` in rows, without unit.
_SURFACE = ("hausdorff", "hausdorff_95", "average_surface_distance")


def lesion_rows(facts, rows):
    """The rows of ``tables.lesion_rows`` with size class and surface distances."""
    table, with_mm = facts.lesions, facts.lesions.has_spacing.any()
    extended = []
    for i, row in enumerate(rows):
        row = {**row, "size": size_of(table.area_px[i]), **_surface_columns(table, table.surface_px[i], i, "px")}
        if with_mm:
            known = table.has_spacing[i]
            source = facts.results[table.image[i]].truth.attributes.get("spacing_source")
            row |= _surface_columns(table, table.surface_mm[i], i, "mm") if known else _no_surface("mm")
            row["spacing_source"] = source if known else None
        extended.append(row)
    return extended


def _surface_columns(table, surface, i, unit):
    agreement = 0.0 if table.has_mask[i] and not table.matched[i] else _or_none(surface[3])
    columns = {f"{name}_{unit}": _or_none(value) for name, value in zip(_SURFACE, surface[:3], strict=True)}
    return {**columns, _agreement_name(unit): agreement}


def _no_surface(unit):
    return {**{f"{name}_{unit}": None for name in _SURFACE}, _agreement_name(unit): None}


def _agreement_name(unit):
    return "normalized_surface_dice" + ("" if unit == "px" else "_mm")


def image_rows(facts, rows):
    """The rows of ``tables.image_rows`` with score and classes; tumor_true also by label (``image_level``)."""
    calls = facts.calls
    return [
        {
            **row,
            "tumor_true": bool(calls.tumor[i]),
            "score": float(calls.score[i]),
            "true_class": class_name(calls, calls.true_class[i]),
            "predicted_class": class_name(calls, calls.predicted_class[i]),
            "image_dice": _or_none(dice_from_iou(facts.overlap[i])),
        }
        for i, row in enumerate(rows)
    ]


def case_rows(facts):
    """One row per case: the patient's truth and answer; ``positive`` is the plain call, ``found`` the call after the
    rule that a tumor must be located (the same without that rule)."""
    patients, n_images = facts.patients, facts.cases.n_images
    located = any_by_case(facts.n_hits > 0, facts.cases.case_of_image, len(facts.cases))
    return [
        {
            "case_id": case_id,
            "n_images": int(n_images[i]),
            "label": class_name(patients, patients.true_class[i]),
            "score": float(patients.score[i]),
            "positive": bool(patients.positive[i]),
            "found": bool(patients.judged[i]),
            "predicted_class": class_name(patients, patients.predicted_class[i]),
            "tumor_true": bool(patients.tumor[i]),
            "located": bool(located[i]),
        }
        for i, case_id in enumerate(facts.cases.case_ids)
    ]


def class_name(calls, number):
    """Name of a class of Calls; None if unknown."""
    return None if number == UNKNOWN_CLASS else calls.names[number]


def curves_of(facts):
    """The curves of a Study; those that nothing defines are left out."""
    settings, curves = facts.settings, {}
    for calls, suffix in ((facts.calls, ""), (facts.patients, "_patient")):
        if calls.tumor.any() and not calls.tumor.all():
            curves[f"roc_{calls.kind}"] = roc_curve(calls.score, calls.tumor)
        if calls.tumor.any():
            curves[f"pr_{calls.kind}"] = pr_curve(calls.score, calls.tumor)
        if len(calls):
            probabilities = calibrated(calls.score, settings.temperature)
            curves[f"reliability{suffix}"] = reliability(probabilities, calls.tumor, n_bins=N_BINS)
    if len(facts.lesions):
        curves["froc"] = froc(facts.results, criterion=settings.froc_criterion, iou_threshold=settings.iou_threshold)
    return curves


def confusions_of(facts):
    """{"image_class", "patient_class": (names, counts)}."""
    return {f"{calls.kind}_class": (calls.names, calls.confusion) for calls in (facts.calls, facts.patients)}


def _or_none(value):
    return None if math.isnan(value) else float(value)
