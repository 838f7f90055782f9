"""Measures of pixels against scikit-learn on the masks themselves; what they say of nothing, of boxes and of crowds."""

import dataclasses
import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, precision_recall_fscore_support, recall_score

from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.study.study import measures_of, study
from segtumor.structures.masks import mask_from_rle

NAMES = ("benign", "malignant")
PARTS = ("precision", "recall", "specificity", "accuracy", "f1")


def union(items, size_hw):
    masks = [mask_from_rle(item.rle) for item in items]
    return np.any(masks, axis=0) if masks else np.zeros(size_hw, dtype=bool)


def values_of(results):
    measures = measures_of(results, NAMES).measures
    return {name: measures[name].value for name in measures if name.startswith("pixel_")}


@pytest.mark.parametrize("seed", range(5))
def test_scikit_learn_agrees(seed, random_cases):
    results = [
        dataclasses.replace(
            result, truth=dataclasses.replace(truth, lesions=tuple(x for x in truth.lesions if not x.iscrowd))
        )
        for result in random_cases(np.random.default_rng(seed), 12)
        for truth in [result.truth]
    ]
    truth = [union(r.truth.lesions, r.truth.size_hw) for r in results]
    found = [union([f for f in r.findings if f.score >= 0.5], r.truth.size_hw) for r in results]
    pairs = [(t.ravel(), f.ravel()) for t, f in zip(truth, found, strict=True)]
    values = values_of(results)
    true, called = (np.concatenate(side) for side in zip(*pairs, strict=True))
    *rates, _ = precision_recall_fscore_support(true, called, average="binary")
    rates[2:2] = [recall_score(~true, ~called), accuracy_score(true, called)]
    assert [values[f"pixel_{name}"] for name in PARTS] == pytest.approx(rates)
    means = [
        [precision_recall_fscore_support(t, f, average="binary", zero_division=0)[0] for t, f in pairs if f.any()],
        [recall_score(t, f) for t, f in pairs if t.any()],
        [recall_score(~t, ~f) for t, f in pairs if not t.all()],
        [accuracy_score(t, f) for t, f in pairs],
    ]
    assert [values[f"pixel_{name}_mean"] for name in PARTS[:4]] == pytest.approx([np.mean(m) for m in means])


def test_who_finds_nothing_is_right_of_nearly_every_pixel(build):
    values = values_of([build.image([build.lesion(0, 0, 0, 2, 2)], []), build.image()])
    assert values["pixel_accuracy"] == 0.98 and values["pixel_specificity"] == 1
    assert values["pixel_recall"] == values["pixel_f1"] == 0
    assert math.isnan(values["pixel_precision"]) and math.isnan(values["pixel_precision_mean"])


def test_boxes_count_where_a_finding_has_no_mask_and_lesions_without_mask_are_left_out(build):
    boxes = build.image([build.lesion(0, 0, 0, 4, 4)], [build.finding(0, 0.9, 0, 0, 4, 2, mask=False)])
    unknown = build.image([build.lesion(0, 0, 0, 4, 4, mask=False)], [build.finding(0, 0.9, 5, 5, 9, 9)])
    measures = measures_of([boxes, unknown], NAMES).measures
    assert (measures["pixel_recall"].value, measures["pixel_precision"].value) == (0.5, 1)
    assert measures["pixel_accuracy"].n == 1


def test_findings_in_crowd_regions_do_not_count(build):
    crowd = build.lesion(0, 5, 5, 10, 10, crowd=True)
    image = build.image([build.lesion(0, 0, 0, 4, 4), crowd], [build.finding(0, 0.9, 6, 6, 9, 9)])
    assert values_of([image])["pixel_specificity"] == 1


def test_a_classifier_has_no_pixels(build):
    image = dataclasses.replace(build.image([build.lesion(0, 0, 0, 4, 4)]), image_probabilities=(0.5, 0.25, 0.25))
    assert all(math.isnan(value) for value in values_of([image]).values())


def test_intervals_are_of_cases(random_cases):
    found = study(random_cases(np.random.default_rng(0), 12), NAMES, StudySettings(n_resamples=50))
    estimate = next(e for e in found.estimates if e.name == "pixel_recall")
    assert estimate.low < estimate.value < estimate.high and estimate.successes is None
