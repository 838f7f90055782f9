"""Bootstrap intervals that resample cases.

Lesions of one patient, and views of one knee, are alike; drawing them one by one would pretend to more independent
observations than there are, and give intervals that cover too little. So whole cases are drawn, with all they hold. A
resample is a row of weights, how often each case was drawn, and a statistic is a function of many rows at once.

Letters: B resamples, C cases. Not here: what the statistic is (``segtumor.evaluation``), studentised and parametric
bootstraps, more than two levels of nesting.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Array, Floats
from segtumor.errors import DataError
from segtumor.statistics.interval import BCA, DEGENERATE, PERCENTILE, Interval, Method, check_level, undefined_interval

#: Of rows of case weights (B, C): (B,), NaN where undefined.
Statistic = Callable[[Floats], Floats]

#: Rows of weights handed over at once, fewer where they would hold more numbers than BLOCK_CELLS (float64: 20 MB).
BLOCK_ROWS = 500
BLOCK_CELLS = 2_500_000
#: Numbers closer than this, relative to the largest, are equal: sums of the same terms differ in their last digits.
TIE_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Bootstrap:
    """A statistic with its bootstrap interval.

    Attributes:
        value: of the cases as they are, each once.
        interval: an :class:`Interval`; method "bca", "percentile" (followed by a reason where BCa was asked for),
            "degenerate" (all resamples equal; the interval has no width) or "undefined: ..." (NaN).
        standard_error: standard deviation of the replicates; NaN for fewer than two.
        n_defined: resamples in which the statistic is defined.
        replicates: (B,), NaN where the statistic is undefined; empty with fewer than two cases.
    """

    value: float
    interval: Interval
    standard_error: float
    n_defined: int
    replicates: Floats


def case_weights(n_cases: int, n_resamples: int, *, rng: np.random.Generator) -> Floats:
    """(B, C) float64: how often each case was drawn when C cases are drawn with replacement; every row sums to C."""
    if n_cases == 0:
        return np.zeros((n_resamples, 0))
    drawn = rng.integers(n_cases, size=(n_resamples, n_cases))
    drawn += n_cases * np.arange(n_resamples)[:, None]  # one bincount for all rows
    return np.bincount(drawn.ravel(), minlength=n_resamples * n_cases).reshape(n_resamples, n_cases).astype(np.float64)


def leave_one_out_weights(n_cases: int) -> Floats:
    """(C, C) float64: row i has weight 0 for case i and 1 for the others (the jackknife). For many cases see
    ``leave_one_out_rows``."""
    return leave_one_out_rows(0, n_cases, n_cases)


def leave_one_out_rows(start: int, stop: int, n_cases: int) -> Floats:
    """The rows from ``start`` to before ``stop`` of ``leave_one_out_weights``: all C x C numbers are never needed."""
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
        level: nominal coverage, in (0, 1).

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
        level: nominal coverage, in (0, 1).

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


def bootstrap(
    resample: Statistic,
    n_cases: int,
    *,
    n_resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    method: str = "bca",
) -> Bootstrap:
    """A statistic and its interval by resampling cases with replacement.

    Args:
        resample: function of weights (B, C) float64 -> values (B,), NaN where undefined; called with at most
            ``BLOCK_ROWS`` rows at a time, with rows of ones for the value itself and with leave-one-out rows.
        n_cases: C >= 0.
        n_resamples: B >= 2.
        seed: of the draws: the same seed and number of cases give the same draws, so statistics can be paired.
        level: nominal coverage, in (0, 1).
        method: "bca" or "percentile".

    Returns:
        Bootstrap. With one case the interval is NaN: one case says nothing about the next.

    Raises:
        DataError: arguments that cannot be used.
    """
    _check(n_cases, n_resamples, level, method)
    if n_cases == 0:
        return Bootstrap(float("nan"), undefined_interval("no cases", level), float("nan"), 0, np.empty(0))
    value = float(values_of_rows(resample, np.ones((1, n_cases)))[0])
    if n_cases == 1:
        return Bootstrap(value, undefined_interval("one case", level), float("nan"), 0, np.empty(0))
    replicates = _replicates(resample, n_cases, n_resamples, np.random.default_rng(seed))
    if method == "percentile":
        interval = percentile_interval(replicates, level=level)
    else:
        interval = bca_interval(value, replicates, _jackknife(resample, n_cases), level=level)
    finite = _finite(replicates)
    error = float(np.std(finite, ddof=1)) if len(finite) > 1 else float("nan")
    return Bootstrap(value, interval, error, len(finite), replicates)


def values_of_rows(statistic: Statistic, rows: Array) -> Floats:
    """(B,) float64: the statistic of each row. Another shape is a ValueError, for it would be broadcast in silence."""
    values = np.asarray(statistic(rows), dtype=np.float64)
    if values.shape != (len(rows),):
        raise ValueError(f"the statistic has shape {values.shape} for rows of shape {rows.shape}")
    return values


def _check(n_cases: int, n_resamples: int, level: float, method: str) -> None:
    check_level(level)
    if n_cases < 0 or n_resamples < 2:
        got = f"{n_cases} cases, {n_resamples} resamples"
        raise DataError("nothing to resample", got=got, expected="n_cases >= 0 and n_resamples >= 2")
    if method not in ("bca", "percentile"):
        raise DataError("method of the bootstrap is unknown", got=method, expected='"bca" or "percentile"')


def _replicates(resample: Statistic, n_cases: int, n_resamples: int, rng: np.random.Generator) -> Floats:
    rows = (case_weights(n_cases, stop - start, rng=rng) for start, stop in block_spans(n_resamples, n_cases))
    return np.concatenate([values_of_rows(resample, weights) for weights in rows])


def _jackknife(resample: Statistic, n_cases: int) -> Floats:
    rows = (leave_one_out_rows(start, stop, n_cases) for start, stop in block_spans(n_cases, n_cases))
    return np.concatenate([values_of_rows(resample, weights) for weights in rows])


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
