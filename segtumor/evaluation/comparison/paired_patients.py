"""Tests that the literature expects for patients, who are independent: DeLong for AUC, McNemar for right and wrong.

Not here: everything else, which ``segtumor.evaluation.comparison.comparison`` tests by permuting cases.
"""

from collections.abc import Sequence

import numpy as np

from segtumor.evaluation.facts.cases import case_table
from segtumor.evaluation.facts.image_level import Calls, image_calls
from segtumor.evaluation.facts.matching import match_image
from segtumor.evaluation.facts.patient_level import patient_calls
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.statistics.hypothesis import mcnemar
from segtumor.statistics.interval import TestResult
from segtumor.statistics.roc import delong_test
from segtumor.structures.lesions import ImageResult


def patients_of(results: Sequence[ImageResult], class_names: Sequence[str], settings: StudySettings) -> Calls:
    """The Calls of the cases of ImageResults, by the rule of the StudySettings."""
    cases = case_table([result.truth for result in results])
    images = image_calls(results, class_names, cases, score_threshold=settings.score_threshold)
    thresholds = {"score_threshold": settings.score_threshold, "iou_threshold": settings.iou_threshold}
    located = np.array([bool(match_image(result, **thresholds).hits) for result in results], dtype=np.bool_)
    return patient_calls(
        images,
        located,
        rule=settings.rule,
        score_threshold=settings.score_threshold,
        require_located=settings.require_located,
    )


def paired_patient_test(name: str, first: Calls, second: Calls) -> TestResult | None:
    """TestResult for a measure of patients, or None where there is no test of its own.

    Args:
        name: of the measure: patient_auc (DeLong); patient_sensitivity, _specificity, _accuracy (McNemar), which go by
            ``Calls.judged``: with ``require_located`` a tumour must be located.
        first, second: Calls of the same patients.
    """
    tumor = first.tumor
    if name == "patient_auc":
        if tumor.all() or not tumor.any():
            return None
        return delong_test(first.score, second.score, tumor)
    counted = {"patient_sensitivity": tumor, "patient_specificity": ~tumor, "patient_accuracy": np.ones_like(tumor)}
    if name not in counted:
        return None
    right = [(calls.judged == tumor)[counted[name]] for calls in (first, second)]
    return mcnemar(int(np.sum(right[0] & ~right[1])), int(np.sum(right[1] & ~right[0])))
