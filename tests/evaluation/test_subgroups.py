import dataclasses
import math

import numpy as np
import pytest
from plain_statistics import leave_one_out_weights

from segtumor.errors import ConfigError, DataError
from segtumor.evaluation.facts.facts import facts_of
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.study.estimates import draw
from segtumor.evaluation.study.intervals import bootstrap_interval, interval_of
from segtumor.evaluation.study.study import measures_of, study
from segtumor.evaluation.study.subgroup_fields import divisions_of, size_of
from segtumor.statistics.hypothesis import chi_squared, holm, kruskal_wallis

NAMES = ("benign", "malignant")
FEW = StudySettings(n_resamples=40)


@pytest.fixture
def scene(build):
    """Two women's images with hits, two men's: a miss and a normal image called normal, and one of unknown sex."""

    def tumor(score, class_id=0, **attributes):
        return build.image(
            [build.lesion(class_id, 0, 0, 4, 4)], [build.finding(class_id, score, 0, 0, 4, 4)], **attributes
        )

    return [
        tumor(0.9, case_id="a", sex="F", age=17, view=["frontal", "lateral"], site=["femur"]),
        tumor(0.8, case_id="b", sex="F", age=18, view=["frontal"], site=["femur"]),
        tumor(0.1, class_id=1, case_id="c", sex="M", age=60, view=["lateral"], site=["tibia"]),
        build.image(case_id="d", sex="M", age=40, view=["lateral"], site=["tibia"]),
        tumor(0.7, case_id="e", view="oblique"),
    ]


def by(*fields, **options):
    """Settings for a quick study with these fields."""
    return dataclasses.replace(FEW, subgroup_fields=fields, **options)


def by_group(a_study, field, name):
    return {s.level: s.estimate for s in a_study.subgroups if s.field == field and s.estimate.name == name}


def levels(results, field):
    return next(
        {level: members.tolist() for level, members in d.levels.items()}
        for d in divisions_of(facts_of(results, NAMES, FEW))[0]
        if d.field == field
    )


def test_levels(scene):
    assert levels(scene, "sex") == {"F": [0, 1], "M": [2, 3], "unknown": [4]}
    assert levels(scene, "age_group") == {"<18": [0], "18-39": [1], "40-59": [3], ">=60": [2], "unknown": [4]}
    assert levels(scene, "view") == {"frontal": [0, 1], "lateral": [0, 2, 3], "oblique": [4]}
    assert levels(scene, "class") == {"benign": [0, 1, 3], "malignant": [2]}  # lesions
    assert levels(scene, "size") == {"small": [0, 1, 2, 3]}


def test_a_size_belongs_to_one_class():
    assert [size_of(area) for area in (1, 1023, 1024, 9215, 9216, 1e12)] == ["small"] * 2 + ["medium"] * 2 + [
        "large"
    ] * 2


def test_values_by_eye(scene):
    found = study(scene, NAMES, by("sex", "class"))
    recall, specificity = by_group(found, "sex", "lesion_recall"), by_group(found, "sex", "image_specificity")
    assert {level: (e.value, e.successes, e.n) for level, e in recall.items()} == {
        "F": (1, 2, 2),
        "M": (0, 0, 1),
        "unknown": (1, 1, 1),
    }
    assert (specificity["M"].value, specificity["M"].n) == (1, 1)
    assert math.isnan(specificity["F"].value)
    assert {level: e.value for level, e in by_group(found, "class", "dice").items()} == {"benign": 1, "malignant": 0}
    sensitivity = by_group(found, "class", "image_sensitivity")
    assert {level: (e.value, e.n) for level, e in sensitivity.items()} == {"benign": (1, 3), "malignant": (0, 1)}
    assert sensitivity["malignant"].method == "undefined: one case"
    assert recall["F"].method == "Wilson"
    assert recall["F"].n_cases == 2


def test_a_group_is_measured_as_if_alone(random_cases):
    results = random_cases(np.random.default_rng(2), 12)
    settings = by("sex", rule="mean", require_located=True)
    found = study(results, NAMES, settings)
    women = [r for r in results if r.truth.attributes["sex"] == "F"]
    alone = measures_of(women, NAMES, settings).measures
    group = {s.estimate.name: s.estimate for s in found.subgroups if (s.field, s.level) == ("sex", "F")}
    assert set(alone) - set(group) == {"box_ap", "box_ap50"}
    for name, e in group.items():
        assert e.value == pytest.approx(alone[name].value, nan_ok=True, abs=1e-9), name
        assert (e.n, e.successes) == (alone[name].n, alone[name].successes), name


def test_lesions_of_a_class_are_measured_as_if_alone(random_cases):
    results = random_cases(np.random.default_rng(5), 12)
    found = study(results, NAMES, by("class"))
    rows, names, weights = found.per_lesion, found.cases.case_ids, draw(12, FEW).weights
    for name in NAMES:
        dice = by_group(found, "class", "dice")[name]
        own = [row["dice"] for row in rows if row["class"] == name]
        assert (dice.value, dice.n) == (pytest.approx(np.mean(own)), len(own))
        in_case = [[row["dice"] for row in rows if (row["class"], row["case_id"]) == (name, c)] for c in names]
        held = [i for i, values in enumerate(in_case) if values]
        totals = np.array([[sum(in_case[i]), len(in_case[i])] for i in held])
        with np.errstate(invalid="ignore"):  # some resamples have none of the cases
            drawn, jackknife = (
                np.divide(*(w @ totals).T) for w in (weights[:, held], leave_one_out_weights(len(held)))
            )
        expected = bootstrap_interval(dice.value, drawn, jackknife, n_cases=len(held), level=0.95)
        assert (dice.low, dice.high) == pytest.approx((expected.low, expected.high))
        assert dice.n_defined == np.isfinite(drawn).sum()
        assert dice.n_cases == len({row["case_id"] for row in rows if row["class"] == name})


def test_a_resample_keeps_cases_whole(random_cases):
    """The interval of a group that holds every image is that of the whole."""
    results = [
        dataclasses.replace(r, truth=dataclasses.replace(r.truth, attributes={**r.truth.attributes, "center": "1"}))
        for r in random_cases(np.random.default_rng(4), 10)
    ]
    found = study(results, NAMES, by("center"))
    whole = {e.name: e for e in found.estimates}
    for s in found.subgroups:
        if s.field == "center":
            np.testing.assert_equal(dataclasses.asdict(s.estimate), dataclasses.asdict(whole[s.estimate.name]))


def test_a_group_sees_the_draws_of_its_own_cases(random_cases):
    rng = np.random.default_rng(8)
    results = random_cases(rng, 14)
    results = [results[i] for i in rng.permutation(len(results))]  # cases come back later, in another order
    found = study(results, NAMES, by("sex"))
    alone = measures_of([r for r in results if r.truth.attributes["sex"] == "M"], NAMES)
    columns = [found.cases.case_ids.index(case_id) for case_id in alone.cases.case_ids]
    assert columns != sorted(columns)
    weights = draw(14, FEW).weights[:, columns].astype(float)
    for name in ("dice", "froc_mean", "mask_ap50", "image_auc"):
        measure, e = alone.measures[name], by_group(found, "sex", name)["M"]
        jackknife = measure.resample(leave_one_out_weights(len(columns)))
        expected = interval_of(measure, measure.value, measure.resample(weights), jackknife, level=0.95)
        assert expected.low < expected.high
        assert (e.low, e.high) == pytest.approx((expected.low, expected.high)), name


def test_boxes_alone_have_average_precision_of_boxes(random_cases):
    found = study(random_cases(np.random.default_rng(1), 6, mask=False), NAMES, by("sex"))
    assert by_group(found, "sex", "box_ap50")
    assert not by_group(found, "sex", "mask_ap50")


def test_fields_that_are_missing(scene):
    found = study(scene, NAMES, FEW)
    assert {"center", "device"}.isdisjoint(s.field for s in found.subgroups)
    assert any("center, device" in remark for remark in found.remarks)
    with pytest.raises(DataError, match=r"center.*sex"):
        study(scene, NAMES, by("center"))
    chosen = study(scene, NAMES, by("sex"))
    assert {s.field for s in chosen.subgroups} == {"sex"}


def test_small_groups_are_left_out(scene):
    found = study(scene, NAMES, by("sex", min_group=2))
    assert {s.level for s in found.subgroups if s.field == "sex"} == {"F", "M"}
    assert any("sex unknown" in remark for remark in found.remarks)


def test_tests_across_groups(random_cases):
    results = random_cases(np.random.default_rng(6), 25)
    found = study(results, NAMES, by("class", "size", "sex", "view"))
    tests = {(t.field, t.measure): t for t in found.tests}
    lesions = found.per_lesion
    dice = kruskal_wallis([[row["dice"] for row in lesions if row["class"] == name] for name in NAMES])
    assert tests["class", "dice"].p_value == dice.p_value
    hit = [[row["hit"] for row in lesions if row["sex"] == sex] for sex in "FM"]
    recall = chi_squared([[sum(group), len(group) - sum(group)] for group in hit])
    assert tests["sex", "lesion_recall"].statistic == pytest.approx(recall.statistic)
    sex_of = [r.truth.attributes["sex"] for r in results]
    right = [
        [
            row["tumor_predicted"]
            for row, s in zip(found.per_image, sex_of, strict=True)
            if s == sex and row["tumor_true"]
        ]
        for sex in "FM"
    ]
    sensitivity = chi_squared([[sum(group), len(group) - sum(group)] for group in right])
    assert tests["sex", "image_sensitivity"].p_value == pytest.approx(sensitivity.p_value)
    assert "not independent" in tests["class", "dice"].note
    np.testing.assert_allclose([t.p_holm for t in found.tests], holm([t.p_value for t in found.tests]))
    # An image with two views would stand in two groups.
    assert math.isnan(tests["view", "dice"].p_value)
    assert "several groups" in tests["view", "dice"].note
    assert ("size", "dice") not in tests  # one level


def test_unknown_is_no_group_to_test(scene):
    tests = {(t.field, t.measure): t for t in study(scene, NAMES, by("sex", "site")).tests}
    assert tests["sex", "lesion_recall"].n_groups == 2
    assert ("site", "dice") in tests


def test_average_precision_of_a_class_is_that_of_evaluate(random_cases):
    found = study(random_cases(np.random.default_rng(4), 12), NAMES, by("class"))
    by_name = {(s.level, s.estimate.name): s.estimate for s in found.subgroups}
    for kind, iou_type in (("mask", "segm"), ("box", "bbox")):
        for name in NAMES:
            expected = found.evaluation.metrics["detection"][iou_type]["per_class"][name]
            assert by_name[name, f"{kind}_ap"].value == pytest.approx(expected["AP"], abs=1e-9)
            assert by_name[name, f"{kind}_ap50"].value == pytest.approx(expected["AP50"], abs=1e-9)
            limits = by_name[name, f"{kind}_ap50"].low, by_name[name, f"{kind}_ap50"].high
            assert limits[0] < limits[1] or np.isnan(limits).all()


def test_a_label_of_the_image_is_described_but_not_tested(build):
    results = [
        *(build.image([build.lesion(k, 0, 0, 4, 4)], image_label=NAMES[k]) for k in (0, 1, 0, 1)),
        *(build.image(image_label="normal") for _ in range(4)),
    ]
    found = study(results, NAMES, by("image_label", "class"))
    assert {test.field for test in found.tests} == {"class"}
    names = {s.estimate.name for s in found.subgroups if s.field == "image_label"}
    assert {"image_sensitivity", "image_specificity", "patient_sensitivity", "dice"} <= names
    assert not [name for name in names if name.endswith(("_ppv", "_npv"))]


def test_ages_that_are_no_numbers_are_told_once(build, caplog):
    results = [build.image(age=age, sex="F") for age in ("forty", 50, "old", None)]
    (remark,) = [r for r in study(results, NAMES, FEW).remarks if "no number" in r]
    assert remark.startswith("The age of 2 images is no number, such as 'forty' of ")
    assert not caplog.records
    assert not [r for r in study(results, NAMES, by("sex")).remarks if "no number" in r]


@pytest.mark.parametrize("age", [-1, 131, True, float("inf"), [40], {"years": 4}])
def test_ages_that_nobody_has_are_told_and_unknown(build, age):
    found = study([build.image(age=age), build.image(age=0), build.image(age=130.0)], NAMES, by("age_group"))
    assert "The age of 1 images is no number, such as " in " ".join(found.remarks)
    assert {s.level for s in found.subgroups} == {"<18", ">=60", "unknown"}


def test_one_level_however_it_is_typed(build):
    centers = ("Z\u00fcrich", "Zu\u0308rich ", " Z\u00fcrich", "St.  Anna", "St. Anna")
    found = study([build.image(center=center) for center in centers], NAMES, by("center"))
    assert {s.level for s in found.subgroups} == {"Z\u00fcrich", "St. Anna"}


def test_labels_that_say_neither_normal_nor_a_class_are_told(build):
    labels = ("tumor", "Malignant", "normal", None, "", "benign")
    found = study([build.image(image_label=label) for label in labels], NAMES, FEW)
    (remark,) = [text for text in found.remarks if "neither normal nor a class" in text]
    assert remark.startswith("2 images without a lesion") and "'tumor' of " in remark


@pytest.mark.parametrize(
    ("limits", "groups"),
    [
        ((18,), {"<18": [0], ">=18": [1, 2, 3], "unknown": [4]}),
        ((18, 60), {"<18": [0], "18-59": [1, 3], ">=60": [2], "unknown": [4]}),
    ],
)
def test_age_limits(scene, limits, groups):
    facts = facts_of(scene, NAMES, dataclasses.replace(FEW, age_limits=limits))
    division = next(d for d in divisions_of(facts)[0] if d.field == "age_group")
    assert {level: members.tolist() for level, members in division.levels.items()} == groups
    assert [*division.levels] == [*groups]


@pytest.fixture
def measured_scene(build):
    """Lesions of 4 x 4 px: the diagonal is 4 sqrt(2) px; spacings of 1, 2 and 3 mm, and unknown."""
    lesions = [build.lesion(0, 0, 0, 4, 4) for _ in range(4)]
    spacings = [{"spacing_mm": [mm, mm]} for mm in (3.0, 1.0, 2.0)] + [{}]
    pairs = zip(lesions, spacings, strict=True)
    return [build.image([lesion], case_id=str(i), **spacing) for i, (lesion, spacing) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("limits", "groups"),
    [
        ("median", {"<11.31 mm (median)": [1], ">=11.31 mm (median)": [0, 2], "unknown": [3]}),
        ((6.0, 16.0), {"<6 mm": [1], "6 to 16 mm": [2], ">=16 mm": [0], "unknown": [3]}),
    ],
)
def test_sizes_in_mm(measured_scene, limits, groups):
    facts = facts_of(measured_scene, NAMES, dataclasses.replace(FEW, size_limits_mm=limits))
    divisions, remarks = divisions_of(facts)
    division = next(d for d in divisions if d.field == "size_mm")
    assert [*division.levels] == [*groups] and division.of == "lesions"
    assert {level: members.tolist() for level, members in division.levels.items()} == groups
    assert "size_mm" not in " ".join(remarks)


def test_sizes_in_mm_need_limits_and_a_spacing(measured_scene, scene):
    divisions, remarks = divisions_of(facts_of(measured_scene, NAMES, FEW))
    assert "size_mm" not in [d.field for d in divisions] and "size_mm" not in " ".join(remarks)
    facts = facts_of(scene, NAMES, dataclasses.replace(FEW, size_limits_mm=(80.0,)))
    assert "No subgroups by" in divisions_of(facts)[1][0] and "size_mm" in divisions_of(facts)[1][0]
    with pytest.raises(DataError, match="no image has"):
        divisions_of(facts, ["size_mm"])


@pytest.mark.parametrize(
    "options",
    [{"age_limits": ()}, {"age_limits": (40, 18)}, {"age_limits": (0,)}, {"age_limits": (200,)},
     {"size_limits_mm": ()}, {"size_limits_mm": (80.0, 80.0)}, {"size_limits_mm": (-1.0,)}, {"size_limits_mm": "mean"}],
)  # fmt: skip
def test_limits_that_are_none(options):
    with pytest.raises(ConfigError, match="limits"):
        dataclasses.replace(FEW, **options)
