"""Rates against tables one can check by eye, and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics

from segtumor.errors import DataError
from segtumor.statistics import rates

QUICK = settings(max_examples=12, deadline=None)
#: DenseNet at patient level, knee radiographs.
DENSENET = {"tn": 146, "fp": 42, "fn": 49, "tp": 138}
#: YOLOv8n-cls: benign, intermediate, malignant.
YOLO = np.array([[273, 4, 33], [11, 47, 6], [28, 5, 344]])


def units_of(confusion):
    """One (true, predicted) pair of labels a unit."""
    confusion = np.asarray(confusion)
    rows, columns = np.indices(confusion.shape)
    return np.repeat(rows, confusion.ravel()), np.repeat(columns, confusion.ravel())


def counts_of(confusion):
    (tn, fp), (fn, tp) = confusion
    return {"tp": tp, "fp": fp, "fn": fn, "tn": tn}


def test_published_counts_give_the_published_rates():
    assert round(rates.accuracy(**DENSENET), 4) == 0.7573
    assert round(rates.overall_accuracy(YOLO), 3) == 0.884


def test_a_published_macro_f1_may_be_the_other_one():
    assert round(rates.macro_f1(YOLO), 4) == 0.8555
    precision, recall = rates.macro_precision(YOLO), rates.macro_recall(YOLO)
    assert round(2 * precision * recall / (precision + recall), 3) == 0.856  # as printed: the F1 of two means


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (rates.sensitivity(tp=3, fn=1), 0.75),
        (rates.specificity(tn=9, fp=1), 0.9),
        (rates.ppv(tp=3, fp=1), 0.75),
        (rates.npv(tn=9, fn=1), 0.9),
        (rates.accuracy(tp=3, fp=1, fn=1, tn=5), 0.8),
        (rates.balanced_accuracy(tp=3, fp=1, fn=1, tn=9), 0.825),
        (rates.f1(tp=3, fp=1, fn=1), 0.75),
        (rates.f1(tp=3, fp=1, fn=1, tn=1000), 0.75),
        (rates.mcc(tp=5, fp=0, fn=0, tn=5), 1.0),
        (rates.mcc(tp=0, fp=5, fn=5, tn=0), -1.0),
        (rates.mcc(tp=2, fp=2, fn=2, tn=2), 0.0),
    ],
)
def test_rates_that_one_can_check_by_eye(rate, expected):
    assert rate == pytest.approx(expected)
    assert np.ndim(rate) == 0


@pytest.mark.parametrize(
    "rate",
    [
        rates.sensitivity(tp=0, fn=0),
        rates.specificity(tn=0, fp=0),
        rates.ppv(tp=0, fp=0),
        rates.npv(tn=0, fn=0),
        rates.accuracy(tp=0, fp=0, fn=0, tn=0),
        rates.balanced_accuracy(tp=3, fp=0, fn=1, tn=0),
        rates.f1(tp=0, fp=0, fn=0, tn=7),
        rates.mcc(tp=3, fp=0, fn=1, tn=0),
        rates.overall_accuracy(np.zeros((2, 2))),
        rates.macro_recall(np.zeros((2, 2))),
        rates.macro_precision(np.zeros((2, 2))),
        rates.macro_f1(np.zeros((2, 2))),
        rates.multiclass_mcc([[3, 0], [4, 0]]),
        rates.multiclass_mcc([[5]]),
    ],
)
def test_a_rate_of_nothing_is_nan(rate):
    assert np.isnan(rate)


def test_one_class_is_always_right():
    for rate in (rates.overall_accuracy, rates.macro_recall, rates.macro_precision, rates.macro_f1):
        assert rate([[5]]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("confusion", "recall", "precision", "f1"),
    [
        ([[2, 0, 0], [0, 4, 0], [0, 0, 6]], 1, 1, 1),
        ([[1, 1, 0], [0, 2, 0], [0, 0, 0]], 3 / 4, (1 + 2 / 3) / 2, (2 / 3 + 4 / 5) / 2),  # the third class: neither
        ([[4, 0], [4, 0]], 1 / 2, 1 / 2, (2 / 3) / 2),  # the second class: never predicted
        ([[2, 2], [0, 0]], 1 / 2, 1 / 2, (2 / 3) / 2),  # the second class: does not occur
    ],
)
def test_macro_means_and_classes_left_out(confusion, recall, precision, f1):
    assert rates.macro_recall(confusion) == pytest.approx(recall)
    assert rates.macro_precision(confusion) == pytest.approx(precision)
    assert rates.macro_f1(confusion) == pytest.approx(f1)


@given(arrays(np.int64, (2, 2), elements=st.integers(1, 30)))
@QUICK
def test_two_classes_agree_with_scikit_learn(confusion):
    counts, (true, predicted) = counts_of(confusion), units_of(confusion)
    assert rates.sensitivity(tp=counts["tp"], fn=counts["fn"]) == pytest.approx(metrics.recall_score(true, predicted))
    assert rates.ppv(tp=counts["tp"], fp=counts["fp"]) == pytest.approx(metrics.precision_score(true, predicted))
    assert rates.accuracy(**counts) == pytest.approx(metrics.accuracy_score(true, predicted))
    assert rates.balanced_accuracy(**counts) == pytest.approx(metrics.balanced_accuracy_score(true, predicted))
    assert rates.f1(**counts) == pytest.approx(metrics.f1_score(true, predicted))
    assert rates.mcc(**counts) == pytest.approx(metrics.matthews_corrcoef(true, predicted))


@given(arrays(np.int64, (3, 3), elements=st.integers(0, 8)).filter(lambda counts: counts.sum(axis=1).min() > 0))
@QUICK
def test_three_classes_agree_with_scikit_learn(confusion):
    true, predicted = units_of(confusion)
    averaged = {"average": "macro", "zero_division": np.nan}
    assert rates.overall_accuracy(confusion) == pytest.approx(metrics.accuracy_score(true, predicted))
    assert rates.macro_recall(confusion) == pytest.approx(metrics.balanced_accuracy_score(true, predicted))
    assert rates.macro_precision(confusion) == pytest.approx(metrics.precision_score(true, predicted, **averaged))
    assert rates.macro_f1(confusion) == pytest.approx(metrics.f1_score(true, predicted, **averaged))
    mcc = rates.multiclass_mcc(confusion)  # scikit-learn has 0 where it is undefined
    assert np.nan_to_num(mcc) == pytest.approx(metrics.matthews_corrcoef(true, predicted))
    assert np.isnan(mcc) == (np.unique(predicted).size == 1)


@given(arrays(np.int64, (2, 2), elements=st.integers(1, 30)))
@QUICK
def test_the_coefficient_for_many_classes_is_matthews_for_two(confusion):
    assert rates.multiclass_mcc(confusion) == pytest.approx(rates.mcc(**counts_of(confusion)), abs=1e-12)


@pytest.mark.parametrize(
    "rate", [rates.overall_accuracy, rates.macro_recall, rates.macro_precision, rates.macro_f1, rates.multiclass_mcc]
)
def test_leading_axes_are_one_matrix_each(rate):
    confusions = np.random.default_rng(0).integers(1, 9, (5, 2, 3, 3))
    together = rate(confusions)
    assert together.shape == (5, 2)
    assert together[4, 1] == pytest.approx(rate(confusions[4, 1]))
    assert rate(confusions * 0.5) == pytest.approx(together)  # weights need not be whole


def test_leading_axes_of_counts():
    np.testing.assert_allclose(rates.sensitivity(tp=np.array([1, 0, 2]), fn=np.array([1, 0, 0])), [0.5, np.nan, 1])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rates.sensitivity(tp=-1, fn=2), "count of tp"),
        (lambda: rates.sensitivity(tp=1, fn=float("nan")), "count of fn"),
        (lambda: rates.ppv(tp=[1, 2], fp=[1, 2, 3]), "differ in shape"),
        (lambda: rates.npv(tn="many", fn=1), "not numbers"),
        (lambda: rates.macro_f1(np.ones((2, 3))), "not square"),
        (lambda: rates.macro_f1(np.ones((0, 0))), "not square"),
        (lambda: rates.overall_accuracy([1, 2]), "not square"),
    ],
)
def test_impossible_counts_are_named(call, words):
    with pytest.raises(DataError, match=words):
        call()
