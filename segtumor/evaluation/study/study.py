"""A study: every measure with its interval, by subgroup, with the rows, curves and remarks behind them.

``evaluate`` gives the numbers of a training run in a moment; ``study`` is what a reviewer asks for. Cases are the unit
of every interval (``estimates``); what was assumed stands in ``remarks``. Not here: two models side by side
(``comparison``), pages and files (``segtumor.reporting``).
"""

import difflib

from segtumor.errors import DataError
from segtumor.evaluation.facts.facts import facts_of
from segtumor.evaluation.facts.study_types import Estimate, GroupTest, Study, StudySettings, SubgroupEstimate
from segtumor.evaluation.measures.measure_set import all_measures, measures_of
from segtumor.evaluation.study.estimates import delong_of, draw, estimates_of
from segtumor.evaluation.study.group_tests import group_tests
from segtumor.evaluation.study.interval_remarks import interval_remarks
from segtumor.evaluation.study.remarks import remarks_of
from segtumor.evaluation.study.study_tables import case_rows, confusions_of, curves_of, image_rows, lesion_rows
from segtumor.evaluation.study.subgroup_fields import divisions_of
from segtumor.evaluation.study.subgroups import subgroup_estimates
from segtumor.evaluation.summary.summary import evaluate

__all__ = [
    "Estimate",
    "GroupTest",
    "Study",
    "StudySettings",
    "SubgroupEstimate",
    "estimate",
    "measures_of",
    "study",
]


def study(
    results,
    class_names,
    settings=None,
    *,
    progress=None,
    subgroups: bool = True,
    n_images_absent=0,
    n_images_failed=0,
):
    """Measure findings against the truth, with intervals, subgroups and tests.

    Args:
        results: sequence of ImageResults, one per image, normal images included.
        class_names: names by ``class_id``.
        settings: StudySettings; None: the defaults.
        progress: None, or a function (what, iterable) -> iterable, called for each long loop.
        subgroups: whether to measure subgroups and test across them.
        n_images_absent, n_images_failed: as in ``evaluate``.

    Returns:
        a Study. Undefined values and limits are NaN, and a remark names them.

    Raises:
        DataError: an image twice, a class outside ``class_names``, a mask of another size than its image, a score or
            probability that is NaN or outside [0, 1], a subgroup field that no image has.
    """
    settings, results = settings or StudySettings(), tuple(results)
    facts = facts_of(results, class_names, settings, progress=progress)
    divisions, of_fields = divisions_of(facts, settings.subgroup_fields) if subgroups else ([], [])
    draws = draw(len(facts.cases), settings)
    intervals = delong_of(facts.patients, level=settings.level)
    estimates = estimates_of(all_measures(facts), draws, intervals=intervals, progress=progress)
    by_subgroup, small = subgroup_estimates(facts, divisions, draws, progress=progress)
    rough = interval_remarks(estimates, by_subgroup, n_images=len(results), settings=settings)
    remarks = [*remarks_of(facts), *rough, *of_fields, *small]
    return Study(
        settings=settings,
        class_names=facts.class_names,
        images=facts.images,
        cases=facts.cases,
        estimates=tuple(estimates),
        subgroups=tuple(by_subgroup),
        tests=tuple(group_tests(facts, divisions)),
        curves=curves_of(facts),
        confusions=confusions_of(facts),
        remarks=tuple(remarks),
        **_tables(facts, {"n_images_absent": n_images_absent, "n_images_failed": n_images_failed}),
    )


def _tables(facts, unseen):
    """What is without intervals: the Evaluation and the rows of a Study."""
    settings = facts.settings
    thresholds = {"score_threshold": settings.score_threshold, "iou_threshold": settings.iou_threshold}
    evaluation = evaluate(facts.results, facts.class_names, **thresholds, **unseen)
    return {
        "evaluation": evaluation,
        "per_lesion": lesion_rows(facts, evaluation.per_lesion),
        "per_image": image_rows(facts, evaluation.per_image),
        "per_case": case_rows(facts),
    }


def estimate(study, name):
    """The Estimate of a measure.

    Raises:
        DataError: no such measure, naming those closest to it.
    """
    found = {e.name: e for e in study.estimates}
    if name not in found:
        near = ", ".join(difflib.get_close_matches(name, found, n=3, cutoff=0.4)) or ", ".join(found)
        raise DataError("no such measure", got=name, expected=near)
    return found[name]
