"""How well scores rank positives above negatives: ROC and precision-recall curves, their areas, DeLong's interval.

``aucs`` and ``average_precisions`` take all resamples of a bootstrap at once, as weights. Not here: resampling itself
(``bootstrap``), rates at one threshold (``rates``), drawing.

Letters: B resamples, N units. Scores are finite and higher means more likely positive; ``positive`` is 0/1 or bool.
An area under a ROC curve without positives or without negatives is NaN.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Array, Floats, Mask
from segtumor.errors import DataError
from segtumor.statistics.interval import Interval, Method, TestResult, check_level, undefined_interval, undefined_test

#: Weights taken at a time; larger blocks leave the processor's cache and are slower.
_BLOCK = 1 << 18
#: Components of DeLong's variance differ by at least 1 / (2 N); what is smaller than this is rounding.
_NO_VARIANCE = 1e-24
LOGIT, NO_TRANSFORM = "logit", "none"


@dataclass(frozen=True)
class RocCurve:
    """One point for "no unit is positive" (threshold infinite), then one for every distinct score, falling.

    Attributes:
        false_positive_rate, sensitivity: shares of negatives and of positives at or above the threshold; NaN where
            there are none.
        thresholds: in units of the score.
    """

    false_positive_rate: Floats
    sensitivity: Floats
    thresholds: Floats


@dataclass(frozen=True)
class PrCurve:
    """One point for every distinct score, falling; no point is invented at recall 0.

    Attributes:
        recall: share of positives at or above the threshold; NaN where there are none.
        precision: share of positives among the units at or above the threshold.
        thresholds: in units of the score.
    """

    recall: Floats
    precision: Floats
    thresholds: Floats


def aucs(scores: ArrayLike, positive: ArrayLike, weights: ArrayLike) -> Floats:
    """Areas under the ROC curve: the chance that a positive scores above a negative, ties counted half.

    Args:
        scores, positive: (N,).
        weights: (B, N), how often each unit counts, not negative.

    Returns:
        (B,), one for each row of weights.

    Raises:
        DataError: lengths that differ, scores that are not finite, labels beyond 0 and 1, negative weights.
    """
    return _in_blocks(_block_of_aucs, scores, positive, weights)


def average_precisions(scores: ArrayLike, positive: ArrayLike, weights: ArrayLike) -> Floats:
    """Areas under the precision-recall curve as a step function: the sum of precision times gain in recall.

    Never interpolated, as in scikit-learn; hence 1 where all units are positive, NaN where none is. Arguments, result
    and errors are those of ``aucs``.
    """
    return _in_blocks(_block_of_average_precisions, scores, positive, weights)


def roc_curve(scores: ArrayLike, positive: ArrayLike) -> RocCurve:
    """The ROC curve of (N,) scores, every distinct score a threshold."""
    thresholds, positives, negatives = _counts_above(scores, positive)
    with np.errstate(invalid="ignore"):
        sensitivity, false_positive_rate = positives / positives[-1], negatives / negatives[-1]
    return RocCurve(false_positive_rate, sensitivity, thresholds)


def pr_curve(scores: ArrayLike, positive: ArrayLike) -> PrCurve:
    """The precision-recall curve of (N,) scores, every distinct score a threshold."""
    thresholds, positives, negatives = _counts_above(scores, positive)
    with np.errstate(invalid="ignore"):
        recall, precision = positives / positives[-1], positives / (positives + negatives)
    return PrCurve(recall[1:], precision[1:], thresholds[1:])


def delong_interval(scores: ArrayLike, positive: ArrayLike, *, level: float = 0.95, transform: str = LOGIT) -> Interval:
    """An interval of the area A under the ROC curve, from DeLong's variance V.

    With ``transform="logit"`` the limits are those of logit(A) +- z sqrt(V) / (A (1 - A)), brought back. They lie
    within [0, 1] and cover what they say for the high areas and few units of medical studies, where the plain
    A +- z sqrt(V) covers too little: of 20 positives and 20 negatives with a true area of 0.95, 83% instead of 95%
    (``benchmarks/coverage.py``).
    ``"none"`` gives the latter, clipped to [0, 1].

    Where every positive scores above every negative (or all scores are equal) the variance is 0 and the interval one
    point; its method says so, and ``proportions.clopper_pearson(auc * n, n)`` is the better choice. NaN with fewer
    than two positives or negatives, from which no variance can be had.
    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837-845, for V; found from ranks in O(N log N) as
    by Sun and Xu, IEEE Signal Process Lett 21 (2014) 1389-1393. Logit: Pepe, The Statistical Evaluation of Medical
    Tests for Classification and Prediction (2003), chapter 5; its coverage: Qin and Hotilovac, Stat Methods Med Res
    17 (2008) 207-221.

    Args:
        scores, positive: (N,).
        transform: "logit" or "none".

    Raises:
        DataError: as ``aucs``; another transform.
    """
    check_level(level)
    if transform not in (LOGIT, NO_TRANSFORM):
        raise DataError("transform of the area is unknown", got=transform, expected=f'"{LOGIT}" or "{NO_TRANSFORM}"')
    scores, positive = checked_scores(scores, positive)
    too_few = _too_few(positive)
    if too_few:
        return undefined_interval(too_few, level)
    of_positives, of_negatives = placements(scores, positive)
    area = float(of_positives.mean())
    variance = _variance_of_mean(of_positives) + _variance_of_mean(of_negatives)
    if variance < _NO_VARIANCE:
        return Interval(area, area, Method("DeLong", "(variance 0)"), level)
    reach = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(variance)
    if transform == NO_TRANSFORM:
        return Interval(max(area - reach, 0.0), min(area + reach, 1.0), Method("DeLong"), level)
    low, high = (_of_logit(math.log(area / (1 - area)) + sign * reach / (area * (1 - area))) for sign in (-1, 1))
    return Interval(low, high, Method("DeLong", "(logit)"), level)


def _of_logit(x: float) -> float:
    """1 / (1 + exp(-x)), which does not overflow."""
    return (1 + math.tanh(x / 2)) / 2


def delong_test(scores_a: ArrayLike, scores_b: ArrayLike, positive: ArrayLike) -> TestResult:
    """DeLong's test that two scores of the same units (N,) have the same area; two-sided, statistic z of a minus b.

    NaN where the difference has no variance but is not zero, and with fewer than two positives or negatives. Scores
    that rank all units alike have p = 1. The units are taken as independent: one a patient.
    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837-845.
    """
    scores_a, positive = checked_scores(scores_a, positive)
    scores_b, _ = checked_scores(scores_b, positive)
    n, too_few = len(positive), _too_few(positive)
    if too_few:
        return undefined_test("DeLong", n, f"undefined: {too_few}")
    pairs = zip(placements(scores_a, positive), placements(scores_b, positive), strict=True)
    of_positives, of_negatives = (a - b for a, b in pairs)
    difference, variance = of_positives.mean(), _variance_of_mean(of_positives) + _variance_of_mean(of_negatives)
    if variance > _NO_VARIANCE:
        z = float(difference) / math.sqrt(variance)
        return TestResult("DeLong", z, math.erfc(abs(z) / math.sqrt(2)), n)
    if abs(difference) < 1e-12:
        return TestResult("DeLong", 0.0, 1.0, n, "both rank the units alike")
    return undefined_test("DeLong", n, "undefined: the difference has variance 0")


def checked_scores(scores: ArrayLike, positive: ArrayLike) -> tuple[Floats, Mask]:
    """Scores as float64 (N,) and labels as bool (N,).

    Raises:
        DataError: no vector, lengths that differ, scores that are not finite, labels beyond 0 and 1.
    """
    scores, positive = _numbers("scores", scores), np.asarray(positive)
    if scores.ndim != 1 or scores.shape != positive.shape:
        raise DataError(
            "scores and labels do not match", got=f"{scores.shape} and {positive.shape}", expected="(N,) and (N,)"
        )
    if not np.isfinite(scores).all():
        first = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise DataError("a score is not finite", where=f"unit {first}", got=scores[first], expected="a number")
    if positive.size and (positive.dtype.kind not in "biuf" or not np.isin(positive, (0, 1)).all()):
        raise DataError("labels are not binary", got=positive[:5], expected="0 or 1, or bool")
    return scores, positive.astype(bool)


def checked_weights(weights: ArrayLike, n_units: int) -> Floats:
    """Weights as float64 (B, N); DataError for another shape or a weight that is negative or not finite."""
    weights = _numbers("weights", weights)
    if weights.ndim != 2 or weights.shape[1] != n_units:
        raise DataError("weights do not match the units", got=weights.shape, expected=f"(B, {n_units})")
    if weights.size and not (np.isfinite(weights.sum()) and weights.min() >= 0):
        raise DataError("a weight is negative or not finite", expected="how often each unit was drawn, >= 0")
    return weights


def _numbers(name: str, values: ArrayLike) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} are not numbers", got=error) from error


def _in_blocks(
    area_of_block: Callable[[Floats, Mask, Array], Floats], scores: ArrayLike, positive: ArrayLike, weights: ArrayLike
) -> Floats:
    """(B,) areas of the rows of weights; units sorted once by falling score, ``starts`` where a new score begins."""
    scores, positive = checked_scores(scores, positive)
    weights = checked_weights(weights, len(scores))
    if not len(scores):
        return np.full(len(weights), np.nan)
    order = np.argsort(-scores, kind="stable")
    _, starts = np.unique(-scores[order], return_index=True)
    rows = max(_BLOCK // len(scores), 1)
    blocks = [
        area_of_block(weights[first : first + rows, order], positive[order], starts)
        for first in range(0, len(weights), rows)
    ]
    return np.concatenate(blocks) if blocks else np.empty(0)


def _block_of_aucs(weights: Floats, positive: Mask, starts: Array) -> Floats:
    positives = np.add.reduceat(weights * positive, starts, axis=1)
    negatives = np.add.reduceat(weights * ~positive, starts, axis=1)
    negatives_at_or_above = np.cumsum(negatives, axis=1)
    total = negatives_at_or_above[:, -1:]
    below = total - negatives_at_or_above + negatives / 2  # those of the same score count half
    with np.errstate(invalid="ignore"):
        areas: Floats = np.einsum("bg,bg->b", positives, below) / (positives.sum(axis=1) * total[:, 0])
    return areas


def _block_of_average_precisions(weights: Floats, positive: Mask, starts: Array) -> Floats:
    positives = np.add.reduceat(weights * positive, starts, axis=1)
    units_above = np.cumsum(np.add.reduceat(weights, starts, axis=1), axis=1)
    positives_above = np.cumsum(positives, axis=1)
    # Before the first unit drawn there is no precision, but no gain in recall either.
    precision = positives_above / np.where(units_above > 0, units_above, 1)
    with np.errstate(invalid="ignore"):
        areas: Floats = np.einsum("bg,bg->b", positives, precision) / positives_above[:, -1]
    return areas


def _counts_above(scores: ArrayLike, positive: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Falling thresholds (T,), beginning with infinity, and the positives and negatives at or above each."""
    scores, positive = checked_scores(scores, positive)
    thresholds, group = np.unique(-scores, return_inverse=True)
    positives = np.bincount(group, weights=positive, minlength=len(thresholds))
    negatives = np.bincount(group, weights=~positive, minlength=len(thresholds))
    falling = np.concatenate([[np.inf], 0.0 - thresholds])  # 0 minus it: a score of 0 shall not become -0
    return falling, np.cumsum(np.append(0, positives)), np.cumsum(np.append(0, negatives))


def _too_few(positive: Mask) -> str:
    """Why there is no variance, or an empty string."""
    fewest = min(np.count_nonzero(positive), np.count_nonzero(~positive))
    return "" if fewest > 1 else ("one class only" if fewest == 0 else "one unit in a class")


def placements(scores: Floats, positive: Mask) -> tuple[Floats, Floats]:
    """DeLong's structural components: per positive the share of negatives below it, per negative of positives above."""
    positives, negatives = scores[positive], scores[~positive]
    return _share_below(positives, negatives), 1 - _share_below(negatives, positives)


def _share_below(values: Floats, others: Floats) -> Floats:
    """(V,) the share of ``others`` below each value, ties counted half."""
    others = np.sort(others)
    return (np.searchsorted(others, values, "left") + np.searchsorted(others, values, "right")) / (2 * len(others))


def _variance_of_mean(values: Floats) -> float:
    return float(values.var(ddof=1)) / len(values)
