"""Paired comparison: values, symmetry, the null hypothesis, and an independent permutation by hand."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

from segtumor.errors import DataError
from segtumor.evaluation.comparison.comparison import PERMUTATION, compare, means_something, without_masks
from segtumor.evaluation.comparison.paired_patients import paired_patient_test
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.study.intervals import PERCENTILE_FEW
from segtumor.evaluation.study.study import measures_of, study

CLASSES = ("benign", "malignant")
SETTINGS = StudySettings(n_resamples=200, seed=3)


def scene(build, rng, n_cases, *, chance):
    """Cases of one or two views; a lesion is found with the given chance, else something wrong may be."""
    results = []
    for case in range(n_cases):
        for _ in range(1 + case % 2):
            lesions = [build.lesion(case % 2, 1, 1, 5, 5)] if case % 3 else []
            findings = []
            if lesions and rng.random() < chance:
                shift = int(rng.integers(0, 2))
                findings.append(build.finding(case % 2, 0.5 + rng.random() / 2, 1 + shift, 1, 5 + shift, 5))
            if rng.random() < 0.3:
                findings.append(build.finding(0, rng.random(), 6, 6, 9, 9))
            results.append(build.image(lesions, findings, case_id=f"c{case}"))
    return results


def another(results, build, rng, *, chance):
    """Other findings on the same images."""
    others = []
    for result in results:
        found = bool(result.truth.lesions) and rng.random() < chance
        findings = (build.finding(1, 0.9, 1, 1, 5, 5),) if found else ()
        others.append(dataclasses.replace(result, findings=findings))
    return others


def rows_of(comparison):
    return {row.name: row for row in comparison.rows}


@pytest.fixture
def pair(build):
    rng = np.random.default_rng(0)
    first = scene(build, rng, 9, chance=0.9)
    return first, another(first, build, rng, chance=0.4)


def compared(first, second, **options):
    return compare(first, second, CLASSES, SETTINGS, n_permutations=options.pop("n_permutations", 200), **options)


def test_values_are_those_of_each_alone(pair):
    comparison = compared(*pair)
    alone = [
        {e.name: e.value for e in study(results, CLASSES, SETTINGS, subgroups=False).estimates} for results in pair
    ]
    assert len(comparison.rows) > 40
    for row in comparison.rows:
        assert (row.first, row.second) == pytest.approx((alone[0][row.name], alone[1][row.name]), nan_ok=True), row.name
        assert row.difference == pytest.approx(row.first - row.second, nan_ok=True)


def test_exchanging_the_two_changes_signs_only(pair):
    forward, backward = rows_of(compared(*pair)), rows_of(compared(*reversed(pair)))
    for name, row in forward.items():
        other = backward[name]
        assert row.difference == pytest.approx(-other.difference, nan_ok=True)
        assert (row.low, row.high) == pytest.approx((-other.high, -other.low), nan_ok=True, abs=1e-9), name
        assert row.p_value == pytest.approx(other.p_value, nan_ok=True), name


def test_the_same_findings_do_not_differ(pair):
    for row in compared(pair[0], pair[0]).rows:
        if not math.isnan(row.first):
            assert row.difference == 0
            assert row.p_value == 1, row.name


def test_the_order_of_the_images_does_not_matter(pair):
    first, second = pair
    np.testing.assert_equal(
        *([dataclasses.asdict(row) for row in compared(first, other).rows] for other in (second, second[::-1]))
    )


def test_permutation_agrees_with_all_arrangements(build):
    """Six cases have 64 arrangements; the p value must approach the share that is as extreme."""
    rng = np.random.default_rng(5)
    first = scene(build, rng, 6, chance=1.0)
    second = another(first, build, rng, chance=0.3)
    cases = frozenset(result.truth.attributes["case_id"] for result in first)

    def dice(swapped):
        chosen = [(a, b)[a.truth.attributes["case_id"] in swapped] for a, b in zip(first, second, strict=True)]
        return measures_of(chosen, CLASSES, SETTINGS).measures["dice"].value

    sets = itertools.chain.from_iterable(itertools.combinations(sorted(cases), n) for n in range(len(cases) + 1))
    values = {frozenset(swapped): dice(swapped) for swapped in sets}
    differences = np.array([value - values[cases - swapped] for swapped, value in values.items()])
    exact = np.mean(np.abs(differences) >= abs(differences[0]) - 1e-9)
    dice_only = {"only": lambda measure: measure.name == "dice"}
    row = rows_of(compared(first, second, n_permutations=4000, **dice_only))["dice"]
    assert row.test == PERMUTATION
    assert row.p_value == pytest.approx(exact, abs=0.03)


def test_patients_have_their_own_tests(pair):
    rows = rows_of(compared(*pair))
    assert "DeLong" in rows["patient_auc"].test
    for name in ("patient_accuracy", "patient_sensitivity", "patient_specificity"):
        assert "McNemar" in rows[name].test
    assert rows["patient_kappa"].test == PERMUTATION


def test_mcnemar_counts_patients_not_images(build):
    """Four tumor patients of two views each: the first model is right on all, the second on one."""
    views = [
        build.image([build.lesion(0, 1, 1, 5, 5)], [build.finding(0, 0.9, 1, 1, 5, 5)], case_id=c) for c in "aabbccdd"
    ]
    second = [
        dataclasses.replace(r, findings=r.findings if r.truth.attributes["case_id"] == "a" else ()) for r in views
    ]
    patients = [measures_of(results, CLASSES, SETTINGS).patients for results in (views, second)]
    result = paired_patient_test("patient_sensitivity", *patients)
    assert result.p_value == pytest.approx(2 * 0.5**3)  # exact: 3 of 3 discordant patients on one side
    assert paired_patient_test("patient_auc", *patients) is None  # no normal patient
    assert paired_patient_test("dice", *patients) is None


def test_mcnemar_asks_where_the_finding_lies_if_it_must_be_located(build):
    """Both call all four tumor patients positive; only the first model's findings lie on the lesions."""
    first = [
        build.image([build.lesion(0, 1, 1, 5, 5)], [build.finding(0, 0.9, 1, 1, 5, 5)], case_id=case) for case in "abcd"
    ]
    second = [dataclasses.replace(result, findings=(build.finding(0, 0.9, 6, 6, 9, 9),)) for result in first]
    p_values = []
    for rule in (False, True):
        settings = dataclasses.replace(SETTINGS, require_located=rule)
        patients = [measures_of(results, CLASSES, settings).patients for results in (first, second)]
        p_values.append(paired_patient_test("patient_sensitivity", *patients).p_value)
    assert p_values == pytest.approx([1, 2 * 0.5**4])


def test_a_difference_without_spread_has_no_interval(pair):
    rows = rows_of(compared(pair[0], pair[0], n_permutations=5))
    assert (rows["dice"].difference, rows["dice"].method) == (0, "undefined: all resamples equal")
    assert math.isnan(rows["dice"].low)


def test_a_difference_of_few_cases_is_marked(pair, build):
    assert rows_of(compared(*pair, n_permutations=5))["dice"].method == PERCENTILE_FEW  # six cases with lesions
    rng = np.random.default_rng(1)
    many = scene(build, rng, 30, chance=0.9)
    other = another(many, build, rng, chance=0.4)
    assert rows_of(compared(many, other, n_permutations=5))["dice"].method == "bca"


def test_different_images_are_refused(pair):
    with pytest.raises(DataError, match="not found on the same images"):
        compared(pair[0], pair[1][1:])
    with pytest.raises(DataError, match="no images"):
        compared([], [])


def test_what_readers_lack_is_left_out(pair):
    boxes = [without_masks(results) for results in pair]
    assert all(finding.rle is None for results in boxes for result in results for finding in result.findings)

    def only(measure):
        return means_something(measure, masks=False, classes=False, confidence=False)

    names = set(rows_of(compared(*boxes, only=only)))
    assert {"dice", "lesion_recall", "image_kappa", "patient_accuracy"} <= names
    left_out = ("auc", "ap", "froc", "class", "hausdorff", "mask", "brier")
    assert not [name for name in names if any(part in name.split("_") for part in left_out)]
    labels = {
        m.name for m in measures_of(pair[0], CLASSES, SETTINGS).measures.values() if means_something(m, boxes=False)
    }
    assert all(name.startswith(("image_", "patient_")) for name in labels)


def test_undefined_values_have_no_p_value(build):
    """Without normal patients McNemar would compare nothing with nothing, and say 1."""
    results = [
        build.image([build.lesion(0, 1, 1, 5, 5)], [build.finding(0, 0.9, 1, 1, 5, 5)], case_id=case) for case in "abcd"
    ]
    row = rows_of(compared(results, results, n_permutations=5))["patient_specificity"]
    assert math.isnan(row.difference) and math.isnan(row.p_value) and math.isnan(row.p_holm)
    assert row.test == "undefined"


def test_the_chosen_measures_alone_are_adjusted_for(pair):
    rows = compared(*pair, only=lambda measure: measure.name in ("dice", "patient_auc")).rows
    low, high = sorted(row.p_value for row in rows)
    assert sorted(row.p_holm for row in rows) == pytest.approx([min(2 * low, 1), min(max(2 * low, high), 1)])


def test_what_is_remarked_of_one_side_carries_its_name(build):
    masks = [build.image([build.lesion(0, 1, 1, 5, 5)], [build.finding(0, 0.9, 1, 1, 5, 5)])]
    remarks = compared(masks, without_masks(masks), names=("masks", "boxes"), n_permutations=5).remarks
    assert [text for text in remarks if "have no mask" in text and text.startswith("boxes: 1 of 1 findings")]
    assert [text for text in remarks if text.startswith("The pixel spacing")]  # of both, once and without a name
    assert not [text for text in remarks if text.startswith("masks: ")]


def test_remarks_count_the_images_once(build):
    results = [build.image([build.lesion(0, 1, 1, 5, 5)]), build.image()]
    assert [r for r in compared(results, results).remarks if r.startswith("2 of 2 images have no case_id")]


def rescaled(results, power):
    """The same findings with scores on another scale."""
    return [
        dataclasses.replace(r, findings=tuple(dataclasses.replace(f, score=f.score**power) for f in r.findings))
        for r in results
    ]


def test_what_only_ranks_is_tested_on_ranks(pair):
    """Another scale of the second model's scores changes neither AUC, AP nor FROC, nor their p values."""
    plain, other = rows_of(compared(*pair)), rows_of(compared(pair[0], rescaled(pair[1], 6)))
    for name in (
        "image_auc",
        "image_auc_pr",
        "image_class_macro_auc",
        "froc_mean",
        "mask_ap50",
        "box_ap",
        "patient_auc_pr",
    ):
        assert (plain[name].first, plain[name].second) == pytest.approx((other[name].first, other[name].second)), name
        assert plain[name].p_value == pytest.approx(other[name].p_value), name
    assert plain["image_brier"].p_value != other["image_brier"].p_value  # which needs the scores as they are


def test_few_resamples_and_few_cases_are_told(pair):
    remarks = " ".join(compared(*pair).remarks)
    assert "from 200 resamples only" in remarks
    assert "rest on fewer than 10 cases (few cases)" in remarks
