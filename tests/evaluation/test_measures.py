import dataclasses
import math

import numpy as np
import pytest

from segtumor.errors import DataError
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.measures.measure import GROUPS, LastTwoCache, ratio_measure
from segtumor.evaluation.study.metrics import evaluate
from segtumor.evaluation.study.study import measures_of

NAMES = ("benign", "malignant")
DISTANCES = ("hausdorff", "hausdorff_95", "average_surface_distance")
AGREEMENTS = ("normalized_surface_dice", "normalized_surface_dice_matched")
MM = (*(f"{name}_mm" for name in DISTANCES), *(f"{name}_mm" for name in AGREEMENTS))
BINARY = (
    *("auc", "auc_pr", "sensitivity", "specificity", "ppv", "npv", "accuracy", "balanced_accuracy"),
    *("f1", "mcc", "kappa"),
)
CLASSES = ("accuracy", "balanced_accuracy", "macro_f1", "mcc", "kappa", "kappa_linear", "kappa_quadratic", "macro_auc")
PIXELS = ("precision", "recall", "specificity", "accuracy", "f1")
EXPECTED = [
    *("dice", "dice_matched", "iou", "iou_matched", "image_dice", "image_iou", "image_missed_whole"),
    *(f"pixel_{name}" for name in PIXELS),
    *(f"pixel_{name}_mean" for name in PIXELS[:-1]),
    *(f"{name}_px" for name in DISTANCES),
    *AGREEMENTS,
    *("lesion_recall", "located_above_0", "located_above_0.2", "located_above_0.5", "lesion_precision", "lesion_f1"),
    *("false_positives_per_image", "false_positives_per_normal_image"),
    *(f"froc_at_{rate}" for rate in ("0.125", "0.25", "0.5", "1", "2", "4", "8")),
    *("froc_mean", "mask_ap", "mask_ap50", "box_ap", "box_ap50"),
    *(f"{u}_{n}" for u in ("image", "patient") for n in (*BINARY, *(f"class_{name}" for name in CLASSES))),
    *(f"{u}_{n}" for u in ("image", "patient") for n in ("brier", "ece")),
]


def values_of(measures):
    return {name: measure.value for name, measure in measures.items()}


def repeated(results, cases, weights):
    """The results with each case as often as its weight, under new ids, the repetitions of an image side by side."""
    copies, image_id = [], 0
    for result, case in zip(results, cases.case_of_image, strict=True):
        for copy in range(int(weights[case])):
            image_id += 1
            attributes = {**result.truth.attributes, "case_id": f"{cases.case_ids[case]}, copy {copy}"}
            truth = dataclasses.replace(result.truth, image_id=image_id, attributes=attributes)
            copies.append(dataclasses.replace(result, truth=truth))
    return copies


def test_the_names_are_those_of_the_tables(three_images):
    measures = measures_of(three_images, NAMES).measures
    assert list(measures) == EXPECTED
    assert all(name == measure.name and measure.group in GROUPS for name, measure in measures.items())


def test_three_images_by_eye(three_images):
    m = measures_of(three_images, NAMES).measures
    dice = [1, 2 / 3, 1 / 4, 0]  # see test_overlap
    expected = {
        "dice": np.mean(dice),
        "dice_matched": np.mean(dice[:3]),
        "lesion_recall": 2 / 4,
        "located_above_0": 3 / 4,
        "located_above_0.2": 2 / 4,  # 4/28 is below
        "located_above_0.5": 1 / 4,  # 8/16 is not above
        "lesion_precision": 2 / 4,
        "lesion_f1": 0.5,
        "false_positives_per_image": 2 / 3,
        "false_positives_per_normal_image": 1,
        # a: 16 + 16 true, 16 + 8 found, 24 common; b: 16 + 4 true, 16 found, 4 common
        "image_dice": np.mean([2 * 24 / (32 + 24), 2 * 4 / (20 + 16)]),
        "image_iou": np.mean([24 / 32, 4 / 32]),
        "image_missed_whole": 0,
        # of 3 x 100 pixels: a has 8 missed, b 16 missed and 12 found beside, c 4 found and nothing true
        "pixel_precision": (24 + 4) / (24 + 16 + 4),
        "pixel_precision_mean": np.mean([1, 4 / 16, 0]),
        "pixel_specificity": (248 - 16) / 248,
        "pixel_accuracy": (300 - 40) / 300,
        "pixel_f1": 2 * 28 / (52 + 44),
        "pixel_recall": (24 + 4) / (32 + 20),
        "pixel_recall_mean": np.mean([24 / 32, 4 / 20]),
        "image_auc": 1,  # 0.9 and 0.7 against 0.6
        "image_sensitivity": 1,
        "image_specificity": 0,
        "image_accuracy": 2 / 3,
        "image_balanced_accuracy": 0.5,
        "image_f1": 4 / 5,
        "image_class_accuracy": 1 / 3,  # a: malignant, b and c: benign instead of malignant and normal
        "image_class_balanced_accuracy": np.mean([0, 1 / 2]),
        "image_brier": np.mean([0.1**2, 0.3**2, 0.6**2]),
        "patient_accuracy": 2 / 3,
    }
    for name, value in expected.items():
        assert m[name].value == pytest.approx(value, abs=1e-12), name
    counts = {name: (m[name].successes, m[name].n) for name in ("lesion_recall", "lesion_precision")}
    assert counts == {"lesion_recall": (2, 4), "lesion_precision": (2, 4)}
    assert (m["image_sensitivity"].successes, m["image_sensitivity"].n) == (2, 2)
    assert (m["image_ppv"].successes, m["image_ppv"].n) == (2, 3)
    assert (m["dice_matched"].n, m["hausdorff_px"].n, m["image_dice"].n) == (3, 3, 2)
    assert math.isnan(m["image_mcc"].value)  # everything was called positive
    assert not m["image_brier"].higher_is_better
    assert m["mask_ap"].in_percent


def test_an_image_is_missed_whole_where_no_pixel_of_any_lesion_is_found(build):
    """Of five images: one of two lesions touched by a corner, nothing found, found beside, found too low, normal."""
    lesions = [build.lesion(0, 0, 0, 4, 4), build.lesion(0, 6, 6, 9, 9)]
    findings = {
        "touched": [build.finding(0, 0.9, 3, 3, 5, 5)],
        "none": [],
        "beside": [build.finding(0, 0.9, 4, 0, 6, 4)],
    }
    findings |= {"low": [build.finding(0, 0.4, 0, 0, 4, 4)]}
    images = [build.image(lesions, found) for found in findings.values()]
    images.append(build.image([], [build.finding(0, 0.9, 0, 0, 4, 4)]))
    measure = measures_of(images, NAMES).measures["image_missed_whole"]
    assert (measure.value, measure.successes, measure.n) == (3 / 4, 3, 4)
    assert not measure.higher_is_better


def test_surface_distances_by_eye(build):
    whole, upper = build.lesion(0, 0, 0, 4, 4), build.finding(0, 0.9, 0, 0, 4, 2)
    missed = build.lesion(0, 8, 8, 10, 10)
    images = [build.image([whole, missed], [upper], spacing_mm=[0.5, 0.25]), build.image([missed], [])]
    settings = StudySettings(surface_tolerance_px=0, surface_tolerance_mm=0.5)
    m = measures_of(images, NAMES, settings).measures
    # Outline of the lesion: 12 pixels; of the finding: all its 8; the last row is 2 px from it.
    assert m["hausdorff_px"].value == 2
    assert m["hausdorff_mm"].value == 1
    assert (m["hausdorff_mm"].n, m["normalized_surface_dice_mm"].n) == (1, 2)
    assert m["normalized_surface_dice"].n == 3
    # Within 0 px: 6 of 12 (rows 0 and 1) and 6 of 8; within 0.5 mm, a row: 6 + 2 more, and all but none of 8.
    assert m["normalized_surface_dice_matched"].value == pytest.approx(12 / 20)
    assert m["normalized_surface_dice"].value == pytest.approx(12 / 20 / 3)
    assert m["normalized_surface_dice_matched_mm"].value == pytest.approx(16 / 20)


@pytest.mark.parametrize("seed", range(3))
def test_values_are_those_of_evaluate(random_coco, random_cases, seed):
    results = random_cases(np.random.default_rng(seed), 12)
    results = [  # evaluate goes by lesions alone
        dataclasses.replace(
            r, truth=dataclasses.replace(r.truth, attributes={**r.truth.attributes, "image_label": None})
        )
        for r in results
    ]
    measured, metrics = values_of(measures_of(results, NAMES).measures), evaluate(results, NAMES).metrics
    expected = {name: metrics["overlap"][name] for name in ("dice", "dice_matched", "iou", "iou_matched")}
    expected |= {f"lesion_{name}": metrics["lesions"][name] for name in ("recall", "precision", "f1")}
    expected |= {f"image_{name}": metrics["images"][name] for name in ("sensitivity", "specificity", "accuracy")}
    rates = ("false_positives_per_image", "false_positives_per_normal_image")
    expected |= {name: metrics["images"][name] for name in rates}
    for kind, iou_type in (("mask", "segm"), ("box", "bbox")):
        expected |= {f"{kind}_{s.lower()}": metrics["detection"][iou_type][s] for s in ("AP", "AP50")}
    for name, value in expected.items():
        assert measured[name] == pytest.approx(value, abs=1e-9, nan_ok=True), name


SETTINGS = (
    StudySettings(),
    StudySettings(rule="mean", require_located=True, froc_criterion="centre", temperature=2.0, score_threshold=0.3),
)


@pytest.fixture(params=[(True, 0), (True, 1), (False, 0)], ids=["any", "mean", "boxes"])
def resampled(request, random_cases):
    """(values by resampling, values of the repeated cases): {name: (4,)} each."""
    mask, which = request.param
    rng = np.random.default_rng(7 + which)
    results = random_cases(rng, 9, mask=mask)
    found = measures_of(results, NAMES, SETTINGS[which])
    weights = rng.multinomial(9, np.full(9, 1 / 9), size=4).astype(float)
    quick = {name: measure.resample(weights) for name, measure in found.measures.items()}
    afresh = [
        values_of(measures_of(repeated(results, found.cases, row), NAMES, SETTINGS[which]).measures) for row in weights
    ]
    return quick, {name: np.array([values[name] for values in afresh]) for name in quick}


def test_resampling_is_measuring_the_repeated_cases(resampled):
    quick, afresh = resampled
    calibrated = {name for name in quick if name.endswith("_calibrated")}  # with a temperature only
    assert set(EXPECTED) | set(MM) == set(quick) - calibrated and len(calibrated) in (0, 4)
    for name in quick:
        np.testing.assert_allclose(quick[name], afresh[name], rtol=0, atol=1e-9, err_msg=name)
    assert sum(np.ptp(values[np.isfinite(values)]) > 0 for values in afresh.values() if np.isfinite(values).any()) > 40


def test_boxes_without_masks(random_cases):
    found = measures_of(random_cases(np.random.default_rng(1), 6, mask=False), NAMES)
    m = found.measures
    assert all(math.isnan(m[name].value) for name in ("mask_ap", "hausdorff_px", "image_dice"))
    assert m["hausdorff_px"].n == 0
    assert m["box_ap50"].value > 0
    assert m["dice"].value > 0
    assert any("have no mask" in remark for remark in found.remarks)


def test_a_box_stands_for_a_missing_mask_in_image_dice(build):
    lesion, finding = build.lesion(0, 0, 0, 4, 4), build.finding(0, 0.9, 0, 0, 4, 2, mask=False)
    m = measures_of([build.image([lesion], [finding])], NAMES).measures
    assert m["image_iou"].value == 0.5
    assert m["normalized_surface_dice_matched"].n == 0


def test_surface_dice_is_undefined_where_a_lesion_is_matched_by_its_box(build):
    """One lesion matched by a box and one missed: counting the missed one alone would make it 0."""
    lesions = [build.lesion(0, 0, 0, 4, 4), build.lesion(0, 6, 6, 9, 9)]
    box, mask = (build.finding(0, 0.9, 0, 0, 4, 4, mask=mask) for mask in (False, True))
    found = measures_of([build.image(lesions, [box])], NAMES)
    dice = found.measures["normalized_surface_dice"]
    assert (math.isnan(dice.value), dice.n) == (True, 2)
    assert any("normalised surface Dice over all lesions is undefined: 1 lesions" in r for r in found.remarks)
    by_mask = measures_of([build.image(lesions, [mask])], NAMES)
    assert by_mask.measures["normalized_surface_dice"].value == 0.5
    unmarked = measures_of([build.image([build.lesion(0, 0, 0, 4, 4, mask=False), lesions[1]], [mask])], NAMES)
    assert unmarked.measures["normalized_surface_dice"].n == 1  # one has no outline to find, the other is missed
    assert not any("surface Dice over all" in r for r in (*by_mask.remarks, *unmarked.remarks))


def test_crowds_are_no_lesions_but_tumor(build):
    image = build.image([build.lesion(0, 0, 0, 4, 4, crowd=True)], [build.finding(0, 0.9, 0, 0, 4, 4)])
    m = measures_of([image], NAMES).measures
    assert m["lesion_recall"].n == m["lesion_precision"].n == 0
    assert m["image_sensitivity"].value == 1
    assert math.isnan(m["image_dice"].value)


def test_scores_must_be_probabilities(build):
    for score in (float("nan"), 1.5, -0.1):
        with pytest.raises(DataError, match="score"):
            measures_of([build.image([], [build.finding(0, score, 0, 0, 2, 2)])], NAMES)
    for probabilities in ((0.5,), (0.5, float("nan"))):
        finding = dataclasses.replace(build.finding(0, 0.5, 0, 0, 2, 2), probabilities=probabilities)
        with pytest.raises(DataError, match="probabilit"):
            measures_of([build.image([], [finding])], NAMES)


@pytest.fixture
def located_or_not(build):
    """Tumor patients a (located), b (called positive elsewhere), c (missed); normal ones d (called) and e."""
    lesion, right, wrong = build.lesion(1, 0, 0, 4, 4), *(build.finding(1, 0.9, x, x, x + 4, x + 4) for x in (0, 5))
    tumors = [build.image([lesion], found, case_id=c) for c, found in zip("abc", ([right], [wrong], []), strict=True)]
    return [*tumors, build.image([], [wrong], case_id="d"), build.image([], [], case_id="e")]


def test_a_tumor_must_be_located_in_what_says_so(located_or_not):
    plain, strict = (
        measures_of(located_or_not, NAMES, StudySettings(require_located=rule)).measures for rule in (False, True)
    )
    by_rule = {"sensitivity": (2 / 3, 1 / 3), "specificity": (1 / 2, 1 / 2), "accuracy": (3 / 5, 2 / 5)}
    by_rule |= {"balanced_accuracy": (7 / 12, 5 / 12), "kappa": (1 / 6, -2 / 13)}
    for name, values in by_rule.items():
        assert (plain[f"patient_{name}"].value, strict[f"patient_{name}"].value) == pytest.approx(values), name
        assert ("a tumour must be located" in strict[f"patient_{name}"].label) == (name != "specificity"), name
    assert (plain["patient_ppv"].value, plain["patient_npv"].value) == pytest.approx((2 / 3, 1 / 2))
    others = set(plain) - {f"patient_{name}" for name in by_rule}
    for name in others:
        assert strict[name].value == pytest.approx(plain[name].value, nan_ok=True), name
        assert strict[name].label == plain[name].label
    # Who is called is one thing, who is found another.
    assert (strict["patient_ppv"].n, strict["patient_sensitivity"].successes) == (3, 1)


def test_cases_that_contribute(build):
    """Cases a and b hold three lesions, c none; a malignant lesion is in a only."""
    lesions = [build.lesion(k, 0, 0, 4, 4) for k in (0, 1, 0)]
    results = [build.image(lesions[i : i + 1], case_id=case) for i, case in enumerate("aab")]
    results += [build.image([], [build.finding(0, 0.9, 0, 0, 4, 4)], case_id="c"), build.image(case_id="d")]
    m = measures_of(results, NAMES).measures
    expected = {"dice": 2, "lesion_recall": 2, "froc_mean": 2, "mask_ap": 2, "image_dice": 2, "hausdorff_px": 0}
    expected |= {"lesion_precision": 1, "false_positives_per_image": 4, "false_positives_per_normal_image": 2}
    expected |= {"image_sensitivity": 2, "image_specificity": 2, "image_accuracy": 4, "image_auc": 2, "image_mcc": 2}
    expected |= {"image_f1": 3, "image_class_accuracy": 4, "image_class_kappa": 1, "image_brier": 4, "image_ppv": 1}
    assert {name: m[name].n_contributing for name in expected} == expected


def test_ratio_measure():
    m = ratio_measure("x", "X", "lesions", "lesions", [1, 0, 0], [1, 1, 0], [0, 0, 1], 2, proportion=True)
    assert (m.value, m.n, m.successes, m.n_contributing) == (0.5, 2, 1, 1)
    weights = np.array([[1, 0], [0, 1], [2, 1]])
    assert m.resample(weights).tolist()[0] == 0.5
    assert np.isnan(m.resample(weights)[1])


def test_shared_results_are_computed_once():
    calls = []
    shared = LastTwoCache(lambda weights: calls.append(1) or weights.sum())
    first, second, third = np.ones(2), np.ones(2), np.ones(2)
    for weights, n_calls in ((first, 1), (second, 2), (first, 2), (second, 2), (third, 3), (second, 3), (first, 4)):
        assert shared(weights) == 2
        assert len(calls) == n_calls
