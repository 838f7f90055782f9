"""Permutation tests of a paired difference: two models, or two readers, judged on the same cases.

Under the hypothesis that the two are exchangeable, swapping their results on any case changes nothing but chance. The
p-value counts how often chance alone gives a difference as large. It is valid for any statistic and any n; the price is
that no p-value can be below 1 / (P + 1).

Letters: P permutations, n pairs (subjects, or whole cases), K classes. Not here: unpaired groups (``hypothesis``) and
intervals (``bootstrap``).
"""

from collections.abc import Callable

import numpy as np

from segtumor.errors import DataError
from segtumor.statistics.agreement import kappa
from segtumor.statistics.bootstrap import BLOCK_ROWS, TIE_TOLERANCE, values_of_rows
from segtumor.statistics.interval import TestResult, undefined_test

_NAME = "paired permutation"


def paired_permutation_test(
    difference: Callable[[np.ndarray], np.ndarray], n_pairs, *, n_permutations=10_000, seed=0
) -> TestResult:
    """Two-sided test that a paired difference is chance, by swapping the partners of random pairs.

    p = (1 + #{|d| >= |d0|}) / (P + 1): the observed arrangement is one of those possible, so p is never 0 and the test
    never rejects more often than it says.
    Source: Phipson and Smyth, Stat Appl Genet Mol Biol 9 (2010) article 39.

    Args:
        difference: function of swaps (P, n) bool -> (P,) differences, NaN where undefined; True swaps the partners of
            that pair. Called with at most ``BLOCK_ROWS`` rows at a time; swapping all pairs must turn the sign.
        n_pairs: n >= 0.
        n_permutations: P >= 1; each pair is swapped with probability 1/2.
        seed: of the swaps.

    Returns:
        TestResult; statistic d0, the difference with nothing swapped. NaN for no pairs or an undefined d0.
        Permutations whose difference is undefined are left out of P, and the note counts them.

    Raises:
        DataError: negative n, no permutations.
    """
    if n_pairs < 0 or n_permutations < 1:
        got = f"{n_pairs} pairs, {n_permutations} permutations"
        raise DataError("nothing to permute", got=got, expected="n_pairs >= 0 and n_permutations >= 1")
    if n_pairs == 0:
        return undefined_test(_NAME, 0, "no pairs")
    observed = float(values_of_rows(difference, np.zeros((1, n_pairs), dtype=bool))[0])
    if np.isnan(observed):
        return undefined_test(_NAME, n_pairs, "the difference is undefined")
    permuted = _permuted(difference, n_pairs, n_permutations, np.random.default_rng(seed))
    # A permutation that only reorders the terms of a sum is a tie, and ties count.
    defined = np.abs(permuted[~np.isnan(permuted)])
    threshold = abs(observed) - TIE_TOLERANCE * max(abs(observed), defined.max(initial=0))
    as_large = int(np.count_nonzero(defined >= threshold))
    lost = n_permutations - len(defined)
    note = f"{len(defined)} permutations" + (f"; {lost} more left the difference undefined" if lost else "")
    return TestResult(_NAME, observed, (1 + as_large) / (1 + len(defined)), n_pairs, note)


def kappa_permutation_test(
    truth, first, second, *, n_classes, weights: str = "none", n_permutations=10_000, seed=0
) -> TestResult:
    """Test that two raters agree equally well with the truth: kappa(first, truth) - kappa(second, truth).

    A permutation swaps the two raters' labels of random subjects; see :func:`paired_permutation_test`.

    Args:
        truth, first, second: (n,) class indices in [0, K), one per subject.
        n_classes: K >= 2.
        weights: of kappa: "none", "linear" or "quadratic".
        n_permutations: P >= 1.
        seed: of the swaps.

    Returns:
        TestResult; statistic the difference of the kappas as they are. NaN where one of them is undefined.

    Raises:
        DataError: labels that are not classes, lengths that differ.
    """
    truth, first, second = (_labels(labels, n_classes) for labels in (truth, first, second))
    if not len(truth) == len(first) == len(second):
        got = f"{len(truth)}, {len(first)} and {len(second)}"
        raise DataError("truth and raters have different lengths", got=got, expected="one label of each per subject")
    cells_first, cells_second = (np.eye(n_classes**2)[truth * n_classes + rater] for rater in (first, second))
    total, change = cells_first.sum(axis=0) + cells_second.sum(axis=0), cells_second - cells_first

    def difference(swap):
        # A swap moves one subject between two cells of each table, and what one table gains the other loses.
        counts = cells_first.sum(axis=0) + swap.astype(np.float64) @ change
        tables = np.stack([counts, total - counts]).reshape(2, len(swap), n_classes, n_classes)
        kappas = kappa(tables, weights=weights)
        return kappas[0] - kappas[1]

    return paired_permutation_test(difference, len(truth), n_permutations=n_permutations, seed=seed)


def _permuted(difference, n_pairs, n_permutations, rng):
    values = []
    for start in range(0, n_permutations, BLOCK_ROWS):
        rows = min(BLOCK_ROWS, n_permutations - start)
        values.append(values_of_rows(difference, rng.integers(2, size=(rows, n_pairs), dtype=np.int8).astype(bool)))
    return np.concatenate(values)


def _labels(labels, n_classes):
    labels = np.asarray(labels)
    whole = labels.ndim == 1 and (labels.size == 0 or np.issubdtype(labels.dtype, np.integer))
    if not whole or np.any((labels < 0) | (labels >= n_classes)):
        raise DataError("a rating is not a class", got=labels, expected=f"a list of whole numbers 0 to {n_classes - 1}")
    return labels.astype(np.int64)
