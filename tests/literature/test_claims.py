"""Checks: small cases that one can verify by eye, other people's formulas, and odd arguments."""

import math

import numpy as np
import pytest

from segtumor.errors import DataError
from segtumor.literature.claims import counts as check_counts
from segtumor.literature.claims import intervals as check_intervals
from segtumor.literature.claims import other_sources as check_sources
from segtumor.literature.claims import p_values as check_tests
from segtumor.literature.claims import rates as check_rates
from segtumor.literature.claims import spreads as check_spread
from segtumor.literature.claims.kinds import CHECKS, read_arguments
from segtumor.literature.claims.outcome import FAILS, HOLDS, UNKNOWN, VERDICTS, Outcome
from segtumor.literature.entries.plain_yaml import read_yaml
from segtumor.literature.entries.reading import load_entries
from segtumor.literature.printed_numbers import DIFFERENT, ROUNDED, TRUNCATED, read_printed
from segtumor.statistics.agreement import kappa

P = read_printed


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("0.964", 267 / 277, ROUNDED),
        ("94.5%", 242 / 256, ROUNDED),
        ("1,060", 1060, ROUNDED),
        ("0.5", 0.45, ROUNDED),  # half up; half to even gives 0.4
        ("0.4", 0.45, ROUNDED),
        ("0.3", 0.25, ROUNDED),
        ("0.85", 0.8499999999999999, ROUNDED),
        ("0.901", 0.9019, TRUNCATED),
        ("0.901", 0.9045, DIFFERENT),
        ("<0.001", 0.0009, ROUNDED),
        ("<0.001", 0.001, DIFFERENT),
        ("0.5", math.nan, DIFFERENT),
        ("5", 1e40, DIFFERENT),
    ],
)
def test_a_printed_number_agrees_with_what_rounds_to_it(text, value, expected):
    assert P(text).agreement(value) == expected


@pytest.mark.parametrize("text", ["", "abc", "0.9.1", "NaN", "inf", "1e5", "%", None, 0.9, "9" * 30, "0." + "1" * 30])
def test_what_is_no_printed_number_is_refused(text):
    assert P(text) is None


def test_a_ratio_holds_or_names_the_count_that_would_fit():
    assert check_counts.ratio(printed=P("0.667"), k=2, n=3).verdict == HOLDS
    assert check_counts.ratio(printed=P("0.66"), k=2, n=3).why.endswith("cut off, not rounded")
    wrong = check_counts.ratio(printed=P("0.750"), k=2, n=4)
    assert wrong.verdict == FAILS
    assert "3 of 4 would fit" in wrong.why
    assert check_counts.ratio(k=1, n=4).verdict == UNKNOWN


@pytest.mark.parametrize("n", [7, 64, 177, 1000])
@pytest.mark.parametrize("text", ["94.2%", "91.8%", "0.5", "0.857", "100%", "0%"])
def test_attainable_agrees_with_trying_every_count(text, n):
    every = any(P(text).agreement(k / n) == ROUNDED for k in range(n + 1))
    assert (check_counts.attainable(printed=P(text), n=n).verdict == HOLDS) == every


def test_both_wrong_is_bounded_by_the_better_reader():
    assert check_counts.both_wrong(both=5, first=5, second=7).verdict == HOLDS
    assert check_counts.both_wrong(both=6, first=5, second=7).verdict == FAILS


@pytest.mark.parametrize(
    ("rate", "value"),
    [
        ("accuracy", "0.7"),
        ("ppv", "0.75"),
        ("sensitivity", "0.6"),
        ("npv", "0.67"),
        ("specificity", "0.8"),
        ("f1", "0.67"),
        ("kappa", "0.4"),
        ("mcc", "0.41"),
    ],
)
def test_rates_of_a_table_of_ten(rate, value):
    assert check_rates.binary_rate(rate=rate, tp=3, fp=1, fn=2, tn=4, printed=P(value)).verdict == HOLDS


def test_rates_agree_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    table = [[5, 1, 2], [0, 7, 3], [4, 2, 9]]
    truth = [i for i, row in enumerate(table) for n in row for _ in range(n)]
    guess = [j for row in table for j, n in enumerate(row) for _ in range(n)]
    expected = {
        "macro_f1": metrics.f1_score(truth, guess, average="macro"),
        "weighted_f1": metrics.f1_score(truth, guess, average="weighted"),
        "kappa": metrics.cohen_kappa_score(truth, guess),
        "kappa_linear": metrics.cohen_kappa_score(truth, guess, weights="linear"),
        "kappa_quadratic": metrics.cohen_kappa_score(truth, guess, weights="quadratic"),
        "mcc": metrics.matthews_corrcoef(truth, guess),
    }
    for rate, value in expected.items():
        assert check_rates.table_rate(rate=rate, table=table).recomputed == f"{value:.4f}"


def test_the_prevalence_of_a_made_up_table_comes_back():
    tp, fp, fn, tn = 30, 10, 20, 140
    share = check_rates.implied_prevalence((tp + tn) / 200, tp / (tp + fp), tp / (tp + fn))
    assert share == pytest.approx((tp + fn) / 200)
    assert math.isnan(check_rates.implied_prevalence(0.5, 0.0, 0.0))


def test_rows_of_one_test_set_imply_one_prevalence():
    good = {"a": [P("85.00%"), P("75.00%"), P("60.00%")], "b": [P("75.00%"), P("50.00%"), P("80.00%")]}
    assert check_rates.one_prevalence(models=good, reference="a").verdict == HOLDS
    with pytest.raises(DataError, match="none of the models"):
        check_rates.one_prevalence(models=good, reference="c")


def test_intervals_are_recognised():
    assert "Wilson" in check_intervals.proportion_interval(interval=[P("0.237"), P("0.763")], k=5, n=10).why
    assert "Clopper" in check_intervals.proportion_interval(interval=[P("0.187"), P("0.813")], k=5, n=10).why
    assert check_intervals.proportion_interval(interval=[P("0.3"), P("0.4")], k=5, n=10).verdict == FAILS


def test_an_area_must_fit_its_operating_point():
    point = {"tp": 8, "fn": 2, "fp": 1, "tn": 9}  # 0.72 to 0.98
    assert check_intervals.auc_possible(auc=P("0.98"), **point).verdict == HOLDS
    assert check_intervals.auc_possible(auc=P("0.99"), **point).verdict == FAILS
    assert check_intervals.auc_possible(auc=P("0.70"), **point).verdict == FAILS


def test_two_raters_margins_and_kappa_give_back_their_table():
    # Of 20 positives A misses 2, B 3, one in common; of 30 negatives A calls 4, B 5, two in common: 8 disagreements.
    tables = list(check_intervals._agreement_tables([2, 4], [3, 5], [20, 30]))
    table = next(t for t in tables if t[0][1] + t[1][0] == 8)
    assert table == [[18, 4], [4, 24]]
    assert check_intervals.shared_errors(table, [2, 4], [3, 5]) == 3


def test_the_exact_permutation_agrees_with_a_sampled_one():
    # 12 positives, 10 negatives; wrong on positives 1 and 4 (one shared), on negatives 2 and 6 (one shared).
    truth = np.array([1] * 12 + [0] * 10)
    first, second = truth.copy(), truth.copy()
    first[[0, 12, 13]] ^= 1
    second[[0, 1, 2, 3, 12, 14, 15, 16, 17, 18]] ^= 1
    swapped = np.random.default_rng(1).integers(2, size=(10_001, len(truth))).astype(bool)
    swapped[0] = False
    calls = np.where(swapped, second, first), np.where(swapped, first, second)
    tables = [[((truth == i) & (called == j)).sum(axis=1) for i in (0, 1) for j in (0, 1)] for called in calls]
    kappas = [kappa(np.stack(table, axis=-1).reshape(-1, 2, 2)) for table in tables]
    differences = np.abs(kappas[0] - kappas[1])  # the first of them is the observed one
    sampled = np.mean(differences >= differences[0] - 1e-12)
    exact = check_tests._exact_p([1, 2], [4, 6], (1, 1), [12, 10])
    assert exact == pytest.approx(sampled, abs=0.02)


def test_one_sided_discordance_has_the_sign_tests_p():
    assert check_tests._exact_p([0, 0], [2, 3], (0, 0), [10, 10]) == pytest.approx(2 / 2**5)


def test_chi_squared_names_the_variant():
    table = [[58, 2], [66, 1]]
    assert check_tests.chi_squared_p(printed=P("0.497"), table=table).why == "chi-squared with (n - 1)/n"
    assert check_tests.chi_squared_p(printed=P("0.923"), table=table).why == "chi-squared with Yates"
    assert check_tests.chi_squared_p(printed=P("0.5"), table=[[1, 2], [3, 4], [5, 6]]).verdict in VERDICTS


def test_the_smallest_spread_is_reached_by_two_values():
    # One of four at 18, three at 30: mean 27, SD 5.196.
    bound = {"mean": P("27.000"), "cut": 18, "below": 1, "n": 4}
    assert check_spread.smallest_spread(printed=P("5.20"), **bound).verdict == HOLDS
    assert check_spread.smallest_spread(printed=P("5.18"), **bound).verdict == FAILS


def test_a_group_has_the_spread_that_the_others_leave():
    rng = np.random.default_rng(0)
    groups = [rng.normal(m, s, n) for m, s, n in ((20, 5, 300), (30, 3, 200), (25, 8, 100))]
    every = np.concatenate(groups)
    halves = every[:350], every[350:]
    described = [{"n": len(g), "mean": P(f"{g.mean():.3f}"), "sd": P(f"{g.std():.3f}")} for g in (*groups, *halves)]
    (a, b, c), other = described[:3], described[3:]
    arguments = {"n": c["n"], "mean": c["mean"], "others": [a, b], "regrouped": other}
    assert check_spread.pooled_spread(printed=P(f"{groups[2].std():.1f}"), **arguments).verdict == HOLDS
    assert check_spread.pooled_spread(printed=P("2.0"), **arguments).verdict == FAILS
    means = [{"n": g["n"], "mean": g["mean"]} for g in described]
    assert check_spread.pooled_mean(groups=means[:3], regrouped=means[3:]).verdict == HOLDS
    assert check_spread.pooled_mean(groups=means[:3], regrouped=means[3:4]).verdict == FAILS


def test_another_source_that_is_not_there_cannot_be_checked():
    assert check_sources.independent_of(values=[P("1"), P("2")], entry="x", library={}).verdict == UNKNOWN
    assert check_sources.attributed(printed=P("1"), entry="x", metric="m", library={}).verdict == UNKNOWN


ODD = [
    0,
    1,
    -1,
    10**9,
    10**20,
    0.5,
    math.nan,
    math.inf,
    True,
    None,
    "",
    "x",
    "0",
    "0.0%",
    "<0.1",
    [],
    {},
    [0, 0],
    [[0, 0], [0, 0]],
    [[0, 0], [0, 5]],
    [0, 10**9],
    ["0", "0"],
    ["1", "1"],
    [["0", "0", "0"]],
    {"a": ["0", "0", "0"], "b": ["1", "1", "1"]},
]


def _one_claim_of_every_kind():
    """{kind: arguments as YAML has them}."""
    found = {}
    for entry in load_entries().values():
        for group in read_yaml(entry.path).get("claims", []):
            shared = {k: v for k, v in group.items() if k not in ("kind", "where", "rows")}
            row = {**shared, **group["rows"][0]}
            found.setdefault(group["kind"], {k: v for k, v in row.items() if k not in ("what", "whose")})
    return found


KINDS = _one_claim_of_every_kind()


def test_the_sources_use_nearly_every_kind_of_check():
    assert set(CHECKS) - set(KINDS) <= {"proportion_interval"}


@pytest.mark.parametrize("kind", KINDS)
def test_odd_arguments_are_refused_or_answered(kind):
    for name in KINDS[kind]:
        for odd in ODD:
            _try(kind, {**KINDS[kind], name: odd})
    with pytest.raises(ValueError, match="lacks"):
        read_arguments(kind, {})
    with pytest.raises(ValueError, match="unknown nonsense"):
        read_arguments(kind, {**KINDS[kind], "nonsense": 1})


def _try(kind, given):
    check = CHECKS[kind]
    try:
        arguments = read_arguments(kind, given)
    except ValueError as error:
        assert "expected" in str(error)
        return
    try:
        outcome = check.function(**arguments, **({"library": {}} if check.uses_library else {}))
    except DataError:
        return
    assert isinstance(outcome, Outcome)
    assert outcome.verdict in VERDICTS
