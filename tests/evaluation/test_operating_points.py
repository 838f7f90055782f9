"""Thresholds chosen from scores that one can count."""

import numpy as np
import pytest

from segtumor.errors import ConfigError, DataError
from segtumor.evaluation.facts.operating_points import (
    DICE,
    FINDING,
    IMAGE,
    LESION_RISK,
    RISK,
    Goals,
    Threshold,
    choose_thresholds,
    sensitivity_and_specificity,
)
from segtumor.structures.lesions import AnnotatedImage, Finding, ImageResult, Lesion

NAMES = ("benign", "malignant")
BOX = (0.0, 0.0, 4.0, 4.0)


def image(number, *, tumor, probability=None, scores=()):
    lesions = (Lesion(number, 0, BOX, None, 16.0),) if tumor else ()
    truth = AnnotatedImage(number, f"{number}.png", (9, 9), lesions, {})
    findings = tuple(Finding(0, score, BOX) for score in scores)
    given = None if probability is None else (1 - probability, probability, 0.0)
    return ImageResult(truth, findings, image_probabilities=given)


#: Tumours score 0.1, 0.2, ... 1.0 but for one missed; normals 0.05, 0.15, ... 0.95.
SET = [
    *(image(i, tumor=True, probability=(i + 1) / 10) for i in range(10)),
    *(image(10 + i, tumor=False, probability=(i + 0.5) / 10, scores=[(i + 0.5) / 20] * (i % 2)) for i in range(10)),
]


def chosen(results):
    return {threshold.name: threshold for threshold in choose_thresholds(results, NAMES)}


@pytest.mark.parametrize(
    ("name", "of", "at_least", "at_most"),
    [
        ("sensitivity 0.90", IMAGE, 0.19, 0.2),  # 9 of 10 tumours
        ("specificity 0.90", IMAGE, 0.85, 0.95),  # 1 of 10 normals
        ("Youden", IMAGE, 0.1, 1.0),
        ("0.3 findings per normal image", FINDING, 0.175, 0.275),  # 3 of the findings 0.075, 0.175, 0.275, 0.375, 0.475
    ],
)
def test_a_threshold_is_where_counting_puts_it(name, of, at_least, at_most):
    threshold = chosen(SET)[name]
    assert threshold.of == of and at_least <= threshold.score <= at_most


def test_what_was_asked_for_is_reached_where_it_was_chosen():
    thresholds = chosen(SET)
    assert sensitivity_and_specificity(SET, NAMES, thresholds["sensitivity 0.90"])[0] >= 0.9
    assert sensitivity_and_specificity(SET, NAMES, thresholds["specificity 0.90"])[1] >= 0.9
    count = sum(f.score >= thresholds["0.3 findings per normal image"].score for r in SET[10:] for f in r.findings)
    assert count == 3


def test_youden_is_the_best_of_all_levels():
    reached = [
        sum(sensitivity_and_specificity(SET, NAMES, Threshold("", IMAGE, level / 100))) for level in range(0, 101)
    ]
    assert sum(sensitivity_and_specificity(SET, NAMES, chosen(SET)["Youden"])) == pytest.approx(max(reached))


def test_without_an_image_head_findings_decide():
    results = [image(0, tumor=True, scores=[0.8]), image(1, tumor=False, scores=[0.3]), image(2, tumor=False)]
    assert chosen(results)["Youden"].score == 0.8


@pytest.mark.parametrize("tumor", [True, False])
def test_one_kind_of_image_is_not_enough(tumor):
    with pytest.raises(DataError, match="with and without"):
        choose_thresholds([image(0, tumor=tumor, probability=0.5)], NAMES)


def test_a_risk_is_that_of_a_new_case():
    """Ten tumour cases: (sum of misses + 1) / 11 is at most 0.3 with two misses; 0.05 takes 19 cases."""
    thresholds = {t.key: t for t in choose_thresholds(SET, NAMES, Goals(risk=0.3))}
    assert thresholds[RISK].score == pytest.approx(0.3)
    assert RISK not in {t.key for t in choose_thresholds(SET, NAMES, Goals(risk=0.05))}


def lesion_set(*of_images):
    """Images of a tumour found with a score (None: not at all) beside a false one (None: none), and a normal one."""
    results = []
    for number, (hit, false) in enumerate(of_images):
        lesions = (Lesion(number, 0, BOX, None, 16.0),)
        truth = AnnotatedImage(number, f"{number}.png", (9, 9), lesions, {})
        findings = [Finding(0, hit, BOX)] if hit else []
        results.append(ImageResult(truth, (*findings, *([Finding(0, false, (5.0, 5.0, 9.0, 9.0))] if false else []))))
    return [*results, image(len(results), tumor=False)]


def test_the_risk_of_lesions_counts_those_that_nothing_finds():
    goals, found = Goals(risk=0.5), [(score / 10, None) for score in range(1, 8)]
    chosen = {t.key: t.score for t in choose_thresholds(lesion_set(*found), NAMES, goals)}
    assert chosen[LESION_RISK] == pytest.approx(0.4)  # 0.5 * 8 - 1 = 3 of 7 may be missed
    chosen = {t.key: t.score for t in choose_thresholds(lesion_set(*found[:4], *[(None, 0.9)] * 3), NAMES, goals)}
    assert chosen[LESION_RISK] == pytest.approx(0.1)  # these three are missed already
    assert LESION_RISK not in {t.key for t in choose_thresholds(lesion_set((0.5, None)), NAMES, Goals(risk=0.1))}


def test_dice_weighs_what_is_found_against_what_is_wrong():
    """Dice of image 0 by its findings: 1 from 0.8 on, 2/3 with the false one of 0.3, as large as the true one."""
    results = lesion_set((0.8, 0.3), (0.4, None))
    chosen = {t.key: t.score for t in choose_thresholds(results, NAMES)}
    assert chosen[DICE] == 0.4
    results[-1] = image(9, tumor=False, scores=[0.45, 0.2])  # 0.4 would cost the normal image's 1 for a lesion's 1
    assert {t.key: t.score for t in choose_thresholds(results, NAMES)}[DICE] == 0.8


def mean_dice(results, threshold):
    """By pixels, a second implementation."""
    values = []
    for result in results:
        truth, found = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
        for mask, boxes in (
            (truth, [lesion.box_xyxy for lesion in result.truth.lesions]),
            (found, [f.box_xyxy for f in result.findings if f.score >= threshold]),
        ):
            for x0, y0, x1, y1 in boxes:
                mask[int(y0) : int(y1), int(x0) : int(x1)] = True
        total = truth.sum() + found.sum()
        values.append(2 * (truth & found).sum() / total if total else 1.0)
    return np.mean(values)


def test_the_dice_threshold_is_the_best_of_all_by_pixels():
    rng = np.random.default_rng(3)
    for _ in range(20):
        pairs = [(rng.choice([None, *rng.random(3).round(2)]), rng.choice([None, rng.random()])) for _ in range(6)]
        results = [*lesion_set(*pairs), image(20, tumor=False, scores=[rng.random()])]
        (dice,) = [t.score for t in choose_thresholds(results, NAMES) if t.key == DICE]
        levels = sorted({f.score for result in results for f in result.findings})
        best = max(mean_dice(results, level) for level in levels)
        assert mean_dice(results, dice) == pytest.approx(best)


@pytest.mark.parametrize("goal", [{"sensitivity": 0}, {"specificity": 1.1}, {"false_positives": -1}, {"risk": 1}])
def test_goals_that_nothing_reaches_are_refused(goal):
    with pytest.raises(ConfigError, match="out of range"):
        Goals(**goal)


def test_a_sensitivity_that_only_calling_everything_reaches_is_left_out():
    results = [*(image(i, tumor=True, scores=[0.8] * (i > 2)) for i in range(10)), image(10, tumor=False)]
    assert "sensitivity" not in {t.key for t in choose_thresholds(results, NAMES)}  # 7 of 10 have a finding
    assert "sensitivity" in {t.key for t in choose_thresholds(results, NAMES, Goals(sensitivity=0.7))}
