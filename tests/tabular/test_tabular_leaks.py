"""Columns that give the answer away, and columns that only help."""

import math

import numpy as np
import pytest

from segtumor.errors import ConfigError
from segtumor.tabular.encoder import plans_of
from segtumor.tabular.leaks import refuse_leaks, report_column
from segtumor.tabular.values import fold_of

TUMOR = [False] * 20 + [True] * 20
FOLDS = [fold_of(f"case{index}") for index in range(40)]


def report(values, encoding="onehot", tumor=TUMOR):
    (plan,) = plans_of([["column", encoding]], where="COLUMNS")
    return report_column(plan, [{"column": value} for value in values], tumor, FOLDS)


def refuse(found, allowed=()):
    refuse_leaks([found], allowed=allowed, where="COLUMNS", override="ALLOWED")


def test_a_column_that_is_empty_for_normals_is_refused_with_its_numbers():
    found = report([None] * 20 + ["femur", "tibia"] * 10)
    assert found.auc_missing == 1.0 and found.leaks
    with pytest.raises(ConfigError) as error:
        refuse(found)
    text = str(error.value)
    assert "column: missing in 20 of 20 normal images and 0 of 20 with a tumour, AUC 1.00" in text
    assert 'set ALLOWED "[column]"' in text
    refuse(found, allowed=["column"])


def test_it_does_not_matter_which_kind_is_empty():
    assert report(["femur"] * 20 + [None] * 20).auc_missing == 1.0


def test_a_column_whose_values_are_the_answer_is_refused():
    found = report(["no"] * 20 + ["yes", "perhaps"] * 10)
    assert found.auc_missing == 0.5 and found.auc_value == 1.0
    with pytest.raises(ConfigError, match=r"AUC of its values 1\.00"):
        refuse(found)


def test_numbers_that_are_the_answer_are_refused():
    assert report([*range(20), *range(50, 70)], "zscore").leaks


def test_a_column_that_says_nothing_or_something_passes():
    rng = np.random.default_rng(0)
    assert not report(rng.integers(0, 90, 40).tolist(), "zscore").leaks
    helping = report(
        rng.permutation(["a"] * 14 + ["b"] * 6).tolist() + rng.permutation(["a"] * 6 + ["b"] * 14).tolist()
    )
    assert not helping.leaks and 0.55 < helping.auc_value < 0.9


def test_names_of_their_own_foretell_nothing():
    found = report([f"name {index}" for index in range(40)], "label")
    assert not found.leaks  # nobody else has the name: all that is known is the mean of the other folds


def test_of_one_kind_alone_nothing_can_be_said():
    found = report(["a"] * 40, tumor=[True] * 40)
    assert math.isnan(found.auc_missing) and math.isnan(found.auc_value) and not found.leaks


def test_rows_of_unknown_class_do_not_count():
    found = report([None] * 20 + ["femur"] * 20, tumor=[None] * 10 + TUMOR[10:])
    assert (found.n_normal, found.n_tumor, found.missing_normal) == (10, 20, 10)
