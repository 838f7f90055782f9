"""Net benefit: what calling a tumour from a probability on is worth, for every such probability.

Vickers & Elkin, Med Decis Making 2006;26:565-574: true positives less false ones, weighed by the odds of the threshold
probability p, of all units: TP / n - FP / n * p / (1 - p). Who acts from p on holds a missed tumour (1 - p) / p times
as bad as a false alarm. Calling nobody is worth 0, calling everybody what ``treat_all`` says. Net benefit holds for the
prevalence of the units at hand only. Letters: B resamples, N units, T thresholds.
"""

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Floats
from segtumor.errors import DataError
from segtumor.statistics.roc import checked_scores, checked_weights


def net_benefits(probabilities: ArrayLike, positive: ArrayLike, weights: ArrayLike, thresholds: ArrayLike) -> Floats:
    """(B, T) net benefit of calling from each threshold on; NaN where nothing was drawn.

    Args:
        probabilities: (N,) in [0, 1], of a tumour.
        positive: (N,) 0/1 or bool.
        weights: (B, N), how often each unit was drawn.
        thresholds: (T,) in [0, 1).

    Raises:
        DataError: as ``roc.checked_scores``, or a threshold out of range.
    """
    scores, truth = checked_scores(probabilities, positive)
    drawn, odds = checked_weights(weights, len(scores)), _odds(thresholds)
    order = np.argsort(-scores, kind="stable")
    n_called = np.searchsorted(-scores[order], -np.asarray(thresholds, dtype=np.float64), side="right")
    called = drawn[:, order]
    true, false = (np.pad(np.cumsum(called * side[order], axis=1), ((0, 0), (1, 0))) for side in (truth, ~truth))
    with np.errstate(invalid="ignore"):
        worth: Floats = (true[:, n_called] - false[:, n_called] * odds) / drawn.sum(axis=1)[:, None]
    return worth


def treat_all(positive: ArrayLike, weights: ArrayLike, thresholds: ArrayLike) -> Floats:
    """(B, T) net benefit of calling everybody; arguments and errors as ``net_benefits``."""
    return net_benefits(np.ones(len(np.asarray(positive))), positive, weights, thresholds)


def _odds(thresholds: ArrayLike) -> Floats:
    values = np.asarray(thresholds, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values < 1)).all():
        raise DataError("threshold probability out of range", got=f"{values[:5]}", expected="0 to below 1")
    return np.asarray(values / (1 - values))
