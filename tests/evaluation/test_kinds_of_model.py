"""Models of every kind are measured: a classifier by images and patients, a segmenter by its masks."""

import dataclasses
import math

import numpy as np
import pytest

from segtumor.errors import ConfigError, DataError
from segtumor.evaluation.comparison.comparison import compare
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.measures.measure import DETECTION, IMAGES, LESIONS, OVERLAP, PATIENTS, SURFACE
from segtumor.evaluation.study.headline import headline_table
from segtumor.evaluation.study.metrics import evaluate
from segtumor.evaluation.study.study import study
from segtumor.structures.lesions import UNPLACED, Finding, ImageResult
from segtumor.structures.readings import Reading, class_scores, image_class, image_result, tumor_score

NAMES = ("benign", "malignant")
SETTINGS = StudySettings(n_resamples=40)


def classified(results):
    """The answers of a detector in the words of a classifier: the same scores of the image and of the classes."""
    given = []
    for result in results:
        scores = class_scores(result.findings, len(NAMES))[1:]
        given.append(
            dataclasses.replace(result, findings=(), image_probabilities=(1 - tumor_score(result.findings), *scores))
        )
    return given


def by_name(found):
    return {estimate.name: estimate for estimate in found.estimates}


def test_a_classifier_has_the_measures_of_images_and_patients(random_cases):
    results = random_cases(np.random.default_rng(0), 12)
    detector, classifier = (by_name(study(each, NAMES, SETTINGS)) for each in (results, classified(results)))
    assert [name for name in detector if not name.endswith("_mm")] == list(classifier)  # no lesion, no spacing
    same = [e for e in detector.values() if e.group in (IMAGES, PATIENTS) and "_class_" not in e.name]
    assert len(same) > 20
    for expected in same:
        found = classifier[expected.name]
        assert found.n == expected.n
        assert found.value == pytest.approx(expected.value, nan_ok=True), expected.name


def test_a_classifier_has_no_measures_of_lesions(random_cases):
    results = classified(random_cases(np.random.default_rng(1), 10))
    n_lesions = sum(not lesion.iscrowd for result in results for lesion in result.truth.lesions)
    found = study(results, NAMES, SETTINGS)
    of_lesions = [e for e in found.estimates if e.group in (OVERLAP, SURFACE, LESIONS, DETECTION)]
    assert len(of_lesions) > 25
    assert all(math.isnan(e.value) and e.n == 0 for e in of_lesions)
    metrics = found.evaluation.metrics
    assert metrics["counts"]["n_lesions"] == n_lesions > 0
    for numbers in (*metrics["detection"].values(), metrics["overlap"], metrics["lesions"]):
        assert all(math.isnan(value) for value in numbers.values() if isinstance(value, float))
    assert metrics["images"]["n_tumor_images"] > 0
    assert not math.isnan(metrics["images"]["sensitivity"])
    assert math.isnan(metrics["images"]["false_positives_per_normal_image"])
    assert found.per_lesion == []
    assert any(
        f"mark no lesions there: measures of lesions, outlines and detection leave out these images and their "
        f"{n_lesions} lesions" in remark
        for remark in found.remarks
    )
    shown = headline_table(found.evaluation)
    assert "lesion" not in shown and "AUC" in shown and "undefined" not in shown


def test_the_images_own_probabilities_come_first(build):
    image = build.image([], [build.finding(0, 0.9, 0, 0, 4, 4)], image_label="malignant")
    found = study([dataclasses.replace(image, image_probabilities=(0.7, 0.1, 0.2))], NAMES, SETTINGS)
    (row,) = found.per_image
    assert (row["score"], row["predicted_class"], row["tumor_predicted"]) == (pytest.approx(0.3), "normal", False)
    assert row["false_positives"] == 1  # of the lesions it still is one
    likely = study([dataclasses.replace(image, image_probabilities=(0.2, 0.1, 0.7))], NAMES, SETTINGS)
    assert likely.per_image[0]["predicted_class"] == "malignant"


def test_the_rule_is_that_of_the_reading(random_cases):
    results = random_cases(np.random.default_rng(2), 8)
    for row, result in zip(study(results, NAMES, SETTINGS).per_image, results, strict=True):
        reading = Reading(class_names=NAMES, size_hw=result.truth.size_hw, findings=result.findings)
        assert row["score"] == reading.tumor_score
        assert row["predicted_class"] == ("normal", *NAMES)[reading.image_class(0.5)]
        assert row["predicted_class"] == ("normal", *NAMES)[image_class(result.findings, 0.5)]


def test_findings_without_a_place_count_for_the_image_alone(build):
    image = build.image([build.lesion(0, 0, 0, 4, 4)], [build.finding(0, 0.6, 0, 0, 4, 4)], image_label="benign")
    unplaced = Finding(1, 0.9, UNPLACED, None)
    reading = Reading(class_names=NAMES, size_hw=(10, 10), findings=(unplaced, *image.findings))
    for result in (ImageResult(image.truth, reading.findings), image_result(image.truth, reading)):
        metrics = evaluate([result], NAMES).metrics
        assert (metrics["lesions"]["true_positives"], metrics["lesions"]["false_positives"]) == (1, 0)
        assert metrics["detection"]["bbox"]["AP"] == pytest.approx(100)
        assert study([result], NAMES, SETTINGS).per_image[0]["score"] == pytest.approx(0.9)


def test_a_segmenter_without_boxes_is_measured_by_its_masks(build):
    lesion = build.lesion(0, 0, 0, 4, 4)
    mask = dataclasses.replace(build.finding(0, 0.9, 0, 0, 4, 2), box_xyxy=UNPLACED)
    metrics = evaluate([build.image([lesion], [mask]), build.image()], NAMES).metrics
    assert metrics["overlap"]["iou"] == pytest.approx(0.5)
    assert metrics["detection"]["segm"]["AP50"] == pytest.approx(100)
    assert metrics["images"]["sensitivity"] == metrics["images"]["specificity"] == 1


def test_a_tumour_cannot_be_located_by_a_classifier(random_cases):
    results = classified(random_cases(np.random.default_rng(3), 5))
    with pytest.raises(ConfigError, match="mark no lesions"):
        study(results, NAMES, StudySettings(require_located=True))


def test_a_detector_with_an_image_head_that_finds_nothing_has_missed_the_lesions(build):
    truth = build.image([build.lesion(0, 0, 0, 4, 4)]).truth
    for says, recall in ((True, 0.0), (False, math.nan), (None, math.nan)):  # None: a file that does not say
        reading = Reading(
            class_names=NAMES, size_hw=truth.size_hw, image_probabilities=(0.9, 0.1, 0.0), marks_lesions=says
        )
        found = study([image_result(truth, reading)], NAMES, SETTINGS)
        assert found.evaluation.metrics["lesions"]["recall"] == pytest.approx(recall, nan_ok=True)
        assert found.marks_lesions is (says is True)


def test_a_classifier_beside_a_detector(random_cases):
    results = random_cases(np.random.default_rng(4), 10)
    rows = {row.name: row for row in compare(results, classified(results), NAMES, SETTINGS, n_permutations=50).rows}
    assert rows["image_auc"].difference == pytest.approx(0, abs=1e-12)
    assert math.isnan(rows["dice"].second)
    assert (rows["dice"].n_first > 0, rows["dice"].n_second) == (True, 0)
    assert math.isnan(rows["dice"].p_value)


def test_bad_probabilities_of_an_image_are_named(build):
    image = build.image()
    for probabilities in ((0.5, 0.5), (0.5, 0.5, math.nan), (0.5, 0.5, 1.5)):
        with pytest.raises(DataError, match=rf"{image.truth.file_name}: .*image probabilit"):
            evaluate([dataclasses.replace(image, image_probabilities=probabilities)], NAMES)
