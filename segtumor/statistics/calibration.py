"""Whether predicted probabilities mean what they say: reliability, calibration error, Brier score, temperature.

``eces`` and ``briers`` take all resamples of a bootstrap at once, as weights. Not here: ranking (``roc``), drawing, and
calibration of several classes or with an intercept.

Letters: B resamples, N units. Probabilities lie in [0, 1]; ``positive`` is 0/1 or bool.
"""

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Array, Floats, Mask
from segtumor.errors import DataError
from segtumor.statistics.roc import checked_scores, checked_weights

logger = logging.getLogger(__name__)

#: A probability of exactly 0 or 1 that is wrong would cost infinitely much.
_CLIP = 1e-6
#: Temperatures tried. Beyond them probabilities are all but steps, or all but one half.
_COLDEST, _HOTTEST = 0.01, 100.0


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram.

    Attributes:
        mean_probability, observed: (n_bins,) mean prediction and share of positives in each bin, NaN in an empty one.
        counts: (n_bins,) units in each.
        edges: (n_bins + 1,) rising; a bin holds its upper edge, the first one also its lower.
    """

    mean_probability: Floats
    observed: Floats
    counts: Array
    edges: Floats


def reliability(probabilities: ArrayLike, positive: ArrayLike, *, n_bins: int = 10) -> Reliability:
    """The reliability diagram of (N,) probabilities in bins of equal width.

    Raises:
        DataError: a probability outside [0, 1], lengths that differ, labels beyond 0 and 1, no bin.
    """
    probabilities, positive = _checked(probabilities, positive)
    edges = _edges(n_bins)
    bins = _bins(probabilities, edges)
    counts = np.bincount(bins, minlength=n_bins)
    with np.errstate(invalid="ignore"):
        mean_probability = np.bincount(bins, probabilities, n_bins) / counts
        observed = np.bincount(bins, positive, n_bins) / counts
    return Reliability(mean_probability, observed, counts, edges)


def eces(probabilities: ArrayLike, positive: ArrayLike, weights: ArrayLike, *, n_bins: int = 10) -> Floats:
    """Expected calibration error: |observed - predicted| of the bins, weighted by their units; 0 is best, 1 worst.

    It depends on the bins: give their number beside it. One for each row of weights (B, N): (B,), NaN where nothing is
    drawn. Other arguments and errors as ``reliability``. Source: Naeini, Cooper and Hauskrecht, AAAI 2015.
    """
    probabilities, positive = _checked(probabilities, positive)
    weights = checked_weights(weights, len(probabilities))
    bins = _bins(probabilities, _edges(n_bins))
    # In a bin, units times |observed - predicted| is the absolute sum of the units' own differences.
    differences = np.zeros((len(probabilities), n_bins))
    differences[np.arange(len(bins)), bins] = positive - probabilities
    return _weighted(np.abs(weights @ differences).sum(axis=1), weights)


def briers(probabilities: ArrayLike, positive: ArrayLike, weights: ArrayLike) -> Floats:
    """Mean squared difference of probability and outcome: 0 is best, 1 worst, 0.25 for always saying one half.

    One for each row of weights (B, N): (B,), NaN where nothing is drawn.
    Source: Brier, Mon Weather Rev 78 (1950) 1-3, halved as is usual for two classes.
    """
    probabilities, positive = _checked(probabilities, positive)
    weights = checked_weights(weights, len(probabilities))
    return _weighted(weights @ (probabilities - positive) ** 2, weights)


def fit_temperature(probabilities: ArrayLike, positive: ArrayLike) -> float:
    """The temperature T > 0 at which sigmoid(logit(p) / T) has the smallest log loss on these (N,) units.

    T > 1 softens an over-confident model. Fit it on validation units, never on those that are tested. Probabilities
    are clipped to [1e-6, 1 - 1e-6] for the fit, and T to [0.01, 100]; a warning is logged at a bound, which means that
    the probabilities separate the classes or are no better than chance. T = 1 where all are one half.
    Source: Guo, Pleiss, Sun and Weinberger, ICML 2017.

    Raises:
        DataError: one class only, and what ``reliability`` refuses.
    """
    from scipy.optimize import brentq
    from scipy.special import expit, logit

    probabilities, positive = _checked(probabilities, positive)
    if positive.all() or not positive.any():
        raise DataError(
            "a temperature needs positives and negatives",
            got=f"{np.count_nonzero(positive)} of {positive.size} positive",
        )
    logits = logit(np.clip(probabilities, _CLIP, 1 - _CLIP))

    def slope(inverse: float) -> float:
        """Of the log loss along 1 / T, in which it is convex: this rises."""
        return float(np.mean(logits * (expit(logits * inverse) - positive)))

    if not np.abs(logits).max() > 0:
        return 1.0
    for bound, beyond in ((_HOTTEST, slope(1 / _HOTTEST) >= 0), (_COLDEST, slope(1 / _COLDEST) <= 0)):
        if beyond:
            logger.warning("The best temperature is beyond %g, the last one tried.", bound)
            return bound
    return float(1 / brentq(slope, 1 / _HOTTEST, 1 / _COLDEST, xtol=1e-10))


def apply_temperature(probabilities: ArrayLike, temperature: float) -> Floats:
    """sigmoid(logit(p) / T) of probabilities of any shape; 0, one half and 1 stay what they are.

    The order is kept (but for rounding next to 0 and 1), hence every ROC curve; T = 1 changes nothing.

    Raises:
        DataError: a probability outside [0, 1], or a temperature that is not positive and finite.
    """
    from scipy.special import expit, logit

    probabilities = np.asarray(probabilities, dtype=np.float64)
    _check_range(probabilities)
    if not (np.isfinite(temperature) and temperature > 0):
        raise DataError("a temperature is impossible", got=temperature, expected="a finite number above 0")
    return expit(logit(probabilities) / temperature)


def _checked(probabilities: ArrayLike, positive: ArrayLike) -> tuple[Floats, Mask]:
    probabilities, positive = checked_scores(probabilities, positive)
    _check_range(probabilities)
    return probabilities, positive


def _check_range(probabilities: Floats) -> None:
    wrong = ~((probabilities >= 0) & (probabilities <= 1))
    if wrong.any():
        raise DataError("a probability is out of range", got=probabilities[wrong][0], expected="0 to 1")


def _edges(n_bins: int) -> Floats:
    if n_bins < 1:
        raise DataError("no bins", got=n_bins, expected="1 or more")
    return np.linspace(0, 1, n_bins + 1)


def _bins(probabilities: Floats, edges: Floats) -> Array:
    """(N,) index of each unit's bin."""
    return np.searchsorted(edges[1:-1], probabilities, side="left")


def _weighted(sums: Floats, weights: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        means: Floats = sums / weights.sum(axis=1)
    return means
