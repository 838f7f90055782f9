"""Intervals of a proportion, k of n independent units.

Wilson's is the one to print: its coverage is near the nominal one for small n as for proportions near 0 and 1.
Clopper and Pearson's never covers less than it says, and is wider for that. Not here: units that are correlated, as
lesions of one patient are (``bootstrap``).
"""

import math

from segtumor.errors import DataError
from segtumor.statistics.interval import CLOPPER_PEARSON, Interval, Method, check_level, undefined_interval


def wilson(successes: float, n: float, *, level: float = 0.95) -> Interval:
    """Wilson's score interval, without continuity correction.

    The proportions p that the score test does not reject: |successes / n - p| <= z sqrt(p (1 - p) / n).
    Source: Wilson, J Am Stat Assoc 22 (1927) 209-212.

    Args:
        successes: in [0, n]; need not be whole.
        n: number of units, >= 0.

    Returns:
        Interval within [0, 1]; NaN for n = 0.

    Raises:
        DataError: NaN, negative numbers, more successes than units.
    """
    from scipy.special import ndtri

    successes, n = _checked(successes, n, level)
    if n == 0:
        return undefined_interval("n = 0", level)
    z_squared = float(ndtri((1 + level) / 2)) ** 2
    center = (successes + z_squared / 2) / (n + z_squared)
    half = math.sqrt(z_squared * (successes * (n - successes) / n + z_squared / 4)) / (n + z_squared)
    # At 0 of n and n of n the end is 0 or 1 by algebra; rounding would leave it off by 1e-17.
    low = 0.0 if successes == 0 else max(center - half, 0.0)
    high = 1.0 if successes == n else min(center + half, 1.0)
    return Interval(low, high, Method("wilson"), level)


def clopper_pearson(successes: float, n: float, *, level: float = 0.95) -> Interval:
    """Clopper and Pearson's interval ("binomial exact"), by quantiles of the beta distribution.

    The proportions at which neither tail of the binomial distribution is below (1 - level) / 2.
    Source: Clopper and Pearson, Biometrika 26 (1934) 404-413. With ``clopper_pearson(auc * n, n)`` the same quantiles
    give the "binomial exact" interval that MedCalc prints for an area under a ROC curve.

    Args:
        successes: in [0, n]; need not be whole.
        n: number of units, >= 0.

    Returns:
        Interval within [0, 1]; NaN for n = 0.

    Raises:
        DataError: NaN, negative numbers, more successes than units.
    """
    from scipy.special import betaincinv

    successes, n = _checked(successes, n, level)
    if n == 0:
        return undefined_interval("n = 0", level)
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return Interval(low, high, Method(CLOPPER_PEARSON), level)


def _checked(successes: float, n: float, level: float) -> tuple[float, float]:
    """The counts as plain floats, so that NumPy's do not reach the interval."""
    check_level(level)
    if not (math.isfinite(n) and 0 <= successes <= n):  # a comparison with NaN is false
        raise DataError(
            "counts of a proportion cannot be used", got=f"{successes} of {n}", expected="0 <= successes <= n"
        )
    return float(successes), float(n)
