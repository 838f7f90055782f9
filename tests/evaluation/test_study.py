import dataclasses
import math
import pickle

import numpy as np
import pytest
from plain_statistics import bootstrap

from segtumor.errors import ConfigError, DataError
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.study.metrics import evaluate
from segtumor.evaluation.study.remarks import interval_remarks
from segtumor.evaluation.study.study import estimate, measures_of, study
from segtumor.statistics.calibration import apply_temperature
from segtumor.statistics.proportions import wilson
from segtumor.statistics.roc import delong_interval

NAMES = ("benign", "malignant")
FEW = StudySettings(n_resamples=50)


def plain(results, settings=FEW, **options):
    return study(results, NAMES, settings, subgroups=False, **options)


def intervals(a_study):
    return {e.name: (e.value, e.low, e.high) for e in a_study.estimates}


@pytest.fixture
def fifteen(random_cases):
    return random_cases(np.random.default_rng(3), 15)


def test_every_measure_has_an_estimate(fifteen):
    found, measures = plain(fifteen), measures_of(fifteen, NAMES, FEW).measures
    of_referral = ["image_aurc", "image_accuracy_referring_10", "image_accuracy_referring_20"]
    assert [e.name for e in found.estimates] == [*measures, *of_referral]
    for e in found.estimates[: len(measures)]:
        assert e.value == pytest.approx(measures[e.name].value, nan_ok=True)
        assert (e.n, e.successes) == (measures[e.name].n, measures[e.name].successes)
        assert e.n_cases == 15
        assert e.low <= e.value <= e.high or math.isnan(e.low), e


@pytest.fixture
def forty(random_cases):
    return random_cases(np.random.default_rng(3), 40)


def test_intervals_are_those_of_the_bootstrap(forty):
    found = plain(forty, StudySettings(n_resamples=60, seed=4))
    measure = measures_of(forty, NAMES).measures["dice"]
    expected = bootstrap(measure.resample, 40, n_resamples=60, seed=4)
    dice = estimate(found, "dice")
    assert (dice.low, dice.high) == pytest.approx((expected.interval.low, expected.interval.high))
    assert (dice.method, dice.n_defined) == ("bca", 60)


def test_proportions_carry_wilsons_limits(fifteen):
    recall = estimate(plain(fifteen), "lesion_recall")
    expected = wilson(recall.successes, recall.n)
    assert (recall.wilson_low, recall.wilson_high) == (expected.low, expected.high)
    assert recall.value == pytest.approx(recall.successes / recall.n)
    assert math.isnan(estimate(plain(fifteen), "dice").wilson_low)


def test_patients_auc_has_delongs_interval(fifteen):
    found = plain(fifteen)
    assert not all(row["tumor_true"] for row in found.per_case)
    auc, rows = estimate(found, "patient_auc"), found.per_case
    expected = delong_interval([row["score"] for row in rows], [row["tumor_true"] for row in rows])
    assert (auc.low, auc.high) == (expected.low, expected.high)
    assert auc.method == "DeLong (logit)"


def test_a_perfect_auc_is_not_certain(build):
    tumors = [
        build.image([build.lesion(0, 0, 0, 4, 4)], [build.finding(0, 0.9, 0, 0, 4, 4)], case_id=f"t{i}")
        for i in range(3)
    ]
    normals = [build.image(case_id=f"n{i}") for i in range(9)]
    auc = estimate(plain([*tumors, *normals]), "patient_auc")
    assert (auc.value, auc.high) == (1, 1)
    assert auc.low == pytest.approx(0.025 ** (1 / 3))  # three of three
    assert auc.method.startswith("clopper-pearson for 3")


def test_a_proportion_without_spread_has_wilsons_interval(build):
    images = [
        build.image([build.lesion(0, 0, 0, 4, 4)], [build.finding(0, 0.9, 0, 0, 4, 4)], case_id=f"{i}")
        for i in range(8)
    ]
    found = plain(images)
    sensitivity, dice = estimate(found, "image_sensitivity"), estimate(found, "dice")
    assert sensitivity.method == "Wilson"  # eight cases of one image each
    assert (sensitivity.value, sensitivity.high) == (1, 1)
    assert sensitivity.low == pytest.approx(wilson(8, 8).low)
    assert dice.method == "undefined: all resamples equal"
    assert np.isnan([dice.low, dice.high]).all()


def test_the_seed_decides(fifteen):
    first, again, other = (plain(fifteen, StudySettings(n_resamples=50, seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_equal(intervals(first), intervals(again))
    assert intervals(first)["dice"] != intervals(other)["dice"]


def test_rows_curves_and_tables(fifteen):
    found, evaluation = plain(fifteen), evaluate(fifteen, NAMES)
    assert found.evaluation.metrics["overlap"] == evaluation.metrics["overlap"]
    assert [row["lesion_id"] for row in found.per_lesion] == [row["lesion_id"] for row in evaluation.per_lesion]
    assert len(found.per_image) == len(found.images) == len(fifteen)
    assert len(found.per_case) == len(found.cases) == 15
    columns = ["case_id", "n_images", "label", "score", "positive", "found", "predicted_class", "tumor_true", "located"]
    assert list(found.per_case[0]) == columns
    assert sum(row["n_images"] for row in found.per_case) == len(fifteen)
    assert set(found.curves) == {
        *("roc_image", "roc_patient", "pr_image", "pr_patient", "froc", "reliability", "reliability_patient"),
        *("referral", "decision"),
    }
    names, counts = found.confusions["image_class"]
    assert (names, counts.sum()) == (("normal", *NAMES), len(fifteen))
    assert found.confusions["patient_class"][1].sum() == 15
    assert found.curves["froc"].mean == pytest.approx(estimate(found, "froc_mean").value)
    distances = [row["hausdorff_px"] for row in found.per_lesion if row["hausdorff_px"] is not None]
    assert np.mean(distances) == pytest.approx(estimate(found, "hausdorff_px").value)
    agreement = [row["normalized_surface_dice"] for row in found.per_lesion]
    assert np.mean(agreement) == pytest.approx(estimate(found, "normalized_surface_dice").value)
    distances = [row["hausdorff_mm"] for row in found.per_lesion if row["hausdorff_mm"] is not None]
    assert len(distances) == estimate(found, "hausdorff_mm").n
    assert np.mean(distances) == pytest.approx(estimate(found, "hausdorff_mm").value)


def test_distances_in_mm_need_a_spacing(build):
    lesion, finding = build.lesion(0, 0, 0, 4, 4), build.finding(0, 0.9, 0, 0, 4, 3)
    known = build.image([lesion], [finding], case_id="a", spacing_mm=[2.0, 2.0], spacing_source="header")
    unknown = build.image([lesion], [finding], case_id="b")
    row_known, row_unknown = plain([known, unknown]).per_lesion
    assert (row_known["hausdorff_px"], row_known["hausdorff_mm"]) == (1, 2)
    assert row_known["spacing_source"] == "header"
    assert row_unknown["hausdorff_mm"] is None
    assert any("1 of 2 lesions" in remark for remark in plain([known, unknown]).remarks)
    without = plain([unknown])
    assert not any("_mm" in name for name in (*without.per_lesion[0], *intervals(without)))
    assert any("in px only" in remark for remark in without.remarks)


def test_images_without_case_are_cases(build):
    found = plain([build.image(), build.image(), build.image(case_id="a")])
    assert any(remark.startswith("2 of 3 images have no case_id") for remark in found.remarks)
    assert len(found.per_case) == 3


def test_labels_and_lesions_that_disagree_are_told(build):
    results = [
        build.image(case_id="a", image_label="malignant"),
        build.image([build.lesion(0, 0, 0, 4, 4, mask=False)], case_id="b", image_label="malignant"),
        build.image(case_id="c"),
    ]
    remarks = " ".join(study(results, ("cyst", "fibroma", "other"), FEW, subgroups=False).remarks)
    assert "1 images with a tumour have a label that is no class" in remarks
    assert "1 images are labelled as tumour without an outlined lesion" in remarks
    assert "1 of 1 lesions have no mask" in remarks
    assert "No image is of class fibroma, other" in remarks
    assert "take the classes as ordered: normal, cyst, fibroma, other" in remarks


def test_one_case_has_no_interval(three_images):
    results = [
        dataclasses.replace(r, truth=dataclasses.replace(r.truth, attributes={"case_id": "a"})) for r in three_images
    ]
    found = plain(results)
    dice = estimate(found, "dice")
    assert dice.value == pytest.approx(23 / 48)
    assert math.isnan(dice.low)
    assert dice.method == "undefined: one case"
    assert any("one case only" in remark for remark in found.remarks)


def some_results(build, which):
    tumor = build.image([build.lesion(0, 0, 0, 4, 4)], [build.finding(0, 0.9, 0, 0, 4, 3)], case_id="a")
    missed = build.image([build.lesion(1, 0, 0, 4, 4)], case_id="b")
    normal, wrong = build.image(case_id="c"), build.image([], [build.finding(1, 0.9, 0, 0, 2, 2)], case_id="d")
    return {
        "no images": [],
        "no positives": [normal, wrong],
        "no negatives": [tumor, missed],
        "one class": [tumor, normal],
        "no findings": [missed, normal],
        "equal scores": [tumor, wrong],
    }[which]


UNDEFINED = {
    "no images": ["dice", "image_auc", "image_accuracy", "image_brier", "mask_ap", "froc_mean"],
    "no positives": ["dice", "image_auc", "image_sensitivity", "mask_ap", "froc_mean", "image_class_macro_auc"],
    "no negatives": ["image_auc", "image_specificity", "false_positives_per_normal_image"],
    "one class": [],
    "no findings": ["dice_matched", "hausdorff_px", "lesion_precision", "image_ppv", "image_mcc"],
    "equal scores": [],
}
DEFINED = {
    "no images": {},
    "no positives": {"image_specificity": 0.5, "image_accuracy": 0.5, "image_brier": 0.81 / 2},
    "no negatives": {"image_sensitivity": 0.5, "dice": 6 / 14, "image_auc_pr": 1, "mask_ap50": 50},
    "one class": {"image_auc": 1, "image_class_accuracy": 1, "image_class_macro_auc": 1, "mask_ap50": 100},
    "no findings": {"dice": 0, "mask_ap": 0, "froc_mean": 0, "image_auc": 0.5, "image_dice": 0},
    "equal scores": {"image_auc": 0.5, "image_auc_pr": 0.5, "lesion_precision": 0.5},
}


@pytest.mark.parametrize("which", UNDEFINED)
@pytest.mark.filterwarnings("error")
def test_what_nothing_defines_is_nan_and_named(build, which):
    found = study(some_results(build, which), NAMES, FEW)
    for name in UNDEFINED[which]:
        e = estimate(found, name)
        assert math.isnan(e.value) and math.isnan(e.low), name
        assert e.method.startswith("undefined")
    for name, value in DEFINED[which].items():
        assert estimate(found, name).value == pytest.approx(value), name
    if UNDEFINED[which] and which != "no images":
        remarks = " ".join(r for r in found.remarks if r.startswith("Undefined"))
        assert all(name in remarks for name in UNDEFINED[which])
    assert found.remarks


def test_nothing_to_measure_is_not_what_cannot_be_computed(build):
    found = plain(some_results(build, "no positives"))
    nothing, unequal = (r for r in found.remarks if r.startswith("Undefined"))
    assert "nothing to measure them on" in nothing
    assert "image_sensitivity" in nothing
    assert "image_auc" in unequal
    assert "image_auc" not in nothing
    assert estimate(found, "image_auc").method == "undefined: cannot be computed"
    assert estimate(found, "image_sensitivity").method == "undefined: nothing to measure"


def test_labels_beside_lesions_of_another_class(build):
    malignant = build.lesion(1, 0, 0, 4, 4)
    results = [build.image([malignant], image_label=label) for label in ("benign", "malignant", None, "benign")]
    remarks = plain(results).remarks
    assert any(r.startswith("On 2 of 3 images with both, the image_label is another class") for r in remarks)
    assert not any("another class" in r for r in plain(results[1:3]).remarks)


def test_rows_tell_the_call_and_what_the_rule_made_of_it(build):
    lesion, wrong = build.lesion(1, 0, 0, 4, 4), build.finding(1, 0.9, 5, 5, 9, 9)
    results = [build.image([lesion], [wrong], case_id="a"), build.image(case_id="b")]
    found = plain(results, dataclasses.replace(FEW, require_located=True))
    row = found.per_case[0]
    assert (row["positive"], row["found"], row["located"]) == (True, False, False)
    assert found.confusions["patient_class"][1].tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert plain(results).per_case[0]["found"]


def test_scores_that_are_no_numbers_are_refused(build):
    with pytest.raises(DataError, match="score"):
        plain([build.image([], [build.finding(0, float("nan"), 0, 0, 2, 2)])])


def test_an_unknown_measure_names_the_nearest(three_images):
    with pytest.raises(DataError, match="dice_matched"):
        estimate(plain(three_images), "dice_match")


@pytest.mark.parametrize(
    "wrong",
    [
        {"score_threshold": float("nan")},
        {"iou_threshold": 0},
        {"rule": "most"},
        {"froc_criterion": "box"},
        {"surface_tolerance_px": -1},
        {"surface_tolerance_px": float("inf")},
        {"surface_tolerance_mm": float("inf")},
        {"n_resamples": 0},
        {"seed": -1},
        {"level": 95},
        {"temperature": 0},
        {"min_group": 0},
    ],
)
def test_settings_are_checked(wrong):
    with pytest.raises(ConfigError, match="out of range"):
        StudySettings(**wrong)


def test_a_temperature_adds_measures_and_changes_none(fifteen):
    plainly, softened = plain(fifteen), plain(fifteen, dataclasses.replace(FEW, temperature=3.0))
    before, after = intervals(plainly), intervals(softened)
    assert all(np.allclose(values, after[name], equal_nan=True) for name, values in before.items())
    assert set(after) - set(before) == {f"{u}_{n}_calibrated" for u in ("image", "patient") for n in ("brier", "ece")}
    assert not np.isclose(after["image_brier_calibrated"][0], before["image_brier"][0])
    scores, tumor = ([row[name] for row in softened.per_image] for name in ("max_score", "tumor_true"))
    moved = apply_temperature(np.array([score or 0 for score in scores]), 3.0)
    assert after["image_brier_calibrated"][0] == pytest.approx(np.mean((moved - np.array(tumor)) ** 2))
    labels = {e.name: e.label for e in softened.estimates}
    assert labels["image_brier"] == "Brier score (images)"
    assert labels["image_brier_calibrated"] == "Brier score (images, after temperature)"


@pytest.mark.parametrize(("temperature", "warned"), [(0.19, True), (0.2, False), (5, False), (18.1, True)])
def test_an_extreme_temperature_and_scores_that_it_cannot_move_are_told(build, temperature, warned):
    found = build.image([build.lesion(0, 0, 0, 4, 4)], [build.finding(0, 0.7, 0, 0, 4, 4)], case_id="a")
    results = [found, build.image(case_id="b"), build.image(case_id="c")]
    settings = StudySettings(n_resamples=5, temperature=temperature)
    remarks = study(results, NAMES, settings, subgroups=False).remarks
    assert any("lies outside 0.2 to 5" in remark for remark in remarks) == warned
    assert any(remark.startswith("2 of 3 images have a score of exactly 0") for remark in remarks)
    plainly = study(results, NAMES, StudySettings(n_resamples=5), subgroups=False).remarks
    assert not any("temperature" in remark for remark in plainly)


def test_an_interval_beside_its_value_is_told(fifteen):
    measured = plain(fifteen).estimates
    moved = [dataclasses.replace(measured[0], value=0.638, low=0.58, high=0.622), *measured[1:]]
    said = [interval_remarks(e, (), n_images=15, settings=FEW) for e in (measured, moved)]
    assert [any("do not hold their own value" in r for r in remarks) for remarks in said] == [False, True]


def test_progress_sees_the_long_loops(fifteen):
    seen = []

    def progress(what, iterable):
        seen.append(what)
        return iterable

    study(fifteen, NAMES, dataclasses.replace(FEW, subgroup_fields=("class",)), progress=progress)
    assert seen == ["matching", "lesions", "resampling cases", "subgroups"]


@pytest.mark.parametrize(
    ("rule", "n_normal_views", "said"), [("any", 3, 1), ("max", 3, 1), ("mean", 3, 0), ("any", 1, 0)]
)
def test_uneven_numbers_of_views_are_told(build, rule, n_normal_views, said):
    """One view of a tumor patient against three of a normal one: the highest of three scores is higher by chance."""
    results = [build.image([build.lesion(0, 0, 0, 4, 4)], case_id="tumor")]
    results += [build.image(case_id="normal") for _ in range(n_normal_views)]
    settings = StudySettings(n_resamples=5, rule=rule)
    remarks = study(results, ("benign", "malignant"), settings, subgroups=False).remarks
    assert sum("further chance to be called positive" in remark for remark in remarks) == said


def test_remarks_are_chosen_by_code_and_keep_it(build, random_cases):
    boxes = [build.image([build.lesion(0, 0, 0, 4, 4)], [build.finding(0, 0.9, 0, 0, 4, 4, mask=False)], case_id="a")]
    found = study(boxes, NAMES, StudySettings(n_resamples=20))
    codes = {remark.code for remark in found.remarks}
    assert {"findings_without_mask", "all_tumor", "spacing_unknown", "undefined"} <= codes
    for remark in found.remarks:
        again = pickle.loads(pickle.dumps(remark.named("ours")))
        assert (again, again.code) == (f"ours: {remark}", remark.code)
