"""Curves and confusion tables of a study, from its Facts. Not here: drawing and writing (``segtumor.reporting``)."""

from typing import Any

from segtumor.arrays import Ints
from segtumor.evaluation.facts.facts import Facts
from segtumor.evaluation.measures.calls import N_BINS, calibrated
from segtumor.evaluation.measures.froc import froc
from segtumor.statistics.calibration import reliability
from segtumor.statistics.roc import pr_curve, roc_curve


def curves_of(facts: Facts) -> dict[str, Any]:
    """The curves of a Study; those that nothing defines are left out."""
    settings = facts.settings
    curves: dict[str, Any] = {}
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


def confusions_of(facts: Facts) -> dict[str, tuple[tuple[str, ...], Ints]]:
    """{"image_class", "patient_class": (names, counts)}."""
    return {f"{calls.kind}_class": (calls.names, calls.confusion) for calls in (facts.calls, facts.patients)}
