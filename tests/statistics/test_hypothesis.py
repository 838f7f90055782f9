import dataclasses
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from segtumor.errors import DataError
from segtumor.statistics.hypothesis import chi_squared, holm, independence, kruskal_wallis, mcnemar
from segtumor.statistics.interval import TestResult

few = settings(max_examples=25, deadline=None)
cell = st.integers(0, 60)
tables = st.lists(st.lists(st.integers(1, 40), min_size=3, max_size=3), min_size=2, max_size=4)


def within_error(share, level, n):
    return abs(share - level) < 3 * np.sqrt(level * (1 - level) / n)


def test_results_are_plain_numbers_that_can_be_written():
    results = [
        mcnemar(3, 1),
        mcnemar(30, 10),
        chi_squared([[9, 1], [1, 9]]),
        kruskal_wallis([[1, 2], [3, 4]]),
    ]
    for result in results:
        assert {type(value) for value in dataclasses.astuple(result)} == {str, float, int}


@pytest.mark.parametrize(
    ("b", "c", "statistic", "p_value", "note"),
    [
        (1, 5, 1, 2 * 7 / 64, "exact binomial"),  # (1 + 6) / 2^6 in either tail
        (0, 6, 0, 2 / 64, "exact binomial"),
        (3, 3, 3, 1, "exact binomial"),
        (0, 0, 0, 1, "no discordant pairs"),
        (20, 20, 0, 1, "chi-squared, continuity correction"),
        (30, 19, 100 / 49, 0.1531, "chi-squared, continuity correction"),
    ],
)
def test_mcnemar_by_eye(b, c, statistic, p_value, note):
    result = mcnemar(b, c)
    assert (result.statistic, result.p_value) == pytest.approx((statistic, p_value), abs=1e-4)
    assert (result.n, result.note) == (b + c, note)


def test_mcnemar_is_exact_below_25_pairs_unless_told():
    assert mcnemar(14, 10).note == "exact binomial"
    assert mcnemar(14, 11).note.startswith("chi-squared")
    assert mcnemar(14, 11, exact=True).note == "exact binomial"
    assert mcnemar(4, 1, exact=False).note.startswith("chi-squared")
    assert mcnemar(0, 0, exact=False).p_value == pytest.approx(1)


@few
@given(cell, cell, st.booleans())
def test_mcnemar_agrees_with_statsmodels(b, c, exact):
    assume(exact or b != c)  # statsmodels' correction overshoots to 1 / n where b = c
    theirs = statsmodels_mcnemar([[5, b], [c, 5]], exact=exact)
    mine = mcnemar(b, c, exact=exact)
    assert (mine.statistic, mine.p_value) == pytest.approx((theirs.statistic, theirs.pvalue))
    if exact and b + c:
        assert mine.p_value == pytest.approx(scipy.stats.binomtest(b, b + c).pvalue)


@few
@given(cell, cell)
def test_mcnemar_does_not_ask_who_is_first(b, c):
    assert mcnemar(b, c) == mcnemar(c, b)


def share_rejected(n, probability):
    """Exact probability that McNemar's p is below 0.05 with n discordant pairs."""
    b = np.arange(n + 1)
    rejected = np.array([mcnemar(k, n - k).p_value < 0.05 for k in b])
    return scipy.stats.binom.pmf(b, n, probability)[rejected].sum()


@pytest.mark.parametrize("n", [6, 12, 24, 25, 60, 200])
def test_mcnemar_never_rejects_too_often_and_has_power(n):
    assert 0.01 < share_rejected(n, 0.5) <= 0.05
    assert share_rejected(n, 0.95) > (0.7 if n == 6 else 0.98)


@pytest.mark.parametrize("counts", [(-1, 2), (np.nan, 2), (1.5, 2), (np.inf, 2)])
def test_mcnemar_takes_counts(counts):
    with pytest.raises(DataError, match="whole numbers"):
        mcnemar(*counts)


@pytest.mark.parametrize(
    ("correction", "statistic"),
    [
        ("none", 100 * 200**2 / (30 * 70 * 40 * 60)),  # n (ad - bc)^2 / product of the margins
        ("yates", 100 * 150**2 / (30 * 70 * 40 * 60)),  # n (|ad - bc| - n / 2)^2 / ...
        ("n-1", 99 * 200**2 / (30 * 70 * 40 * 60)),
    ],
)
def test_chi_squared_by_eye(correction, statistic):
    result = chi_squared([[10, 20], [30, 40]], correction=correction)
    assert result.statistic == pytest.approx(statistic)
    assert (result.n, result.note) == (100, "1 degree of freedom")


@few
@given(tables)
def test_chi_squared_agrees_with_scipy(table):
    mine = chi_squared(table)
    theirs = scipy.stats.chi2_contingency(table, correction=False)
    assert (mine.statistic, mine.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-12)
    assert mine.note.startswith(f"{theirs.dof} degrees of freedom")
    assert (f"{np.sum(theirs.expected_freq < 5)} of" in mine.note) == bool(np.any(theirs.expected_freq < 5))


@few
@given(*[st.integers(1, 30)] * 4)
def test_corrections_agree_with_scipy_and_with_the_correlation(a, b, c, d):
    table = np.array([[a, b], [c, d]])
    yates = chi_squared(table, correction="yates")
    theirs = scipy.stats.chi2_contingency(table, correction=True)
    assert (yates.statistic, yates.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-12)
    rows, columns = np.repeat(np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), table.ravel(), axis=0).T
    n_minus_1 = chi_squared(table, correction="n-1")
    assert n_minus_1.statistic == pytest.approx((len(rows) - 1) * np.corrcoef(rows, columns)[0, 1] ** 2, abs=1e-9)
    plain = chi_squared(table)
    assert plain.p_value <= n_minus_1.p_value
    assert plain.p_value <= yates.p_value


def test_rows_and_columns_of_zeros_do_not_count():
    full, padded = chi_squared([[9, 6], [5, 7]]), chi_squared([[9, 0, 6], [0, 0, 0], [5, 0, 7]])
    assert full == padded
    assert full.note == "1 degree of freedom"
    assert chi_squared([[3, 1], [1, 3]]).note == "1 degree of freedom; 4 of 4 expected counts below 5"


@pytest.mark.parametrize("table", [[[1, 2]], [[0, 0], [3, 4]], [[1, 0], [2, 0]], [[0, 0], [0, 0]]])
def test_a_table_of_one_row_tests_nothing(table):
    for correction in ("none", "n-1"):
        result = chi_squared(table, correction=correction)
        assert np.isnan([result.statistic, result.p_value]).all()
        assert result.note == "fewer than two rows or columns with counts"


def test_tests_of_tables_reject_as_often_as_they_say():
    rng, n_sets = np.random.default_rng(0), 400
    null = rng.multinomial(120, np.outer([0.4, 0.6], [0.2, 0.3, 0.5]).ravel(), size=n_sets).reshape(-1, 2, 3)
    assert within_error(np.mean([chi_squared(table).p_value < 0.05 for table in null]), 0.05, n_sets)
    assert chi_squared([[50, 20, 10], [10, 20, 50]]).p_value < 1e-6


@pytest.mark.parametrize("table", [[[1, -2], [3, 4]], [[1, np.nan], [3, 4]], [[1, 0.5], [3, 4]], [1, 2], [[[1]]]])
def test_tables_hold_counts(table):
    with pytest.raises(DataError):
        chi_squared(table)


def test_corrections_are_checked():
    with pytest.raises(DataError, match="yes"):
        chi_squared([[1, 2], [3, 4]], correction="yes")
    with pytest.raises(DataError, match="2 x 2"):
        chi_squared([[1, 2, 3], [3, 4, 5]], correction="yates")


def test_kruskal_and_wallis_own_bottle_caps():
    # Table 1 of their paper: daily output of three machines, H = 5.656.
    result = kruskal_wallis([[340, 345, 330, 342, 338], [339, 333, 344], [347, 343, 349, 355]])
    assert result.statistic == pytest.approx(5.656, abs=5e-4)
    assert result.n == 12
    assert result.note == "2 degrees of freedom; approximate: a group has fewer than 5 values"


@few
@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=12), min_size=2, max_size=4))
def test_kruskal_wallis_agrees_with_scipy_also_with_ties(groups):
    assume(len({value for group in groups for value in group}) > 1)
    theirs = scipy.stats.kruskal(*groups)
    mine = kruskal_wallis(groups)
    assert (mine.statistic, mine.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-9)
    squared = kruskal_wallis([np.square(group) for group in groups])  # ranks are all that counts
    assert squared.statistic == pytest.approx(mine.statistic, abs=1e-9)


def test_empty_groups_are_left_out_and_counted():
    with_gap, without = kruskal_wallis([[1, 2, 3], [], [2, 5, 6, 7]]), kruskal_wallis([[1, 2, 3], [2, 5, 6, 7]])
    assert with_gap.p_value == pytest.approx(without.p_value)
    assert with_gap.note == without.note + "; 1 empty group left out"


@pytest.mark.parametrize(
    ("groups", "note"),
    [
        ([], "fewer than two groups with values"),
        ([[], []], "fewer than two groups with values"),
        ([[1, 2], []], "fewer than two groups with values"),
        ([[0.5, 0.5], [0.5]], "all values are equal"),
    ],
)
def test_groups_that_cannot_differ_are_not_tested(groups, note):
    result = kruskal_wallis(groups)
    assert np.isnan([result.statistic, result.p_value]).all()
    assert result.note == note


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_groups_hold_finite_values(value):
    with pytest.raises(DataError, match="NaN or infinite"):
        kruskal_wallis([[1, 2], [3, value]])


def test_kruskal_wallis_rejects_as_often_as_it_says():
    rng, n_sets = np.random.default_rng(1), 400
    null = [kruskal_wallis(np.split(rng.exponential(size=60), [10, 30])).p_value for _ in range(n_sets)]
    assert within_error(np.mean(np.array(null) < 0.05), 0.05, n_sets)
    assert kruskal_wallis([rng.normal(size=20), rng.normal(2, 1, size=20)]).p_value < 0.001


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.01, np.nan, 0.04], [0.02, np.nan, 0.04]),
        ([0.6, 0.7], [1, 1]),
        ([0.2], [0.2]),
        ([np.nan, np.nan], [np.nan, np.nan]),
        ([], []),
    ],
)
def test_holm_by_eye(p_values, adjusted):
    before = list(p_values)
    np.testing.assert_allclose(holm(p_values), adjusted)
    np.testing.assert_array_equal(p_values, before)


def test_holm_agrees_with_statsmodels():
    # Only once: each call of multipletests collects the garbage of the whole process.
    p_values = np.random.default_rng(2).random(12) ** 3
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1])


@few
@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_raises_p_values_and_keeps_their_order(p_values):
    adjusted, order = holm(p_values), np.argsort(p_values)
    assert np.all((adjusted >= p_values) & (adjusted <= 1))
    assert np.all(np.diff(adjusted[order]) >= 0)


@pytest.mark.parametrize("p_value", [-0.1, 1.1, np.inf])
def test_holm_takes_probabilities(p_value):
    with pytest.raises(DataError, match="not a probability"):
        holm([0.5, p_value])


def test_a_result_without_note_has_an_empty_one():
    assert TestResult("t", 1.0, 0.5, 3).note == ""


@pytest.mark.parametrize(
    ("table", "name", "p"),
    [
        ([[3, 1], [1, 3]], "Fisher", 34 / 70),  # Fisher's lady tasting tea: 2 (1 + 16) / 70
        ([[0, 3], [2, 0]], "Fisher", 0.1),
        ([[0, 3, 0], [2, 0, 0]], "Fisher", 0.1),  # a column of zeros is none
        ([[30, 10], [10, 30]], "chi-squared", None),
        ([[3, 1, 2], [1, 3, 2]], "chi-squared", None),
        ([[3, 1], [0, 0]], "chi-squared", math.nan),
    ],
)
def test_independence(table, name, p):
    found = independence(table)
    assert found.name == name
    expected = chi_squared(table).p_value if p is None else p
    assert found.p_value == pytest.approx(expected, nan_ok=True)
