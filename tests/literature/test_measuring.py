"""Measuring by a protocol: what is counted, how boxes are made, and the numbers only protocols know."""

import dataclasses
import math

import numpy as np
import pytest
from plain_statistics import bootstrap

from segtumor.errors import DataError
from segtumor.evaluation.facts.coco import BBOX
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.measures.resampled_ap import ResampledAP
from segtumor.literature.comparison.measuring import counted, measure
from segtumor.literature.protocols import PROTOCOLS, TIGHT_BOXES, Pass, Protocol

CLASSES = ("benign", "malignant")
SETTINGS = StudySettings(n_resamples=30, seed=2)


def measured(protocol, results):
    protocol = PROTOCOLS[protocol] if isinstance(protocol, str) else protocol
    estimates, remarks = measure(protocol, results, CLASSES, SETTINGS)
    assert len({e.name for e in estimates}) == len(estimates)
    return {e.name: e for e in estimates}, " ".join(remarks)


def test_malignancy_is_the_class_of_tumor_images(six):
    found, _ = measured("btxrd-grouped", six.results)
    # a right, b called malignant, c right, d not found
    expected = {"accuracy": (2, 4), "sensitivity": (1, 2), "specificity": (1, 2)}
    for name, (right, n) in expected.items():
        estimate = found[f"malignancy_{name}"]
        assert (estimate.successes, estimate.n, estimate.value) == (right, n, right / n)
        assert estimate.unit == "images" and estimate.wilson_low < estimate.value < estimate.wilson_high
    assert found["malignancy_accuracy"].method == "Wilson"  # every case has one image


def test_what_malignancy_counts_is_said_where_it_is_measured(six):
    found, remarks = measured("btxrd-grouped", six.results)
    assert found["malignancy_specificity"].label == "benign called benign"
    assert "an image whose lesion is missed counts as wrong" in remarks
    assert "malignancy" not in measured("alrabai-2026", six.results)[1]


def test_what_cannot_be_computed_is_not_said_to_have_nothing_to_measure(scene):
    scene.image([(0, 2, 2, 8, 8)], [(0, 0.9, 2, 2, 8, 8)], case_id="a").image([(0, 2, 2, 8, 8)], case_id="b")
    remarks = measured("alrabai-2026", scene.results)[1]  # every image has a tumor: 2 images, but no curve
    nothing, _, unequal = remarks.partition("cannot be computed")
    assert "image_specificity" in nothing and "image_auc" in unequal and "image_auc" not in nothing


def test_malignancy_is_left_out_where_the_classes_are_others(six):
    estimates, _ = measure(PROTOCOLS["btxrd-grouped"], six.results, ("osteosarcoma", "other"), SETTINGS)
    assert not [e.name for e in estimates if e.name.startswith("malignancy")]


def test_ap_of_a_class_is_that_of_the_machine_with_its_own_interval(six):
    found, _ = measured("btxrd-grouped", six.results)
    machine = ResampledAP.of(six.results, CLASSES, BBOX)
    for stat in ("AP", "AP50"):
        for name in CLASSES:
            boot = bootstrap(
                lambda weights, key=f"{stat}:{name}": machine.resample(weights, np.arange(6))[key],
                6,
                n_resamples=30,
                seed=2,
            )
            estimate = found[f"box_{stat.lower()}[{name}]"]
            assert estimate.value == pytest.approx(boot.value)
            assert (estimate.low, estimate.high) == pytest.approx((boot.interval.low, boot.interval.high))
            assert (estimate.n, estimate.unit, estimate.in_percent) == (2, "lesions", True)
    mean = (found["mask_ap50[benign]"].value + found["mask_ap50[malignant]"].value) / 2
    assert found["mask_ap50"].value == pytest.approx(mean)


def test_ap_of_a_class_without_lesions_is_undefined(scene):
    scene.image([(0, 2, 2, 8, 8)], [(0, 0.9, 2, 2, 8, 8)], case_id="a").image(case_id="b").image(case_id="c")
    found, remarks = measured("btxrd-official", scene.results)
    assert found["box_ap50[benign]"].value == pytest.approx(100)
    assert math.isnan(found["box_ap50[malignant]"].value) and found["box_ap50[malignant]"].n == 0
    assert math.isnan(found["malignancy_sensitivity"].value) and "malignancy_sensitivity" in remarks


def test_von_schacky_takes_the_best_finding_without_a_threshold(scene):
    far = (1, 0.05, 15, 15, 19, 19)
    scene.image([(0, 2, 2, 8, 8)], [(0, 0.04, 2, 2, 8, 8), far], case_id="a")  # the far one scores higher
    scene.image([(1, 2, 2, 8, 8)], [(1, 0.01, 2, 2, 8, 5)], case_id="b")  # IoU 1/2, Dice 2/3
    scene.image([], [(1, 0.9, 2, 2, 8, 8)], case_id="c")  # normal: not counted
    found, remarks = measured("vonschacky-2021", scene.results)
    assert found["dice"].value == pytest.approx((0 + 2 / 3) / 2)
    assert found["dice"].n == 2
    assert (found["located_above_0_of_boxes"].successes, found["located_above_0.5_of_boxes"].successes) == (1, 0)
    assert found["malignancy_sensitivity"].successes == 1
    assert f"dice over 2 lesions: {2 / 3 / math.sqrt(2):.2f}" in remarks
    assert f"iou_of_boxes over 2 lesions: {0.5 / math.sqrt(2):.2f}" in remarks


def test_box_iou_is_between_the_boxes_around_the_masks(scene):
    """The annotated box is far larger than the mask; only the tight one fits the finding."""
    scene.image([(0, 2, 2, 8, 8)], [(0, 0.9, 2, 2, 8, 8)], case_id="a")
    result = scene.results[0]
    loose = dataclasses.replace(result.truth.lesions[0], box_xyxy=(0.0, 0.0, 20.0, 20.0))
    results = [dataclasses.replace(result, truth=dataclasses.replace(result.truth, lesions=(loose,)))]
    assert measured("vonschacky-2021", results)[0]["iou_of_boxes"].value == pytest.approx(1)
    assert measured("xu-2024", results)[0]["located_above_0.2"].successes == 0


def test_a_mask_without_pixels_keeps_its_box(scene):
    scene.image([(0, 2, 2, 8, 8)], [(0, 0.9, 2, 2, 2, 2)], case_id="a")
    finding = dataclasses.replace(scene.results[0].findings[0], box_xyxy=(2.0, 2.0, 8.0, 8.0))
    results = [dataclasses.replace(scene.results[0], findings=(finding,))]
    protocol = Protocol(
        name="p", title="", dataset="", split="", passes=(Pass(measures=("iou",), shapes=TIGHT_BOXES, suffix="_b"),)
    )
    assert measured(protocol, results)[0]["iou_b"].value == pytest.approx(1)


def test_tumor_protocols_refuse_normal_images_alone(scene):
    scene.image(case_id="a").image(case_id="b")
    for name in ("vonschacky-2021", "li-2023"):
        assert counted(PROTOCOLS[name], scene.results) == []
        with pytest.raises(DataError, match="no image with a lesion"):
            measured(name, scene.results)
    found, remarks = measured("btxrd-grouped", scene.results)
    assert found["image_specificity"].value == 1 and "dice" in remarks


def test_nothing_at_all_is_refused():
    with pytest.raises(DataError, match="no image"):
        measured("btxrd-grouped", [])


def test_findings_without_masks_are_told_where_masks_count(six):
    boxes = [
        dataclasses.replace(r, findings=tuple(dataclasses.replace(f, rle=None) for f in r.findings))
        for r in six.results
    ]
    assert "4 of 4 findings have no mask" in measured("btxrd-grouped", boxes)[1]
    assert "no mask" not in measured("xu-2024", boxes)[1]


def test_a_model_that_marks_no_lesions_is_measured_by_its_images(six):
    said = {True: (0.2, 0.5, 0.3), False: (0.7, 0.2, 0.1)}
    results = [
        dataclasses.replace(r, findings=(), image_probabilities=said[bool(r.truth.lesions)], marks_lesions=False)
        for r in six.results
    ]
    found, _ = measure(PROTOCOLS["btxrd-grouped"], results, CLASSES, StudySettings(n_resamples=5))
    values = {estimate.name: estimate.value for estimate in found}
    assert values["image_accuracy"] == 1 and math.isnan(values["dice"]) and math.isnan(values["box_ap50"])
