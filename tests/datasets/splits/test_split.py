"""Splits: no case in two parts, every image once, the same every time."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtumor.datasets.splits.deal import grouped_split
from segtumor.datasets.splits.document import read_split, reuse_split, split_document
from segtumor.datasets.splits.split import Split, check_cases_whole, make_split
from segtumor.errors import ConfigError, DataError

THIRDS = {"train": 0.7, "val": 0.1, "test": 0.2}
LABELS = ("normal", "benign", "malignant")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 15), st.sampled_from(LABELS)), max_size=60), st.integers(0, 1000))
def test_a_grouped_split_is_a_partition_of_groups(images, seed):
    groups, strata = [g for g, _ in images], [label for _, label in images]
    parts = grouped_split(groups, strata, fractions=THIRDS, seed=seed)
    assert sorted(i for indices in parts.values() for i in indices) == list(range(len(images)))
    parts_of_group = {g: {part for part, indices in parts.items() for i in indices if groups[i] == g} for g in groups}
    assert all(len(in_parts) == 1 for in_parts in parts_of_group.values())
    assert parts == grouped_split(groups, strata, fractions=THIRDS, seed=seed)


def test_strata_and_fractions_are_kept():
    groups = list(range(300))
    strata = ["normal"] * 100 + ["benign"] * 150 + ["malignant"] * 50
    parts = grouped_split(groups, strata, fractions=THIRDS, seed=3)
    counts = {part: [sum(strata[i] == label for i in indices) for label in LABELS] for part, indices in parts.items()}
    assert counts == {"train": [70, 105, 35], "val": [10, 15, 5], "test": [20, 30, 10]}


def test_fractions_count_images_within_one_case():
    sizes = [1, 2, 3, 4, 5] * 20
    groups = [g for g, size in enumerate(sizes) for _ in range(size)]
    parts = grouped_split(groups, ["benign"] * 300, fractions=THIRDS, seed=0)
    for part, fraction in THIRDS.items():
        assert abs(len(parts[part]) - 300 * fraction) <= 5


def test_a_case_counts_as_its_gravest_image():
    parts = grouped_split(
        ["a", "a", "b", "b"], ["normal", "malignant", "malignant", "normal"], fractions={"x": 0.5, "y": 0.5}, seed=0
    )
    assert sorted(parts.values()) == [[0, 1], [2, 3]]  # one stratum of two cases, so one case for each part


def test_another_seed_gives_another_split():
    arguments = (list(range(50)), ["benign"] * 50)
    first, second = (grouped_split(*arguments, fractions=THIRDS, seed=seed) for seed in (0, 1))
    assert first != second


@pytest.mark.parametrize("fractions", [{}, {"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": float("nan"), "b": 1}])
def test_fractions_that_are_no_shares_are_refused(fractions):
    with pytest.raises(ConfigError, match="add up to 1"):
        grouped_split([1], ["benign"], fractions=fractions, seed=0)


def _split(kind="grouped", seed=0):
    names = [f"{n}.png" for n in range(12)]
    return make_split(kind, names, [f"case{n // 2}" for n in range(12)], ["benign"] * 12, seed=seed)


def _saved(tmp_path, split):
    path = tmp_path / "split.json"
    path.write_text(json.dumps(split_document(split, {part: {"images": 0} for part in split.parts})))
    return path


def test_a_split_file_gives_the_split_back(tmp_path):
    split = _split()
    read = read_split(_saved(tmp_path, split))
    assert read == split and read.sha256 == split.sha256 and read.parts == ("train", "val", "test")


def test_the_hash_is_of_the_assignment_alone():
    split = _split()
    turned = dict(reversed(split.assignment.items()))
    assert Split("grouped", 99, split.fractions, turned).sha256 == split.sha256
    assert _split(seed=1).sha256 != split.sha256


def test_a_case_in_two_parts_is_refused_by_name(tmp_path):
    split = _split()
    moved = {name: dict(entry) for name, entry in split.assignment.items()}
    moved["0.png"]["part"] = "val" if moved["1.png"]["part"] != "val" else "test"
    with pytest.raises(DataError, match=r"1 cases are in several parts of the split: case0 \("):
        check_cases_whole(moved)
    path = _saved(tmp_path, Split("grouped", 0, split.fractions, moved))
    with pytest.raises(DataError, match="case0"):
        read_split(path)


def test_an_image_split_is_taken_only_when_allowed(tmp_path):
    path = _saved(tmp_path, _split("image"))
    with pytest.raises(DataError, match="several parts"):
        read_split(path)
    assert read_split(path, allow_shared_cases=True).kind == "image"


def test_none_puts_everything_into_one_part():
    split = _split("none")
    assert {entry["part"] for entry in split.assignment.values()} == {"all"} and len(split.assignment) == 12


def test_reuse_wants_every_image_and_knows_cases_better():
    split = _split()
    names = list(split.assignment)
    reuse_split(split, names[:3])
    with pytest.raises(DataError, match=r"1 images are not in the split: new.png"):
        reuse_split(split, [*names, "new.png"])
    with pytest.raises(DataError, match="several parts"):
        reuse_split(split, names, dict.fromkeys(names, "one case"))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"schema_version": 3}, "not a split file"),
        ({"kind": "other"}, "incomplete"),
        ({"assignment": []}, "incomplete"),
        ({"assignment": {"a.png": {"case_id": "c", "part": "nowhere"}}}, "assignment of a.png"),
        ({"assignment": {"a.png": {"part": "val"}}}, "assignment of a.png"),
        ({"split_sha256": "0"}, "altered"),
    ],
)
def test_a_damaged_split_file_is_refused(tmp_path, change, expected):
    path = _saved(tmp_path, _split())
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=expected):
        read_split(path)
