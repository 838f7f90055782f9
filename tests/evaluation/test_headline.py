import dataclasses
import json
import math

import pytest

from segtumor.errors import ConfigError, DataError
from segtumor.evaluation.study.headline import headline, headline_table
from segtumor.evaluation.study.metrics import evaluate
from segtumor.structures.lesions import ImageResult

NAMES = ("benign", "malignant")


def leaves(value):
    """Every value of a nested dict or list."""
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    else:
        yield value


def test_three_images(three_images):
    evaluation = evaluate(three_images, NAMES)
    metrics = evaluation.metrics
    assert metrics["counts"]["n_lesions_per_class"] == {"benign": 2, "malignant": 2}
    assert metrics["counts"]["n_lesions_by_size"] == {"small": 4, "medium": 0, "large": 0}
    assert (metrics["counts"]["n_findings"], metrics["counts"]["n_findings_at_threshold"]) == (6, 4)
    assert set(map(type, leaves(metrics))) <= {int, float, str}
    json.dumps(metrics)


def test_rows_explain_the_sums(three_images):
    evaluation = evaluate(three_images, NAMES)
    lesions, images = evaluation.per_lesion, evaluation.per_image
    assert [row["class"] for row in lesions] == ["benign", "malignant", "malignant", "benign"]
    assert [row["predicted_class"] for row in lesions] == ["malignant", "malignant", "benign", None]
    assert [(row["matched"], row["hit"]) for row in lesions] == [
        (True, True),
        (True, True),
        (True, False),
        (False, False),
    ]
    assert [row["dice"] for row in lesions] == pytest.approx([1, 2 / 3, 1 / 4, 0])
    assert lesions[0]["view"] == "frontal; oblique"
    assert [row["case_id"] for row in images] == ["a", "b", "c"]
    counted = [(row["true_positives"], row["false_positives"], row["missed"]) for row in images]
    assert counted == [(2, 0, 0), (0, 1, 2), (0, 1, 0)]
    assert [row["max_score"] for row in images] == [0.9, 0.7, 0.6]
    assert [(row["tumor_true"], row["tumor_predicted"]) for row in images] == [
        (True, True),
        (True, True),
        (False, True),
    ]


def test_headline(three_images):
    rows = headline(evaluate(three_images, NAMES))
    values = {name: value for name, value, _ in rows}
    assert values["recall"] == values["precision"] == values["F1"] == 0.5
    assert values["false positives per normal image"] == 1
    assert values["images"] == 3
    assert len(headline_table(evaluate(three_images, NAMES)).splitlines()) == len(rows)


@pytest.mark.parametrize("case", ["no images", "normals", "missed", "false positive"])
def test_undefined_is_nan(build, case):
    results = {
        "no images": [],
        "normals": [build.image()],
        "missed": [build.image([build.lesion(0, 0, 0, 2, 2)])],
        "false positive": [build.image([], [build.finding(0, 0.9, 0, 0, 2, 2)])],
    }[case]
    evaluation = evaluate(results, NAMES)
    assert any(isinstance(v, float) and math.isnan(v) for v in leaves(evaluation.metrics))
    assert "undefined" in headline_table(evaluation)
    assert len(evaluation.per_image) == len(results)


def test_unseen_images_are_reported(build):
    counts = evaluate([build.image()], NAMES, n_images_absent=None, n_images_failed=2).metrics["counts"]
    assert (counts["n_images_absent"], counts["n_images_failed"]) == (None, 2)


def test_inputs_are_checked(build, three_images):
    with pytest.raises(ConfigError, match="score threshold"):
        evaluate(three_images, NAMES, score_threshold=float("nan"))
    with pytest.raises(ConfigError, match="IoU threshold"):
        evaluate(three_images, NAMES, iou_threshold=0)
    with pytest.raises(DataError, match="twice"):
        evaluate([three_images[0], three_images[0]], NAMES)
    with pytest.raises(DataError, match="class id"):
        evaluate(three_images, ("benign",))
    small = dataclasses.replace(three_images[0].truth, size_hw=(5, 5))
    with pytest.raises(DataError, match="another image size"):
        evaluate([ImageResult(small, ())], NAMES)


def test_more_pairs_than_can_be_compared_are_refused_at_once(build):
    crowded = build.image([build.lesion(0, 0, 0, 1, 1)] * 5000, [build.finding(0, 0.9, 0, 0, 1, 1)] * 1001)
    with pytest.raises(DataError, match=r"got 5000 lesions and 1001 findings; expected at most 5,000,000 pairs"):
        evaluate([crowded], NAMES)


def test_the_order_of_images_does_not_matter(three_images):
    forward, backward = (evaluate(order, NAMES).metrics for order in (three_images, three_images[::-1]))
    assert json.dumps(forward, sort_keys=True) == json.dumps(backward, sort_keys=True)
