"""Classical tests of counts and groups, and Holm's adjustment for making several.

Every test is two-sided and takes its observations as independent: give it cases, not the lesions of cases. Not here:
tests by resampling and what to test against what (``segtumor.evaluation``), of ROC areas (``roc``).
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Floats
from segtumor.errors import DataError
from segtumor.statistics.interval import TestResult, undefined_test

#: Discordant pairs below which McNemar's test takes the binomial distribution itself.
EXACT_BELOW = 25
#: Expected counts below this make the chi-squared approximation doubtful (Cochran, Biometrics 10, 1954, 417-451).
SMALL_EXPECTED = 5
#: Observations below which a group makes the approximation of Kruskal and Wallis doubtful.
SMALL_GROUP = 5
CORRECTIONS = ("none", "yates", "n-1")


def mcnemar(only_first_right: float, only_second_right: float, *, exact: bool | None = None) -> TestResult:
    """McNemar's test that two methods, judged on the same cases, are right equally often.

    Only the discordant pairs matter: with b cases that only the first has right and c that only the second has, b is
    binomial (b + c, 1/2) under the hypothesis. Either that distribution, p = 2 P(X <= min(b, c)), at most 1; or
    chi-squared (|b - c| - 1)^2 / (b + c) with one degree of freedom.
    Source: McNemar, Psychometrika 12 (1947) 153-157; the continuity correction: Edwards, Psychometrika 13 (1948)
    185-187.

    Args:
        only_first_right, only_second_right: b and c, whole numbers >= 0.
        exact: True or False; None: exact below 25 discordant pairs.

    Returns:
        TestResult; statistic min(b, c) (exact) or chi-squared, n = b + c. With no discordant pair p is 1.

    Raises:
        DataError: counts that are NaN, negative or not whole.
    """
    from scipy.special import bdtr, chdtrc

    b, c = _counts([only_first_right, only_second_right], "discordant pairs", shape=(2,))
    n = int(b + c)
    if n == 0:
        return TestResult("McNemar", 0.0, 1.0, 0, "no discordant pairs")
    if exact or (exact is None and n < EXACT_BELOW):
        p_value = min(1.0, 2 * float(bdtr(min(b, c), n, 0.5)))
        return TestResult("McNemar", float(min(b, c)), p_value, n, "exact binomial")
    statistic = float(max(abs(b - c) - 1, 0) ** 2 / n)
    return TestResult("McNemar", statistic, float(chdtrc(1, statistic)), n, "chi-squared, continuity correction")


def chi_squared(table: ArrayLike, *, correction: str = "none") -> TestResult:
    """Pearson's chi-squared test that rows and columns of a table are independent.

    Sum of (observed - expected)^2 / expected with (R - 1)(C - 1) degrees of freedom.
    Sources: Pearson, Philos Mag 50 (1900) 157-175; "yates": Yates, Suppl J R Stat Soc 1 (1934) 217-235; "n-1":
    Campbell, Stat Med 26 (2007) 3661-3675, which MedCalc uses to compare two proportions.

    Args:
        table: (R, C) counts. Rows and columns of zeros are dropped.
        correction: "none"; "yates" brings each difference nearer to 0 by at most 1/2 (2 x 2 only; conservative);
            "n-1" multiplies the sum by (n - 1) / n (recommended for 2 x 2 where every expected count is 1 or more).

    Returns:
        TestResult; the note gives the degrees of freedom and how many expected counts are below 5. NaN where fewer than
        two rows or columns remain.

    Raises:
        DataError: counts that are NaN, negative or not whole; an unknown correction, or Yates' for a larger table.
    """
    from scipy.special import chdtrc

    table = _counts(table, "a contingency table", shape=(None, None))
    _check_correction(correction, table.shape)
    name = "chi-squared" if correction == "none" else f"chi-squared ({correction.capitalize()})"
    table = table[table.any(axis=1)][:, table.any(axis=0)]
    n = int(table.sum())
    if min(table.shape) < 2:
        return undefined_test(name, n, "fewer than two rows or columns with counts")
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    distance = np.abs(table - expected)
    if correction == "yates":
        distance -= np.minimum(0.5, distance)
    statistic = float(np.sum(distance**2 / expected)) * ((n - 1) / n if correction == "n-1" else 1)
    freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
    return TestResult(name, statistic, float(chdtrc(freedom, statistic)), n, _chi_squared_note(freedom, expected))


def independence(table: ArrayLike) -> TestResult:
    """Whether rows and columns of counts (R, C) are independent: chi-squared, or Fisher's exact test of a 2 x 2 table
    with an expected count below 5 (probabilities of all tables no likelier than this one).

    Sources: ``chi_squared``; Fisher, J R Stat Soc 85 (1922) 87-94.

    Raises:
        DataError: as ``chi_squared``.
    """
    from scipy.stats import fisher_exact

    by_squares = chi_squared(table)
    counts = np.asarray(table, dtype=np.int64)
    counts = counts[counts.any(axis=1)][:, counts.any(axis=0)]
    if counts.shape != (2, 2):
        return by_squares
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    if np.all(expected >= SMALL_EXPECTED):
        return by_squares
    found = fisher_exact(counts)
    return TestResult("Fisher", float(found.statistic), float(found.pvalue), by_squares.n, "exact, two-sided")


def kruskal_wallis(groups: Iterable[ArrayLike]) -> TestResult:
    """Kruskal and Wallis' test that the groups come from one distribution, by ranks.

    H = 12 / (n (n + 1)) sum_g n_g (mean rank_g - (n + 1) / 2)^2, divided by 1 - sum(t^3 - t) / (n^3 - n) for ties of t
    values; chi-squared with (groups - 1) degrees of freedom.
    Source: Kruskal and Wallis, J Am Stat Assoc 47 (1952) 583-621.

    Args:
        groups: list of (n_g,) finite values; empty groups are left out, and the note counts them.

    Returns:
        TestResult; NaN with fewer than two groups or where all values are equal. The note gives the degrees of freedom
        and whether a group has fewer than 5 values.

    Raises:
        DataError: a value that is NaN or infinite.
    """
    from scipy.special import chdtrc

    given = [_finite(group) for group in groups]
    kept = [group for group in given if len(group)]
    sizes = np.array([len(group) for group in kept], dtype=np.float64)
    n, name = int(sizes.sum()), "Kruskal-Wallis"
    if len(kept) < 2:
        return undefined_test(name, n, "fewer than two groups with values")
    ranks, tied = _ranks(np.concatenate(kept))
    if len(tied) == 1:
        return undefined_test(name, n, "all values are equal")
    mean_ranks = np.array([part.mean() for part in np.split(ranks, np.cumsum(sizes[:-1]).astype(int))])
    spread = 12 / (n * (n + 1)) * np.sum(sizes * (mean_ranks - (n + 1) / 2) ** 2)
    statistic = float(spread / (1 - np.sum(tied**3 - tied) / (n**3 - n)))
    note = _groups_note(len(given) - len(kept), sizes)
    return TestResult(name, statistic, float(chdtrc(len(kept) - 1, statistic)), n, note)


def holm(p_values: ArrayLike) -> Floats:
    """P-values adjusted for their number so that the chance of any false rejection stays below the level.

    In ascending order the i-th of m is multiplied by m - i + 1; none is below its predecessor, none above 1.
    Source: Holm, Scand J Stat 6 (1979) 65-70.

    Args:
        p_values: (m,) in [0, 1]; NaN, a test that could not be made, stays NaN and does not count.

    Returns:
        (m,) float64 in the order given.

    Raises:
        DataError: a number outside [0, 1].
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    if np.any((p_values < 0) | (p_values > 1)):
        raise DataError("a p-value is not a probability", got=p_values, expected="numbers in [0, 1] or NaN")
    adjusted = np.full(p_values.shape, np.nan)
    order = np.argsort(p_values, kind="stable")[: np.count_nonzero(~np.isnan(p_values))]  # NaN sorts last
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return adjusted


def _counts(numbers: ArrayLike, what: str, *, shape: tuple[int | None, ...]) -> Floats:
    """Whole numbers >= 0 as float64, in the shape given; None means any length."""
    counts = np.asarray(numbers, dtype=np.float64)
    fits = counts.ndim == len(shape) and all(
        side in (None, length) for side, length in zip(shape, counts.shape, strict=True)
    )
    if not fits:
        expected = "shape " + " x ".join("any" if side is None else str(side) for side in shape)
        raise DataError(f"{what}: the shape does not fit", got=counts.shape, expected=expected)
    if not (np.isfinite(counts).all() and (counts >= 0).all() and not np.any(counts % 1)):
        raise DataError(f"{what}: not counts", got=counts.tolist(), expected="whole numbers, none negative")
    return counts


def _check_correction(correction: str, shape: tuple[int, ...]) -> None:
    if correction not in CORRECTIONS:
        raise DataError("correction of chi-squared is unknown", got=correction, expected=f"one of {CORRECTIONS}")
    if correction == "yates" and shape != (2, 2):
        raise DataError("Yates' correction is for 2 x 2 tables", got=f"shape {shape}", remedy='Use correction="none"')


def _chi_squared_note(freedom: int, expected: Floats) -> str:
    small = np.count_nonzero(expected < SMALL_EXPECTED)
    freedom_text = f"{freedom} degree{'s' if freedom > 1 else ''} of freedom"
    return freedom_text + (f"; {small} of {expected.size} expected counts below {SMALL_EXPECTED}" if small else "")


def _groups_note(n_empty: int, sizes: Floats) -> str:
    freedom = len(sizes) - 1
    notes = [f"{freedom} degree{'s' if freedom > 1 else ''} of freedom"]
    if np.any(sizes < SMALL_GROUP):
        notes.append(f"approximate: a group has fewer than {SMALL_GROUP} values")
    if n_empty:
        notes.append(f"{n_empty} empty group{'s' if n_empty > 1 else ''} left out")
    return "; ".join(notes)


def _finite(group: ArrayLike) -> Floats:
    group = np.asarray(group, dtype=np.float64).ravel()
    if not np.all(np.isfinite(group)):
        raise DataError("a group holds NaN or infinite values", got=group, expected="finite numbers")
    return group


def _ranks(values: Floats) -> tuple[Floats, Floats]:
    """Ranks from 1, ties their mean, and how many values each distinct value has."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse], counts.astype(np.float64)
