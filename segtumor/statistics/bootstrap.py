"""Bootstrap intervals that resample cases.

Lesions of one patient, and views of one knee, are alike; drawing them one by one would pretend to more independent
observations than there are, and give intervals that cover too little. So whole cases are drawn, with all they hold. A
resample is a row of weights, how often each case was drawn, and a statistic is a function of many rows at once.

Letters: B resamples, C cases. Not here: what the statistic is (``segtumor.evaluation``), studentised and parametric
bootstraps, more than two levels of nesting.
"""

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Floats
from segtumor.statistics.interval import BCA, DEGENERATE, PERCENTILE, Interval, Method, check_level, undefined_interval

#: Rows of weights handed over at once, fewer where they would hold more numbers than BLOCK_CELLS (float64: 20 MB).
BLOCK_ROWS = 500
BLOCK_CELLS = 2_500_000
#: Numbers closer than this, relative to the largest, are equal: sums of the same terms differ in their last digits.
TIE_TOLERANCE = 1e-10


def case_weights(n_cases: int, n_resamples: int, *, rng: np.random.Generator) -> Floats:
    """(B, C) float64: how often each case was drawn when C cases are drawn with replacement; every row sums to C."""
    if n_cases == 0:
        return np.zeros((n_resamples, 0))
    drawn = rng.integers(n_cases, size=(n_resamples, n_cases))
    drawn += n_cases * np.arange(n_resamples)[:, None]  # one bincount for all rows
    return np.bincount(drawn.ravel(), minlength=n_resamples * n_cases).reshape(n_resamples, n_cases).astype(np.float64)


def leave_one_out_rows(start: int, stop: int, n_cases: int) -> Floats:
    """Rows ``start`` to ``stop`` - 1 of the jackknife's C x C weights, float64: row i leaves out case i."""
    weights = np.ones((stop - start, n_cases))
    weights[np.arange(stop - start), np.arange(start, stop)] = 0
    return weights


def block_spans(n_rows: int, n_cases: int) -> list[tuple[int, int]]:
    """[(start, stop)] that part ``n_rows`` rows of C weights into blocks of bounded size."""
    step = min(BLOCK_ROWS, max(1, BLOCK_CELLS // max(n_cases, 1)))
    return [(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]


def percentile_interval(replicates: ArrayLike, *, level: float = 0.95) -> Interval:
    """The percentile interval: the quantiles of the replicates at (1 - level) / 2 and (1 + level) / 2.

    Source: Efron, The Jackknife, the Bootstrap and Other Resampling Plans (1982), chapter 10. Quantiles are
    interpolated linearly.

    Args:
        replicates: (B,); those that are not finite are left out.

    Returns:
        Interval; NaN with fewer than two replicates; method "degenerate" where all are equal.
    """
    check_level(level)
    finite = _finite(replicates)
    if len(finite) < 2:
        return undefined_interval("fewer than two resamples define it", level)
    if _all_equal(finite):
        return Interval(float(finite[0]), float(finite[0]), Method(DEGENERATE), level)
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), Method(PERCENTILE), level)


def bca_interval(estimate: float, replicates: ArrayLike, jackknife: ArrayLike, *, level: float = 0.95) -> Interval:
    """The bias-corrected and accelerated interval (BCa).

    Quantiles of the replicates at Phi(z0 + (z0 + z) / (1 - a (z0 + z))) for z = the normal quantiles of
    (1 - level) / 2 and (1 + level) / 2, where the bias correction z0 is the normal quantile of the share of replicates
    below the estimate (ties counted half) and the acceleration a is sum(d^3) / (6 sum(d^2)^1.5), d the jackknife
    values' mean less each.
    Source: Efron, J Am Stat Assoc 82 (1987) 171-185; a by the jackknife as in Efron and Tibshirani, An Introduction to
    the Bootstrap (1993), chapter 14.

    Args:
        estimate: the statistic of all cases.
        replicates: (B,); those that are not finite are left out.
        jackknife: (C,) the statistic with one case left out.

    Returns:
        Interval; the percentile interval, its method saying why, where z0 or a is undefined (the estimate lies outside
        all replicates, a jackknife value is undefined, or all of them are equal); method "degenerate" where all
        replicates are equal; NaN where the estimate is NaN or fewer than two replicates are defined.
    """
    check_level(level)
    if not np.isfinite(estimate):
        return undefined_interval("no estimate", level)
    plain = percentile_interval(replicates, level=level)
    if plain.method.kind != PERCENTILE:
        return plain
    bias, acceleration = _bias(estimate, _finite(replicates)), _acceleration(np.asarray(jackknife, dtype=np.float64))
    levels, reason = _bca_levels(bias, acceleration, level)
    if levels is None:
        return Interval(plain.low, plain.high, Method(PERCENTILE, f"(BCa undefined: {reason})"), level)
    low, high = np.quantile(_finite(replicates), levels)
    return Interval(float(low), float(high), Method(BCA), level)


def _finite(values: ArrayLike) -> Floats:
    array: Floats = np.asarray(values, dtype=np.float64)
    finite: Floats = array[np.isfinite(array)]
    return finite


def _all_equal(values: Floats) -> bool:
    return bool(np.ptp(values) <= TIE_TOLERANCE * np.max(np.abs(values)))


def _bias(estimate: float, replicates: Floats) -> float:
    """z0, infinite where the estimate lies outside all replicates."""
    from scipy.special import ndtri

    tolerance = TIE_TOLERANCE * np.max(np.abs(replicates))
    below = np.mean(replicates < estimate - tolerance)
    above = np.mean(replicates > estimate + tolerance)
    return float(ndtri((1 + below - above) / 2))  # below + half of the ties


def _acceleration(jackknife: Floats) -> float:
    """a, NaN where a jackknife value is undefined or all are equal."""
    if not np.all(np.isfinite(jackknife)) or _all_equal(jackknife):
        return float("nan")
    deviations = jackknife.mean() - jackknife
    return float(np.sum(deviations**3) / (6 * np.sum(deviations**2) ** 1.5))


def _bca_levels(bias: float, acceleration: float, level: float) -> tuple[Floats | None, str]:
    """The two levels at which to take the replicates' quantiles, and why there are none."""
    from scipy.special import ndtr, ndtri

    if not np.isfinite(bias):
        return None, "the estimate lies outside all resamples"
    if not np.isfinite(acceleration):
        return None, "no spread or no value when single cases are left out"
    shifted = bias + ndtri([(1 - level) / 2, (1 + level) / 2])
    if np.any(acceleration * shifted >= 1):
        return None, "the acceleration is too large"
    return ndtr(bias + shifted / (1 - acceleration * shifted)), ""
