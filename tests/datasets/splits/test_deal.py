"""Folds and strata of several keys: balanced, whole cases, the same every time; by label alone as published."""

import hashlib
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtumor.datasets.splits.deal import DEFAULT_FRACTIONS, grouped_split, kfold_split, merged_strata
from segtumor.datasets.splits.strata import attribute_text, image_labels, stratum_keys
from segtumor.errors import ConfigError

SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}
LABELS = ("normal", "benign", "malignant")
#: Images of few cases: (case, label, centre, age group).
IMAGES = st.lists(
    st.tuples(st.integers(0, 25), st.sampled_from(LABELS), st.sampled_from("12"), st.sampled_from("abc")),
    min_size=1,
    max_size=80,
)


def _columns(images):
    return [i[0] for i in images], [i[1] for i in images], [(i[2], i[3]) for i in images]


def test_a_split_by_label_alone_is_the_published_one():
    """The frozen hash is that of the first release; BTXRD's published parts rest on it."""
    rng = np.random.default_rng(7)
    cases = [f"case{n}" for n in rng.integers(0, 400, 1000)]
    labels = [LABELS[n] for n in rng.integers(0, 3, 1000)]
    parts = grouped_split(cases, labels, fractions=SHARES, seed=3)
    digest = hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()
    assert digest == "c6bfa3302baa97d21e46335b0b28c6a369edd5fc995c1298c82d2e23b3478e1b"


@settings(max_examples=40, deadline=None)
@given(IMAGES, st.integers(0, 99))
def test_parts_keep_cases_whole_and_their_shares(images, seed):
    cases, labels, within = _columns(images)
    parts = grouped_split(cases, labels, fractions=SHARES, seed=seed, within=within)
    assert sorted(i for indices in parts.values() for i in indices) == list(range(len(images)))
    assert sum(len({cases[i] for i in indices}) for indices in parts.values()) == len(set(cases))
    largest = max(Counter(cases).values())
    for part, share in SHARES.items():
        # In each label a part gets at most one case too many, so that a third part lacks at most two.
        assert abs(len(parts[part]) - share * len(images)) <= 2 * len(LABELS) * largest
    assert parts == grouped_split(cases, labels, fractions=SHARES, seed=seed, within=within)


@settings(max_examples=40, deadline=None)
@given(IMAGES, st.integers(0, 99), st.integers(2, 5), st.booleans())
def test_every_image_is_in_one_fold_and_folds_differ_by_one_case(images, seed, folds, stratified):
    cases, labels, within = _columns(images)
    options = {"folds": folds, "seed": seed, "within": within if stratified else None}
    if folds > len(set(cases)):
        with pytest.raises(ConfigError, match="number of folds"):
            kfold_split(cases, labels, **options)
        return
    made = kfold_split(cases, labels, **options)
    assert len(made) == folds and sorted(i for fold in made for i in fold) == list(range(len(images)))
    assert sum(len({cases[i] for i in fold}) for fold in made) == len(set(cases))
    assert max(map(len, made)) - min(map(len, made)) <= max(Counter(cases).values())
    assert made == kfold_split(cases, labels, **options)


def test_further_keys_are_divided_in_proportion():
    centers = ["1"] * 100 + ["2"] * 50 + ["3"] * 50
    cases, labels = list(range(200)), ["benign"] * 200
    parts = grouped_split(cases, labels, fractions=SHARES, seed=0, within=[(c,) for c in centers])
    counts = {part: Counter(centers[i] for i in indices) for part, indices in parts.items()}
    for part, share in SHARES.items():
        for center, number in Counter(centers).items():
            assert abs(counts[part][center] - share * number) <= 1
    folds = kfold_split(cases, labels, folds=5, seed=0, within=[(c,) for c in centers])
    assert [Counter(centers[i] for i in fold) for fold in folds] == [{"1": 20, "2": 10, "3": 10}] * 5


def test_rare_combinations_do_not_all_go_to_training():
    """Forty centres of one case each: stratified by centre alone, each would begin anew with the training part."""
    parts = grouped_split(range(40), ["benign"] * 40, fractions=SHARES, seed=1, within=[(str(n),) for n in range(40)])
    assert {part: len(indices) for part, indices in parts.items()} == {"train": 28, "val": 4, "test": 8}


def test_strata_of_few_cases_lose_their_last_key():
    keys = [(1, "a", "x")] * 10 + [(1, "a", "y")] * 3 + [(1, "b", "x")] * 2 + [(2, "a", "x")] * 4
    merged = merged_strata(keys, min_count=10)
    assert Counter(merged) == {(1, "a", "x"): 10, (1,): 5, (2,): 4}
    assert merged_strata([]) == [] and merged_strata([(0,)] * 2) == [(0,), (0,)]


def test_attributes_as_text():
    image = {"site": ["tibia", "femur"], "center": 1.0, "sex": None, "age": 12, "empty": []}
    keys = ("site", "center", "sex", "age_group", "empty", "nothing")
    assert [attribute_text(image, key) for key in keys] == [
        "femur+tibia",
        "1",
        "unknown",
        "<18",
        "unknown",
        "unknown",
    ]
    assert stratum_keys([image], ["label"]) is None
    assert stratum_keys([image], ["label", "center", "site"]) == [("1", "femur+tibia")]
    with pytest.raises(ConfigError, match=r"no image has this attribute .*got sex; expected age, center, empty"):
        stratum_keys([image], ["sex"])


def test_labels_come_from_the_image_or_its_gravest_lesion():
    images = [{"id": 1, "image_label": "malignant"}, {"id": 2}, {"id": 3}, {"id": 4, "image_label": "odd"}]
    classes = {1: [0], 3: [0, 1, 0], 4: [0]}
    labels, severity = image_labels(images, classes, ["osteochondroma", "malignant"])
    assert (labels, severity) == (["malignant", "normal", "malignant", "benign"], LABELS)
    labels, severity = image_labels(images, classes, ["crack", "fracture"])
    assert (labels, severity) == (["crack", "normal", "fracture", "crack"], ("normal", "crack", "fracture"))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["normal", "benign", "malignant"], {"train": ["malignant"], "val": ["benign"], "test": ["normal"]}),
        (["normal", "normal", "benign"], {"train": ["benign"], "val": ["normal"], "test": ["normal"]}),
        (["normal", "benign"], {"train": ["benign", "normal"], "val": [], "test": []}),  # fewer cases than parts
    ],
)
def test_of_few_cases_each_part_gets_one_the_gravest_first(labels, expected):
    for seed in range(5):
        parts = grouped_split(list(range(len(labels))), labels, fractions=DEFAULT_FRACTIONS, seed=seed)
        assert {part: sorted(labels[i] for i in indices) for part, indices in parts.items()} == expected


def test_six_cases_leave_no_part_without_a_lesion():
    labels = ["normal", "benign", "malignant"] * 2
    for seed in range(5):
        parts = grouped_split(list(range(6)), labels, fractions=DEFAULT_FRACTIONS, seed=seed)
        assert all({labels[i] for i in indices} - {"normal"} for indices in parts.values())
