"""Imputation, scaling and encoding: tables one can check by eye, and scikit-learn."""

import json

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.model_selection import PredefinedSplit
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from segtumor.errors import ConfigError, DataError
from segtumor.tabular.categories import MOST_CATEGORIES, fit_categories, out_of_fold_rates, target_rates
from segtumor.tabular.encoder import TableEncoder, fit_table, plans_of
from segtumor.tabular.numbers import IMPUTATIONS, fit_numbers
from segtumor.tabular.values import FOLDS, fold_of, number_of, parts_of, value_in

AGES = [10, 20, 20, 70, None]
WHERE = "MODEL.CLINICAL.COLUMNS"


def features(column, value, **options):
    return column.encode(value, **options).features


@pytest.mark.parametrize(("imputation", "fill"), [("mean", 30), ("median", 20), ("mode", 20)])
def test_a_missing_number_takes_the_fill_and_says_so(imputation, fill):
    column = fit_numbers("age", AGES, encoding="minmax", imputation=imputation)
    assert column.fill == fill
    assert features(column, None) == ((fill - 10) / 60, 1.0) and column.encode(None).state == "missing"
    assert features(column, 40) == (0.5, 0.0) and features(column, "40") == (0.5, 0.0)


@pytest.mark.parametrize(
    ("value", "scaled", "state"), [(10, 0, "known"), (70, 1, "known"), (5, 0, "outside"), (130, 1, "outside")]
)
def test_a_number_beyond_the_training_rows_is_cut(value, scaled, state):
    encoded = fit_numbers("age", AGES, encoding="minmax").encode(value)
    assert encoded.features == (scaled, 0.0) and encoded.state == state


def test_the_mode_of_several_is_the_smallest():
    assert IMPUTATIONS["mode"]([3, 1, 3, 1, 2]) == 1


@pytest.mark.parametrize("encoding", ["minmax", "zscore"])
def test_equal_numbers_become_zero(encoding):
    assert features(fit_numbers("grade", [2, 2, None], encoding=encoding), 2) == (0.0, 0.0)


def test_numbers_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    values = np.where(rng.random(60) < 0.2, np.nan, rng.integers(0, 9, 60) / 2).astype(float)
    theirs = {"mean": "mean", "median": "median", "mode": "most_frequent"}
    for encoding, scaler in (("minmax", MinMaxScaler()), ("zscore", StandardScaler())):
        scaler.fit(values[~np.isnan(values)][:, None])
        for imputation, strategy in theirs.items():
            column = fit_numbers("x", values.tolist(), encoding=encoding, imputation=imputation)
            imputer = SimpleImputer(strategy=strategy, add_indicator=True)
            filled = imputer.fit_transform(values[:, None])
            expected = np.column_stack([scaler.transform(filled[:, :1]), filled[:, 1]])
            np.testing.assert_allclose([features(column, v) for v in values.tolist()], expected)


SEX = ["M", "F", "F", None]
SITES = [["femur"], ["tibia", "femur"], ["Tibia "], []]


@pytest.mark.parametrize(
    ("encoding", "value", "expected", "state"),
    [
        ("onehot", ["femur"], (1, 0, 0), "known"),
        ("onehot", ["tibia", "femur"], (1, 1, 0), "known"),
        ("onehot", "TIBIA", (0, 1, 0), "known"),
        ("onehot", ["skull"], (0, 0, 0), "unknown"),
        ("onehot", [], (1, 0, 1), "missing"),  # of femur, both, and tibia, each once, the first in the alphabet
        ("label", ["femur"], (0, 0), "known"),
        ("label", ["femur", "tibia"], (0.5, 0), "known"),
        ("label", ["tibia"], (1, 0), "known"),
        ("label", ["skull"], (-1, 0), "unknown"),
        ("label", None, (0, 1), "missing"),
    ],
)
def test_categories_that_one_can_check_by_eye(encoding, value, expected, state):
    encoded = fit_categories("site", SITES, encoding=encoding).encode(value)
    assert encoded.features == expected and encoded.state == state


def test_categories_agree_with_scikit_learn():
    values = list(np.random.default_rng(1).choice(["a", "b", "c", "d"], 40))
    column = np.array(values)[:, None]
    one_hot, label = (fit_categories("x", values, encoding=name) for name in ("onehot", "label"))
    asked = ["a", "b", "c", "d", "e"]
    theirs = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(column).transform(np.array(asked)[:, None])
    np.testing.assert_array_equal([features(one_hot, value)[:-1] for value in asked], theirs)
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(column)
    expected = ordinal.transform(np.array(asked)[:, None])[:, 0]
    np.testing.assert_allclose([features(label, value)[0] for value in asked], np.where(expected < 0, -1, expected / 3))


def test_target_rates_that_one_can_check_by_eye():
    values, positive = ["a", "a", "b", "b"], [True, True, True, False]  # 3 of 4 positive
    assert target_rates(values, positive, ["a", "b"], smoothing=0).tolist() == [1.0, 0.5, 0.75]
    assert target_rates(values, positive, ["a", "b", "c"], smoothing=2).tolist() == [0.875, 0.625, 0.75, 0.75]
    assert target_rates([], [], ["a"]).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("smoothing", [0.0, 1.0, 10.0])
def test_target_encoding_agrees_with_scikit_learn(smoothing):
    rng = np.random.default_rng(2)
    values, positive = rng.choice(["a", "b", "c"], 90), rng.random(90) < 0.4
    folds = rng.integers(0, FOLDS, 90)
    ours = target_rates(values.tolist(), positive.tolist(), ["a", "b", "c"], smoothing)
    theirs = TargetEncoder(smooth=smoothing, target_type="binary").fit(values[:, None], positive)
    np.testing.assert_allclose(ours[:3], theirs.encodings_[0])
    # A row of a fold is encoded by an encoder that was fitted on the rows of all other folds.
    by_fold = out_of_fold_rates(values.tolist(), positive.tolist(), folds.tolist(), ["a", "b", "c"], smoothing)
    for train, test in PredefinedSplit(folds).split():
        encoder = TargetEncoder(smooth=smoothing, target_type="binary").fit(values[train][:, None], positive[train])
        expected = encoder.transform(values[test][:, None])[:, 0]
        np.testing.assert_allclose(by_fold[folds[test[0]], ["abc".index(v) for v in values[test]]], expected)


def test_a_rows_own_label_is_not_in_its_target_encoding():
    values, folds = list("abcde"), [0, 1, 2, 3, 4]
    encoded = []
    for own in (True, False):
        column = fit_categories(
            "x", values, encoding="target", positive=[own, True, False, True, False], folds=folds, smoothing=1
        )
        encoded.append(features(column, "a", fold=0))
    assert encoded[0] == encoded[1] == (0.5, 0.0)  # nobody else has "a": the mean of the others
    assert features(column, "a") == (0.2, 0.0)  # new rows: 0 of 1, and one of the mean 0.4
    assert features(column, "z") == (0.4, 0.0) and column.encode("z").state == "unknown"


def test_rows_of_unknown_class_do_not_count_as_target():
    column = fit_categories("x", ["a", "a"], encoding="target", positive=[True, None], folds=[0, 1], smoothing=0)
    assert column.rates == (1.0, 1.0)


@pytest.mark.parametrize(
    ("value", "number", "parts"),
    [
        (3, 3.0, ("3",)),
        ("3.0", 3.0, ("3.0",)),
        (3.0, 3.0, ("3",)),
        (float("nan"), None, ()),
        (True, None, ("true",)),
        (None, None, ()),
        ("", None, ()),
        (["b", "A ", "b", ""], None, ("a", "b")),
        ([], None, ()),
    ],
)
def test_what_a_value_is(value, number, parts):
    assert number_of(value) == number and parts_of(value) == parts


def test_ages_are_ages_and_make_age_groups():
    assert value_in({"age": 12}, "age_group") == "<18" and value_in({"age": 12}, "age") == 12
    assert value_in({"age": 999}, "age") is None and value_in({}, "age_group") is None


def test_a_case_has_one_fold():
    assert fold_of("case1") == fold_of("case1") and {fold_of(f"case{i}") for i in range(99)} == set(range(FOLDS))


@pytest.mark.parametrize(
    ("fit", "match"),
    [
        (lambda: fit_numbers("age", ["M", 3], encoding="zscore"), "holds other values .got 1 of 2"),
        (lambda: fit_numbers("age", [None, ""], encoding="zscore"), "no row has a number"),
        (lambda: fit_numbers("age", [1], encoding="zscore", imputation="zero"), "unknown imputation"),
        (lambda: fit_numbers("age", [1], encoding="log"), "unknown scaling"),
        (lambda: fit_categories("site", [[], None], encoding="onehot"), "no row has a value"),
        (lambda: fit_categories("id", range(MOST_CATEGORIES + 1), encoding="label"), "too many different categories"),
    ],
)
def test_columns_that_cannot_be_fitted_are_refused(fit, match):
    with pytest.raises((DataError, ConfigError), match=match):
        fit()


ROWS = [
    {"age": 12, "sex": "M", "site": ["femur"]},
    {"age": 60, "sex": "F", "site": ["tibia"]},
    {"age": None, "sex": "F", "site": []},
]


def fitted(columns=(("age", "zscore", "mean"), ("sex", "onehot"), ("site", "target"))):
    return fit_table(plans_of(columns, where=WHERE), ROWS, [True, False, True], [0, 1, 2])


def test_a_table_is_one_vector_and_plain_values():
    table = fitted()
    assert table.names == ("age", "sex", "site") and table.width == 2 + 3 + 2
    assert table.features(ROWS[0])[:5] == [-1.0, 0.0, 0.0, 1.0, 0.0]
    again = TableEncoder.from_dicts(json.loads(json.dumps(table.as_dicts())), where=WHERE)
    assert again == table
    for fold in (None, 0, 4):
        assert again.features(ROWS[1], fold) == table.features(ROWS[1], fold)


def test_what_stands_in_is_said_without_values():
    table = fitted()
    assert table.remarks(ROWS[0]) == []
    sentences = table.remarks({"age": 99, "site": ["skull"]})
    assert sentences == [
        "Not given, the usual value of the training set stands in: sex.",
        "Beyond the range of the training set, cut to it: age.",
        "Not among the categories of the training set: site.",
    ]


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ([["age"]], "not a column"),
        ([["age", 3]], "not a column"),
        (["age"], "not a column"),
        ([["age", "log"]], "unknown encoding"),
        ([["age", "zscore", "zero"]], "unknown imputation"),
        ([["sex", "onehot", "mean"]], "unknown imputation"),
        ([["age", "zscore"], ["age", "minmax"]], "named twice"),
        ([["image_label", "onehot"]], "not an input"),
        ([["case_id", "label"]], "not an input"),
    ],
)
def test_plans_that_are_none_are_refused(columns, match):
    with pytest.raises(ConfigError, match=match):
        plans_of(columns, where=WHERE)


@pytest.mark.parametrize("change", [{"encoding": "log"}, {"scale": 0}, {"extra": 1}, {"fill": "x"}])
def test_damaged_fits_are_refused(change):
    columns = fitted().as_dicts()
    columns[0].update(change)
    with pytest.raises(ConfigError, match="not what training wrote"):
        TableEncoder.from_dicts(columns, where=WHERE)
