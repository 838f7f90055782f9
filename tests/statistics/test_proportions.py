import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from statsmodels.stats.proportion import proportion_confint

from segtumor.errors import DataError
from segtumor.statistics.proportions import clopper_pearson, wilson

few = settings(max_examples=30, deadline=None)
both = pytest.mark.parametrize("interval_of", [wilson, clopper_pearson])
counts = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (284, 375, 0.711, 0.798),
        (159, 177, 0.845, 0.935),
        (140, 177, 0.725, 0.844),
        (664, 751, 0.859, 0.905),
        (0, 10, 0, 0.278),
        (10, 10, 0.722, 1),
        (1, 1, 0.207, 1),
    ],
)
def test_wilson_by_published_values(successes, n, low, high):
    interval = wilson(successes, n)
    assert (round(interval.low, 3), round(interval.high, 3)) == (low, high)
    assert (interval.method, interval.level) == ("wilson", 0.95)


def test_clopper_pearson_of_no_success_is_the_closed_form():
    # (1 - p)^n = 0.025: the "rule of three" for a two-sided interval.
    assert clopper_pearson(0, 10).high == pytest.approx(1 - 0.025**0.1)
    assert clopper_pearson(10, 10).low == pytest.approx(0.025**0.1)


@few
@given(counts, st.sampled_from([0.8, 0.95, 0.99]))
def test_intervals_agree_with_statsmodels_and_scipy(successes_of, level):
    successes, n = successes_of
    for interval_of, theirs, scipys in ((wilson, "wilson", "wilson"), (clopper_pearson, "beta", "exact")):
        mine = interval_of(successes, n, level=level)
        expected = proportion_confint(successes, n, alpha=1 - level, method=theirs)
        assert (mine.low, mine.high) == pytest.approx(expected, abs=1e-9)
        other = binomtest(successes, n).proportion_ci(level, scipys)
        assert (mine.low, mine.high) == pytest.approx((other.low, other.high), abs=1e-9)


@both
@few
@given(successes_of=counts)
def test_an_interval_holds_its_estimate_and_grows_with_the_level(interval_of, successes_of):
    successes, n = successes_of
    narrow, wide = (interval_of(successes, n, level=level) for level in (0.8, 0.99))
    assert 0 <= wide.low <= narrow.low <= successes / n <= narrow.high <= wide.high <= 1


@both
@few
@given(successes_of=counts)
def test_counting_failures_instead_mirrors_the_interval(interval_of, successes_of):
    successes, n = successes_of
    mine, mirrored = interval_of(successes, n), interval_of(n - successes, n)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((mine.low, mine.high), abs=1e-9)


def coverage(interval_of, n, proportion):
    """Exact probability that the interval of a binomial count holds the true proportion."""
    intervals = [interval_of(k, n) for k in range(n + 1)]
    holds = np.array([[i.low <= p <= i.high for i in intervals] for p in proportion])
    return (holds * binom.pmf(np.arange(n + 1), n, proportion[:, None])).sum(axis=1)


@pytest.mark.parametrize("n", [5, 10, 30, 100])
def test_wilson_covers_what_it_says_on_average_and_clopper_pearson_always(n):
    grid = np.linspace(0.005, 0.995, 199)
    of_wilson, of_clopper_pearson = coverage(wilson, n, grid), coverage(clopper_pearson, n, grid)
    assert 0.94 < of_wilson.mean() < 0.965
    assert of_wilson.min() < 0.95 <= of_clopper_pearson.min()
    assert of_clopper_pearson.mean() > of_wilson.mean()


def test_successes_of_an_auc_need_not_be_whole():
    low, high = (clopper_pearson(k, 50) for k in (40, 41))
    between = clopper_pearson(0.81 * 50, 50)
    assert low.low < between.low < high.low
    assert low.high < between.high < high.high


@both
def test_nothing_counted_is_no_interval(interval_of):
    interval = interval_of(0, 0)
    assert np.isnan([interval.low, interval.high]).all()
    assert interval.method == "undefined: n = 0"


@both
@pytest.mark.parametrize("counted", [(-1, 5), (6, 5), (0, -1), (np.nan, 5), (1, np.nan), (1, np.inf)])
def test_impossible_counts_are_refused(interval_of, counted):
    with pytest.raises(DataError, match="counts of a proportion"):
        interval_of(*counted)


@both
@pytest.mark.parametrize("level", [0, 1, 95, np.nan])
def test_a_level_is_a_probability(interval_of, level):
    with pytest.raises(DataError, match=r"0\.95"):
        interval_of(1, 2, level=level)
