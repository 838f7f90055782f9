"""Cohen's kappa, plain and weighted: agreement of two ratings beyond what their margins alone would give.

For resamples, ``kappa`` takes any number of tables at once; ``kappa_interval`` is the closed large-sample interval
that readers of a published table can recompute. Not here: more than two raters, and the paired comparison of two
kappas.

Letters: ... any leading axes, K classes (in their natural order where the weights are linear or quadratic).
"""

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Floats
from segtumor.errors import DataError
from segtumor.statistics.interval import Interval, Method, check_level, undefined_interval
from segtumor.statistics.rates import Rates, checked_confusions

#: How much a disagreement of d classes weighs, out of 1 for the largest possible one.
_POWERS = {"none": 0, "linear": 1, "quadratic": 2}
_METHOD = "Fleiss-Cohen-Everitt"


def kappa(counts: ArrayLike, *, weights: str = "none") -> Rates:
    """Cohen's kappa of (..., K, K) tables, rows one rating, columns the other: (...) in [-1, 1].

    Args:
        counts: how often each pair of classes was given; integers or sums of weights.
        weights: "none", every disagreement counts alike; "linear" or "quadratic" in the distance of the classes.

    NaN where chance agreement is complete (both ratings know one class only, or the table is empty).
    Source: Cohen, Psychol Bull 70 (1968) 213-220.
    """
    counts = checked_confusions(counts)
    disagreement = _disagreement(counts.shape[-1], weights)
    rows, columns = counts.sum(axis=-1), counts.sum(axis=-2)
    observed = (counts * disagreement).sum(axis=(-2, -1)) * rows.sum(axis=-1)
    expected = np.einsum("...i,ij,...j->...", rows, disagreement, columns)
    possible = expected > 0
    return np.where(possible, 1 - observed / np.where(possible, expected, 1), np.nan)[()]


def kappa_interval(counts: ArrayLike, *, weights: str = "none", level: float = 0.95) -> Interval:
    """Large-sample interval of the kappa of one (K, K) table, clipped to [-1, 1].

    NaN where kappa is. Complete agreement has variance 0, an interval of one point; its method says so. Small tables
    are better served by a bootstrap of cases.
    Source: Fleiss, Cohen and Everitt, Psychol Bull 72 (1969) 323-327, the non-null standard error.

    Raises:
        DataError: more than one table, an unknown weighting or a level outside (0, 1).
    """
    counts = checked_confusions(counts)
    if counts.ndim > 2:
        raise DataError("an interval of kappa is of one table", got=f"shape {counts.shape}", expected="(K, K)")
    check_level(level)
    estimate = kappa(counts, weights=weights)
    if np.isnan(estimate):
        return undefined_interval("one class only", level)
    variance = _variance(counts, 1 - _disagreement(len(counts), weights))
    reach = NormalDist().inv_cdf((1 + level) / 2) * np.sqrt(variance)
    low, high = np.clip([estimate - reach, estimate + reach], -1, 1)
    return Interval(float(low), float(high), Method(_METHOD, "" if variance > 0 else "(variance 0)"), level)


def _variance(counts: Floats, agreement: Floats) -> float:
    """Variance of weighted kappa; with agreement weights 1 on the diagonal and 0 elsewhere, of the plain one."""
    n = counts.sum()
    shares = counts / n
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    observed, expected = (shares * agreement).sum(), rows @ agreement @ columns
    # Mean weight a class meets in the other rating: row i against the column margins, column j against the row margins.
    margins = (agreement @ columns)[:, None] + rows @ agreement
    mean_square = (shares * (agreement * (1 - expected) - margins * (1 - observed)) ** 2).sum()
    spread = mean_square - (observed * expected - 2 * expected + observed) ** 2
    # Complete agreement leaves a rounding error of either sign where the two terms are equal.
    return 0.0 if spread < 1e-14 else spread / (n * (1 - expected) ** 4)


def _disagreement(n_classes: int, weights: str) -> Floats:
    """(K, K) from 0 on the diagonal to 1."""
    if weights not in _POWERS:
        raise DataError("kappa's weighting is unknown", got=weights, expected=f"one of {', '.join(_POWERS)}")
    classes = np.arange(n_classes)
    distance = np.abs(classes[:, None] - classes) / max(n_classes - 1, 1)
    return np.where(distance > 0, distance ** _POWERS[weights], 0)
