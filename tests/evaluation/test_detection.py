import copy
import json
import logging
import math

import numpy as np
import pytest
from awkward_results import awkward_results
from coco_oracle import FASTER, PYCOCOTOOLS, STAT_NAMES, coco_numbers
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from segtumor.annotations.coco import load_coco
from segtumor.annotations.predictions.document import read_predictions
from segtumor.errors import ConfigError, DataError
from segtumor.evaluation.facts.coco import coco_pairs
from segtumor.evaluation.measures.resampled_ap import ResampledAP
from segtumor.evaluation.study.metrics import evaluate
from segtumor.structures.lesions import ImageResult

NAMES = ("benign", "malignant")


def detection_metrics(results, class_names, iou_type):
    """(numbers, curves) of one kind of AP in an evaluation."""
    found = evaluate(results, class_names)
    return found.metrics["detection"][iou_type], found.curves[iou_type]


def direct(truth_path, results_path, iou_type):
    """pycocotools run by hand on the files."""
    coco = COCO(str(truth_path))
    run = COCOeval(coco, coco.loadRes(str(results_path)), iou_type)
    run.evaluate()
    run.accumulate()
    run.summarize()
    return run


def read_results(truth_path, results_path):
    truth = load_coco(truth_path, check_files=False)
    found = read_predictions(
        results_path,
        truth.annotated_images,
        class_names=truth.taxonomy.names,
        category_id_of_class=truth.category_id_of_class,
    )
    return [ImageResult(image, found.findings[image.image_id]) for image in truth.annotated_images]


def percent(values):
    values = np.asarray(values, dtype=float)
    return np.where(values < 0, np.nan, 100 * values)


@pytest.mark.parametrize("seed", range(3))
def test_equals_pycocotools_on_the_files(tmp_path, capsys, random_coco, seed):
    truth, results = random_coco(np.random.default_rng(seed), 25)
    truth_path, results_path, masks_path = (tmp_path / name for name in ("gt.json", "dt.json", "masks.json"))
    truth_path.write_text(json.dumps(truth))
    results_path.write_text(json.dumps(results))
    # As Detectron2 writes them for mask AP: without boxes, so that sizes are those of the masks.
    masks_path.write_text(json.dumps([{k: v for k, v in item.items() if k != "bbox"} for item in results]))
    read = read_results(truth_path, results_path)
    for iou_type, path in (("bbox", results_path), ("segm", masks_path)):
        capsys.readouterr()
        metrics, curves = detection_metrics(read, NAMES, iou_type)
        assert capsys.readouterr().out == ""
        run = direct(truth_path, path, iou_type)
        np.testing.assert_allclose([metrics[name] for name in STAT_NAMES], percent(run.stats), rtol=0, atol=1e-9)
        precision = run.eval["precision"]
        for k, name in enumerate(NAMES):
            per_class = metrics["per_class"][name]
            assert per_class["AP"] == pytest.approx(100 * precision[:, :, k, 0, 2].mean(), abs=1e-9)
            assert per_class["AP50"] == pytest.approx(100 * precision[0, :, k, 0, 2].mean(), abs=1e-9)
            np.testing.assert_allclose(curves[name].precision, precision[0, :, k, 0, 2], rtol=0, atol=1e-12)
    assert 0 < metrics["AP"] < metrics["AP50"] < 100  # the scenes are neither trivial nor hopeless
    # With boxes in the file pycocotools sizes findings by box; what does not go by size is the same.
    with_boxes = direct(truth_path, results_path, "segm").stats
    for i in (0, 1, 2, 6, 7, 8):
        assert metrics[STAT_NAMES[i]] == pytest.approx(100 * with_boxes[i], abs=1e-9)


def test_findings_with_boxes_only(tmp_path, random_coco):
    truth, results = random_coco(np.random.default_rng(3), 10)
    boxes = [{k: v for k, v in item.items() if k != "segmentation"} for item in results]
    (tmp_path / "gt.json").write_text(json.dumps(truth))
    (tmp_path / "dt.json").write_text(json.dumps(boxes))
    read = read_results(tmp_path / "gt.json", tmp_path / "dt.json")
    boxed, _ = detection_metrics(read, NAMES, "bbox")
    assert boxed["AP"] == pytest.approx(
        100 * direct(tmp_path / "gt.json", tmp_path / "dt.json", "bbox").stats[0], abs=1e-9
    )
    masked, curves = detection_metrics(read, NAMES, "segm")
    assert math.isnan(masked["AP"])
    assert np.isnan(curves["benign"].precision).all()


def test_a_finding_without_mask_stands_for_its_box(tmp_path, random_coco):
    truth, results = random_coco(np.random.default_rng(4), 10)
    mixed = copy.deepcopy(results)
    for item in mixed[::2]:
        del item["segmentation"]
    (tmp_path / "gt.json").write_text(json.dumps(truth))
    (tmp_path / "dt.json").write_text(json.dumps(mixed))
    metrics, _ = detection_metrics(read_results(tmp_path / "gt.json", tmp_path / "dt.json"), NAMES, "segm")
    expected = direct(tmp_path / "gt.json", tmp_path / "dt.json", "segm").stats
    assert metrics["AP"] == pytest.approx(100 * expected[0], abs=1e-9)


def test_perfect_and_hopeless(build):
    lesion = build.lesion(0, 0, 0, 4, 4)
    perfect = [build.image([lesion], [build.finding(0, 0.01, 0, 0, 4, 4)])]  # AP knows no score threshold
    for iou_type in ("bbox", "segm"):
        metrics, curves = detection_metrics(perfect, NAMES, iou_type)
        assert metrics["AP"] == pytest.approx(100)
        assert math.isnan(metrics["APl"])
        assert math.isnan(metrics["per_class"]["malignant"]["AP"])
        assert (curves["benign"].n_lesions, curves["malignant"].n_lesions) == (1, 0)
    assert detection_metrics([build.image([lesion])], NAMES, "segm")[0]["AP"] == 0


def test_nothing_to_measure_is_nan(build):
    for results in ([], [build.image()], [build.image([], [build.finding(0, 0.9, 0, 0, 2, 2)])]):
        metrics, curves = detection_metrics(results, NAMES, "segm")
        assert all(math.isnan(metrics[name]) for name in STAT_NAMES)
        assert set(curves) == set(NAMES)


def test_lesion_id_zero_is_a_lesion(build):
    lesion = build.lesion(0, 0, 0, 4, 4)
    zero = type(lesion)(0, 0, lesion.box_xyxy, lesion.rle, lesion.area_px)
    results = [build.image([zero], [build.finding(0, 0.9, 0, 0, 4, 4)])]
    assert detection_metrics(results, NAMES, "bbox")[0]["AP"] == pytest.approx(100)


def assert_programs_agree(results, iou_type):
    names = ("benign", "malignant", "uncertain")
    found, found_curves = detection_metrics(results, names, iou_type)
    for program in (PYCOCOTOOLS, FASTER):
        expected, expected_curves = coco_numbers(results, names, iou_type, program)
        for name in STAT_NAMES:
            np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-9, err_msg=f"{program} {name}")
        for name in names:
            for key, value in found["per_class"][name].items():
                np.testing.assert_allclose(value, expected["per_class"][name][key], rtol=0, atol=1e-9)
            np.testing.assert_allclose(found_curves[name].precision, expected_curves[name], rtol=0, atol=1e-12)
            np.testing.assert_array_equal(found_curves[name].recall, np.linspace(0, 1, 101))
    drawn = [lesion for result in results for lesion in result.truth.lesions if not lesion.iscrowd]
    n_lesions = [sum(lesion.class_id == k for lesion in drawn) for k in range(len(names))]
    assert [found_curves[name].n_lesions for name in names] == n_lesions


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(("bbox", "segm")),
    st.sampled_from((1, 3, 1000)),
    st.sampled_from((0.0, 0.3, 1.0)),
    st.sampled_from((0, 12)),
)
def test_programs_agree(seed, iou_type, n_scores, no_masks, most_findings):
    rng = np.random.default_rng(seed)
    results = awkward_results(rng, 6, n_scores=n_scores, no_masks=no_masks, most_findings=most_findings)
    assert_programs_agree(results, iou_type)


@pytest.mark.parametrize("iou_type", ["bbox", "segm"])
@pytest.mark.parametrize("n_scores", [1, 1000])
def test_programs_agree_beyond_a_hundred_findings(iou_type, n_scores):
    results = awkward_results(np.random.default_rng(0), 4, n_scores=n_scores, most_findings=900)
    assert max(len(result.findings) for result in results) > 500  # more areas than pycocotools takes at once
    assert_programs_agree(results, iou_type)


def test_programs_agree_on_masks_and_boxes_without_pixels(build):
    images = [
        build.image(
            [build.lesion(0, 2, 2, 2, 2)], [build.finding(0, 0.9, 2, 2, 2, 2), build.finding(0, 0.9, 9, 9, 3, 3)]
        ),
        build.image([build.lesion(1, 0, 0, 4, 4, crowd=True)], [build.finding(1, 0.5, 0, 0, 4, 4)]),
        build.image([build.lesion(2, 0, 0, 4, 4)], [build.finding(2, 1, 0, 0, 4, 4), build.finding(2, 0, 0, 0, 4, 3)]),
    ]
    for iou_type in ("bbox", "segm"):
        assert_programs_agree(images, iou_type)


def test_it_logs_nothing(build, caplog):
    with caplog.at_level(logging.DEBUG):
        detection_metrics([build.image([build.lesion(0, 0, 0, 4, 4)])], NAMES, "segm")
    assert not caplog.records


def test_bad_arguments_are_named(build):
    image = build.image([], [build.finding(0, float("nan"), 0, 0, 4, 4)])
    with pytest.raises(DataError, match=r"\.png: score is NaN"):
        ResampledAP.of([image], NAMES, "bbox")
    with pytest.raises(ConfigError, match="no such IoU type of AP"):
        coco_pairs([], 2, "mask")
