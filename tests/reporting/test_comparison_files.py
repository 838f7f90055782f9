"""Files of a comparison, from rows made by hand: digits, signs, what is undefined, and escaping."""

import csv
import dataclasses
import json

import pytest

from segtumor.evaluation.comparison.comparison import Comparison, ComparisonRow
from segtumor.reporting.files.comparison_files import (
    difference_text,
    table_header,
    table_notes,
    table_rows,
    write_comparisons,
)

NAN = float("nan")


def row(name="dice", first=0.5, second=0.25, *, low=0.1, high=0.4, p=0.03, **options):
    plain = {"label": f"label of {name}", "group": "overlap", "unit": "lesions", "n_first": 9, "n_second": 9}
    plain |= {"method": "bca", "p_holm": p, "test": "permutation of cases", "difference": first - second}
    values = {"first": first, "second": second, "low": low, "high": high, "p_value": p}
    return ComparisonRow(name=name, **{**plain, **values, **options})


def comparison(*rows, names=("new", "old"), remarks=("Something was assumed.",)):
    return Comparison(tuple(rows), names, n_cases=4, n_images=7, remarks=remarks)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "+0.250 (+0.100 to +0.400)"),
        ({"first": 0.25, "second": 0.5, "low": -0.4, "high": 0.0}, "-0.250 (-0.400 to 0.000)"),
        ({"first": 0.5, "second": 0.50001, "low": -0.0001, "high": 0.0001}, "0.000 (0.000 to 0.000)"),
        ({"low": NAN, "high": NAN}, "+0.250 (no interval)"),
        ({"first": NAN, "difference": NAN, "low": NAN, "high": NAN}, "undefined"),
        ({"name": "box_ap", "first": 40.0, "second": 50.0, "low": -20, "in_percent": True}, "-10.0 (-20.0 to +0.4)"),
        ({"name": "hausdorff_px", "first": 40.0, "second": 50.0, "low": -20.0, "high": 1.0}, "-10.0 (-20.0 to +1.0)"),
    ],
)
def test_differences_have_their_sign(options, text):
    assert difference_text(row(**options)) == text


@pytest.mark.parametrize(("p", "text"), [(0.0004, "< .001"), (0.001, "0.001"), (1.0, "1.000"), (NAN, "–")])
def test_p_values(p, text):
    assert table_rows([row(p_value=p, p_holm=p)])[0][4:6] == (text, text)


def test_the_header_names_both_and_the_level():
    assert table_header(comparison(), 0.9)[1:4] == ("new", "old", "difference (90% interval)")
    assert table_rows([row(second=NAN, difference=NAN)])[0][:4] == ("dice", "0.500", "undefined", "undefined")


def test_rows_tell_the_direction_and_on_how_much_they_rest():
    cells = table_rows([row(), row("hausdorff_px", higher_is_better=False, n_second=5), row(n_first=1, n_second=1)])
    place = table_header(comparison(), 0.95).index("n")
    assert [line[0] for line in cells[:2]] == ["dice", "hausdorff_px (lower is better)"]
    assert [line[place] for line in cells] == ["9 lesions", "9 / 5 lesions", "1 lesion"]


def test_the_notes_say_how_to_read_the_table(tmp_path):
    plain, uneven = comparison(row()), comparison(row(n_second=5))
    assert "where lower is better, a negative one favours new" in next(iter(table_notes(plain)))
    assert [any("of new and of old, whose" in note for note in table_notes(c)) for c in (plain, uneven)] == [
        False,
        True,
    ]
    *_, path = write_comparisons([plain], tmp_path, level=0.95, provenance={})
    text = path.read_text("utf-8")
    assert "answer different questions and may disagree; the tests are the ones adjusted." in text
    assert "adjusted for 1 measure compared" in text


def test_three_files_say_the_same(tmp_path):
    rows = [
        row(),
        row("auc", NAN, NAN, p=NAN),
        row("hausdorff_px", higher_is_better=False, group="surface", n_second=5),
    ]
    second = comparison(row(p=0.0001), names=("new", "reader"), remarks=())
    paths = write_comparisons([comparison(*rows), second], tmp_path / "out", level=0.95, provenance={"seed": 3})
    assert [path.name for path in paths] == ["comparison.csv", "comparison.json", "comparison.md"]
    with open(paths[0], newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [(r["second_name"], r["name"], r["first"]) for r in written] == [
        ("old", "dice", "0.5"),
        ("old", "auc", ""),
        ("old", "hausdorff_px", "0.5"),
        ("reader", "dice", "0.5"),
    ]
    assert set(written[0]) == {"first_name", "second_name", *(f.name for f in dataclasses.fields(ComparisonRow))}
    told = json.loads(paths[1].read_text("utf-8"))
    assert told["comparisons"][0]["rows"][1]["p_value"] is None
    assert (told["level"], told["provenance"], told["comparisons"][1]["names"]) == (
        0.95,
        {"seed": 3},
        ["new", "reader"],
    )
    text = paths[2].read_text("utf-8")
    assert "7 images of 4 cases, paired; intervals" in text and "- Something was assumed." in text
    assert text.index("### Overlap") < text.index("### Surface") < text.index("## new and reader")
    assert (
        "`hausdorff_px` (lower is better) |" in text
        and "| 9 / 5 lesions |" in text
        and "< .001" in text.replace("&lt;", "<")
    )
    assert text.count("Research use only") == 1


def test_names_cannot_break_the_table(tmp_path):
    *_, path = write_comparisons(
        [comparison(row(), names=("a|b", "<script>\nalert(1)"))], tmp_path, level=0.95, provenance={}
    )
    text = path.read_text("utf-8")
    assert "<script" not in text
    header = next(line for line in text.splitlines() if line.startswith("| metric"))
    assert header.replace("\\|", "").count("|") == 9
