"""Tests that the literature expects for patients, who are independent: DeLong for AUC, McNemar for right and wrong.

Not here: everything else, which ``segtumor.evaluation.comparison.comparison`` tests by permuting cases.
"""

import numpy as np

from segtumor.evaluation.facts.image_level import Calls
from segtumor.statistics.hypothesis import mcnemar
from segtumor.statistics.interval import TestResult
from segtumor.statistics.roc import delong_test


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
