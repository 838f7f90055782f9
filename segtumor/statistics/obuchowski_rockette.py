"""Several readers, each reading the same cases under each of several modalities: Obuchowski and Rockette's analysis.

A figure of merit of reader j under modality i is modelled as a modality's mean (fixed) plus reader and reader-modality
effects (random) and an error whose covariances come from the cases: Cov1 of one reader under two modalities, Cov2 of
two readers under one modality, Cov3 of two readers under two. With covariances of the jackknife it gives the F, degrees
of freedom and p of Dorfman, Berbaum and Metz's analysis of pseudovalues, with Hillis' simplifications.
Sources: Obuchowski and Rockette, Commun Stat Simul Comput 24 (1995) 285-308; Hillis, Stat Med 26 (2007) 596-619
(degrees of freedom) and 33 (2014) 330-360 (the three kinds of inference); Hillis, Berbaum and Metz, Acad
Radiol 15 (2008) 647-661 (equivalence). Not here: figures of merit, and their covariances (``error_covariance``).
Letters: T modalities, R readers.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Bools, Floats
from segtumor.errors import DataError
from segtumor.statistics.interval import check_level

#: To whom the result applies: similar readers and cases; these readers and similar cases; similar readers, these cases.
RANDOM_ALL, FIXED_READERS, FIXED_CASES = "random readers, random cases", "fixed readers", "fixed cases"
INFERENCES = (RANDOM_ALL, FIXED_READERS, FIXED_CASES)
#: Mean squares below this are sums of rounding errors: values lie between 0 and 1, with some fifteen digits.
_ROUNDING = 1e-24
_NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A mean or a difference of means: its standard error, degrees of freedom (infinite: normal), interval and p value
    that it is 0 (of differences alone). NaN where undefined."""

    estimate: float
    standard_error: float
    df: float
    low: float
    high: float
    p_value: float = _NAN


@dataclass(frozen=True, kw_only=True)
class CrossedAnalysis:
    """The result for one of INFERENCES.

    Attributes:
        f, df1, df2, p_value: test that all modalities have the same mean; ``df2`` is infinite with fixed readers.
        modalities: T means over readers, each from its own modality's data alone.
        differences: {(i, k): mean of i less that of k} for i < k.
    """

    inference: str
    f: float
    df1: float
    df2: float
    p_value: float
    modalities: tuple[Contrast, ...]
    differences: dict[tuple[int, int], Contrast]


@dataclass(frozen=True, kw_only=True)
class VarianceComponents:
    """Mean squares of the values, and error variance and covariances; NaN where no pair defines one.

    Attributes:
        ms_modality, ms_reader, ms_interaction: MS(T), MS(R), MS(T*R).
        variance, cov1, cov2, cov3: means over all readers and modalities.
    """

    ms_modality: float
    ms_reader: float
    ms_interaction: float
    variance: float
    cov1: float
    cov2: float
    cov3: float


def variance_components(values: ArrayLike, covariances: ArrayLike) -> VarianceComponents:
    """The VarianceComponents of figures of merit (T, R) with their error covariances (T, R, T, R).

    Raises:
        DataError: shapes that do not fit, or numbers that are not finite.
    """
    values, covariances = _checked(values, covariances)
    n_modalities, n_readers = values.shape
    of_modality = values.mean(axis=1, keepdims=True)
    of_reader = values.mean(axis=0, keepdims=True)
    grand = values.mean()
    interaction = values - of_modality - of_reader + grand
    same_modality = np.eye(n_modalities, dtype=bool)[:, None, :, None]
    same_reader = np.eye(n_readers, dtype=bool)[None, :, None, :]
    return VarianceComponents(
        ms_modality=_per(n_readers * ((of_modality - grand) ** 2).sum(), n_modalities - 1),
        ms_reader=_per(n_modalities * ((of_reader - grand) ** 2).sum(), n_readers - 1),
        ms_interaction=_per((interaction**2).sum(), (n_modalities - 1) * (n_readers - 1)),
        variance=_mean(covariances, same_modality & same_reader),
        cov1=_mean(covariances, ~same_modality & same_reader),
        cov2=_mean(covariances, same_modality & ~same_reader),
        cov3=_mean(covariances, ~same_modality & ~same_reader),
    )


def crossed_analysis(
    values: ArrayLike, covariances: ArrayLike, *, inference: str = RANDOM_ALL, level: float = 0.95
) -> CrossedAnalysis:
    """Compare modalities that all readers used on all cases.

    Args:
        values: (T, R) figures of merit.
        covariances: (T, R, T, R), their error covariances from the cases.
        inference: one of INFERENCES.

    Returns:
        CrossedAnalysis. Random readers need two; with one reader, tests and intervals are NaN but with fixed readers.

    Raises:
        DataError: shapes that do not fit, numbers that are not finite, another inference.
    """
    values, covariances = _checked(values, covariances)
    check_level(level)
    if inference not in INFERENCES:
        raise DataError("kind of inference is unknown", got=inference, expected="; ".join(INFERENCES))
    n_modalities, n_readers = values.shape
    parts = variance_components(values, covariances)
    denominator, df2 = _denominator(parts, n_modalities, n_readers, inference)
    f = _quotient(parts.ms_modality, denominator)
    error = _root(2 / n_readers * denominator)
    means = values.mean(axis=1)
    pairs = itertools.combinations(range(n_modalities), 2)
    return CrossedAnalysis(
        inference=inference,
        f=f,
        df1=float(n_modalities - 1),
        df2=df2,
        p_value=_f_tail(f, n_modalities - 1, df2),
        modalities=tuple(
            _mean_of(values[i : i + 1], covariances[i : i + 1, :, i : i + 1], inference, level)
            for i in range(n_modalities)
        ),
        differences={(i, k): _contrast(float(means[i] - means[k]), error, df2, level) for i, k in pairs},
    )


def reader_differences(
    values: ArrayLike, covariances: ArrayLike, *, level: float = 0.95
) -> dict[tuple[int, int, int], Contrast]:
    """{(j, i, k): of reader j alone, modality i less modality k}, i < k, with that reader's own error covariances."""
    values, covariances = _checked(values, covariances)
    found = {}
    for j in range(values.shape[1]):
        own = covariances[:, j, :, j]
        for i, k in itertools.combinations(range(len(values)), 2):
            error = _root(float(own[i, i] + own[k, k] - 2 * own[i, k]))
            found[j, i, k] = _contrast(float(values[i, j] - values[k, j]), error, math.inf, level)
    return found


def _denominator(parts: VarianceComponents, n_modalities: int, n_readers: int, inference: str) -> tuple[float, float]:
    """What MS(T) is divided by, and its degrees of freedom."""
    between = 0.0 if n_readers == 1 else max(parts.cov2 - parts.cov3, 0.0)
    if inference == FIXED_READERS:
        return parts.variance - parts.cov1 + (n_readers - 1) * between, math.inf
    extra = n_readers * between if inference == RANDOM_ALL else 0.0
    return _with_df(parts.ms_interaction, extra, (n_modalities - 1) * (n_readers - 1))


def _with_df(mean_square: float, extra: float, df: int) -> tuple[float, float]:
    """The sum of a mean square on ``df`` and a term estimated from many cases; Hillis' degrees of freedom of it."""
    total = mean_square + extra
    if df == 0:
        return _NAN, _NAN
    if mean_square < _ROUNDING:  # no reader differs: the error is the cases' alone
        return total, math.inf
    return total, total**2 / (mean_square**2 / df)


def _mean_of(values: Floats, covariances: Floats, inference: str, level: float) -> Contrast:
    """The mean of one modality (1, R), from its own data (Hillis 2007, 2014)."""
    n_readers = values.shape[1]
    parts = variance_components(values, covariances)
    between = 0.0 if n_readers == 1 else max(parts.cov2, 0.0)
    if inference == FIXED_READERS:
        total, df = parts.variance + (n_readers - 1) * between, math.inf
    else:
        total, df = _with_df(parts.ms_reader, n_readers * between if inference == RANDOM_ALL else 0.0, n_readers - 1)
    contrast = _contrast(float(values.mean()), _root(total / n_readers), df, level)
    return Contrast(**{**vars(contrast), "p_value": _NAN})


def _contrast(estimate: float, error: float, df: float, level: float) -> Contrast:
    """NaN limits where there is no error to go by."""
    from scipy.stats import norm, t

    if not error > 0:
        return Contrast(estimate=estimate, standard_error=error, df=df, low=_NAN, high=_NAN)
    distribution = norm if math.isinf(df) else t(df)
    reach = float(distribution.ppf((1 + level) / 2)) * error
    p_value = 2 * float(distribution.sf(abs(estimate) / error))
    low, high = estimate - reach, estimate + reach
    return Contrast(estimate=estimate, standard_error=error, df=df, low=low, high=high, p_value=p_value)


def _f_tail(f: float, df1: int, df2: float) -> float:
    from scipy.stats import chi2
    from scipy.stats import f as f_distribution

    if math.isnan(f):
        return _NAN
    return float(chi2.sf(f * df1, df1) if math.isinf(df2) else f_distribution.sf(f, df1, df2))


def _checked(values: ArrayLike, covariances: ArrayLike) -> tuple[Floats, Floats]:
    values, covariances = np.asarray(values, dtype=np.float64), np.asarray(covariances, dtype=np.float64)
    if values.ndim != 2 or not values.size or covariances.shape != (*values.shape, *values.shape):
        got = f"{values.shape} and {covariances.shape}"
        raise DataError("values and covariances do not fit", got=got, expected="(T, R) and (T, R, T, R)")
    if not (np.isfinite(values).all() and np.isfinite(covariances).all()):
        raise DataError("a figure of merit or a covariance is not finite", expected="numbers for every reader")
    return values, covariances


def _mean(covariances: Floats, chosen: Bools) -> float:
    counted = np.broadcast_to(chosen, covariances.shape)
    return float(covariances[counted].mean()) if counted.any() else _NAN


def _per(total: float, df: int) -> float:
    return float(total) / df if df else _NAN


def _quotient(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > _ROUNDING else _NAN


def _root(variance: float) -> float:
    return math.sqrt(variance) if variance > _ROUNDING else (0.0 if variance >= 0 else _NAN)
