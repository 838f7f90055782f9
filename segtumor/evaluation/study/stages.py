"""Tumour or not, then which: how good each step of a call is, whether one model makes both or a cascade of two.

Of images whose own probabilities a model gives. The second step is looked at alone, on the images that have a tumour,
whatever the first said, by the most probable class other than normal; then on those that were also called so. Not here:
making a cascade (``segtumor.inference.cascade``), intervals (``estimates``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segtumor.arrays import Bools, Ints
from segtumor.evaluation.facts.image_level import Calls
from segtumor.evaluation.study.class_table import MACRO, class_rows
from segtumor.taxonomy import NORMAL

TUMOR_OR_NOT, WHICH, WHICH_CALLED, WHOLE = (
    "tumour or not",
    "which, of all tumours",
    "which, of tumours called so",
    "both together",
)
_TUMOR = "tumour"


@dataclass(frozen=True)
class StageRow:
    """One step.

    Attributes:
        stage: one of the names above.
        n: images that it is judged on.
        accuracy: proportion that is right, [0, 1]; all numbers are NaN where there is nothing to judge.
        precision, recall, f1: [0, 1]. Of TUMOR_OR_NOT of the tumours, so that recall is the sensitivity; of the others
            macro means over the classes that occur.
    """

    stage: str
    n: int
    accuracy: float
    precision: float
    recall: float
    f1: float


def stage_rows(calls: Calls) -> tuple[StageRow, ...]:
    """The four rows, in the order of the names above; none for fewer than two classes beside normal, or without a
    tumour."""
    names = calls.names
    if len(names) < 3 or not calls.tumor.any():
        return ()
    known = calls.true_class > 0
    called = known & calls.positive
    scores = calls.class_scores[:, 1:]
    guessed = np.where(scores.max(axis=1) > 0, 1 + scores.argmax(axis=1), 0)  # 0: it gives no class any score
    return (
        _row(TUMOR_OR_NOT, (NORMAL, _TUMOR), _counts(calls.tumor, calls.positive, 2), _TUMOR),
        _row(WHICH, names, _counts(calls.true_class[known], guessed[known], len(names))),
        _row(WHICH_CALLED, names, _counts(calls.true_class[called], guessed[called], len(names))),
        _row(WHOLE, names, calls.confusion),
    )


def _counts(true: Ints | Bools, called: Ints | Bools, n_classes: int) -> Ints:
    """(K, K), rows true."""
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(counts, (true.astype(np.int64), called.astype(np.int64)), 1)
    return counts


def _row(stage: str, names: Sequence[str], counts: Ints, shown: str = MACRO) -> StageRow:
    rows = class_rows(names, counts)
    row = next(row for row in reversed(rows) if row.name == shown)  # the means come last: a class may be named as one
    return StageRow(stage, int(counts.sum()), rows[-1].f1, row.precision, row.recall, row.f1)
