"""A study: every measure with its interval, by subgroup, with the rows, curves and remarks behind them.

``metrics.evaluate`` gives the plain numbers in a moment; ``study`` is what a reviewer asks for. Cases are the unit
of every interval (``estimates``); what was assumed is in ``remarks``. Not here: two models side by side
(``comparison``), pages and files (``segtumor.reporting``).
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from segtumor.arrays import Floats
from segtumor.errors import DataError
from segtumor.evaluation.facts.facts import Facts, study_facts_of
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.measures.calls import N_BINS, calibrated
from segtumor.evaluation.measures.froc import froc
from segtumor.evaluation.measures.measure_set import all_measures
from segtumor.evaluation.measures.referral import (
    BY_DISTANCE,
    decision_curve,
    referral_curve,
    referral_measures,
    uncertainties,
)
from segtumor.evaluation.study.estimates import Draws, delong_of, draw, estimates_of
from segtumor.evaluation.study.group_tests import group_tests
from segtumor.evaluation.study.metrics import evaluation_of
from segtumor.evaluation.study.remarks import coded, interval_remarks, remarks_of
from segtumor.evaluation.study.rows import case_rows, study_image_rows, study_lesion_rows
from segtumor.evaluation.study.stages import stage_rows
from segtumor.evaluation.study.subgroup_fields import divisions_of
from segtumor.evaluation.study.subgroups import subgroup_estimates
from segtumor.evaluation.study.values import Estimate, MeasureSet, Study
from segtumor.progress import StepProgress, silent
from segtumor.statistics.calibration import reliability
from segtumor.statistics.roc import pr_curve, roc_curve
from segtumor.structures.lesions import ImageResult


def study(
    results: Iterable[ImageResult],
    class_names: Sequence[str],
    settings: StudySettings | None = None,
    *,
    progress: StepProgress | None = None,
    subgroups: bool = True,
    n_images_absent: int | None = 0,
    n_images_failed: int = 0,
) -> Study:
    """Measure findings against the truth, with intervals, subgroups and tests.

    Args:
        results: ImageResults, one per image, normal images included.
        n_images_absent, n_images_failed: as in ``metrics.evaluate``.

    Returns:
        a Study. Undefined values and limits are NaN, and a remark names them.

    Raises:
        DataError: an image twice, a class outside ``class_names``, a mask of another size than its image, a score or
            probability that is NaN or outside [0, 1], a subgroup field that no image has.
    """
    settings, results, progress = settings or StudySettings(), tuple(results), progress or silent
    facts = study_facts_of(results, class_names, settings, progress=progress)
    divisions, of_fields = divisions_of(facts, settings.subgroup_fields) if subgroups else ([], [])
    draws = draw(len(facts.cases), settings)
    intervals = delong_of(facts.patients, level=settings.level)
    given = [result.uncertainty for result in results]
    doubts = uncertainties(facts.calls, given, threshold=settings.score_threshold)
    measures = [*all_measures(facts), *referral_measures(facts.calls, doubts)]
    estimates = estimates_of(measures, draws, intervals=intervals, progress=progress)
    by_subgroup, small = subgroup_estimates(facts, divisions, draws, progress=progress)
    rough = interval_remarks(estimates, by_subgroup, n_images=len(results), settings=settings)
    return Study(
        settings=settings,
        class_names=facts.class_names,
        images=facts.images,
        cases=facts.cases,
        estimates=tuple(estimates),
        subgroups=tuple(by_subgroup),
        tests=tuple(group_tests(facts, divisions)),
        curves={**_curves_of(facts), **_decisions_of(facts, doubts, draws)},
        confusions={f"{calls.kind}_class": (calls.names, calls.confusion) for calls in (facts.calls, facts.patients)},
        stages=stage_rows(facts.calls) if any(r.image_probabilities is not None for r in results) else (),
        remarks=coded([*remarks_of(facts), *rough, *of_fields, *small]),
        evaluation=evaluation_of(facts, n_images_absent=n_images_absent, n_images_failed=n_images_failed),
        per_lesion=study_lesion_rows(facts),
        per_image=study_image_rows(facts),
        per_case=case_rows(facts),
    )


def measures_of(
    results: Iterable[ImageResult],
    class_names: Sequence[str],
    settings: StudySettings | None = None,
    *,
    progress: StepProgress | None = None,
) -> MeasureSet:
    """Every measure of a set of images, without intervals. Arguments and errors: as ``study``."""
    settings, progress = settings or StudySettings(), progress or silent
    facts = study_facts_of(tuple(results), class_names, settings, progress=progress)
    measures = {measure.name: measure for measure in all_measures(facts)}
    return MeasureSet(measures, facts.cases, facts.patients, remarks_of(facts))


def _curves_of(facts: Facts) -> dict[str, Any]:
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


def _decisions_of(facts: Facts, doubts: Mapping[str, Floats], draws: Draws) -> dict[str, Any]:
    """The curves of referral, by what is uncertain, and of decisions."""
    calls, level = facts.calls, draws.level
    if not len(calls):
        return {}
    curves = {
        ("referral" if how == BY_DISTANCE else f"referral_by_{how}"): referral_curve(
            calls, doubt, draws.weights, level=level
        )
        for how, doubt in doubts.items()
    }
    if calls.tumor.any() and not calls.tumor.all():
        temperature = facts.settings.temperature
        curves["decision"] = decision_curve(calls, draws.weights, temperature=temperature, level=level)
    return curves


def estimate(study: Study, name: str) -> Estimate:
    """The Estimate of a measure.

    Raises:
        DataError: no such measure, naming those closest to it.
    """
    found = {e.name: e for e in study.estimates}
    if name not in found:
        near = ", ".join(difflib.get_close_matches(name, found, n=3, cutoff=0.4)) or ", ".join(found)
        raise DataError("no such measure", got=name, expected=near)
    return found[name]
