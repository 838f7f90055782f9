"""Conformal thresholds: tables that one can count, and the promised risk in simulated data."""

import numpy as np
import pytest

from segtumor.errors import ConfigError, DataError
from segtumor.statistics.conformal import class_thresholds, controlled_threshold, prediction_sets

TENTHS = np.arange(1, 11) / 10  # 0.1, 0.2, ... 1.0
EACH_ITS_OWN = np.arange(10)


@pytest.mark.parametrize(
    ("risk", "expected"),
    [
        (0.09, -np.inf),  # 0.09 * 11 - 1 < 0: even no loss would be too much
        (0.1, 0.1),  # 1.1 - 1: none of 10 may be lost
        (0.19, 0.2),  # 2.09 - 1: one
        (0.3, 0.3),  # 3.3 - 1: two
        (0.999, 1.0),  # nine; the highest score is the highest threshold
    ],
)
def test_ten_cases_of_one_unit_can_be_counted(risk, expected):
    assert controlled_threshold(TENTHS, EACH_ITS_OWN, risk=risk) == expected


def test_it_is_the_split_conformal_quantile_where_cases_hold_one_unit():
    """Vovk, Gammerman & Shafer 2005: the ceil((n + 1)(1 - risk)) smallest of the nonconformities 1 - score."""
    rng = np.random.default_rng(0)
    for n, risk in ((20, 0.1), (37, 0.25), (99, 0.05)):
        scores = rng.random(n)
        expected = 1 - np.sort(1 - scores)[int(np.ceil((n + 1) * (1 - risk))) - 1]
        assert controlled_threshold(scores, np.arange(n), risk=risk) == pytest.approx(expected)


def test_cases_weigh_the_same_however_much_they_hold():
    scores, cases = [0.1, 0.2, 0.3, 0.4, 0.5, 0.9, 0.9, 0.9], [0, 0, 0, 0, 1, 2, 3, 4]
    # 0.35 * 6 - 1 = 1.1 cases may be lost: case 0 (four quarters), not case 1.
    assert controlled_threshold(scores, cases, risk=0.35) == 0.5
    # 0.25 * 6 - 1 = 0.5: two of the four quarters.
    assert controlled_threshold(scores, cases, risk=0.25) == 0.3


def test_ties_are_lost_together_or_not_at_all():
    assert controlled_threshold([0.2] * 5 + [0.8] * 5, EACH_ITS_OWN, risk=0.4) == 0.2  # 3.4 may be lost, 5 would be


def test_what_nothing_reaches_counts_as_lost():
    assert controlled_threshold([-np.inf, -np.inf, *TENTHS[:8]], EACH_ITS_OWN, risk=0.3) == 0.1
    assert controlled_threshold([-np.inf] * 3 + [0.5] * 7, EACH_ITS_OWN, risk=0.3) == -np.inf
    assert controlled_threshold([], [], risk=0.5) == -np.inf


@pytest.mark.parametrize("n_cases", [9, 30, 100])
def test_the_risk_of_a_new_case_is_kept_in_the_mean(n_cases):
    """Cases of 1 to 4 units that are alike: 0.2 within four standard errors, and not 2 / (C + 1) below it."""
    rng, risk, losses = np.random.default_rng(n_cases), 0.2, []
    for _ in range(1500):
        n_units = rng.integers(1, 5, n_cases + 1)
        case = np.repeat(np.arange(n_cases + 1), n_units)
        scores = 1 / (1 + np.exp(-(rng.normal(size=n_cases + 1)[case] + rng.normal(size=len(case)))))
        new = case == n_cases
        threshold = controlled_threshold(scores[~new], case[~new], risk=risk)
        losses.append((scores[new] < threshold).mean())
    error = np.std(losses) / np.sqrt(len(losses))
    assert risk - 2 / (n_cases + 1) - 4 * error <= np.mean(losses) <= risk + 4 * error


def drawn(rng, n):
    """Scores of three classes, the third rare and hard, and their classes."""
    truth = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    logits = rng.normal(size=(n, 3)) + np.array([3.0, 2.0, 0.3])[truth][:, None] * np.eye(3)[truth]
    scores = np.exp(logits)
    return scores / scores.sum(axis=1, keepdims=True), truth


def test_sets_cover_over_all_or_in_each_class():
    rng, covered = np.random.default_rng(1), {True: [], False: []}
    for _ in range(300):
        (scores, truth), (new, new_truth) = drawn(rng, 150), drawn(rng, 200)
        for by_class, of_class in covered.items():
            thresholds = class_thresholds(scores, truth, np.arange(150), risk=0.1, by_class=by_class)
            held = prediction_sets(new, thresholds)[np.arange(200), new_truth]
            of_class.append([held.mean(), *(held[new_truth == k].mean() for k in range(3))])
    marginal, mondrian = (np.mean(covered[by_class], axis=0) for by_class in (False, True))
    assert marginal[0] >= 0.895 and marginal[3] < 0.85  # over all, at the cost of the rare class
    assert (mondrian >= 0.89).all()


def test_a_table_of_sets():
    scores = [[0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [0.2, 0.3, 0.5], [0.34, 0.33, 0.33]]
    expected = [[1, 0, 0], [1, 1, 0], [0, 1, 1], [1, 1, 0]]
    assert prediction_sets(scores, [0.3, 0.3, 0.5]).astype(int).tolist() == expected
    assert prediction_sets([[0.4, 0.3, 0.3]], [0.9, 0.9, 0.9]).tolist() == [[True, False, False]]  # never empty


def test_a_class_of_too_few_cases_is_in_every_set():
    scores, truth = np.tile([0.6, 0.3, 0.1], (20, 1)), np.array([0] * 15 + [1] * 4 + [-1])
    thresholds = class_thresholds(scores, truth, np.arange(20), risk=0.1, by_class=True)
    assert thresholds.tolist() == [0.6, 0.0, 0.0]
    assert class_thresholds(scores, truth, np.arange(20), risk=0.1, by_class=False).tolist() == [0.3] * 3


def test_what_cannot_be_used_is_refused():
    with pytest.raises(ConfigError, match="risk out of range"):
        controlled_threshold([0.5], [0], risk=1.0)
    with pytest.raises(DataError, match="score and a case"):
        controlled_threshold([0.5, float("nan")], [0, 1], risk=0.5)
    with pytest.raises(DataError, match="scores, class and case"):
        class_thresholds([[0.5, 0.5]], [0, 1], [0, 1], risk=0.5, by_class=False)
    with pytest.raises(DataError, match="class without a score"):
        class_thresholds([[0.5, 0.5]], [2], [0], risk=0.5, by_class=False)
