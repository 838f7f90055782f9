"""Thresholds whose mistakes on new cases are limited in expectation: conformal risk control and prediction sets.

``controlled_threshold`` is conformal risk control (Angelopoulos, Bates, Fisch, Lei & Schuster, ICLR 2024, theorem 1)
for one loss: the share of a case's units whose score lies below a threshold. The loss falls with the threshold and is
at most 1, so the highest threshold with (sum of the losses + 1) / (C + 1) <= risk keeps the expected loss of a new case
at or below the risk. Split-conformal prediction sets are the same: a set holds the classes whose score reaches the
threshold, and a unit is lost where its true class does not. With one threshold for all classes the limit is marginal
(Sadinle, Lei & Wasserman, JASA 2019); with one of each class, from the cases that hold it, it holds in each class
(Vovk 2012, "Mondrian").

Cases are the exchangeable units, and each weighs the same however many units it holds: what is limited is the risk of a
unit drawn at random from a new case (as in Lee, Barber & Willett 2023, "hierarchical" data). It is limited in the mean
over calibration sets and new cases, not for each calibration set, and only where new cases are like those that the
threshold was chosen on.
Letters: N units, C cases, K classes.
"""

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Bools, Floats, Ints
from segtumor.errors import ConfigError, DataError

#: Sums of shares of cases differ in their last digits.
_ROUNDING = 1e-9


def controlled_threshold(scores: ArrayLike, case_of: ArrayLike, *, risk: float) -> float:
    """The highest threshold below which the expected share of a new case's units stays at or below ``risk``.

    Args:
        scores: (N,), of units that should reach the threshold; -inf for one that no threshold reaches.
        case_of: (N,) case of each unit, any integers.
        risk: in (0, 1).

    Returns:
        one of the scores; -inf where no threshold will do: fewer than 1 / risk - 1 cases, or too many units at -inf.

    Raises:
        ConfigError: a risk out of range.
        DataError: lengths that differ, a score that is NaN.
    """
    if not 0 < risk < 1:
        raise ConfigError("risk out of range", got=risk, expected="between 0 and 1")
    values, cases = np.asarray(scores, dtype=np.float64), np.asarray(case_of, dtype=np.int64)
    if values.ndim != 1 or values.shape != cases.shape or np.isnan(values).any():
        got = f"{values.shape} and {cases.shape}"
        raise DataError("not a score and a case of each unit", got=got, expected="(N,) and (N,), no NaN")
    _, case, n_units = np.unique(cases, return_inverse=True, return_counts=True)
    allowed = risk * (len(n_units) + 1) - 1 + _ROUNDING
    if allowed < 0 or not values.size:
        return float("-inf")
    order = np.argsort(values, kind="stable")
    rising, shares = values[order], (1 / n_units[case])[order]
    levels, first = np.unique(rising, return_index=True)
    lost = np.concatenate([[0.0], np.cumsum(shares)])[first]  # at each level: what lies below it
    return float(levels[np.flatnonzero(lost <= allowed)[-1]])


def class_thresholds(
    class_scores: ArrayLike, true_class: ArrayLike, case_of: ArrayLike, *, risk: float, by_class: bool
) -> Floats:
    """Thresholds from which on a class belongs to the prediction set of a unit, for ``prediction_sets``.

    Args:
        class_scores: (N, K) in [0, 1].
        true_class: (N,) in 0..K - 1; units below 0, of unknown class, are left out.
        case_of: (N,) case of each unit.
        risk: of a set without the true class, in (0, 1).
        by_class: whether the risk is limited in each class rather than over all.

    Returns:
        (K,) in [0, 1]; 0, by which a class is in every set, where there are too few cases.

    Raises:
        ConfigError, DataError: as ``controlled_threshold``.
    """
    scores, truth, cases = _checked(class_scores, true_class, case_of)
    own = scores[np.arange(len(truth)), truth]
    if not by_class:
        return np.full(scores.shape[1], max(0.0, controlled_threshold(own, cases, risk=risk)))
    each = [controlled_threshold(own[truth == k], cases[truth == k], risk=risk) for k in range(scores.shape[1])]
    return np.maximum(0.0, each)


def prediction_sets(class_scores: ArrayLike, thresholds: ArrayLike) -> Bools:
    """(N, K) whether each class belongs to the set of each unit: those that reach their threshold, and the most
    probable one, so that no set is empty, which loses no unit more.

    Args:
        class_scores: (N, K) in [0, 1].
        thresholds: (K,), as ``class_thresholds`` gives them.
    """
    scores = np.asarray(class_scores, dtype=np.float64)
    sets = scores >= np.asarray(thresholds, dtype=np.float64)
    sets[np.arange(len(scores)), scores.argmax(axis=1)] = True
    return np.asarray(sets, dtype=np.bool_)


def _checked(class_scores: ArrayLike, true_class: ArrayLike, case_of: ArrayLike) -> tuple[Floats, Ints, Ints]:
    scores, truth = np.asarray(class_scores, dtype=np.float64), np.asarray(true_class, dtype=np.int64)
    cases = np.asarray(case_of, dtype=np.int64)
    if scores.ndim != 2 or not len(scores) == len(truth) == len(cases):
        got = f"{scores.shape}, {truth.shape} and {cases.shape}"
        raise DataError("not scores, class and case of each unit", got=got, expected="(N, K), (N,) and (N,)")
    if truth.size and truth.max() >= scores.shape[1]:
        raise DataError("class without a score", got=int(truth.max()), expected=f"below {scores.shape[1]}")
    known = truth >= 0
    return scores[known], truth[known], cases[known]
