"""Whether Dice, recall, sensitivity, specificity and accuracy differ across the levels of a field.

Kruskal-Wallis for Dice, chi-squared for proportions; Holm's adjustment over all tests of a study. Both tests take their
units to be independent, which lesions and images of one case are not: p values are then too small, as the note says.
Level "unknown" is left out. The label of the image is no field to test: whether it says tumour or not decides what is
right, and its other levels are the classes. Not here: which levels differ, for which see the intervals in
``subgroups``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from segtumor.arrays import Bools, Floats, Ints
from segtumor.evaluation.facts.facts import Facts
from segtumor.evaluation.measures.measure import LESIONS
from segtumor.evaluation.study.subgroup_fields import IMAGE_LABEL, UNKNOWN, Division
from segtumor.evaluation.study.values import GroupTest
from segtumor.statistics.hypothesis import chi_squared, holm, kruskal_wallis

_NAN = float("nan")
_LESIONS, _IMAGES = ("dice", "lesion_recall"), ("image_sensitivity", "image_specificity", "image_accuracy")
_NOT_INDEPENDENT = {
    "lesions": "lesions of one case are not independent",
    "images": "images of one case are not independent",
}


def group_tests(facts: Facts, divisions: Sequence[Division]) -> list[GroupTest]:
    """GroupTests of Facts across the levels of Divisions, with Holm's adjustment over all of them."""
    tests = [test for division in divisions if division.field != IMAGE_LABEL for test in _tests_of(facts, division)]
    adjusted = holm([test.p_value for test in tests])
    return [replace(test, p_holm=float(p)) for test, p in zip(tests, adjusted, strict=True)]


def _tests_of(facts: Facts, division: Division) -> list[GroupTest]:
    levels = {
        level: members
        for level, members in division.levels.items()
        if level != UNKNOWN and len(members) >= facts.settings.min_group
    }
    if len(levels) < 2:
        return []
    names = _LESIONS if division.of == LESIONS else (*_LESIONS, *_IMAGES)
    if division.overlapping:
        note = "not tested: some images belong to several groups"
        return [GroupTest(division.field, name, "none", _NAN, _NAN, _NAN, len(levels), note) for name in names]
    return [_test(facts, division, levels, name) for name in names]


def _test(facts: Facts, division: Division, levels: Mapping[str, Ints], name: str) -> GroupTest:
    values, counted = _units(facts, name)
    of_lesions = name in _LESIONS
    groups = [_members(facts, division, members, of_lesions) for members in levels.values()]
    samples = [values[members[counted[members]]] for members in groups]
    samples = [sample for sample in samples if len(sample)]
    if name == "dice":
        result = kruskal_wallis(samples)
    else:
        table = [[int(s.sum()), int(len(s) - s.sum())] for s in samples]
        result = chi_squared(np.array(table, dtype=np.int64).reshape(-1, 2))
    note = "; ".join(filter(None, [result.note, _NOT_INDEPENDENT["lesions" if of_lesions else "images"]]))
    return GroupTest(division.field, name, result.name, result.statistic, result.p_value, _NAN, len(samples), note)


def _units(facts: Facts, name: str) -> tuple[Floats | Bools, Bools]:
    """Value of each lesion or image, and whether it counts."""
    calls, lesions = facts.calls, facts.lesions
    if name in _LESIONS:
        return (lesions.dice if name == "dice" else lesions.hit), np.ones(len(lesions), dtype=np.bool_)
    counted = {
        "image_sensitivity": calls.tumor,
        "image_specificity": ~calls.tumor,
        "image_accuracy": np.ones(len(calls), dtype=np.bool_),
    }[name]
    return calls.positive == calls.tumor, counted


def _members(facts: Facts, division: Division, members: Ints, of_lesions: bool) -> Ints:
    """Indices of the lesions or images of a level."""
    if of_lesions and division.of != LESIONS:
        return np.flatnonzero(np.isin(facts.lesions.image, members))
    return members
