import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from segtumor.errors import DataError
from segtumor.statistics.bootstrap import BLOCK_ROWS
from segtumor.statistics.permutation import kappa_permutation_test, paired_permutation_test

few = settings(max_examples=20, deadline=None)
rating = st.integers(0, 2)
subjects = st.lists(st.tuples(rating, rating, rating), min_size=1, max_size=25)


def mean_difference(first, second):
    """The difference of two means of paired values, for swaps (P, n)."""
    change = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    return lambda swap: np.where(swap, -change, change).mean(axis=1)


def test_three_pairs_by_eye():
    # +1 +1 +1: of the 8 arrangements of signs two are as large, so p is about 1/4.
    result = paired_permutation_test(mean_difference([2, 3, 4], [1, 2, 3]), 3)
    assert result.statistic == pytest.approx(1)
    assert result.p_value == pytest.approx(0.25, abs=0.02)
    assert (result.n, result.note) == (3, "10000 permutations")


def test_p_is_never_zero():
    result = paired_permutation_test(mean_difference(np.ones(60), np.zeros(60)), 60, n_permutations=999)
    assert result.p_value == pytest.approx(1 / 1000)


def test_no_difference_at_all_is_a_tie_with_everything():
    assert paired_permutation_test(mean_difference([1, 2], [1, 2]), 2, n_permutations=50).p_value == pytest.approx(1)


def test_reordered_sums_are_ties():
    values = np.full(7, 0.1)  # any order of adding 0.1s gives another last digit
    noise = np.random.default_rng(0)

    def difference(swap):
        return np.abs(mean_difference(values, 0 * values)(np.zeros_like(swap))) + 1e-16 * noise.normal(size=len(swap))

    assert paired_permutation_test(difference, 7, n_permutations=99).p_value == pytest.approx(1)


def test_p_agrees_with_all_permutations_of_scipy():
    rng = np.random.default_rng(1)
    first, second = rng.normal(0.6, 1, size=10), rng.normal(size=10)
    exact = scipy.stats.permutation_test(
        (first, second), lambda x, y, axis: np.mean(x - y, axis=axis), permutation_type="samples", n_resamples=np.inf
    )
    mine = paired_permutation_test(mean_difference(first, second), 10)
    assert mine.statistic == pytest.approx(exact.statistic)
    assert mine.p_value == pytest.approx(exact.pvalue, abs=3.5 * np.sqrt(0.25 / 10_000))


def test_p_is_uniform_without_a_difference_and_small_with_a_strong_one():
    rng, n_sets = np.random.default_rng(2), 400
    null, strong = [], []
    for seed in range(n_sets):
        first, second = rng.exponential(size=(2, 25))
        null.append(paired_permutation_test(mean_difference(first, second), 25, n_permutations=199, seed=seed).p_value)
        if seed < 50:
            better = mean_difference(first + 1.5, second)
            strong.append(paired_permutation_test(better, 25, n_permutations=199, seed=seed).p_value)
    for level in (0.05, 0.25, 0.5):
        error = np.sqrt(level * (1 - level) / n_sets)
        assert np.mean(np.array(null) < level + 1e-9) == pytest.approx(level, abs=3 * error)
    assert np.mean(np.array(strong) < 0.05) > 0.9


def test_the_same_seed_gives_the_same_p():
    difference = mean_difference(np.arange(20.0), np.arange(20.0)[::-1] ** 1.1)
    first, again, other = (paired_permutation_test(difference, 20, n_permutations=500, seed=s) for s in (1, 1, 2))
    assert first == again
    assert other.p_value != first.p_value


def test_swaps_come_in_blocks():
    rows = []

    def difference(swap):
        rows.append(swap.shape)
        return swap.sum(axis=1) - 2.0

    paired_permutation_test(difference, 4, n_permutations=BLOCK_ROWS + 2)
    assert rows == [(1, 4), (BLOCK_ROWS, 4), (2, 4)]


def test_undefined_permutations_are_left_out_and_counted():
    def difference(swap):
        return np.where(swap[:, 0], np.nan, 1.0)

    result = paired_permutation_test(difference, 3, n_permutations=100)
    assert result.p_value == pytest.approx(1)
    defined = int(result.note.split()[0])
    assert 30 < defined < 70
    assert result.note.endswith(f"; {100 - defined} more left the difference undefined")


@pytest.mark.parametrize(
    ("difference", "n", "note"),
    [
        (mean_difference([], []), 0, "no pairs"),
        (lambda swap: np.full(len(swap), np.nan), 3, "the difference is undefined"),
    ],
)
def test_nothing_to_test_is_nan_with_a_reason(difference, n, note):
    result = paired_permutation_test(difference, n)
    assert np.isnan([result.statistic, result.p_value]).all()
    assert (result.n, result.note) == (n, note)


@pytest.mark.parametrize(("n_pairs", "n_permutations"), [(-1, 10), (3, 0)])
def test_arguments_are_checked(n_pairs, n_permutations):
    with pytest.raises(DataError, match="nothing to permute"):
        paired_permutation_test(mean_difference([1] * 3, [0] * 3), n_pairs, n_permutations=n_permutations)


def test_a_function_of_another_shape_is_a_programming_mistake():
    with pytest.raises(ValueError, match="shape"):
        paired_permutation_test(lambda swap: swap.mean(), 3)


def ratings(n, skill_first, skill_second, rng):
    truth = rng.integers(3, size=n)
    return truth, *(np.where(rng.random(n) < s, truth, rng.integers(3, size=n)) for s in (skill_first, skill_second))


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
def test_kappa_test_agrees_with_swapping_labels_one_by_one(weights):
    truth, first, second = ratings(40, 0.9, 0.6, np.random.default_rng(3))
    oracle = None if weights == "none" else weights

    def difference(swap):
        pairs = [(np.where(row, second, first), np.where(row, first, second)) for row in swap]
        return [
            cohen_kappa_score(truth, a, weights=oracle) - cohen_kappa_score(truth, b, weights=oracle) for a, b in pairs
        ]

    options = {"n_permutations": 25, "seed": 4}
    mine = kappa_permutation_test(truth, first, second, n_classes=3, weights=weights, **options)
    slow = paired_permutation_test(difference, 40, **options)
    assert (mine.statistic, mine.p_value) == pytest.approx((slow.statistic, slow.p_value))


@few
@given(subjects)
def test_swapping_the_raters_turns_the_sign_and_keeps_p(labels):
    truth, first, second = np.array(labels).T
    one, other = (
        kappa_permutation_test(truth, *raters, n_classes=3, n_permutations=40)
        for raters in ((first, second), (second, first))
    )
    assert (one.statistic, one.p_value) == pytest.approx((-other.statistic, other.p_value), nan_ok=True)


def test_kappas_of_equal_raters_and_of_a_far_better_one():
    rng = np.random.default_rng(5)
    same = [kappa_permutation_test(*ratings(60, 0.7, 0.7, rng), n_classes=3, n_permutations=199) for _ in range(200)]
    share = np.mean([result.p_value < 0.05 + 1e-9 for result in same])
    assert share == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 200))
    assert kappa_permutation_test(*ratings(60, 0.95, 0.3, rng), n_classes=3).p_value < 0.001


def test_kappa_of_one_class_is_undefined():
    result = kappa_permutation_test([0, 0], [0, 0], [0, 0], n_classes=2)
    assert np.isnan(result.p_value)
    assert kappa_permutation_test([], [], [], n_classes=2).note == "no pairs"


@pytest.mark.parametrize(
    ("truth", "first", "message"),
    [
        ([0, 1], [0], "lengths"),
        ([0, 2], [0, 1], "not a class"),
        ([0, -1], [0, 1], "not a class"),
        ([0, np.nan], [0, 1], "not a class"),
        ([[0, 1]], [0, 1], "not a class"),
    ],
)
def test_labels_are_checked(truth, first, message):
    with pytest.raises(DataError, match=message):
        kappa_permutation_test(truth, first, [0, 1], n_classes=2)
