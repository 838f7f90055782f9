"""Measures of lesions found at one score threshold, and of false positives. Not here: curves over the threshold.

``located_above_t``: the part of the lesions whose matched finding has an IoU above t; 0 asks only that it touches.
"""

import numpy as np

from segtumor.evaluation.measures.measure import FINDINGS, LESIONS, ratio_measure

LOCATED_ABOVE = (0, 0.2, 0.5)


def recall_measures(lesions, lesion_case, n_cases):
    """Recall and localization of a LesionTable: proportions of its lesions."""
    everyone = np.ones(len(lesions))
    parts = [("lesion_recall", "lesion recall", lesions.hit)]
    parts += [
        (f"located_above_{limit}", f"lesions located with IoU above {limit}", lesions.iou > limit)
        for limit in LOCATED_ABOVE
    ]
    return [
        ratio_measure(name, label, LESIONS, "lesions", found, everyone, lesion_case, n_cases, proportion=True)
        for name, label, found in parts
    ]


def finding_measures(facts):
    """Precision, F1 and false positives of Facts."""
    cases, hits, wrong = facts.cases, facts.n_hits, facts.n_false_positives
    n_lesions = np.bincount(facts.lesions.image, minlength=len(hits))
    where = (cases.case_of_image, len(cases))
    normal, n = ~facts.calls.tumor, int(n_lesions.sum())
    lower = {"higher_is_better": False}
    return [
        ratio_measure(
            "lesion_precision", "lesion precision", LESIONS, FINDINGS, hits, hits + wrong, *where, proportion=True
        ),
        ratio_measure("lesion_f1", "lesion F1", LESIONS, "lesions", 2 * hits, hits + wrong + n_lesions, *where, n=n),
        ratio_measure(
            "false_positives_per_image",
            "false positives per image",
            LESIONS,
            "images",
            wrong,
            np.ones(len(hits)),
            *where,
            **lower,
        ),
        ratio_measure(
            "false_positives_per_normal_image",
            "false positives per normal image",
            LESIONS,
            "images",
            wrong * normal,
            normal,
            *where,
            **lower,
        ),
    ]
