"""One definition of the case of an image: what is one case, what is none, and that every command agrees."""

import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segtumor.annotations.plausibility import dataset_warnings
from segtumor.annotations.reader_marks import read_reader_marks
from segtumor.annotations.tables.image_tables import match_images, read_image_table
from segtumor.cases import case_of, case_or_own, case_text, cases_alike, doubts, is_placeholder, own_case
from segtumor.datasets.counts import describe
from segtumor.datasets.image_checks import _cases as said_of_pair
from segtumor.datasets.leaks import find_leaks
from segtumor.datasets.splits.cases import known_cases, read_case_table
from segtumor.datasets.splits.output import summarize
from segtumor.datasets.splits.split import cases_in_several_parts, leak_numbers
from segtumor.errors import ConfigError
from segtumor.evaluation.facts.cases import case_table
from segtumor.evaluation.facts.temperature import refuse_shared
from segtumor.files import write_json
from segtumor.literature.comparison.leak import case_of_result, read_training
from segtumor.structures.lesions import AnnotatedImage
from segtumor.taxonomy import Taxonomy

SAME = [
    ("12", ["12", "12.0", "12.00", 12, 12.0, " 12", "12\n", "\ufeff12", "\u00a012", np.int64(12), np.float64(12.0)]),
    ("7", ["7", "7 ", 7, 7.0, "7.0 "]),
    ("0", [0, 0.0, -0.0, "0", "0.0", "-0"]),
    ("12.5", [12.5, "12.5"]),
    ("-3", [-3, "-3.0"]),
    ("12345678901234567890", [12345678901234567890, "12345678901234567890", "12345678901234567890.0"]),
    ("P 7", ["P 7", "P  7 ", "P\t7"]),
    ("M\u00fcller", ["M\u00fcller", "Mu\u0308ller"]),
]
NONE = [None, "", "  ", "nan", "NaN", "None", "null", "N/A", "<NA>", math.nan, np.float64("nan"), math.inf, [], {}]
DIFFERENT = ["007", "7", "07", "7.5", "7a", "P7", "p7", "unknown", "True", "1e3", "1,000", "007.0"]


@pytest.mark.parametrize(("case", "written"), SAME, ids=[case for case, _ in SAME])
def test_one_case_is_written_in_many_ways(case, written):
    assert {case_text(value) for value in written} == {case}
    assert case_of({"case_id": written[-1]}) == case_or_own({"case_id": written[-1], "file_name": "a.png"}) == case


def test_nothing_is_no_case_and_its_image_a_case_of_its_own():
    assert [value for value in NONE if case_text(value) is not None] == []
    assert case_of({}) is None
    assert case_or_own({"file_name": "a.png", "case_id": " "}) == "image:a.png"


def test_what_may_be_two_patients_stays_two():
    assert [case_text(text) for text in DIFFERENT] == DIFFERENT
    assert cases_alike([*DIFFERENT, "c-1", "C 01"]) == [("007", "07", "7"), ("C 01", "c-1"), ("P7", "p7")]
    assert cases_alike(["10", "1", "100", "a", "b", "0", "1.5", "15", "1-11", "11-1", "case-a0b", "case-ab0"]) == []


PLACEHOLDERS = (
    "REMOVED|DEIDENTIFIED|DE-IDENTIFIED|De Identified|ANONYMIZED|ANONYMISED|Anonymous^Patient|ANON|XXXX|xxx|000|0|"
    "00000000|unknown|Unknown Patient|none|N/A|-|---|?|***|patient|TEST|test patient|REDACTED|<removed>|JOHN^DOE|NO ID"
)
PATIENTS = "ANON17|PAT-001|4711|12|0012|A|Testa|patient 3|case-0f3a|X17|Anonville 4|case-0|id7|1234|9999"


def test_placeholders_of_anonymisers_are_known_and_pseudonyms_are_none():
    assert [word for word in PLACEHOLDERS.split("|") if not is_placeholder(word)] == []
    assert [word for word in PATIENTS.split("|") if is_placeholder(word)] == []


class Part:
    """A CocoDataset of images without lesions, one for each case."""

    def __init__(self, cases, prefix, first_id=0):
        self.images = [
            {"id": i, "file_name": f"{prefix}{i}.png", "width": 8, "height": 8, "case_id": case}
            for i, case in enumerate(cases, start=first_id)
        ]
        self.image_root, self.info, self.annotations_of_image = "root", {}, {}
        self.taxonomy, self.category_id_of_class, self.class_of_category_id = Taxonomy(("benign",)), (1,), {1: 0}
        self.annotated_images = [
            AnnotatedImage(i["id"], i["file_name"], (8, 8), (), {"case_id": i["case_id"]}) for i in self.images
        ]


PAIRS = [(a, b) for _, written in SAME for a, b in [(written[0], written[-1]), (written[-1], written[0])]]


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=repr)
def test_every_command_takes_two_spellings_for_one_case(first, second, tmp_path):
    train, test = Part([first], "a"), Part([second], "b")
    case = case_text(first)
    (pair,) = find_leaks({"train": train, "test": test}).pairs
    assert pair.cases == [case] and pair.images["case"] == 1
    images, truths = [*train.images, *test.images], [*train.annotated_images, *test.annotated_images]
    assert known_cases(images) == [case, case]
    assert case_table(truths).case_ids == (case,)
    assert summarize({"images": images, "annotations": [], "categories": []}, label_of=Counter())["cases"] == 1
    assert describe({"train": train, "test": test}).tables[1].rows[-1][3] == 1  # cases of all parts
    assert said_of_pair(*images) == ", of the same case"
    assert {case_of_result(SimpleNamespace(truth=truth)) for truth in truths} == {case}
    with pytest.raises(ConfigError, match="1 cases are in both"):
        refuse_shared(train.annotated_images, test.annotated_images, where="here")
    split = {"a": {"case_id": first, "part": "train"}, "b": {"case_id": second, "part": "test"}}
    assert cases_in_several_parts(split) == {case: ["test", "train"]}
    assert leak_numbers(split).shared_cases == 1


WRITTEN = st.sampled_from(
    [
        "7 ",
        "7",
        7,
        7.0,
        "7.0",
        "007",
        0,
        "0",
        -0.0,
        "",
        " ",
        None,
        math.nan,
        "nan",
        "N/A",
        "unknown",
        "Anonymous",
        "000",
    ]
) | st.one_of(st.integers(-3, 3), st.floats(), st.text("07. aN", max_size=3))


@given(st.lists(WRITTEN, min_size=2, max_size=6))
def test_every_command_counts_the_same_cases(written):
    """Images of any cases, the odd ones in train and the even ones in test."""
    parts = {"train": Part(written[::2], "a"), "test": Part(written[1::2], "b", first_id=10)}
    images = [image for part in parts.values() for image in part.images]
    truths = [truth for part in parts.values() for truth in part.annotated_images]
    of_part = {part: {case_of(image) for image in own.images} for part, own in parts.items()}
    known, without = set().union(*of_part.values()) - {None}, sum(case_of(image) is None for image in images)
    shared = of_part["train"] & of_part["test"] - {None}
    distinct, n_cases = known_cases(images), len(known) + without
    assert set(distinct) - known == {own_case(image["file_name"]) for image in images if case_of(image) is None}
    assert len(set(distinct)) == n_cases == describe(parts).tables[1].rows[-1][3]
    assert summarize({"images": images, "annotations": [], "categories": []}, label_of=Counter())["cases"] == n_cases
    table = case_table(truths)
    assert (len(table), table.n_without_id) == (n_cases, without) and known <= set(table.case_ids)
    assert [distinct.index(case) for case in distinct] == [
        table.case_of_image.tolist().index(i) for i in table.case_of_image
    ]
    report = find_leaks(parts)
    assert report.pairs[0].cases == sorted(shared)
    assert sum(counts.images_without_case for counts in report.parts.values()) == without
    part_of = {image["file_name"]: part for part, own in parts.items() for image in own.images}
    entries = zip(images, distinct, strict=True)
    split = {image["file_name"]: {"case_id": case, "part": part_of[image["file_name"]]} for image, case in entries}
    numbers = leak_numbers(split)
    assert (numbers.cases, numbers.known_cases, numbers.shared_cases) == (n_cases, len(known), len(shared))
    assert {case_of_result(SimpleNamespace(truth=truth)) for truth in truths} - {None} == known


@pytest.mark.parametrize(("first", "second"), [("12", "12.0"), ("7 ", "7"), ("0.0", "0")])
def test_tables_of_cases_join_by_the_same_case(first, second, tmp_path):
    table, case = tmp_path / "cases.csv", case_text(first)
    table.write_text(f"image,case_id\na.png,{first}\na.png,{second}\nb.png,nan\n")
    assert read_case_table(table, ["a.png", "b.png"]) == ({0: case}, [])
    found, _ = match_images(read_image_table(table), ["a.png", "b.png"])
    assert found == {"a.png": {"case_id": case}, "b.png": {}}
    readers = tmp_path / "readers.csv"
    readers.write_text(f"reader,case_id,label\nR,{first},tumor\n")
    truths = Part([float(second)], "a").annotated_images
    assert list(read_reader_marks(readers, truths, ("benign",))[0].findings) == [0]


def test_training_parts_of_a_benchmark_are_read_alike(tmp_path):
    images = [
        {"id": i, "file_name": f"{i}.png", "width": 8, "height": 8, "case_id": case}
        for i, case in enumerate(["12.0", 12, 12.0, 0, "", None, "nan"])
    ]
    write_json(tmp_path / "train.json", {"images": images, "annotations": [], "categories": [{"id": 1, "name": "a"}]})
    training = read_training([tmp_path / "train.json"])
    assert (training.cases, training.n_without_case) == ({"12", "0"}, 3)


def test_check_warns_of_cases_that_name_no_patient_or_are_one():
    def said(*cases):
        images = [(i, {"id": i, "image_label": "normal", "case_id": case}) for i, case in enumerate(cases)]
        found = dataset_warnings(images, [], [])
        return [(p.what, p.got) for p in found if p.field == "case_id"]

    one = ("is the same in every image", "3 images of one case")
    assert said(7, "7 ", 7.0) == [one]
    assert said("a", "a") == [] and said("a", "b", "c") == [] and said("0", "1", "2") == []
    assert said("a", "a", "a", "b") == [("is the same in most images", "3 of 4 images are of one case")]
    assert said("a", "Removed", "Removed", "b") == [
        ("is a placeholder and names no patient", "'Removed' in 2 images"),
    ]
    assert said("007", "7", "x") == [("cases differ only in capitals, separators or leading zeros", "'007', '7'")]
    assert said("", "nan", None) == [("is missing in every image", "3 images")]


def test_doubtful_cases_are_told_by_leaks_and_split_too():
    assert doubts(["1", "2", "0", "x"]) == []
    said = doubts(["007", "7", "7", "removed", "P-1", "p1"])
    assert said[0].startswith("the case removed is a placeholder")
    assert said[1].endswith(": 007 and 7; P-1 and p1")
    report = find_leaks({"train": Part(["007"], "a"), "test": Part(["7"], "b")})
    assert not report.leaks and report.doubts == doubts(["007", "7"])
