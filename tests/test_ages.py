"""One definition of an age and of the age groups, and that tables, splits, subgroups and plots agree on it."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segtumor.ages import AGE_GROUP, AGE_GROUP_STARTS, AGE_GROUPS, age_group, age_groups, is_age
from segtumor.annotations.coco import dataset_of
from segtumor.annotations.tables.cells import age_years
from segtumor.datasets.counts import describe
from segtumor.datasets.splits.strata import attribute_text
from segtumor.evaluation.facts.facts import facts_of
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.study.subgroup_fields import divisions_of
from segtumor.structures.lesions import AnnotatedImage, ImageResult

GROUPS = {"<18": (0, 9.9, 17, 17.99), "18-39": (18, 39.9), "40-59": (40, 59), ">=60": (60, 101, 130)}
NO_AGE = (None, math.nan, math.inf, -1, 130.1, "12", "", True, [12], {})


@pytest.mark.parametrize(("group", "ages"), GROUPS.items())
def test_age_groups(group, ages):
    assert {age_group(kind(age)) for age in ages for kind in (float, np.float64)} == {group}


def test_what_is_no_age_has_no_group():
    assert not any(map(is_age, NO_AGE)) and {age_group(value) for value in NO_AGE} == {None}


def test_the_groups_begin_where_they_say():
    assert [age_group(start) for start in (0, *AGE_GROUP_STARTS)] == list(AGE_GROUPS)
    assert age_groups() == AGE_GROUPS and age_groups((18,)) == ("<18", ">=18")


@settings(max_examples=25, deadline=None)
@example(17.99)
@example(18)
@example(130)
@example(130.1)
@given(st.one_of(st.floats(), st.integers(), st.booleans(), st.none(), st.text(max_size=5)))
def test_tables_splits_and_subgroups_agree(age):
    image = {"id": 1, "file_name": "a.png", "width": 8, "height": 8, "age": age, "case_id": "a", "site": "tibia"}
    group = attribute_text(image, AGE_GROUP)
    counted = {table.title: table.rows for table in _statistics(image).tables}
    assert counted.get("Age group (years)", [("unknown",)])[0][0] == group
    facts = facts_of([ImageResult(AnnotatedImage(1, "a.png", (8, 8), (), image), ())], ("a",), StudySettings())
    levels = {division.field: list(division.levels) for division in divisions_of(facts)[0]}
    assert levels.get(AGE_GROUP, ["unknown"]) == [group]


@given(st.floats(0, 200))
def test_an_age_that_a_table_gives_is_an_age(age):
    read = age_years(f"{age:.3f}")
    assert (read is not None) == (round(age, 3) <= 130) and (read is None or is_age(read))


def _statistics(image):
    document = {"images": [image], "annotations": [], "categories": [{"id": 1, "name": "benign"}]}
    return describe({"all": dataset_of(document, "images")})
