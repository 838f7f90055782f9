"""Tumour or not, then which: ten images by hand, and scikit-learn on random ones."""

import math

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from segtumor.evaluation.facts.image_level import Calls
from segtumor.evaluation.study.stages import TUMOR_OR_NOT, WHICH, WHICH_CALLED, WHOLE, stage_rows
from segtumor.structures.readings import image_class

NAMES = ("normal", "benign", "malignant")
#: True class (-1: a tumour of unknown class) and P(normal), P(benign), P(malignant).
IMAGES = (
    (0, (0.9, 0.1, 0.0)),
    (0, (0.8, 0.1, 0.1)),
    (0, (0.3, 0.6, 0.1)),  # called tumour
    (1, (0.2, 0.7, 0.1)),
    (1, (0.4, 0.2, 0.4)),  # called, as malignant
    (1, (0.6, 0.3, 0.1)),  # not called; benign if it were
    (2, (0.1, 0.1, 0.8)),
    (2, (0.7, 0.2, 0.1)),  # not called; benign if it were
    (2, (1.0, 0.0, 0.0)),  # not called; no class if it were
    (-1, (0.1, 0.8, 0.1)),
)


def calls(images=IMAGES, names=NAMES):
    true = np.array([index for index, _ in images])
    probabilities = np.array([values for _, values in images])
    predicted = np.array([image_class((), 0.5, tuple(values)) for _, values in images])
    return Calls(
        kind="image",
        names=names,
        case_of=np.arange(len(true)),
        n_cases=len(true),
        score=1 - probabilities[:, 0],
        positive=predicted > 0,
        tumor=true != 0,
        predicted_class=predicted,
        true_class=true,
        class_scores=probabilities,
    )


def test_ten_images():
    rows = {row.stage: row for row in stage_rows(calls())}
    first = rows[TUMOR_OR_NOT]  # 2 of 3 normal right, 4 of 7 tumours called
    assert (first.n, first.accuracy, first.recall, first.precision) == pytest.approx((10, 0.6, 4 / 7, 4 / 5))
    assert first.f1 == pytest.approx(8 / 12)
    which = rows[WHICH]  # benign: 2 of 3 right, 3 called so; malignant: 1 of 3 right, 2 called so
    assert (which.n, which.accuracy, which.recall) == pytest.approx((6, 3 / 6, (2 / 3 + 1 / 3) / 2))
    assert which.precision == pytest.approx((2 / 3 + 1 / 2) / 2)
    called = rows[WHICH_CALLED]  # benign: 1 of 2; malignant: 1 of 1, 2 called so
    assert (called.n, called.accuracy, called.recall) == pytest.approx((3, 2 / 3, (1 / 2 + 1) / 2))
    assert called.precision == pytest.approx((1 + 1 / 2) / 2)
    whole = rows[WHOLE]  # the image of unknown class is not judged
    assert (whole.n, whole.accuracy) == pytest.approx((9, 4 / 9))


@pytest.mark.parametrize("seed", range(5))
def test_scikit_learn_agrees(seed):
    rng = np.random.default_rng(seed)
    images = [(int(rng.integers(0, 3)), tuple(rng.dirichlet([1, 1, 1]))) for _ in range(50)]
    made = calls(images)
    rows = {row.stage: row for row in stage_rows(made)}
    expected = precision_recall_fscore_support(made.tumor, made.positive, average="binary")[:3]
    assert (rows[TUMOR_OR_NOT].precision, rows[TUMOR_OR_NOT].recall, rows[TUMOR_OR_NOT].f1) == pytest.approx(expected)
    guessed = 1 + made.class_scores[:, 1:].argmax(axis=1)
    for stage, chosen in ((WHICH, made.tumor), (WHICH_CALLED, made.tumor & made.positive)):
        true, called = made.true_class[chosen], guessed[chosen]
        expected = precision_recall_fscore_support(true, called, average="macro")[:3]
        assert (rows[stage].precision, rows[stage].recall, rows[stage].f1) == pytest.approx(expected)
        assert rows[stage].accuracy == pytest.approx((true == called).mean())


def test_nothing_to_say():
    one = [(index > 0, (values[0], 1 - values[0])) for index, values in IMAGES]
    assert stage_rows(calls(one, ("normal", "tumour"))) == ()
    assert stage_rows(calls(IMAGES[:3])) == ()
    missed = stage_rows(calls([(0, (0.9, 0.1, 0.0)), (1, (0.8, 0.1, 0.1))]))
    assert missed[2].n == 0 and math.isnan(missed[2].accuracy) and math.isnan(missed[2].f1)
