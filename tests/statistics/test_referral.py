"""Referral and net benefit against plain loops, and a table that one can check by eye."""

import itertools

import numpy as np
import pytest

from segtumor.errors import DataError
from segtumor.statistics.decision import net_benefits, treat_all
from segtumor.statistics.referral import kept_counts

ONES = np.ones((1, 4))


def test_the_most_uncertain_go_first():
    """Right: yes, no, yes, no; uncertain in the order 3, 1, 2, 0."""
    right, doubt = [[1], [0], [1], [0]], [0.0, 0.8, 0.2, 0.9]
    kept = kept_counts(doubt, right, ONES, [0, 0.25, 0.5, 0.75, 1])[0, :, 0]
    assert kept.tolist() == [2, 2, 2, 1, 0]
    half_a_unit = kept_counts(doubt, right, ONES, [0.625])[0, 0, 0]
    assert half_a_unit == 1.5  # of 1.5 units: the first, and half of the third


def test_equal_doubt_is_the_mean_over_all_orders():
    doubt, right, n = np.array([0.1, 0.5, 0.5, 0.5, 0.9]), np.array([1.0, 1, 0, 0, 0]), 5
    for referred in (1, 2, 3):
        expected = np.mean(
            [
                right[sorted(range(n), key=lambda i: (doubt[i], order[i]))[: n - referred]].sum()
                for order in itertools.permutations(range(n))
            ]
        )
        found = kept_counts(doubt, right[:, None], np.ones((1, n)), [referred / n])
        assert found[0, 0, 0] == pytest.approx(expected)


def test_weights_are_repeated_units():
    rng = np.random.default_rng(0)
    doubt, counted = rng.permutation(12) / 12, rng.integers(0, 2, (12, 3))
    weights = rng.integers(0, 3, (5, 12)).astype(float)
    for row in weights:
        times = row.astype(int)
        each, once = np.repeat(counted, times, axis=0), np.ones((1, times.sum()))
        repeated = kept_counts(np.repeat(doubt, times), each, once, [0.3])
        np.testing.assert_allclose(kept_counts(doubt, counted, row[None], [0.3]), repeated)


def loop(probabilities, positive, threshold):
    true = sum(p >= threshold and y for p, y in zip(probabilities, positive, strict=True))
    false = sum(p >= threshold and not y for p, y in zip(probabilities, positive, strict=True))
    return (true - false * threshold / (1 - threshold)) / len(positive)


def test_net_benefit_is_that_of_its_definition():
    rng = np.random.default_rng(1)
    probabilities, positive = rng.random(40).round(1), rng.random(40) < 0.4
    thresholds = [0, 0.05, 0.1, 0.5, 0.7, 0.95]
    expected = [loop(probabilities, positive, t) for t in thresholds]
    np.testing.assert_allclose(net_benefits(probabilities, positive, np.ones((1, 40)), thresholds)[0], expected)
    everybody = [loop(np.ones(40), positive, t) for t in thresholds]
    np.testing.assert_allclose(treat_all(positive, np.ones((1, 40)), thresholds)[0], everybody)
    weights = rng.integers(0, 3, (1, 40)).astype(float)
    times = weights[0].astype(int)
    repeated = [loop(np.repeat(probabilities, times), np.repeat(positive, times), t) for t in thresholds]
    np.testing.assert_allclose(net_benefits(probabilities, positive, weights, thresholds)[0], repeated)


def test_a_table_of_net_benefit():
    """10 of 100 have it; the test finds 8 and calls 20 others: at 0.2 worth 0.08 - 0.2 / 4; everybody 0.1 - 0.9 / 4."""
    probabilities = [0.9] * 8 + [0.01] * 2 + [0.9] * 20 + [0.01] * 70
    positive = [True] * 10 + [False] * 90
    assert net_benefits(probabilities, positive, np.ones((1, 100)), [0.2])[0, 0] == pytest.approx(0.03)
    assert treat_all(positive, np.ones((1, 100)), [0.2])[0, 0] == pytest.approx(-0.125)
    assert np.isnan(net_benefits(probabilities, positive, np.zeros((1, 100)), [0.2])).all()


def test_what_cannot_be_used_is_refused():
    with pytest.raises(DataError, match="threshold probability"):
        net_benefits([0.5], [1], [[1]], [1.0])
    with pytest.raises(DataError, match="uncertainty of each"):
        kept_counts([np.nan], [[1]], [[1]], [0.5])
    assert kept_counts([], np.zeros((0, 2)), np.zeros((3, 0)), [0.5]).shape == (3, 1, 2)
