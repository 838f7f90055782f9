"""Areas, curves and DeLong against tables one can check by eye, scikit-learn, the definition, and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_statistics import auc, average_precision
from scipy.special import expit, logit
from scipy.stats import kstest, norm
from sklearn import metrics

from segtumor.errors import DataError
from segtumor.statistics.roc import (
    aucs,
    average_precisions,
    delong_interval,
    delong_test,
    pr_curve,
    roc_curve,
)

QUICK = settings(max_examples=20, deadline=None)


@st.composite
def scored_units(draw, largest_weight=4):
    """Scores in tenths (many ties), labels of both classes, whole weights with some unit of each class drawn."""
    n = draw(st.integers(2, 25))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    positive = rng.random(n) < draw(st.floats(0.1, 0.9))
    positive[0], positive[1] = True, False
    weights = rng.integers(0, largest_weight + 1, n)
    weights[:2] = 1
    return rng.integers(0, 11, n) / 10, positive, weights


@pytest.mark.parametrize(
    ("scores", "positive", "area", "precision"),
    [
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 3 / 4, (1 + 2 / 3) / 2),
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], 1, 1),
        ([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1], 0, (1 / 3 + 2 / 4) / 2),
        ([0.5, 0.5, 0.5, 0.5], [0, 1, 0, 1], 1 / 2, 1 / 2),
        ([0.5, 0.5, 0.9], [0, 1, 1], 3 / 4, (1 + 2 / 3) / 2),
        ([0, 0, 0, 1], [False, False, True, True], 3 / 4, (1 + 2 / 4) / 2),
    ],
)
def test_areas_that_one_can_check_by_eye(scores, positive, area, precision):
    assert auc(scores, positive) == pytest.approx(area)
    assert average_precision(scores, positive) == pytest.approx(precision)


@given(scored_units())
@QUICK
def test_weighted_areas_agree_with_scikit_learn(units):
    scores, positive, weights = units
    for ours, theirs in (
        (auc, metrics.roc_auc_score),
        (average_precision, metrics.average_precision_score),
    ):
        assert ours(scores, positive, weights) == pytest.approx(theirs(positive, scores, sample_weight=weights))
        assert ours(scores, positive, weights * 0.3) == pytest.approx(ours(scores, positive, weights))


@given(scored_units())
@QUICK
def test_a_whole_weight_is_as_many_rows(units):
    scores, positive, weights = units
    for area in (auc, average_precision):
        repeated = area(np.repeat(scores, weights), np.repeat(positive, weights))
        assert area(scores, positive, weights) == pytest.approx(repeated)
        assert area(scores, positive, np.ones(len(scores))) == pytest.approx(area(scores, positive))


@given(scored_units())
@QUICK
def test_only_the_order_counts(units):
    scores, positive, _ = units
    area = auc(scores, positive)
    assert auc(-scores, positive) == pytest.approx(1 - area)
    assert auc(scores, ~positive) == pytest.approx(1 - area)
    for transformed in (np.exp(3 * scores), 5 * scores - 100, scores**3):
        assert auc(transformed, positive) == pytest.approx(area)
        assert average_precision(transformed, positive) == pytest.approx(average_precision(scores, positive))
    shuffled = np.random.default_rng(0).permutation(len(scores))
    assert auc(scores[shuffled], positive[shuffled]) == pytest.approx(area)


def test_many_rows_of_weights_are_one_area_each():
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, 50, 400) / 50, rng.random(400) < 0.3
    weights = rng.multinomial(400, np.full(400, 1 / 400), size=1500)  # more than one block
    for many, single in ((aucs, auc), (average_precisions, average_precision)):
        areas = many(scores, positive, weights)
        assert areas.shape == (1500,)
        for row in (0, 700, 1499):
            assert areas[row] == pytest.approx(single(scores, positive, weights[row]))
        assert many(scores, positive, np.ones((0, 400))).shape == (0,)


@pytest.mark.parametrize(
    ("positive", "weights"),
    [
        ([1, 1, 1], [1, 1, 1]),
        ([0, 0, 0], [1, 1, 1]),
        ([0, 1, 1], [0, 2, 1]),
        ([0, 0, 1], [2, 1, 0]),
        ([0, 1, 1], [0] * 3),
    ],
)
def test_an_area_needs_both_classes(positive, weights):
    assert np.isnan(auc([0.1, 0.2, 0.3], positive, weights))
    no_positive = not np.dot(positive, weights)
    assert np.isnan(average_precision([0.1, 0.2, 0.3], positive, weights)) == no_positive


@pytest.mark.parametrize("positive", [[], [0], [1]])
def test_no_unit_or_a_single_one(positive):
    scores = np.full(len(positive), 0.5)
    assert np.isnan(auc(scores, positive))
    assert delong_interval(scores, positive).method == "undefined: one class only"
    assert np.isnan(delong_test(scores, scores, positive).p_value)
    assert len(roc_curve(scores, positive).thresholds) == len(positive) + 1
    assert len(pr_curve(scores, positive).thresholds) == len(positive)


@given(scored_units())
@QUICK
def test_curves_agree_with_scikit_learn(units):
    scores, positive, _ = units
    curve = roc_curve(scores, positive)
    expected = metrics.roc_curve(positive, scores, drop_intermediate=False)
    for ours, theirs in zip((curve.false_positive_rate, curve.sensitivity, curve.thresholds), expected, strict=True):
        np.testing.assert_allclose(ours, theirs)
    assert np.trapezoid(curve.sensitivity, curve.false_positive_rate) == pytest.approx(auc(scores, positive))

    curve = pr_curve(scores, positive)
    precision, recall, thresholds = metrics.precision_recall_curve(positive, scores)
    np.testing.assert_allclose(curve.precision[::-1], precision[:-1])  # theirs ends with an invented point
    np.testing.assert_allclose(curve.recall[::-1], recall[:-1])
    np.testing.assert_allclose(curve.thresholds[::-1], thresholds)
    steps = np.diff(curve.recall, prepend=0) @ curve.precision
    assert steps == pytest.approx(average_precision(scores, positive))


def test_curves_that_one_can_check_by_eye():
    curve = roc_curve([0.9, 0.5, 0.5, 0.0], [1, 1, 0, 0])
    assert curve.thresholds.tolist() == [np.inf, 0.9, 0.5, 0.0]
    assert curve.sensitivity.tolist() == [0, 0.5, 1, 1]
    assert curve.false_positive_rate.tolist() == [0, 0, 0.5, 1]
    curve = pr_curve([0.9, 0.5, 0.5, 0.0], [1, 1, 0, 0])
    assert curve.recall.tolist() == [0.5, 1, 1]
    assert curve.precision == pytest.approx([1, 2 / 3, 1 / 2])


def test_curves_of_one_class_have_one_undefined_axis():
    curve = roc_curve([0.2, 0.7], [1, 1])
    assert np.isnan(curve.false_positive_rate).all()
    assert curve.sensitivity.tolist() == [0, 0.5, 1]
    assert np.isnan(pr_curve([0.2, 0.7], [0, 0]).recall).all()


def components_by_definition(scores, positive):
    """DeLong's structural components by comparing every positive with every negative."""
    positives, negatives = scores[positive][:, None], scores[~positive]
    wins = (positives > negatives) + 0.5 * (positives == negatives)
    return wins.mean(axis=1), wins.mean(axis=0)


@given(scored_units())
@QUICK
def test_delong_agrees_with_its_definition(units):
    scores, positive, _ = units
    of_positives, of_negatives = components_by_definition(scores, positive)
    interval = delong_interval(scores, positive, transform="none")
    if min(len(of_positives), len(of_negatives)) < 2:
        assert interval.method == "undefined: one unit in a class"
        assert np.isnan([interval.low, interval.high]).all()
        return
    error = np.sqrt(np.var(of_positives, ddof=1) / len(of_positives) + np.var(of_negatives, ddof=1) / len(of_negatives))
    reach = norm.ppf(0.975) * error
    area = auc(scores, positive)
    np.testing.assert_allclose([interval.low, interval.high], np.clip([area - reach, area + reach], 0, 1), atol=1e-9)
    by_logit = delong_interval(scores, positive)
    if error > 1e-12:
        limits = expit(logit(area) + np.array([-1, 1]) * reach / (area * (1 - area)))
        np.testing.assert_allclose([by_logit.low, by_logit.high], limits, atol=1e-9)
        assert (interval.method, by_logit.method) == ("DeLong", "DeLong (logit)")
    else:
        assert by_logit == interval


@given(scored_units(), st.integers(0, 1000))
@QUICK
def test_the_test_agrees_with_its_definition(units, seed):
    scores, positive, _ = units
    other = np.round(scores + np.random.default_rng(seed).normal(0, 0.3, len(scores)), 1)
    pairs = zip(components_by_definition(scores, positive), components_by_definition(other, positive), strict=True)
    differences = [first - second for first, second in pairs]
    result = delong_test(scores, other, positive)
    if min(map(len, differences)) < 2:
        assert np.isnan(result.p_value)
        return
    variance = sum(np.var(d, ddof=1) / len(d) for d in differences)
    if variance > 1e-20:
        z = (auc(scores, positive) - auc(other, positive)) / np.sqrt(variance)
        assert result.statistic == pytest.approx(z, abs=1e-9)
        assert result.p_value == pytest.approx(2 * norm.sf(abs(z)))
    assert (result.name, result.n) == ("DeLong", len(scores))


def binormal(rng, n, shift, correlation=0.0):
    """Two scores of n positives and n negatives, either with an area of Phi(shift / sqrt(2))."""
    positive = np.arange(2 * n) < n
    scores = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], 2 * n) + shift * positive[:, None]
    return scores[:, 0], scores[:, 1], positive


def test_delong_covers_what_it_says():
    rng = np.random.default_rng(1)
    area = norm.cdf(1.2 / np.sqrt(2))
    covered = 0
    for _ in range(300):
        scores, _, positive = binormal(rng, 60, shift=1.2)
        interval = delong_interval(scores, positive)
        covered += interval.low <= area <= interval.high
    assert 0.92 <= covered / 300 <= 0.98  # two standard errors of 300 draws: 0.025


def test_the_logit_covers_high_areas_of_few_units():
    """20 of each kind, true area 0.95: the plain interval covers 84%, that by logit 94%."""
    rng, area, positive = np.random.default_rng(0), 0.95, np.arange(40) < 20
    covered = {"logit": 0, "none": 0}
    for _ in range(400):
        scores = rng.normal(size=40) + np.sqrt(2) * norm.ppf(area) * positive
        for transform in covered:
            interval = delong_interval(scores, positive, transform=transform)
            covered[transform] += interval.low <= area <= interval.high
    assert covered["none"] / 400 < 0.88
    assert 0.91 < covered["logit"] / 400 < 0.98


def test_p_values_are_uniform_where_there_is_no_difference():
    rng = np.random.default_rng(2)
    p_values = [delong_test(*binormal(rng, 50, shift=1.0, correlation=0.8)).p_value for _ in range(300)]
    assert kstest(p_values, "uniform").pvalue > 0.01  # 1e-32 for a test that ignores the pairing


def test_a_real_difference_is_found_and_has_a_sign():
    rng = np.random.default_rng(3)
    good, noise, positive = binormal(rng, 80, shift=1.5)
    noise = noise - 1.5 * positive
    result, reverse = delong_test(good, noise, positive), delong_test(noise, good, positive)
    assert result.statistic > 3
    assert result.p_value < 0.001
    assert (reverse.statistic, reverse.p_value) == pytest.approx((-result.statistic, result.p_value))


@pytest.mark.parametrize(("scores", "area"), [([0.1, 0.2, 0.8, 0.9], 1), ([0.4] * 4, 0.5), ([0.9, 0.8, 0.1, 0.1], 0)])
def test_no_variance_is_said(scores, area):
    interval = delong_interval(scores, [0, 0, 1, 1])
    assert (interval.low, interval.high) == pytest.approx((area, area))
    assert interval.method == "DeLong (variance 0)"


def test_scores_without_variance_of_their_difference():
    same = delong_test([0.1, 0.6, 0.5, 0.9], [1, 6, 5, 9], [0, 0, 1, 1])
    assert (same.statistic, same.p_value, same.note) == (0, 1, "both rank the units alike")
    perfect_against_constant = delong_test([0.1, 0.2, 0.8, 0.9], [0.4] * 4, [0, 0, 1, 1])
    assert np.isnan(perfect_against_constant.p_value)
    assert "variance 0" in perfect_against_constant.note


def test_a_higher_level_is_wider():
    scores, _, positive = binormal(np.random.default_rng(4), 30, shift=1)
    assert delong_interval(scores, positive, level=0.99).low < delong_interval(scores, positive).low
    assert delong_interval(scores, positive, level=0.99).level == 0.99


def test_inputs_stay_as_they_are():
    scores, positive, weights = np.array([0.3, 0.1, 0.2]), np.array([1, 0, 1]), np.ones((2, 3))
    copies = [x.copy() for x in (scores, positive, weights)]
    aucs(scores, positive, weights), delong_interval(scores, positive), roc_curve(scores, positive)
    for array, copy in zip((scores, positive, weights), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize(
    ("scores", "positive", "words"),
    [
        ([0.1, np.nan, 0.3], [0, 1, 1], "unit 1: a score is not finite"),
        ([0.1, np.inf, 0.3], [0, 1, 1], "not finite"),
        (["low", "high"], [0, 1], "not numbers"),
        ([0.1, 0.2], [0, 1, 1], "do not match"),
        ([[0.1, 0.2]], [[0, 1]], "do not match"),
        ([0.1, 0.2], [0, 2], "not binary"),
        ([0.1, 0.2], [0, np.nan], "not binary"),
        ([0.1, 0.2], ["0", "1"], "not binary"),
    ],
)
@pytest.mark.parametrize("function", [auc, average_precision, roc_curve, pr_curve, delong_interval])
def test_bad_scores_and_labels_are_named(function, scores, positive, words):
    with pytest.raises(DataError, match=words):
        function(scores, positive)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: aucs([0.1, 0.2], [0, 1], np.ones((3, 4))), "do not match the units"),
        (lambda: aucs([0.1, 0.2], [0, 1], np.ones(2)), "do not match the units"),
        (lambda: auc([0.1, 0.2], [0, 1], [1, -1]), "negative"),
        (lambda: auc([0.1, 0.2], [0, 1], [1, np.nan]), "not finite"),
        (lambda: auc([0.1, 0.2], [0, 1], ["a", "b"]), "not numbers"),
        (lambda: delong_interval([0.1, 0.2], [0, 1], level=1), "level"),
        (lambda: delong_interval([0.1, 0.2], [0, 1], transform="log"), "transform"),
        (lambda: delong_test([0.1, 0.2], [0.1, np.nan], [0, 1]), "not finite"),
        (lambda: delong_test([0.1, 0.2], [0.1], [0, 1]), "do not match"),
    ],
)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(DataError, match=words):
        call()
