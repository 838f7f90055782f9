"""Checks of p-values: chi-squared from the table, and what a paired permutation test of two kappas can give at all.

Not here: tests that need every subject's value (Kruskal-Wallis of ages); they cannot be recomputed from a table.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from segtumor.literature.claims.intervals import check_readers
from segtumor.literature.claims.outcome import FAILS, HOLDS, UNKNOWN, Outcome
from segtumor.literature.printed_numbers import ROUNDED, Printed
from segtumor.statistics.agreement import kappa
from segtumor.statistics.hypothesis import chi_squared

_VARIANTS = {"no correction": "none", "(n - 1)/n": "n-1", "Yates": "yates"}
#: Differences of kappa closer than this are one value.
_TIE = 1e-12
_Counts = NDArray[np.int64]


def chi_squared_p(*, printed: Printed, table: Sequence[Sequence[int]]) -> Outcome:
    """A printed p-value of a chi-squared test; says which variant reproduces it."""
    two_by_two = len(table) == 2 and len(table[0]) == 2
    p_values = {
        name: float(chi_squared(table, correction=variant).p_value)
        for name, variant in _VARIANTS.items()
        if two_by_two or variant != "yates"
    }
    shown = ", ".join(f"{printed.show(p)} ({name})" for name, p in p_values.items())
    fitting = [name for name, p in p_values.items() if printed.agreement(p) == ROUNDED]
    if fitting:
        return Outcome(f"P={printed.text}", shown, HOLDS, f"chi-squared with {' and with '.join(fitting)}")
    return Outcome(f"P={printed.text}", shown, FAILS, "no variant of the chi-squared test of these counts gives it")


def kappa_permutation_p(*, printed: Printed, first: Sequence[int], second: Sequence[int], n: Sequence[int]) -> Outcome:
    """The p-values that a paired, two-sided permutation test of two readers' kappas can have, given their errors.

    Which subjects both got wrong is not printed; every possible number of them is tried, and each test is computed
    exactly: of the subjects on which the two differ, each is swapped with probability 1/2.

    Args:
        first, second: [wrong on positives, wrong on negatives] of each.
        n: [positives, negatives].
    """
    check_readers(first, second, n)
    p_values = [_exact_p(first, second, shared, n) for shared in _possible_shared(first, second, n)]
    low, high = min(p_values), max(p_values)
    shown = f"{low:.4f} to {high:.4f}"
    label = f"P{printed.text}" if printed.less_than else f"P={printed.text}"
    if printed.less_than and low >= printed.value:
        return Outcome(label, shown, FAILS, "a two-sided paired permutation test of these counts cannot be so small")
    if printed.less_than or (low <= printed.high and high >= printed.low):
        why = "possible; which subjects both got wrong is not printed, so only bounds follow"
        return Outcome(label, shown, UNKNOWN, why)
    side = "smaller" if printed.value < low else "larger"
    why = f"{side} than any two-sided paired permutation test of these counts"
    if any(printed.agreement(p / 2) == ROUNDED for p in p_values):
        why += "; half of a possible one, as one side would give"
    return Outcome(label, shown, FAILS, why)


def _possible_shared(first: Sequence[int], second: Sequence[int], n: Sequence[int]) -> list[tuple[int, int]]:
    """(shared errors on positives, on negatives) that two readers' numbers of errors allow."""
    ranges = [range(max(0, a + b - m), min(a, b) + 1) for a, b, m in zip(first, second, n, strict=True)]
    return [(positives, negatives) for positives in ranges[0] for negatives in ranges[1]]


def _exact_p(first: Sequence[int], second: Sequence[int], shared: Sequence[int], n: Sequence[int]) -> float:
    """Two-sided p of |difference of kappas| over all swaps; swaps of one group of subjects are binomial."""
    pools = [a + b - 2 * s for a, b, s in zip(first, second, shared, strict=True)]
    wrong = [np.arange(pool + 1) + s for pool, s in zip(pools, shared, strict=True)]
    # Errors of the first reader after swapping; the second then has the rest of the pool.
    positives, negatives = np.meshgrid(*wrong, indexing="ij")
    all_positives, all_negatives = (p + 2 * s for p, s in zip(pools, shared, strict=True))
    difference = _kappas(positives, negatives, n) - _kappas(all_positives - positives, all_negatives - negatives, n)
    chance = np.outer(*(np.array([math.comb(pool, k) / 2**pool for k in range(pool + 1)]) for pool in pools))
    observed = difference[first[0] - shared[0], first[1] - shared[1]]
    return float(chance[np.abs(difference) >= abs(observed) - _TIE].sum())


def _kappas(missed: _Counts, alarms: _Counts, n: Sequence[int]) -> NDArray[np.float64]:
    table = np.stack([np.stack([n[0] - missed, missed], -1), np.stack([alarms, n[1] - alarms], -1)], -2)
    return np.asarray(kappa(table))


def not_recomputable(*, printed: Printed, why: str) -> Outcome:
    """A number that cannot follow from anything the source prints."""
    return Outcome(printed.text, "-", UNKNOWN, why)
