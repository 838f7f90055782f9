"""Thresholds chosen from scores that one can count."""

import pytest

from segtumor.errors import DataError
from segtumor.evaluation.facts.operating_points import (
    FINDING,
    IMAGE,
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
