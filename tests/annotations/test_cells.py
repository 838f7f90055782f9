"""Cells as people write them, and that every table reads them alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segtumor.annotations.tables.cells import age_years, field_of_column, sex_letter, typed_fields, unread_cell
from segtumor.annotations.tables.csv_rows import filled_rows
from segtumor.annotations.tables.image_tables import read_image_table
from segtumor.cases import case_text
from segtumor.files import write_csv
from segtumor.formats.btxrd.dataset_table import read_table
from segtumor.formats.csv_boxes.layout import layout_of, parse_row
from segtumor.taxonomy import SUBTYPE_ENTITY


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("12", 12), ("12.0", 12), ("12.5", 12.5), ("12,5", 12.5), (" 7 ", 7), ("0", 0),
        ("12 years", 12), ("12y", 12), ("12 y/o", 12), ("12 yrs.", 12), ("012Y", 12), ("1 year", 1), ("12 Jahre", 12),
        ("12 años", 12), ("12岁", 12),
        ("18 months", 1.5), ("018M", 1.5), ("6 mo", 0.5), ("1 year 6 months", 1.5), ("12y 6m", 12.5),
        ("1 y, 3 mo", 1.25),
        ("26 weeks", 0.498), ("010D", 0.027),
        ("", None), ("abc", None), ("-5", None), ("60+", None), ("12-15", None), ("<1", None), ("999", None),
        ("1956-03-12", None), ("1956", None), ("12 13", None), ("nan", None), ("inf", None), ("1e2", None),
    ],
)  # fmt: skip
def test_ages(text, age):
    assert age_years(text) == age and type(age_years(text)) is type(age)


@pytest.mark.parametrize(
    ("text", "letter"),
    [("M", "M"), ("male", "M"), ("f", "F"), ("Female", "F"), ("w", "F"), ("weiblich", "F"), ("männlich", "M")]
    + [("mujer", "F"), ("男", "M")]
    + [(text, None) for text in ("", "X", "D", "divers", "other", "Mädchen", "1", "unknown")],
)
def test_sexes(text, letter):
    assert sex_letter(text) == letter


@pytest.mark.parametrize(
    ("column", "text", "told"),
    [
        ("age", "abc", "age: 'abc'"), ("sex", "X", "sex: 'X'"), ("sex", "divers", "sex: 'divers'"),
        ("age", "12.3.1956", "age: a date"), ("age", "12,5", None), ("age", "unknown", None), ("sex", "n/a", None),
        ("age", "", None), ("site", "abc", None), ("age", "x" * 99, f"age: '{'x' * 30}'"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_but_no_date(column, text, told):
    assert unread_cell(column, text) == told


#: Cells of every field that means something, readable or not.
CELL = st.sampled_from(
    [
        "",
        " ",
        "7",
        "7 ",
        "7.0",
        "0",
        "007",
        "12,5",
        "3 years",
        "M",
        "female",
        "x",
        "nan",
        "n/a",
        "A; b",
        "Benign",
        "1e3",
    ]
) | st.text("aB7.,; -", max_size=6)
COLUMNS = {"case_id": "patient_id", "age": "age", "sex": "gender", "site": "site", "view": "view", "center": "centre"}


@given(st.fixed_dictionaries({column: CELL for column in COLUMNS.values()}))
def test_every_table_reads_a_cell_alike(tmp_path_factory, cells):
    texts = {field: cells[column] for field, column in COLUMNS.items()}
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    _write(path, {"image": "a.png", "label": "", **dict.fromkeys(("xmin", "ymin", "xmax", "ymax"), ""), **cells})
    values, unread = typed_fields(texts)
    found: list[tuple[str, str]] = []
    (of_images,) = read_image_table(path, found).values()
    header, row = filled_rows(path)
    of_boxes = parse_row(row.line, row.cells, layout_of(header.cells, path), len(header.cells))
    assert {key: value for key, value in of_images.items() if key in COLUMNS} == of_boxes.others == values
    assert sorted(fault for _, fault in found) == sorted(of_boxes.unread) == sorted(unread)
    assert values.get("case_id") == case_text(texts["case_id"])
    btxrd = {"image_id": "a.png", "tumor": "", "benign": "", "malignant": "", **dict.fromkeys(SUBTYPE_ENTITY, "")}
    _write(path, {**btxrd, "age": cells["age"], "gender": cells["gender"], "center": cells["centre"]})
    (of_btxrd,) = read_table(path)
    assert all(of_btxrd.attributes[key] == values.get(key) for key in ("age", "sex", "center"))


def _write(path, row):
    write_csv(path, [row], list(row))


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("patient id", "case_id"), ("case-id", "case_id"), ("gender", "sex"), ("centre", "center"),
        ("image label", "image_label"), ("scanner", "scanner"), ("patient weight", "patient weight"),
    ],
)  # fmt: skip
def test_columns_by_other_names(column, field):
    assert field_of_column(column) == field
