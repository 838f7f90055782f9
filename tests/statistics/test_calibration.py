"""Calibration against tables one can check by eye, scikit-learn, and simulated over-confidence."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_statistics import auc, brier, ece
from scipy.special import expit, logit
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from segtumor.errors import DataError
from segtumor.statistics.calibration import (
    apply_temperature,
    briers,
    eces,
    fit_temperature,
    reliability,
)

QUICK = settings(max_examples=20, deadline=None)


@st.composite
def predicted_units(draw):
    """Probabilities on a grid that includes 0, 1 and the edges of bins; labels; whole weights, not all zero."""
    n = draw(st.integers(2, 30))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    weights = rng.integers(0, 4, n)
    weights[0] = 1
    return rng.integers(0, 21, n) / 20, rng.random(n) < 0.5, weights


def overconfident(n=4000, temperature=2.5, seed=0):
    """Probabilities whose logits are ``temperature`` times the true ones, and outcomes."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.2, n)
    return expit(temperature * logits), rng.random(n) < expit(logits)


def test_a_diagram_that_one_can_check_by_eye():
    diagram = reliability([0.0, 0.1, 0.25, 0.4, 0.9, 1.0], [0, 0, 1, 0, 1, 1], n_bins=4)
    assert diagram.counts.tolist() == [3, 1, 0, 2]  # 0.25 lies on an edge and belongs to the bin below it
    np.testing.assert_allclose(diagram.mean_probability, [0.35 / 3, 0.4, np.nan, 0.95])
    np.testing.assert_allclose(diagram.observed, [1 / 3, 0, np.nan, 1])
    assert diagram.edges.tolist() == [0, 0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize(
    ("probabilities", "positive", "error", "score"),
    [
        ([0.0, 1.0], [0, 1], 0, 0),
        ([1.0, 0.0], [0, 1], 1, 1),
        ([0.5, 0.5], [0, 1], 0, 0.25),
        ([0.8, 0.8], [0, 1], 0.3, (0.64 + 0.04) / 2),
        ([0.15, 0.85], [0, 1], 0.15, 0.0225),
        ([0.3], [1], 0.7, 0.49),
    ],
)
def test_errors_that_one_can_check_by_eye(probabilities, positive, error, score):
    assert ece(probabilities, positive) == pytest.approx(error)
    assert brier(probabilities, positive) == pytest.approx(score)


@given(predicted_units(), st.integers(1, 8))
@QUICK
def test_agrees_with_scikit_learn(units, n_bins):
    probabilities, positive, weights = units
    positive[0] = not positive[-1]  # theirs needs both classes
    diagram = reliability(probabilities, positive, n_bins=n_bins)
    observed, mean_probability = calibration_curve(positive, probabilities, n_bins=n_bins)
    filled = diagram.counts > 0
    np.testing.assert_allclose(diagram.observed[filled], observed)
    np.testing.assert_allclose(diagram.mean_probability[filled], mean_probability)
    assert diagram.counts.sum() == len(probabilities)
    expected = brier_score_loss(positive, probabilities, sample_weight=weights)
    assert briers(probabilities, positive, weights[None])[0] == pytest.approx(expected)


@given(predicted_units(), st.integers(1, 8))
@QUICK
def test_the_error_is_that_of_the_diagram(units, n_bins):
    probabilities, positive, _ = units
    diagram = reliability(probabilities, positive, n_bins=n_bins)
    gaps = np.nan_to_num(np.abs(diagram.observed - diagram.mean_probability))
    expected = diagram.counts @ gaps / len(probabilities)
    assert ece(probabilities, positive, n_bins=n_bins) == pytest.approx(expected, abs=1e-12)


@given(predicted_units())
@QUICK
def test_a_whole_weight_is_as_many_rows(units):
    probabilities, positive, weights = units
    rows = np.stack([weights, np.ones(len(weights))])
    repeated = np.repeat(probabilities, weights), np.repeat(positive, weights)
    assert eces(probabilities, positive, rows) == pytest.approx([ece(*repeated), ece(probabilities, positive)])
    assert briers(probabilities, positive, rows) == pytest.approx([brier(*repeated), brier(probabilities, positive)])


def test_nothing_drawn_is_nan():
    weights = np.array([[0, 0], [1, 1]])
    assert np.isnan(eces([0.1, 0.9], [0, 1], weights)).tolist() == [True, False]
    assert np.isnan(briers([0.1, 0.9], [0, 1], weights)).tolist() == [True, False]


def test_no_unit():
    diagram = reliability([], [])
    assert diagram.counts.tolist() == [0] * 10
    assert np.isnan(diagram.observed).all()
    assert np.isnan(ece([], []))
    assert np.isnan(brier([], []))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_recovered(temperature):
    probabilities, positive = overconfident(temperature=temperature)
    fitted = fit_temperature(probabilities, positive)
    assert fitted == pytest.approx(temperature, rel=0.1)
    # The same as a logistic regression on the logit without an intercept or a penalty.
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10)
    model.fit(logit(np.clip(probabilities, 1e-6, 1 - 1e-6))[:, None], positive)
    assert fitted == pytest.approx(1 / model.coef_[0, 0], rel=1e-4)


def test_a_temperature_mends_the_calibration_and_keeps_the_ranking():
    probabilities, positive = overconfident()
    mended = apply_temperature(probabilities, fit_temperature(probabilities, positive))
    assert ece(mended, positive) < ece(probabilities, positive) / 3
    assert brier(mended, positive) < brier(probabilities, positive)
    assert auc(mended, positive) == pytest.approx(auc(probabilities, positive), abs=1e-12)
    np.testing.assert_array_equal(np.argsort(mended, kind="stable"), np.argsort(probabilities, kind="stable"))


@pytest.mark.parametrize(
    ("probability", "temperature", "expected"),
    [(0.3, 1, 0.3), (0.0, 3, 0.0), (1.0, 3, 1.0), (0.5, 7, 0.5), (0.8, 2, 2 / 3), (2 / 3, 0.5, 0.8), (0.2, 2, 1 / 3)],
)
def test_temperatures_that_one_can_check_by_eye(probability, temperature, expected):
    assert apply_temperature(probability, temperature) == pytest.approx(expected)
    assert apply_temperature([[probability]], temperature).shape == (1, 1)


def test_probabilities_of_one_half_need_no_temperature():
    assert fit_temperature([0.5, 0.5], [0, 1]) == 1


@pytest.mark.parametrize(
    ("probabilities", "bound"),
    [([0.1, 0.2, 0.8, 0.9], 0.01), ([0.9, 0.8, 0.2, 0.1], 100), ([0.0, 0.0, 1.0, 1.0], 0.01)],
)
def test_a_temperature_at_its_bound_is_said(probabilities, bound, caplog):
    with caplog.at_level(logging.WARNING):
        assert fit_temperature(probabilities, [0, 0, 1, 1]) == bound
    assert "temperature is beyond" in caplog.text


@pytest.mark.parametrize("function", [reliability, ece, brier, fit_temperature])
@pytest.mark.parametrize(
    ("probabilities", "positive", "words"),
    [
        ([0.1, 1.2], [0, 1], "out of range"),
        ([-0.1, 0.2], [0, 1], "out of range"),
        ([0.1, np.nan], [0, 1], "not finite"),
        ([0.1, 0.2], [0, 1, 1], "match"),
        ([0.1, 0.2], [0, 3], "not binary"),
    ],
)
def test_bad_probabilities_and_labels_are_named(function, probabilities, positive, words):
    with pytest.raises(DataError, match=words):
        function(probabilities, positive)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fit_temperature([0.2, 0.3], [1, 1]), "positives and negatives"),
        (lambda: fit_temperature([], []), "positives and negatives"),
        (lambda: apply_temperature([0.2, 1.3], 1.0), "out of range"),
        (lambda: apply_temperature([0.2, np.nan], 1.0), "out of range"),
        (lambda: apply_temperature([0.2], 0.0), "temperature is impossible"),
        (lambda: apply_temperature([0.2], np.nan), "temperature is impossible"),
        (lambda: ece([0.2], [1], n_bins=0), "no bin"),
        (lambda: briers([0.2], [1], np.ones((2, 3))), "do not match the units"),
        (lambda: eces([0.2], [1], [[-1.0]]), "negative"),
    ],
)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(DataError, match=words):
        call()
