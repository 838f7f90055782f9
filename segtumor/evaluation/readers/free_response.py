"""Marks of free response, with their ratings: areas under the AFROC curve and its kin, as functions of case weights.

A case is a patient with all images; a lesion counts on each image on which it is outlined. Every mark takes part,
whatever its score: one that hits a lesion (``matching``) rates the lesion, every other one is a false mark. A lesion or
case without mark is rated below all marks. The area is the chance that a lesion is rated above the highest false mark
of a case, ties half: over normal cases (``afroc``, the figure of merit of JAFROC) or all (``afroc1``); lesions count
alike, or, in ``wafroc`` and ``wafroc1``, each case with lesions counts alike.
Sources: Chakraborty and Berbaum, Med Phys 31 (2004) 2313-2330 (JAFROC); Chakraborty, Observer Performance Methods for
Diagnostic Imaging (2017), for the weights. The ROC area inferred from the highest mark is
``patient_auc``. Not here: their variance (``crossed``).
Letters: M lesions, C cases, F false marks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from segtumor.arrays import Bools, Floats, Ints
from segtumor.evaluation.facts.facts import Facts
from segtumor.evaluation.measures.measure import LESIONS, Measure
from segtumor.statistics.roc import aucs

AFROC, WAFROC, AFROC1, WAFROC1 = FREE_RESPONSE = ("afroc", "wafroc", "afroc1", "wafroc1")
_LABELS = {
    AFROC: "area under the AFROC curve",
    WAFROC: "area under the weighted AFROC curve",
    AFROC1: "area under the AFROC curve, false marks of all cases",
    WAFROC1: "area under the weighted AFROC curve, false marks of all cases",
}
#: Rating of what nobody marked: below every score.
_UNMARKED = -1.0


@dataclass(frozen=True, kw_only=True)
class FreeResponse:
    """The marks of one reader.

    Attributes:
        lesion_case: (M,) index of the case of each lesion; ``lesion_rating`` (M,) in [0, 1], NaN where unmarked.
        false_case: (F,), likewise; ``false_rating`` (F,).
        normal: (C,), whether a case has no tumour. One whose tumour nobody outlined is neither normal nor has lesions.
    """

    lesion_case: Ints
    lesion_rating: Floats
    false_case: Ints
    false_rating: Floats
    normal: Bools


def free_response_of(facts: Facts) -> FreeResponse:
    """The FreeResponse of Facts, which should have a score threshold of 0."""
    lesions, false_marks = [], []
    for image, case in zip(facts.images, facts.cases.case_of_image.tolist(), strict=True):
        for match in image.matches:
            lesions.append((case, match.finding.score if match is not None and match.hit else np.nan))
        false_marks += [(case, finding.score) for finding in image.false_positives]
    lesion_case, lesion_rating = _columns(lesions)
    false_case, false_rating = _columns(false_marks)
    return FreeResponse(
        lesion_case=lesion_case,
        lesion_rating=lesion_rating,
        false_case=false_case,
        false_rating=false_rating,
        normal=~facts.patients.tumor,
    )


def free_response_measures(marks: FreeResponse) -> list[Measure]:
    """The Measures named in FREE_RESPONSE."""
    n_cases = len(marks.normal)
    highest = np.full(n_cases, _UNMARKED)
    np.maximum.at(highest, marks.false_case, marks.false_rating)
    n_lesions = np.bincount(marks.lesion_case, minlength=n_cases)
    share = 1 / n_lesions[marks.lesion_case]
    rated = np.where(np.isnan(marks.lesion_rating), _UNMARKED, marks.lesion_rating)
    n_rarer = int(min(marks.normal.sum(), np.count_nonzero(n_lesions)))

    def area(lesion_weight: Floats, cases: Ints) -> Callable[[Floats], Floats]:
        scores = np.concatenate([rated, highest[cases]])
        positive = np.arange(len(scores)) < len(rated)

        def resample(weights: Floats) -> Floats:
            return aucs(scores, positive, np.hstack([weights[:, marks.lesion_case] * lesion_weight, weights[:, cases]]))

        return resample

    alike, normal, everyone = np.ones(len(rated)), np.flatnonzero(marks.normal), np.arange(n_cases)
    areas = {
        AFROC: area(alike, normal),
        WAFROC: area(share, normal),
        AFROC1: area(alike, everyone),
        WAFROC1: area(share, everyone),
    }
    return [
        Measure(
            name=name,
            label=_LABELS[name],
            group=LESIONS,
            unit="lesions",
            n=len(rated),
            n_cases=n_cases,
            resample=resample,
            n_contributing=n_rarer,
        )
        for name, resample in areas.items()
    ]


def _columns(rows: list[tuple[int, float]]) -> tuple[Ints, Floats]:
    return np.array([case for case, _ in rows], dtype=np.int64), np.array([rating for _, rating in rows], dtype=float)
