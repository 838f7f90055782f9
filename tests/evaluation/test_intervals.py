"""Which interval a measure has, and what the remarks say about it."""

import dataclasses
import math

import numpy as np
import pytest
from plain_statistics import leave_one_out_weights

import segtumor.statistics.bootstrap as bootstrap_module
from segtumor.evaluation.comparison.comparison import compare
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.measures.measure import IMAGES, LESIONS, Measure, ratio_measure
from segtumor.evaluation.study.estimates import draw, estimates_of
from segtumor.evaluation.study.intervals import (
    PERCENTILE_FEW,
    WILSON,
    WILSON_FEW,
    bootstrap_interval,
    interval_of,
    is_bootstrapped,
)
from segtumor.evaluation.study.study import estimate, study
from segtumor.statistics.bootstrap import case_weights
from segtumor.statistics.proportions import clopper_pearson, wilson

NAMES = ("benign", "malignant")
FEW = StudySettings(n_resamples=50)


def hits(per_case, n_empty=0):
    """A proportion: ``per_case`` lists the units' successes (0 or 1) of each case; ``n_empty`` cases hold none."""
    case_of = np.repeat(np.arange(len(per_case)), [len(units) for units in per_case])
    successes, n_cases = np.concatenate(per_case), len(per_case) + n_empty
    ones = np.ones(len(successes))
    return ratio_measure("x", "X", LESIONS, "lesions", successes, ones, case_of, n_cases, proportion=True)


def mean(values, n_empty=0):
    """The mean of one value in each case."""
    n = len(values)
    return ratio_measure("y", "Y", LESIONS, "lesions", values, np.ones(n), np.arange(n), n + n_empty)


def estimated(measure, n_resamples=400):
    (found,) = estimates_of([measure], draw(measure.n_cases, StudySettings(n_resamples=n_resamples)))
    return found


def limits(found):
    return found.low, found.high


@pytest.mark.parametrize("successes", [0, 3, 8, 15])
def test_independent_units_have_wilsons_interval(successes):
    found = estimated(hits([[int(i < successes)] for i in range(15)], n_empty=4))
    assert (found.method, limits(found)) == (WILSON, (found.wilson_low, found.wilson_high))


@pytest.mark.parametrize("hit", [0, 1])
def test_lesions_of_two_patients_are_two_observations(hit):
    """0 of 40 lesions of two patients: 0 to 0.66, not 0 to 0.09."""
    found = estimated(hits([[hit] * 20] * 2, n_empty=4))
    expected = wilson(2 * hit, 2)
    assert (found.method, limits(found)) == (WILSON_FEW, (expected.low, expected.high))
    assert found.wilson_high - found.wilson_low < 0.1


@pytest.mark.parametrize("units", [[0, 0, 0], [1, 1, 1], [0, 1]])
def test_cases_that_are_all_alike_count_as_so_many_units(units):
    found = estimated(hits([units] * 12, n_empty=3))
    expected = wilson(12 * np.mean(units), 12)
    assert limits(found) == pytest.approx((expected.low, expected.high))
    assert found.method == "Wilson on cases (all resamples equal)"


def test_few_cases_of_several_units_have_wilsons_interval_on_cases():
    found = estimated(hits([[0], [1], [0, 0], [0, 0], [0, 0]]))
    expected = wilson(5 / 8, 5)  # one of eight lesions, as if five were all there are
    assert (found.method, limits(found)) == (WILSON_FEW, pytest.approx((expected.low, expected.high)))


def test_ten_cases_of_several_units_are_resampled():
    found = estimated(hits([[i % 2, int(i % 3 == 0)] for i in range(10)]))
    assert found.method == "bca"


def test_few_values_have_the_percentile_interval_and_say_so():
    values = np.random.default_rng(0).random(9)
    few, enough = estimated(mean(values, n_empty=6)), estimated(mean([*values, 0.5], n_empty=5))
    assert (few.method, enough.method) == (PERCENTILE_FEW, "bca")
    drawn = values @ draw(15, StudySettings(n_resamples=400)).weights[:, :9].T
    drawn = drawn / draw(15, StudySettings(n_resamples=400)).weights[:, :9].sum(axis=1)
    assert limits(few) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))


@pytest.mark.parametrize("n", [4, 14])
def test_an_interval_without_width_is_none(n):
    found = estimated(mean([0.9] * n))
    assert np.isnan(limits(found)).all()
    assert found.method == "undefined: all resamples equal"


@pytest.mark.parametrize("n_cases", [5, 50])
def test_nor_is_one_of_a_few_resamples_that_differ(n_cases):
    replicates, jackknife = np.zeros(1000), np.zeros(n_cases)
    replicates[:3], jackknife[0] = 1, 0.1
    interval = bootstrap_interval(0.0, replicates, jackknife, n_cases=n_cases, level=0.95)
    assert np.isnan(limits(interval)).all()
    assert interval.method == "undefined: nearly all resamples equal"


@pytest.mark.parametrize("n_cases", [5, 50])
def test_nor_is_one_that_leaves_out_its_estimate(n_cases):
    """As of the calibration error, which is larger in every resample."""
    rng = np.random.default_rng(0)
    interval = bootstrap_interval(0.1, 0.2 + rng.random(500), rng.random(n_cases), n_cases=n_cases, level=0.95)
    assert np.isnan(limits(interval)).all()
    assert interval.method == "undefined: the resamples lie beside the value"


def area(value, n_contributing, resample):
    return Measure(
        name="image_auc",
        label="area",
        group=IMAGES,
        unit="images",
        n=30,
        n_cases=20,
        resample=resample,
        n_contributing=n_contributing,
    )


@pytest.mark.parametrize("value", [1.0, 0.5])
def test_an_area_without_spread_is_no_better_known_than_the_rarer_kind(value):
    measure = area(value, 12, lambda weights: np.full(len(weights), value))
    found, expected = estimated(measure), clopper_pearson(value * 12, 12)
    assert limits(found) == (expected.low, expected.high)
    assert found.method == "clopper-pearson for 12 cases of the rarer kind (all resamples equal)"


def test_a_perfect_area_of_images_counts_cases(build):
    """Three tumor cases of four images each: three of three, not twelve of twelve."""
    lesion, finding = build.lesion(0, 0, 0, 4, 4), build.finding(0, 0.9, 0, 0, 4, 4)
    results = [build.image([lesion], [finding], case_id=f"t{i % 3}") for i in range(12)]
    results += [build.image(case_id=f"n{i}") for i in range(9)]
    found = estimate(study(results, NAMES, FEW, subgroups=False), "image_auc")
    assert (found.low, found.high) == (pytest.approx(0.025 ** (1 / 3)), 1)
    assert found.method.startswith("clopper-pearson for 3 cases")


def test_one_case_of_a_kind_gives_no_interval():
    measure = area(0.9, 1, lambda weights: weights @ np.linspace(0.8, 1, 20) / 20)
    assert estimated(measure).method == "undefined: fewer than two contributing cases"


def test_a_measure_that_does_not_say_rests_on_all_cases():
    measure = area(0.9, None, lambda weights: weights @ np.linspace(0.8, 1, 20) / 20)
    assert estimated(measure).method == "bca"
    assert estimated(dataclasses.replace(measure, n_contributing=9)).method == PERCENTILE_FEW


def test_few_clustered_cases_are_covered():
    """Five patients of four lesions, of which some are found in nearly all and some in nearly none: a true 0.7."""
    rng, n, covered, bca = np.random.default_rng(4), 300, 0, 0
    weights, jackknife = case_weights(5, 300, rng=rng), leave_one_out_weights(5)
    for _ in range(n):
        found = rng.random((5, 4)) < rng.beta(1.4, 0.6, (5, 1))
        measure = hits(found.astype(int))
        replicates = measure.resample(weights)
        interval = interval_of(measure, measure.value, replicates, measure.resample(jackknife), level=0.95)
        covered += interval.low <= 0.7 <= interval.high
        by_bca = bootstrap_module.bca_interval(measure.value, replicates, measure.resample(jackknife))
        bca += by_bca.low <= 0.7 <= by_bca.high
    assert covered / n > 0.93
    assert bca / n < 0.88


@pytest.mark.parametrize(("seed", "n_cases"), [(0, 2), (1, 5), (2, 13), (3, 30)])
def test_limits_hold_their_value_and_have_a_width(random_cases, seed, n_cases):
    found = study(random_cases(np.random.default_rng(seed), n_cases), NAMES, FEW)
    estimates = [*found.estimates, *(s.estimate for s in found.subgroups)]
    for e in estimates:
        if math.isnan(e.low):
            assert math.isnan(e.high)
            assert e.method.startswith("undefined: "), e
        else:
            assert e.low - 1e-9 <= e.value <= e.high + 1e-9, e
            assert e.low < e.high, e
    assert sum(not math.isnan(e.low) for e in estimates) > 20


def test_draws_are_those_of_one_go(monkeypatch):
    whole = case_weights(30, 70, rng=np.random.default_rng(5))
    monkeypatch.setattr(bootstrap_module, "BLOCK_CELLS", 30 * 16)
    drawn = draw(30, StudySettings(n_resamples=70, seed=5))
    np.testing.assert_array_equal(drawn.weights, whole)
    assert drawn.weights.itemsize == 2


def test_weights_come_in_blocks_of_bounded_size(monkeypatch, random_cases):
    """The C x C jackknife is never there as a whole, and the numbers are those of one block."""
    results = random_cases(np.random.default_rng(1), 25)
    other = [dataclasses.replace(result, findings=result.findings[:1]) for result in results]
    only = {"only": lambda measure: measure.name in ("dice", "image_auc")}
    settings = StudySettings(n_resamples=40)

    def run():
        rows = compare(results, other, NAMES, settings, n_permutations=50, **only).rows
        return [*map(dataclasses.asdict, (*study(results, NAMES, settings, subgroups=False).estimates, *rows))]

    at_once, sizes = run(), []
    original = Measure.__init__

    def watched(self, *, resample, **fields):
        def seen(weights):
            sizes.append(weights.size)
            return resample(weights)

        original(self, resample=seen, **fields)

    monkeypatch.setattr(Measure, "__init__", watched)
    monkeypatch.setattr(bootstrap_module, "BLOCK_CELLS", 25 * 7)
    in_blocks = run()
    assert max(sizes) <= 2 * 25 * 7  # a comparison has the cases twice
    for one, two in zip(at_once, in_blocks, strict=True):
        assert one.keys() == two.keys()
        for key, value in one.items():
            if isinstance(value, float):
                np.testing.assert_allclose(value, two[key], atol=1e-9, err_msg=f"{one['name']} {key}")
            else:
                assert value == two[key], (one["name"], key)


def remarks_of(results, **settings):
    return study(results, NAMES, StudySettings(**{"n_resamples": 50, **settings})).remarks


def test_few_cases_are_told_once(random_cases):
    few = remarks_of(random_cases(np.random.default_rng(0), 9))
    assert [r for r in few if "cases only" in r or "few cases" in r] == [
        "There are 9 cases only: intervals are rough, those of the bootstrap likely too narrow (see the column method)."
    ]
    many = remarks_of(random_cases(np.random.default_rng(0), 25))
    assert sum("are marked (few cases)" in r for r in many) == 1
    assert not any("cases only" in r for r in many)


def test_few_resamples_are_told(three_images):
    assert any("from 2 resamples only" in r for r in remarks_of(three_images, n_resamples=2))
    assert not any("resamples only" in r for r in remarks_of(three_images, n_resamples=1000))


def test_what_many_resamples_do_not_define_is_told(build):
    """One of eleven cases called positive: a third of the resamples lack it, and with it both calls that MCC needs."""
    tumors = [build.image([build.lesion(0, 0, 0, 4, 4)], case_id=f"t{i}") for i in range(10)]
    normal = [build.image(case_id=f"n{i}") for i in range(10)]
    found = [dataclasses.replace(tumors[0], findings=(build.finding(0, 0.9, 0, 0, 4, 4),)), *tumors[1:], *normal]
    a_study = study(found, NAMES, StudySettings(n_resamples=200))
    mcc = estimate(a_study, "image_mcc")
    assert is_bootstrapped(mcc.method)
    assert 100 < mcc.n_defined < 150
    (remark,) = [r for r in a_study.remarks if r.startswith("Undefined in many resamples")]
    assert f"image_mcc ({mcc.n_defined} of 200)" in remark
    assert "image_sensitivity" not in remark
