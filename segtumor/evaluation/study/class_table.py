"""Precision, recall and F1 of every class, normal included, with macro and weighted means: the table that papers on
classifiers print. Not here: intervals, which the macro means have among the estimates.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segtumor.arrays import Ints

MACRO, WEIGHTED, ACCURACY = "macro mean", "weighted mean", "accuracy"


@dataclass(frozen=True)
class ClassRow:
    """One class, or a mean.

    Attributes:
        name: of the class, or ``MACRO`` (every class that occurs counts alike), ``WEIGHTED`` (by how many there are),
            ``ACCURACY``.
        precision: right among those called so, [0, 1]; NaN where none is called so.
        recall: called so among those that are, [0, 1]; NaN where none is.
        f1: 2 TP / (2 TP + FP + FN), [0, 1]; NaN where the class neither is nor is called. Of ``ACCURACY`` that.
        n_true: how many there are.
        n_called: how many are called so.
    """

    name: str
    precision: float
    recall: float
    f1: float
    n_true: int
    n_called: int


def class_rows(names: Sequence[str], counts: Ints) -> list[ClassRow]:
    """A row for each class, then the means over the classes that occur, then accuracy.

    Args:
        names: K + 1 names, normal first.
        counts: (K + 1, K + 1), rows true, columns called.
    """
    right, true, called = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    rows = [
        ClassRow(name, _part(hit, c), _part(hit, t), _part(2 * hit, t + c), int(t), int(c))
        for name, hit, t, c in zip(names, right.tolist(), true.tolist(), called.tolist(), strict=True)
    ]
    occurring = [row for row in rows if row.n_true]
    total = int(counts.sum())
    means = [
        _mean(MACRO, occurring, [1.0] * len(occurring), total),
        _mean(WEIGHTED, occurring, [row.n_true for row in occurring], total),
    ]
    accuracy = _part(int(right.sum()), total)
    return [*rows, *means, ClassRow(ACCURACY, math.nan, math.nan, accuracy, total, total)]


def _part(count: int, of: int) -> float:
    return count / of if of else math.nan


def _mean(name: str, rows: Sequence[ClassRow], weights: Sequence[float], total: int) -> ClassRow:
    """Where no image is called a class that occurs, its precision counts as 0, as scikit-learn has it."""
    values = [[0.0 if math.isnan(v) else v for v in (row.precision, row.recall, row.f1)] for row in rows]
    precision, recall, f1 = np.average(values, axis=0, weights=weights).tolist() if rows else [math.nan] * 3
    return ClassRow(name, precision, recall, f1, total, total)
