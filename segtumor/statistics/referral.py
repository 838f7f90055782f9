"""What is right among the units that a model keeps, when the most uncertain ones are referred to a human.

Units are sorted by their uncertainty and the most uncertain ones referred, a proportion of all after the other
(Geifman & El-Yaniv, NeurIPS 2017, "selective classification": their coverage is the proportion kept). Units of equal
uncertainty are referred in proportion, which is the mean over all orders of them; so is a unit that a proportion would
cut in two. Not here: what is uncertain, and what is right (``segtumor.evaluation.measures.referral``).
Letters: B resamples, N units, V kinds of counts, Q proportions.
"""

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Floats
from segtumor.errors import DataError
from segtumor.statistics.roc import checked_weights


def kept_counts(uncertainty: ArrayLike, counted: ArrayLike, weights: ArrayLike, referred: ArrayLike) -> Floats:
    """Sums over the units kept, (B, Q, V).

    Args:
        uncertainty: (N,) finite, the more uncertain the higher.
        counted: (N, V) what is summed, such as 1 for a right call.
        weights: (B, N), how often each unit was drawn.
        referred: (Q,) proportions referred, in [0, 1].

    Raises:
        DataError: lengths that differ, an uncertainty that is not finite, weights that are negative.
    """
    doubts, values = np.asarray(uncertainty, dtype=np.float64), np.asarray(counted, dtype=np.float64)
    if doubts.ndim != 1 or values.shape[:1] != doubts.shape or not np.isfinite(doubts).all():
        got = f"{doubts.shape} and {values.shape}"
        raise DataError("not an uncertainty of each unit", got=got, expected="(N,), finite, and (N, V)")
    drawn, shares = checked_weights(weights, len(doubts)), np.asarray(referred, dtype=np.float64)
    if not len(doubts):
        return np.zeros((len(drawn), len(shares), values.shape[1]))
    order = np.argsort(doubts, kind="stable")
    _, starts = np.unique(doubts[order], return_index=True)
    drawn, values = drawn[:, order], values[order]
    kept = np.stack([_rising(drawn, starts), *(_rising(drawn * column, starts) for column in values.T)], axis=1)
    wanted = (1 - shares) * kept[:, 0, -1:]
    return np.array(
        [[np.interp(at, row[0], column) for column in row[1:]] for row, at in zip(kept, wanted, strict=True)]
    ).transpose(0, 2, 1)


def _rising(values: Floats, starts: ArrayLike) -> Floats:
    """(B, G + 1) running sums of (B, N), after none, one, ... of the groups that begin at ``starts`` (G,)."""
    sums = np.cumsum(np.add.reduceat(values, np.asarray(starts), axis=1), axis=1)
    return np.pad(sums, ((0, 0), (1, 0)))
