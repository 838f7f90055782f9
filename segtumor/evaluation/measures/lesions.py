"""Measures of lesions found at one score threshold, and of false positives. Not here: curves over the threshold.

``located_above_t``: the proportion of lesions whose matched finding has an IoU above t; 0 asks only that it touches.
Images of a model that marks no lesions have no part in any of these.
Letters: M lesions, N images, C cases.
"""

from typing import Any

import numpy as np

from segtumor.arrays import Ints
from segtumor.evaluation.facts.facts import Facts
from segtumor.evaluation.facts.lesion_table import LesionTable
from segtumor.evaluation.measures.measure import FINDINGS, LESIONS, Measure, ratio_measure

LOCATED_ABOVE = (0, 0.2, 0.5)
PRECISION, RECALL, F1 = "precision", "recall", "f1"


def recall_measures(lesions: LesionTable, lesion_case: Ints, n_cases: int) -> list[Measure]:
    """Recall and localisation of a LesionTable: proportions of its lesions; ``lesion_case`` (M,)."""
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


def finding_measures(facts: Facts) -> list[Measure]:
    """Precision, F1 and false positives of Facts."""
    where, wrong, judged = (facts.cases.case_of_image, len(facts.cases)), facts.n_false_positives, facts.judged
    n_lesions = np.bincount(facts.lesions.image, minlength=len(wrong))
    found = _found("lesion", facts, facts.n_hits, facts.n_hits + wrong, n_lesions)
    normal = ~facts.calls.tumor & judged
    counted = (
        ("false_positives_per_image", "false positives per image", wrong, judged),
        ("false_positives_per_normal_image", "false positives per normal image", wrong * normal, normal),
    )
    return [
        found[PRECISION],
        found[F1],
        *(
            ratio_measure(name, label, LESIONS, "images", n, of, *where, higher_is_better=False)
            for name, label, n, of in counted
        ),
    ]


def class_found_measures(facts: Facts) -> dict[str, dict[str, Measure]]:
    """{class name: precision, recall and F1}, where a hit counts only if its class is right."""
    measures, lesions = {}, facts.lesions
    for class_id, name in enumerate(facts.class_names):
        of_class, called = lesions.class_id == class_id, lesions.hit_class == class_id
        right, called_so, drawn = (
            np.bincount(lesions.image[rows], minlength=len(facts.results))
            for rows in (of_class & called, called, of_class)
        )
        measures[name] = _found(name, facts, right, called_so + facts.false_positives[:, class_id], drawn)
    return measures


def hit_class_accuracy(facts: Facts) -> Measure:
    """Proportion of the hits whose class is right."""
    lesions, n_cases = facts.lesions, len(facts.cases)
    right = lesions.hit & (lesions.hit_class == lesions.class_id)
    name, label = "hit_class_accuracy", "class accuracy of hits"
    return ratio_measure(
        name, label, LESIONS, "lesions", right, lesions.hit, facts.lesion_case, n_cases, proportion=True
    )


def _found(name: str, facts: Facts, hits: Ints, findings: Ints, lesions: Ints) -> dict[str, Measure]:
    """Precision, recall and F1 from hits, findings that count and lesions of each image, (N,) each."""

    def measure(what: str, unit: str, numerators: Ints, denominators: Ints, **options: Any) -> Measure:
        where = (facts.cases.case_of_image, len(facts.cases))
        label = f"{name} {what.replace('f1', 'F1')}"
        return ratio_measure(f"{name}_{what}", label, LESIONS, unit, numerators, denominators, *where, **options)

    return {
        PRECISION: measure(PRECISION, FINDINGS, hits, findings, proportion=True),
        RECALL: measure(RECALL, "lesions", hits, lesions, proportion=True),
        F1: measure(F1, "lesions", 2 * hits, findings + lesions, n=int(lesions.sum())),
    }
