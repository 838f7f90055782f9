"""How figures of merit of the same cases vary together: by leaving out cases, or by DeLong's components.

Letters: C cases, N units, ... the shape of one set of figures of merit. Not here: what is made of them
(``obuchowski_rockette``).
"""

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Floats
from segtumor.errors import DataError
from segtumor.statistics.roc import checked_scores, placements


def jackknife_covariance(left_out: ArrayLike) -> Floats:
    """(..., ...) covariances of figures of merit from their values with one case left out, (C, ...).

    (C - 1) / C times the sum over cases of the products of deviations from the mean; C >= 2.
    Source: Efron, The Jackknife, the Bootstrap and Other Resampling Plans (1982), chapter 3.

    Raises:
        DataError: fewer than two cases, or a value that is not finite.
    """
    values = np.asarray(left_out, dtype=np.float64)
    n_cases, shape = len(values), values.shape[1:]
    if n_cases < 2:
        raise DataError("no covariance from fewer than two cases", got=n_cases)
    if not np.isfinite(values).all():
        what = "a figure of merit is undefined without one of the cases"
        raise DataError(what, remedy="At least two cases of each kind are needed")
    deviations = (values - values.mean(axis=0)).reshape(n_cases, -1)
    covariance = (n_cases - 1) / n_cases * deviations.T @ deviations
    return np.asarray(covariance.reshape(*shape, *shape))


def delong_covariance(scores: ArrayLike, positive: ArrayLike) -> Floats:
    """(..., ...) covariances of areas under ROC curves of scores (..., N), all of the same N units.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837-845.

    Raises:
        DataError: as ``roc.aucs``; fewer than two positives or negatives.
    """
    scores = np.asarray(scores, dtype=np.float64)
    shape = scores.shape[:-1]
    kinds: tuple[list[Floats], list[Floats]] = ([], [])
    for one in scores.reshape(-1, scores.shape[-1]):
        finite, truth = checked_scores(one, positive)
        if min(np.count_nonzero(truth), np.count_nonzero(~truth)) < 2:
            raise DataError("no covariance of areas", got=f"{np.count_nonzero(truth)} positive of {len(truth)}")
        for kind, components in zip(kinds, placements(finite, truth), strict=True):
            kind.append(components)
    covariance = sum(np.atleast_2d(np.cov(np.array(kind))) / len(kind[0]) for kind in kinds)
    return np.asarray(covariance).reshape(*shape, *shape)
