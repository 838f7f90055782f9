"""Kappa against published tables, scikit-learn and statsmodels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from segtumor.errors import DataError
from segtumor.statistics.agreement import kappa, kappa_interval

QUICK = settings(max_examples=12, deadline=None)
WEIGHTINGS = ("none", "linear", "quadratic")
#: Tables of 3 classes with some of everything, so that every kappa and variance is defined.
tables = arrays(np.int64, (3, 3), elements=st.integers(1, 20))


@pytest.mark.parametrize(
    ("counts", "value", "low", "high"),
    [
        # Readers of knee radiographs, tumor or not.
        ([[124, 3], [7, 143]], 0.927, 0.883, 0.972),
        ([[122, 5], [26, 124]], 0.777, 0.704, 0.850),
        ([[120, 7], [15, 135]], 0.841, 0.777, 0.905),  # printed .777-.901, which is not symmetric
        # ResNet50, three classes, internal and external.
        ([[83, 3, 5], [3, 37, 2], [4, 1, 39]], 0.836, 0.764, 0.908),
        ([[81, 6, 4], [4, 33, 5], [16, 2, 26]], 0.653, 0.555, 0.751),
    ],
)
def test_published_intervals(counts, value, low, high):
    interval = kappa_interval(counts)
    assert [round(float(x), 3) for x in (kappa(counts), interval.low, interval.high)] == [value, low, high]
    assert (interval.method, interval.level) == ("Fleiss-Cohen-Everitt", 0.95)


@pytest.mark.parametrize(
    ("counts", "value"),
    [
        ([[273, 4, 33], [11, 47, 6], [28, 5, 344]], 0.795),  # YOLOv8n-cls
        ([[146, 42], [49, 138]], 0.515),  # DenseNet
    ],
)
def test_published_values(counts, value):
    assert round(float(kappa(counts)), 3) == value


@pytest.mark.parametrize(
    ("counts", "weights", "expected"),
    [
        ([[5, 0], [0, 5]], "none", 1),
        ([[0, 5], [5, 0]], "none", -1),
        ([[1, 1], [1, 1]], "none", 0),
        ([[2, 0, 2], [0, 0, 0], [2, 0, 2]], "linear", 0),
        ([[5, 0, 0], [0, 0, 0], [0, 0, 5]], "quadratic", 1),
        # Margins (2, 1, 1) and (1, 2, 1): d^2 is 1 once, and 1*4 + 4*2 + 1*1 + 1*1 + 4*1 + 1*2 = 20 of 4 by chance.
        ([[1, 1, 0], [0, 1, 0], [0, 0, 1]], "quadratic", 1 - 4 / 20),
    ],
)
def test_tables_that_one_can_check_by_eye(counts, weights, expected):
    assert kappa(counts, weights=weights) == pytest.approx(expected, abs=1e-12)


@given(tables, st.sampled_from(WEIGHTINGS))
@QUICK
def test_agrees_with_scikit_learn_and_statsmodels(counts, weights):
    rows, columns = np.indices(counts.shape)
    first, second = np.repeat(rows, counts.ravel()), np.repeat(columns, counts.ravel())
    sklearn_weights = None if weights == "none" else weights
    assert kappa(counts, weights=weights) == pytest.approx(
        cohen_kappa_score(first, second, weights=sklearn_weights), abs=1e-12
    )
    other = cohens_kappa(counts, wt=None if weights == "none" else {"linear": "linear", "quadratic": "fc"}[weights])
    interval = kappa_interval(counts, weights=weights)
    assert kappa(counts, weights=weights) == pytest.approx(other.kappa, abs=1e-12)
    expected = np.clip([other.kappa_low, other.kappa_upp], -1, 1)
    np.testing.assert_allclose([interval.low, interval.high], expected, atol=1e-9)


@given(tables, st.sampled_from(WEIGHTINGS))
@QUICK
def test_it_does_not_matter_who_is_first(counts, weights):
    assert kappa(counts.T, weights=weights) == pytest.approx(kappa(counts, weights=weights), abs=1e-12)
    interval, other = kappa_interval(counts, weights=weights), kappa_interval(counts.T, weights=weights)
    assert (interval.low, interval.high) == pytest.approx((other.low, other.high), abs=1e-9)


@given(arrays(np.int64, (2, 2), elements=st.integers(1, 20)))
@QUICK
def test_weights_change_nothing_for_two_classes(counts):
    assert kappa(counts, weights="linear") == pytest.approx(kappa(counts), abs=1e-12)
    assert kappa(counts, weights="quadratic") == pytest.approx(kappa(counts), abs=1e-12)


def test_leading_axes_are_one_table_each():
    counts = np.random.default_rng(0).integers(0, 9, (4, 2, 3, 3))
    for weights in WEIGHTINGS:
        together = kappa(counts, weights=weights)
        assert together.shape == (4, 2)
        assert together[3, 1] == pytest.approx(kappa(counts[3, 1], weights=weights))
        assert kappa(counts * 0.25, weights=weights) == pytest.approx(together)


def test_a_higher_level_is_wider():
    counts = [[124, 3], [7, 143]]
    assert kappa_interval(counts, level=0.99).low < kappa_interval(counts).low
    assert kappa_interval(counts, level=0.99).level == 0.99


@pytest.mark.parametrize("counts", [[[7]], [[7, 0], [0, 0]], np.zeros((3, 3))])
@pytest.mark.parametrize("weights", WEIGHTINGS)
def test_one_class_has_no_kappa(counts, weights):
    assert np.isnan(kappa(counts, weights=weights))
    interval = kappa_interval(counts, weights=weights)
    assert np.isnan([interval.low, interval.high]).all()
    assert interval.method.startswith("undefined")


def test_complete_agreement_has_an_interval_of_one_point():
    interval = kappa_interval([[13, 0, 0], [0, 17, 0], [0, 0, 3]])
    assert (interval.low, interval.high) == pytest.approx((1, 1))
    assert interval.method == "Fleiss-Cohen-Everitt (variance 0)"


def test_an_interval_stays_within_its_range():
    interval = kappa_interval([[9, 0], [1, 9]])
    assert interval.high == 1
    assert interval.low < 0.9


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: kappa([[1, 2, 3], [1, 2, 3]]), "not square"),
        (lambda: kappa([[1, -2], [1, 2]]), "impossible"),
        (lambda: kappa([[1, 2], [1, 2]], weights="cubic"), "none, linear, quadratic"),
        (lambda: kappa_interval(np.ones((2, 3, 3))), "one table"),
        (lambda: kappa_interval(np.ones((2, 2)), level=95), "level"),
    ],
)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(DataError, match=words):
        call()
