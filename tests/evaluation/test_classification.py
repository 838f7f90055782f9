import math

import pytest

from segtumor.evaluation.facts.matching import match_image
from segtumor.evaluation.summary.classification import confusion, image_metrics, lesion_metrics

NAMES = ("benign", "malignant")


def matched(results):
    return [match_image(r, score_threshold=0.5, iou_threshold=0.5) for r in results]


def test_confusion_of_three_images(three_images):
    table = confusion(matched(three_images), NAMES)
    assert table.rows == ("benign", "malignant", "background")
    assert table.columns == ("benign", "malignant", "missed")
    assert table.counts.tolist() == [[0, 1, 1], [0, 1, 1], [2, 0, 0]]
    assert table.metrics()["class_accuracy"] == 0.5
    assert table.metrics()["n_hits"] == 2


def test_lesions_of_three_images(three_images):
    metrics = lesion_metrics(confusion(matched(three_images), NAMES))
    # 4 lesions, 4 findings at the threshold, 2 hits
    assert (metrics["precision"], metrics["recall"], metrics["f1"]) == (0.5, 0.5, 0.5)
    assert (metrics["true_positives"], metrics["false_positives"], metrics["missed"]) == (2, 2, 2)
    benign, malignant = metrics["per_class"]["benign"], metrics["per_class"]["malignant"]
    assert (benign["precision"], benign["recall"], benign["f1"]) == (0, 0, 0)
    assert (malignant["true_positives"], malignant["n_findings"], malignant["n_lesions"]) == (1, 2, 2)
    assert malignant["f1"] == 0.5


def test_image_calls_of_three_images(three_images):
    metrics = image_metrics(matched(three_images))
    assert (metrics["sensitivity"], metrics["specificity"]) == (1, 0)
    assert metrics["accuracy"] == pytest.approx(2 / 3)
    assert metrics["false_positives_per_normal_image"] == 1
    assert metrics["false_positives_per_image"] == pytest.approx(2 / 3)
    assert (metrics["n_tumor_images"], metrics["n_normal_images"]) == (2, 1)


def test_no_images():
    table = confusion([], NAMES)
    assert math.isnan(table.metrics()["class_accuracy"])
    assert math.isnan(lesion_metrics(table)["f1"])
    assert math.isnan(image_metrics([])["accuracy"])


def test_no_normals_and_no_findings(build):
    images = matched([build.image([build.lesion(0, 0, 0, 2, 2)])])
    metrics, lesions = image_metrics(images), lesion_metrics(confusion(images, NAMES))
    assert metrics["sensitivity"] == 0
    assert math.isnan(metrics["specificity"])
    assert math.isnan(metrics["false_positives_per_normal_image"])
    assert math.isnan(lesions["precision"])
    assert (lesions["recall"], lesions["f1"]) == (0, 0)


def test_no_lesions(build):
    images = matched([build.image(), build.image([], [build.finding(1, 0.9, 0, 0, 2, 2)])])
    metrics, lesions = image_metrics(images), lesion_metrics(confusion(images, NAMES))
    assert math.isnan(metrics["sensitivity"])
    assert (metrics["specificity"], metrics["false_positives_per_normal_image"]) == (0.5, 0.5)
    assert math.isnan(lesions["recall"])
    assert (lesions["precision"], lesions["f1"]) == (0, 0)


def test_one_class(build):
    images = matched([build.image([build.lesion(0, 0, 0, 2, 2)], [build.finding(0, 0.9, 0, 0, 2, 2)])])
    table = confusion(images, ("tumor",))
    assert table.counts.tolist() == [[1, 0], [0, 0]]
    assert lesion_metrics(table)["per_class"]["tumor"]["f1"] == 1


def test_an_image_with_a_crowd_region_is_not_normal(build):
    metrics = image_metrics(matched([build.image([build.lesion(0, 0, 0, 8, 8, crowd=True)])]))
    assert (metrics["n_tumor_images"], metrics["n_normal_images"]) == (1, 0)
