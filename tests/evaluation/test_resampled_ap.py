from dataclasses import replace

import numpy as np
import pytest
from awkward_results import awkward_results
from coco_oracle import coco_numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from segtumor.errors import ConfigError, DataError
from segtumor.evaluation.measures.resampled_ap import ResampledAP

NAMES = ("benign", "malignant", "uncertain")
KINDS = ("bbox", "segm")
STATS = ("AP", "AP50", "AP75")


def repeated(results, weight_of_image):
    """The results with each image as often as its weight, side by side in the order of the ids, under new ids."""
    by_id = sorted(zip(results, weight_of_image, strict=True), key=lambda pair: pair[0].truth.image_id)
    copies = [result for result, weight in by_id for _ in range(int(weight))]
    return [replace(r, truth=replace(r.truth, image_id=100 + i)) for i, r in enumerate(copies)]


def by_cocoeval(results, iou_type):
    numbers, _ = coco_numbers(results, NAMES, iou_type)
    found = {stat: numbers[stat] for stat in STATS}
    for name, values in numbers["per_class"].items():
        found |= {f"{stat}:{name}": values[stat] for stat in STATS}
    return found


def check(results, iou_type, weights, case_of_image):
    found = ResampledAP.of(results, NAMES, iou_type).resample(weights, case_of_image)
    for b, row in enumerate(weights):
        expected = by_cocoeval(repeated(results, row[case_of_image]), iou_type)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(found[name][b], value, rtol=0, atol=1e-9, err_msg=f"{name}, {row}")


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS), st.sampled_from((1, 2, 1000)), st.sampled_from((0.0, 0.3)))
def test_equals_cocoeval_on_repeated_images(seed, iou_type, n_scores, no_masks):
    rng = np.random.default_rng(seed)
    results = awkward_results(rng, 5, n_scores=n_scores, no_masks=no_masks)
    check(results, iou_type, rng.integers(0, 4, (2, 3)).astype(float), rng.integers(0, 3, 5))


@pytest.mark.parametrize("iou_type", KINDS)
def test_weights_of_one_are_the_data_set_itself(iou_type):
    results = awkward_results(np.random.default_rng(1), 40, n_scores=5)
    found = ResampledAP.of(results, NAMES, iou_type).resample(np.ones((1, 40)), np.arange(40))
    for name, value in by_cocoeval(results, iou_type).items():
        np.testing.assert_allclose(found[name], [value], rtol=0, atol=1e-9)


@pytest.mark.parametrize("n_scores", [2, 1000])
def test_more_findings_than_take_part(n_scores):
    results = awkward_results(np.random.default_rng(2), 3, n_scores=n_scores, most_findings=400)
    assert max(sum(f.class_id == 0 for f in r.findings) for r in results) > 100
    check(results, "bbox", np.array([[1.0, 1, 1], [2, 0, 3]]), np.arange(3))


def test_one_hit_counts_as_often_as_it_is_drawn(build):
    hit = build.image([build.lesion(0, 0, 0, 4, 4)], [build.finding(0, 0.5, 0, 0, 4, 4)])
    missed = build.image([build.lesion(0, 0, 0, 4, 4)], [build.finding(0, 0.9, 6, 6, 9, 9)])
    weights = np.array([[1, 0], [0, 1], [1, 1], [3, 1], [0, 0]], dtype=float)
    found = ResampledAP.of([hit, missed], NAMES, "segm").resample(weights, [0, 1])
    # Recall 1 at precision 1; nothing; recall 1/2 (points 0 to .50) at 1/2; recall 3/4 at 3/4; no lesion at all.
    expected = [100, 0, 100 * 51 / 101 / 2, 100 * 76 / 101 * 3 / 4, np.nan]
    np.testing.assert_allclose(found["AP50:benign"], expected)
    np.testing.assert_allclose(found["AP"], expected)  # the other classes have no lesions and are left out
    assert np.isnan(found["AP:malignant"]).all()


def test_tied_findings_of_one_image_alternate_when_it_is_repeated(build):
    lesion = build.lesion(0, 0, 0, 4, 4)
    wrong, right = build.finding(0, 0.5, 6, 6, 9, 9), build.finding(0, 0.5, 0, 0, 4, 4)
    for findings, expected in (((right, wrong), 51 / 101 + 50 / 101 * 2 / 3), ((wrong, right), 1 / 2)):
        found = ResampledAP.of([build.image([lesion], findings)], NAMES, "bbox").resample(np.array([[2.0]]), [0])
        np.testing.assert_allclose(found["AP50"], [100 * expected])


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(3)
    machine = ResampledAP.of(awkward_results(rng, 12), NAMES, "segm")
    weights, cases = rng.integers(0, 3, (7, 12)).astype(float), np.arange(12)
    whole = machine.resample(weights, cases)
    monkeypatch.setattr("segtumor.evaluation.measures.resampled_ap._CELLS_AT_ONCE", 1)
    for name, values in machine.resample(weights, cases).items():
        np.testing.assert_allclose(values, whole[name], rtol=0, atol=1e-12)


def test_nothing_to_measure_is_nan(build):
    boxed = build.image([build.lesion(0, 0, 0, 4, 4, mask=False)], [build.finding(0, 0.5, 0, 0, 4, 4)])
    for results in ([], [build.image()], [build.image([], [build.finding(0, 0.5, 0, 0, 4, 4)])], [boxed]):
        found = ResampledAP.of(results, NAMES, "segm").resample(np.ones((2, 1)), np.zeros(len(results), dtype=int))
        assert all(np.isnan(values).all() and values.shape == (2,) for values in found.values())
    assert ResampledAP.of([boxed], NAMES, "bbox").resample(np.ones((1, 1)), [0])["AP"] == pytest.approx(100)
    assert ResampledAP.of([boxed], NAMES, "bbox").resample(np.ones((0, 1)), [0])["AP"].shape == (0,)


def test_bad_arguments_are_named(build):
    with pytest.raises(ConfigError, match="IoU type"):
        ResampledAP.of([], NAMES, "mask")
    with pytest.raises(DataError, match="score is NaN"):
        ResampledAP.of([build.image([], [build.finding(0, float("nan"), 0, 0, 4, 4)])], NAMES, "bbox")
    machine = ResampledAP.of([build.image()], NAMES, "bbox")
    for weights, cases in (([[1.0]], [0, 0]), ([[1.0]], [1]), ([[0.5]], [0]), ([[-1.0]], [0]), ([[np.nan]], [0])):
        with pytest.raises(DataError):
            machine.resample(np.array(weights), cases)
