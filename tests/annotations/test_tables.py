import zipfile

import pytest

from segtumor.annotations.tables import spreadsheets as sheets
from segtumor.annotations.tables.cells import cell_number
from segtumor.annotations.tables.image_tables import match_images, read_cells, read_image_table
from segtumor.annotations.tables.spreadsheets import read_sheets
from segtumor.errors import DataError


def table(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_every_column_gets_its_type(tmp_path):
    text = (
        "\ufeffFile_Name,Patient_ID,Age,Gender,Site,View,Centre,Image_Label,Scanner\n"
        "sub/IMG1.jpeg, 17 ,34,female,tibia; knee-joint,frontal,2,Benign,A 1\n"
        "IMG2.png,18,,,,,,,\n"
    )
    assert read_image_table(table(tmp_path, text)) == {
        "sub/IMG1.jpeg": {
            "case_id": "17",
            "age": 34,
            "sex": "F",
            "site": ["tibia", "knee-joint"],
            "view": ["frontal"],
            "center": "2",
            "image_label": "benign",
            "scanner": "A 1",
        },
        "IMG2.png": {"case_id": "18"},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("who,case_id\na,1\n", "no column of image names.*expected one of image_id, file_name"),
        ("image,case_id\na.png,1\na.png,2\n", "image a.png is listed twice with different data"),
        ("image,age,Age \na.png,4,5\n", "duplicate columns: age.*Rename or remove all but one"),
        (
            "image,case_id,patient_id\na.png,1,2\n",
            "columns case_id and patient_id both say case_id of.*1 and 2",
        ),
        ("image,sex,gender\na.png,M,female\n", "columns sex and gender both say sex of image a.png.*M and female"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_image_table(table(tmp_path, text))


def test_two_columns_of_one_meaning_may_agree_or_leave_cells_blank(tmp_path):
    text = "image,sex,gender,case_id,patient id,,\na.png,M,male,1,,,\nb.png,,f,,2,,\n"
    assert read_image_table(table(tmp_path, text)) == {
        "a.png": {"sex": "M", "case_id": "1"},
        "b.png": {"sex": "F", "case_id": "2"},
    }


def test_columns_that_are_needed(tmp_path):
    path = table(tmp_path, "a , B  c\n1\n")
    assert read_cells(path, ["a", "b c"]) == [{"a": "1", "b c": ""}]
    with pytest.raises(DataError, match="columns missing: d"):
        read_cells(path, ["a", "d"])


@pytest.mark.parametrize("divider", [";", "\t"])
def test_other_dividers_of_spreadsheets(tmp_path, divider):
    """Where the comma does not divide, it is a decimal point; lists of sites keep their semicolons."""
    text = 'image;age;site;note\r\na.png;"4,5";"tibia; knee";one, two\r\n'.replace(";", divider)
    (cells,) = read_cells(table(tmp_path, text), ["image", "age"])
    assert cells == {"image": "a.png", "age": "4.5", "site": f"tibia{divider} knee", "note": "one, two"}


def test_semicolons_in_cells_do_not_divide(tmp_path):
    assert read_cells(table(tmp_path, "image,site\na.png,tibia;knee\n")) == [{"image": "a.png", "site": "tibia;knee"}]
    assert read_cells(table(tmp_path, '"image;name",age\na.png,"1,5"\n')) == [{"image;name": "a.png", "age": "1,5"}]


def test_not_utf8(tmp_path):
    with pytest.raises(DataError, match="not readable as CSV: it is not UTF-8"):
        read_cells(table(tmp_path, "imäge\n", "latin-1"))


@pytest.mark.parametrize(
    ("text", "number"), [("3", 3), ("1.0", 1), ("2.5", 2.5), ("", None), ("x", None), ("nan", None), ("inf", None)]
)
def test_numbers(text, number):
    assert cell_number(text) == number


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("one/a.png", "one/a.png"),
        (r"b.png", "one/b.png"),
        ("b", "one/b.png"),
        (r"x\one\b.jpeg", "one/b.png"),
        ("x/b.png", None),
        ("c", None),
    ],
)
def test_rows_find_their_image(name, image):
    found, unknown = match_images({name: {"case_id": "7"}}, ["one/a.png", "two/a.png", "one/b.png"])
    assert found == ({image: {"case_id": "7"}} if image else {})
    assert unknown == ([] if image else [name])


@pytest.mark.parametrize(
    ("names", "message"), [(["a"], "a could be several images: one/a.png, two/a.png"), (["b", "b.png"], "two rows for")]
)
def test_rows_that_do_not_say_which_image(names, message):
    table = {name: {"case_id": str(number)} for number, name in enumerate(names)}
    with pytest.raises(DataError, match=message):
        match_images(table, ["one/a.png", "two/a.png", "one/b.png"], where="table.csv")


def _workbook(path, rows, far=None):
    import openpyxl

    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if far:
        book.active[far[0]] = far[1]
    book.save(path)
    return path


STRAY = [None, ("XFD20000", " "), ("A1048576", " "), ("XFD1048576", "x"), ("E1048576", "\u00a0")]


@pytest.mark.parametrize("far", STRAY)
def test_a_stray_cell_far_away_costs_nothing(tmp_path, far):
    rows = [["image", "case_id", "note", "age"], ["a.png", 12, None, 3.0], ["b.png", "x", True, 2.5]]
    rows.append(["c.png", 1, "#N/A"])
    cells = read_cells(_workbook(tmp_path / "x.xlsx", rows, far))
    assert [list(row.values()) for row in cells if any(row.values())] == [
        ["a.png", "12", "", "3"],
        ["b.png", "x", "True", "2.5"],
        ["c.png", "1", "", ""],
    ]
    assert len(cells) < 20_000


def test_blank_rows_are_counted_and_those_at_the_end_are_gone(tmp_path):
    text = "\n\nimage,case_id,,\na.png,1,,\n,,,\n , ,,\nb.png,2,,stray\n,,\n\n"
    assert read_sheets(table(tmp_path, text))[""] == [["image", "case_id"], ["a.png", "1"], [""], [""], ["b.png", "2"]]


def test_a_table_that_inflates_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(sheets, "_MOST_INFLATED", 2**20)
    path = _workbook(tmp_path / "x.xlsx", [["image", "case_id"]])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/much.xml", "w") as file:
        file.write(bytes(2**20))
    with pytest.raises(DataError, match=r"too large.*1 MB unpacked"):
        read_cells(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.xls", b"\xd0\xcf\x11\xe0 old", "this kind of table is not supported.*old Excel.*Save it as"),
        ("x.xlsx", b"\xd0\xcf\x11\xe0 old", "this kind of table is not supported"),
        ("x.ods", b"PK\x03\x04", r"this kind of table is not supported.*\.ods"),
        ("x.csv", b"PK\x03\x04 no zip", "not readable as an Excel table"),
        ("x.csv", b"image,case_id\n" + b"," * (4 * 2**20 + 1), "a line is too long"),
        ("x.csv", b"image,case_id\n" + b"a" * 200_000, "field larger than field limit"),
    ],
)
def test_tables_of_other_kinds_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_cells(tmp_path / name)
