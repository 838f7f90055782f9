"""Statistics of units and of cases as they are, for tests: one number where the package gives one for each resample."""

from dataclasses import dataclass

import numpy as np

from segtumor.errors import DataError
from segtumor.statistics.bootstrap import (
    bca_interval,
    block_spans,
    case_weights,
    leave_one_out_rows,
    percentile_interval,
)
from segtumor.statistics.calibration import briers, eces
from segtumor.statistics.interval import Interval, check_level, undefined_interval
from segtumor.statistics.roc import aucs, average_precisions


@dataclass(frozen=True)
class Bootstrap:
    """A statistic with its interval, and its values in the resamples, of which ``n_defined`` are no NaN."""

    value: float
    interval: Interval
    standard_error: float
    n_defined: int
    replicates: np.ndarray


def bootstrap(resample, n_cases, *, n_resamples=2000, seed=0, level=0.95, method="bca"):
    """A statistic, a function of (B, C) weights, and its interval "bca" or "percentile" by resampling cases."""
    _check(n_cases, n_resamples, level, method)
    if n_cases == 0:
        return Bootstrap(np.nan, undefined_interval("no cases", level), np.nan, 0, np.empty(0))
    value = float(_values(resample, np.ones((1, n_cases)))[0])
    if n_cases == 1:
        return Bootstrap(value, undefined_interval("one case", level), np.nan, 0, np.empty(0))
    rng, spans = np.random.default_rng(seed), block_spans(n_resamples, n_cases)
    drawn = (case_weights(n_cases, stop - start, rng=rng) for start, stop in spans)
    replicates = np.concatenate([_values(resample, weights) for weights in drawn])
    if method == "percentile":
        interval = percentile_interval(replicates, level=level)
    else:
        rows = (leave_one_out_rows(*span, n_cases) for span in block_spans(n_cases, n_cases))
        jackknife = np.concatenate([_values(resample, weights) for weights in rows])
        interval = bca_interval(value, replicates, jackknife, level=level)
    finite = replicates[np.isfinite(replicates)]
    error = float(np.std(finite, ddof=1)) if len(finite) > 1 else np.nan
    return Bootstrap(value, interval, error, len(finite), replicates)


def _check(n_cases, n_resamples, level, method):
    check_level(level)
    if n_cases < 0 or n_resamples < 2:
        raise DataError("nothing to resample", got=f"{n_cases} cases, {n_resamples} resamples")
    if method not in ("bca", "percentile"):
        raise DataError("method of the bootstrap is unknown", got=method)


def _values(resample, weights):
    values = np.asarray(resample(weights), dtype=np.float64)
    if values.shape != (len(weights),):
        raise ValueError(f"the statistic has shape {values.shape} for rows of shape {weights.shape}")
    return values


def leave_one_out_weights(n_cases):
    """(C, C): row i has weight 0 for case i and 1 for the others."""
    return leave_one_out_rows(0, n_cases, n_cases)


def _one_row(scores, weights):
    return np.ones((1, np.size(scores))) if weights is None else np.asarray(weights)[None]


def auc(scores, positive, weights=None):
    return float(aucs(scores, positive, _one_row(scores, weights))[0])


def average_precision(scores, positive, weights=None):
    return float(average_precisions(scores, positive, _one_row(scores, weights))[0])


def ece(probabilities, positive, *, n_bins=10):
    return float(eces(probabilities, positive, _one_row(probabilities, None), n_bins=n_bins)[0])


def brier(probabilities, positive):
    return float(briers(probabilities, positive, _one_row(probabilities, None))[0])
