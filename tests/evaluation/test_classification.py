import math

import pytest

from segtumor.evaluation.study.metrics import evaluate

NAMES = ("benign", "malignant")


def parts(results, class_names=NAMES):
    """(images, lesions, confusion) of the metrics."""
    metrics = evaluate(results, class_names).metrics
    return metrics["images"], metrics["lesions"], metrics["confusion"]


def test_confusion_of_three_images(three_images):
    table = evaluate(three_images, NAMES).confusion
    assert table.rows == ("benign", "malignant", "background")
    assert table.columns == ("benign", "malignant", "missed")
    assert table.counts.tolist() == [[0, 1, 1], [0, 1, 1], [2, 0, 0]]
    confusion = parts(three_images)[2]
    assert (confusion["class_accuracy"], confusion["n_hits"]) == (0.5, 2)
    assert (confusion["rows_true"], confusion["columns_predicted"]) == (list(table.rows), list(table.columns))


def test_lesions_of_three_images(three_images):
    metrics = parts(three_images)[1]
    # 4 lesions, 4 findings at the threshold, 2 hits
    assert (metrics["precision"], metrics["recall"], metrics["f1"]) == (0.5, 0.5, 0.5)
    assert (metrics["true_positives"], metrics["false_positives"], metrics["missed"]) == (2, 2, 2)
    benign, malignant = metrics["per_class"]["benign"], metrics["per_class"]["malignant"]
    assert (benign["precision"], benign["recall"], benign["f1"]) == (0, 0, 0)
    assert (malignant["true_positives"], malignant["n_findings"], malignant["n_lesions"]) == (1, 2, 2)
    assert malignant["f1"] == 0.5


def test_image_calls_of_three_images(three_images):
    metrics = parts(three_images)[0]
    assert (metrics["sensitivity"], metrics["specificity"]) == (1, 0)
    assert metrics["accuracy"] == pytest.approx(2 / 3)
    assert metrics["false_positives_per_normal_image"] == 1
    assert metrics["false_positives_per_image"] == pytest.approx(2 / 3)
    assert (metrics["n_tumor_images"], metrics["n_normal_images"]) == (2, 1)


def test_no_images():
    images, lesions, confusion = parts([])
    assert math.isnan(confusion["class_accuracy"])
    assert math.isnan(lesions["f1"])
    assert math.isnan(images["accuracy"])


def test_no_normals_and_no_findings(build):
    metrics, lesions, _ = parts([build.image([build.lesion(0, 0, 0, 2, 2)])])
    assert metrics["sensitivity"] == 0
    assert math.isnan(metrics["specificity"])
    assert math.isnan(metrics["false_positives_per_normal_image"])
    assert math.isnan(lesions["precision"])
    assert (lesions["recall"], lesions["f1"]) == (0, 0)


def test_no_lesions(build):
    metrics, lesions, _ = parts([build.image(), build.image([], [build.finding(1, 0.9, 0, 0, 2, 2)])])
    assert math.isnan(metrics["sensitivity"])
    assert (metrics["specificity"], metrics["false_positives_per_normal_image"]) == (0.5, 0.5)
    assert math.isnan(lesions["recall"])
    assert (lesions["precision"], lesions["f1"]) == (0, 0)


def test_one_class(build):
    images = [build.image([build.lesion(0, 0, 0, 2, 2)], [build.finding(0, 0.9, 0, 0, 2, 2)])]
    _, lesions, confusion = parts(images, ("tumor",))
    assert confusion["counts"] == [[1, 0], [0, 0]]
    assert lesions["per_class"]["tumor"]["f1"] == 1


def test_an_image_with_a_crowd_region_is_not_normal(build):
    metrics = parts([build.image([build.lesion(0, 0, 0, 8, 8, crowd=True)])])[0]
    assert (metrics["n_tumor_images"], metrics["n_normal_images"]) == (1, 0)
