import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_statistics import bootstrap, leave_one_out_weights

from segtumor.errors import DataError
from segtumor.statistics import bootstrap as module
from segtumor.statistics.bootstrap import (
    bca_interval,
    case_weights,
    percentile_interval,
)

few = settings(max_examples=25, deadline=None)


def ratio(numerators, denominators):
    """The statistic sum(w x) / sum(w y) of every row of weights; NaN where the denominator is 0."""

    def resample(weights):
        below = weights @ denominators
        return np.where(below > 0, weights @ numerators / np.where(below > 0, below, 1), np.nan)

    return resample


def mean_of(values):
    values = np.asarray(values, dtype=float)
    return ratio(values, np.ones(len(values)))


def ends(interval):
    return interval.low, interval.high


@pytest.mark.parametrize(("n_cases", "n_resamples"), [(1, 3), (7, 20), (40, 1), (0, 2), (5, 0)])
def test_every_resample_draws_as_many_cases_as_there_are(n_cases, n_resamples):
    weights = case_weights(n_cases, n_resamples, rng=np.random.default_rng(0))
    assert (weights.shape, weights.dtype) == ((n_resamples, n_cases), np.float64)
    np.testing.assert_array_equal(weights.sum(axis=1), np.full(n_resamples, n_cases))


def test_cases_are_drawn_as_a_multinomial_says():
    weights = case_weights(20, 4000, rng=np.random.default_rng(1))
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=5 * np.sqrt(0.95 / 4000))
    np.testing.assert_allclose(weights.var(axis=0), 0.95, atol=0.15)
    np.testing.assert_allclose(np.mean(weights < 1), 0.95**20, atol=0.01)  # the 36% of cases left out


def test_leaving_one_out_by_eye():
    np.testing.assert_array_equal(leave_one_out_weights(3), [[0, 1, 1], [1, 0, 1], [1, 1, 0]])


def test_percentiles_by_eye():
    interval = percentile_interval(np.arange(101.0), level=0.9)
    assert ends(interval) == pytest.approx((5, 95))
    assert (interval.method, interval.level) == ("percentile", 0.9)


def test_ties_count_half_so_a_symmetric_bootstrap_needs_no_correction():
    replicates = np.repeat([0.0, 1, 2], [30, 40, 30])
    interval = bca_interval(1.0, replicates, [0.9, 1, 1.1])
    assert interval.method == "bca"
    assert ends(interval) == pytest.approx(ends(percentile_interval(replicates)))


def test_rounding_does_not_break_a_tie():
    replicates = np.concatenate([np.linspace(0, 0.9, 30), np.ones(40), np.linspace(1.1, 2, 30)])
    nudged = replicates - 1e-15  # the ties, too, are now below the estimate
    mine, expected = (ends(bca_interval(1.0, values, [0.9, 1, 1.3])) for values in (nudged, replicates))
    assert mine == pytest.approx(expected)


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("statistic", [np.mean, np.std, np.median])
def test_bca_agrees_with_scipy_on_the_same_replicates(statistic, level):
    values = np.random.default_rng(2).lognormal(size=41)
    options = {"confidence_level": level, "method": "BCa", "n_resamples": 999, "rng": np.random.default_rng(3)}
    theirs = scipy.stats.bootstrap((values,), statistic, **options)
    jackknife = [statistic(np.delete(values, i)) for i in range(len(values))]
    mine = bca_interval(statistic(values), theirs.bootstrap_distribution, jackknife, level=level)
    assert mine.method == "bca"
    assert ends(mine) == pytest.approx(tuple(theirs.confidence_interval), rel=1e-9)


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_the_whole_bootstrap_agrees_with_scipy_but_for_the_draws(method):
    values = np.random.default_rng(4).lognormal(size=60)
    mine = bootstrap(mean_of(values), 60, n_resamples=8000, method=method)
    scipys = {"bca": "BCa", "percentile": "percentile"}[method]
    theirs = scipy.stats.bootstrap((values,), np.mean, n_resamples=8000, method=scipys, rng=np.random.default_rng(5))
    assert mine.interval.method == method
    assert ends(mine.interval) == pytest.approx(tuple(theirs.confidence_interval), abs=0.2 * mine.standard_error)
    assert mine.standard_error == pytest.approx(theirs.standard_error, rel=0.05)
    assert mine.value == pytest.approx(values.mean())


def test_replicates_that_are_undefined_are_left_out():
    replicates = np.array([np.nan, 0, 1, 2, np.nan, 3, 4])
    assert ends(percentile_interval(replicates)) == ends(percentile_interval([0.0, 1, 2, 3, 4]))
    jackknife = [1.9, 2, 2.2]
    assert ends(bca_interval(2, replicates, jackknife)) == ends(bca_interval(2, [0.0, 1, 2, 3, 4], jackknife))


@pytest.mark.parametrize(
    ("estimate", "jackknife", "reason"),
    [
        (9.0, [1.0, 2, 3], "outside all resamples"),
        (-9.0, [1.0, 2, 3], "outside all resamples"),
        (2.0, [2.0, 2, 2], "no spread"),
        (2.0, [2.0, np.nan, 3], "no value"),
        (3.99, [0.0] + [9.0] * 400, "acceleration is too large"),
    ],
)
def test_bca_falls_back_to_percentiles_and_says_why(estimate, jackknife, reason):
    replicates = np.linspace(0, 4, 1001)
    interval = bca_interval(estimate, replicates, jackknife, level=0.999)
    assert interval.method.startswith("percentile (BCa undefined: ")
    assert reason in interval.method
    assert ends(interval) == ends(percentile_interval(replicates, level=0.999))


def test_equal_replicates_are_called_degenerate():
    for interval in (percentile_interval([0.5] * 9), bca_interval(0.5, [0.5] * 9, [0.5] * 3)):
        assert (*ends(interval), interval.method) == (0.5, 0.5, "degenerate")


@pytest.mark.parametrize("replicates", [[], [np.nan, np.nan], [np.nan, 1.0]])
def test_too_few_replicates_give_no_interval(replicates):
    for interval in (percentile_interval(replicates), bca_interval(1.0, replicates, [1.0, 2])):
        assert np.isnan(ends(interval)).all()
        assert interval.method.startswith("undefined: ")


def test_no_estimate_no_interval():
    interval = bca_interval(np.nan, [1.0, 2, 3], [1.0, 2, 3])
    assert interval.method == "undefined: no estimate"


@few
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=12), st.floats(-5, 5).filter(lambda f: abs(f) > 0.01))
def test_percentiles_follow_a_change_of_unit_and_sign(values, factor):
    mine = bootstrap(mean_of(values), len(values), n_resamples=60, method="percentile").interval
    scaled = bootstrap(mean_of(factor * np.array(values)), len(values), n_resamples=60, method="percentile").interval
    assert ends(scaled) == pytest.approx(sorted(factor * end for end in ends(mine)), abs=1e-6)


def test_bca_follows_a_change_of_unit_and_sign():
    values = np.random.default_rng(6).exponential(size=25)
    mine = bootstrap(mean_of(values), 25).interval
    turned = bootstrap(mean_of(3 - 2 * values), 25).interval
    assert mine.method == turned.method == "bca"
    assert ends(turned) == pytest.approx((3 - 2 * mine.high, 3 - 2 * mine.low))


@few
@given(st.lists(st.integers(0, 9), min_size=2, max_size=10))
def test_a_higher_level_gives_a_wider_interval_within_the_range_of_the_values(values):
    narrow, wide = (
        bootstrap(mean_of(values), len(values), n_resamples=80, level=level, method="percentile").interval
        for level in (0.5, 0.95)
    )
    tolerance = 1e-9
    assert min(values) - tolerance <= wide.low <= narrow.low + tolerance
    assert narrow.high - tolerance <= wide.high <= max(values) + tolerance


def test_the_same_seed_gives_the_same_interval_and_draws():
    values = np.arange(30.0)
    first, again, other = (bootstrap(mean_of(values), 30, n_resamples=700, seed=seed) for seed in (5, 5, 6))
    assert first.interval == again.interval
    np.testing.assert_array_equal(first.replicates, again.replicates)
    assert other.interval != first.interval
    assert first.standard_error == pytest.approx(np.std(first.replicates, ddof=1), rel=1e-9)
    # Statistics of one seed see one and the same draws, so that their difference can be taken replicate by replicate.
    doubled = bootstrap(mean_of(2 * values), 30, n_resamples=700, seed=5)
    np.testing.assert_allclose(doubled.replicates, 2 * first.replicates)


def test_rows_come_in_blocks():
    rows = []

    def resample(weights):
        rows.append(len(weights))
        return weights[:, 0] + weights[:, 1] / 7

    result = bootstrap(resample, module.BLOCK_ROWS + 3, n_resamples=2 * module.BLOCK_ROWS + 1)
    assert rows == [1, module.BLOCK_ROWS, module.BLOCK_ROWS, 1, module.BLOCK_ROWS, 3]
    assert result.replicates.shape == (2 * module.BLOCK_ROWS + 1,)


def test_undefined_resamples_are_counted():
    # One positive case of 10: 0.9^10 = 35% of the resamples hold none, and leaving it out leaves nothing.
    denominators = np.eye(10)[0]
    result = bootstrap(ratio(denominators / 2, denominators), 10)
    assert result.n_defined == np.count_nonzero(~np.isnan(result.replicates))
    assert 0.6 < result.n_defined / 2000 < 0.7
    assert result.value == pytest.approx(0.5)
    assert result.interval.method == "degenerate"
    assert result.standard_error == pytest.approx(0)


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_all_successes_are_degenerate(method):
    result = bootstrap(mean_of([1, 1, 1, 1]), 4, method=method)
    assert (*ends(result.interval), result.interval.method) == (1, 1, "degenerate")


def test_a_statistic_without_value_has_no_interval():
    result = bootstrap(lambda weights: np.full(len(weights), np.nan), 5)
    assert np.isnan([result.value, result.standard_error, *ends(result.interval)]).all()
    assert result.n_defined == 0


def test_one_case_tells_nothing_of_the_next():
    result = bootstrap(mean_of([0.7]), 1)
    assert result.value == pytest.approx(0.7)
    assert np.isnan([result.standard_error, *ends(result.interval)]).all()
    assert (result.interval.method, result.n_defined, len(result.replicates)) == ("undefined: one case", 0, 0)


def test_no_case_at_all():
    result = bootstrap(mean_of([]), 0)
    assert np.isnan([result.value, *ends(result.interval)]).all()
    assert result.interval.method == "undefined: no cases"


@pytest.mark.parametrize(
    ("n_cases", "options", "message"),
    [
        (-1, {}, "nothing to resample"),
        (5, {"n_resamples": 1}, "nothing to resample"),
        (5, {"level": 95}, "level"),
        (5, {"method": "BCA"}, "BCA"),
    ],
)
def test_arguments_are_checked(n_cases, options, message):
    with pytest.raises(DataError, match=message):
        bootstrap(mean_of(np.arange(5)), n_cases, **options)


def test_a_function_of_another_shape_is_a_programming_mistake():
    with pytest.raises(ValueError, match="shape"):
        bootstrap(lambda weights: weights.sum(), 5)


def clustered_lesions(rng):
    """60 cases with 1 to 4 lesions; two lesions of a case correlate by 0.7. True mean 0."""
    case_of = np.repeat(np.arange(60), rng.integers(1, 5, size=60))
    return case_of, np.sqrt(0.7) * rng.normal(size=60)[case_of] + np.sqrt(0.3) * rng.normal(size=len(case_of))


def test_intervals_cover_the_truth_when_cases_are_resampled_and_not_when_lesions_are():
    rng, n_sets = np.random.default_rng(20), 300
    held = {"bca": 0, "percentile": 0, "lesions": 0}
    for _ in range(n_sets):
        case_of, values = clustered_lesions(rng)
        by_case = ratio(np.bincount(case_of, values), np.bincount(case_of).astype(float))
        seed = int(rng.integers(2**31))
        intervals = {m: bootstrap(by_case, 60, n_resamples=500, seed=seed, method=m) for m in ("bca", "percentile")}
        intervals["lesions"] = bootstrap(mean_of(values), len(values), n_resamples=300, seed=seed, method="percentile")
        for name, result in intervals.items():
            held[name] += result.interval.low <= 0 <= result.interval.high
    share = {name: count / n_sets for name, count in held.items()}
    assert 0.91 < share["bca"] < 0.98
    assert 0.91 < share["percentile"] < 0.98
    # Why cases are drawn: 150 lesions of 60 patients are not 150 independent observations (design effect 2.4).
    assert share["lesions"] < 0.86
