"""The table of classes by hand, against scikit-learn, and the counts that a study of the sources prints."""

import math

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from segtumor.evaluation.study.class_table import ACCURACY, MACRO, WEIGHTED, class_rows

NAMES = ("normal", "benign", "malignant")


def test_the_tissue_study_by_its_counts():
    """Ahlawat, ResNet50 on 177 tiles: what its confusion matrix gives, rather than the 94.2 % that it prints."""
    counts = np.array([[83, 3, 5], [3, 37, 2], [4, 1, 39]])
    rows = {row.name: row for row in class_rows(NAMES, counts)}
    assert rows[ACCURACY].f1 == pytest.approx(159 / 177)
    assert (rows["normal"].precision, rows["normal"].recall) == pytest.approx((83 / 90, 83 / 91))
    assert rows["benign"].f1 == pytest.approx(2 * 37 / (41 + 42))


@pytest.mark.parametrize("seed", range(10))
def test_scikit_learn_agrees(seed):
    rng = np.random.default_rng(seed)
    true, called = rng.integers(0, 3, 60), rng.integers(0, 3, 60)
    counts = np.zeros((3, 3), dtype=int)
    np.add.at(counts, (true, called), 1)
    *classes, macro, weighted, accuracy = class_rows(NAMES, counts)
    theirs = precision_recall_fscore_support(true, called, labels=[0, 1, 2])
    for row, (precision, recall, f1, n) in zip(classes, zip(*theirs, strict=True), strict=True):
        assert (row.precision, row.recall, row.f1, row.n_true) == pytest.approx((precision, recall, f1, n))
    for row, average in ((macro, "macro"), (weighted, "weighted")):
        expected = precision_recall_fscore_support(true, called, average=average)[:3]
        assert (row.precision, row.recall, row.f1) == pytest.approx(expected)
    assert accuracy.f1 == pytest.approx((true == called).mean())


def test_classes_that_do_not_occur_have_no_say():
    counts = np.array([[4, 1, 0], [0, 0, 0], [2, 0, 0]])
    rows = {row.name: row for row in class_rows(NAMES, counts)}
    assert math.isnan(rows["benign"].recall) and rows["benign"].precision == 0
    assert math.isnan(rows["malignant"].precision) and rows["malignant"].recall == 0
    assert rows[MACRO].recall == pytest.approx(0.4) and rows[WEIGHTED].recall == pytest.approx(4 / 7)


def test_nothing_to_count():
    assert all(math.isnan(row.f1) and row.n_true == 0 for row in class_rows(NAMES, np.zeros((3, 3), dtype=int)))
