import math

import numpy as np
import pytest

from segtumor.evaluation.study.metrics import evaluate
from segtumor.structures.lesions import AnnotatedImage, Finding, ImageResult, Lesion
from segtumor.structures.masks import rle_from_mask

NAMES = ("benign", "malignant")


def overlap(results):
    return evaluate(results, NAMES).metrics["overlap"]


def test_three_images(three_images):
    metrics = overlap(three_images)
    dice = [1, 2 / 3, 1 / 4, 0]
    assert metrics["dice"] == pytest.approx(np.mean(dice))
    assert metrics["iou"] == pytest.approx(np.mean([1, 1 / 2, 1 / 7, 0]))
    assert metrics["dice_matched"] == pytest.approx(np.mean(dice[:3]))
    assert (metrics["n_lesions"], metrics["n_matched"], metrics["n_matched_by_box"]) == (4, 3, 0)
    assert metrics["per_class"]["benign"]["dice"] == pytest.approx(0.5)
    assert metrics["per_class"]["malignant"]["n_lesions"] == 2


def test_nothing_is_undefined_and_counted(build):
    metrics = overlap([build.image(), build.image([], [build.finding(0, 0.9, 0, 0, 2, 2)])])
    assert math.isnan(metrics["dice"])
    assert math.isnan(metrics["iou_matched"])
    assert metrics["n_lesions"] == 0


def test_all_missed(build):
    metrics = overlap([build.image([build.lesion(0, 0, 0, 2, 2)])])
    assert metrics["dice"] == 0
    assert math.isnan(metrics["dice_matched"])
    assert math.isnan(metrics["per_class"]["malignant"]["dice"])


def test_box_overlaps_are_counted(build):
    metrics = overlap([build.image([build.lesion(0, 0, 0, 2, 2)], [build.finding(0, 0.9, 0, 0, 2, 2, mask=False)])])
    assert (metrics["dice"], metrics["n_matched_by_box"]) == (1, 1)


def test_dice_equals_that_of_the_pixels():
    rng = np.random.default_rng(5)
    results, expected = [], []
    for image_id in range(20):
        true, found = (rng.random((17, 23)) < p for p in rng.random(2))
        lesion = Lesion(image_id + 1, 0, (0, 0, 23, 17), rle_from_mask(true), float(true.sum()))
        finding = Finding(0, 0.9, (0, 0, 23, 17), rle_from_mask(found))
        results.append(ImageResult(AnnotatedImage(image_id, "", (17, 23), (lesion,)), (finding,)))
        expected.append(2 * (true & found).sum() / max(true.sum() + found.sum(), 1))
    assert overlap(results)["dice"] == pytest.approx(np.mean(expected), abs=1e-12)
