import csv
import itertools
import random
from pathlib import Path

import numpy as np
import pytest

import segtumor
from segtumor import files
from segtumor.annotations.tables.csv_rows import filled_rows
from segtumor.annotations.tables.spreadsheets import read_sheets
from segtumor.escaping import csv_cell, distinct_parts, file_name_part, printable, shortened, text_of_cell


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ('=HYPERLINK("http://x","y")', '\'=HYPERLINK("http://x","y")'),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\nx", "'\nx"),
        ("-", "'-"),
        # Wide and small forms, which spreadsheets in East Asia take alike.
        ("＝1+1", "'＝1+1"),
        ("＋x", "'＋x"),
        ("－x", "'－x"),
        ("＠x", "'＠x"),
        ("﹦x", "'﹦x"),
        # Blanks and what has no width may stand before.
        ("  =1", "'  =1"),
        ("\u00a0=1", "'\u00a0=1"),
        ("\ufeff\u200b=1", "'\ufeff\u200b=1"),
        ("\x00=1", "'\x00=1"),
        # Another country's spreadsheet divides the cell here.
        ("a;=1+1", "a;'=1+1"),
        ("a, @x", "a,' @x"),
        ("a\t+x", "a\t'+x"),
        ("a\r\n-x", "a\r\n'-x"),
        ("a|=x", "a|'=x"),
        ('"=x', "\"'=x"),
        ("'=x", "''=x"),
        # Harmless.
        ("", ""),
        ("a=b, a-b; c+d@e", "a=b, a-b; c+d@e"),
        ("phantom-1.png", "phantom-1.png"),
        ("-0.5", "-0.5"),
        ("+1e-05", "+1e-05"),
        ("0.1; -0.2; -3", "0.1; -0.2; -3"),
        ("it's", "it's"),
    ],
)
def test_text_that_a_spreadsheet_takes_for_a_formula_is_defused(text, cell):
    assert csv_cell(text) == cell
    assert text_of_cell(cell) == text


@pytest.mark.parametrize("value", [None, -0.5, -3, True, float("-inf")])
def test_numbers_stay_numbers(value):
    assert csv_cell(value) is value


@pytest.mark.parametrize("value", [float("nan"), np.float64("nan"), np.float32("nan")])
def test_an_undefined_number_is_an_empty_cell(value):
    assert csv_cell(value) is None


def test_what_is_no_text_is_defused_as_it_would_be_written():
    assert csv_cell(Path("=x.png")) == "'=x.png"


def test_every_text_comes_back():
    signs = "=-'\t\r\n ,;5\"x＝\u200b.e"
    draw = random.Random(0)
    short = ("".join(text) for n in range(4) for text in itertools.product(signs, repeat=n))
    long = ("".join(draw.choices(signs, k=draw.randint(4, 12))) for _ in range(5_000))
    for text in itertools.chain(short, long):
        assert text_of_cell(csv_cell(text)) == text, repr(text)


HOSTILE = ("=1+1", "-x", "'@a", "a;=b", "a\rb", "\r=x", "x\n=y", "＝1", "-0.5", 'say "=x"')


def test_a_file_is_read_back_as_it_was_written(tmp_path):
    path = tmp_path / "a.csv"
    files.write_csv(path, [{"=name": text, "n": -1.5} for text in HOSTILE], ("=name", "n"))
    with open(path, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["'=name", "n"] and [row[1] for row in rows] == ["-1.5"] * len(HOSTILE)
    assert [row[0] for row in rows] == list(map(csv_cell, HOSTILE))
    assert read_sheets(path) == {"": [["=name", "n"], *([text, "-1.5"] for text in HOSTILE)]}
    assert [cells for _, cells in filled_rows(path)] == [["=name", "n"], *([text, "-1.5"] for text in HOSTILE)]


def test_no_other_file_writes_csv():
    """So that no cell goes past ``csv_cell``."""
    root = Path(segtumor.__file__).parent
    writers = ("csv.writer", "DictWriter", ".to_csv", ".to_excel")
    found = [path.name for path in root.rglob("*.py") if any(word in path.read_text("utf-8") for word in writers)]
    assert found == ["files.py"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a.png", "a.png"),
        ("Größe أ 骨 ✓", "Größe أ 骨 ✓"),
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x9b31m", r"\x9b31m"),  # one sign that some terminals take for ESC [
        ("\u202egnp.exe", r"\u202egnp.exe"),  # turns around what follows
        ("\u2066\u200b\ufeff", r"\u2066\u200b\ufeff"),
        ("\udcff", r"\udcff"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text, shown):
    assert printable(text) == shown


def test_line_breaks_of_a_whole_message_stay():
    assert printable("a\n\tb\x1b", keep="\n\t") == "a\n\tb\\x1b"


@pytest.mark.parametrize(
    ("text", "short"), [("abcdefg", "abcdefg"), ("abcdefgh", "abc…fgh"), ("a\nbcdefgh", "a\\n…fgh")]
)
def test_long_names_lose_their_middle(text, short):
    assert shortened(text, 7) == short


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("giant cell tumor", "giant-cell-tumor"),
        ("a/../b\\c:d", "a-..-b-c-d"),
        ("..", "x"),
        ("骨", "x"),
        ("NUL", "NUL-x"),
        ("com1.png", "com1.png-x"),
        ("console", "console"),
        ("x" * 60, "x" * 60),
    ],
)
def test_any_name_is_part_of_a_file_name(name, part):
    assert file_name_part(name) == part


def test_long_names_end_in_a_hash_of_the_whole():
    first, second = (file_name_part("x" * 300 + end) for end in "ab")
    assert len(first) == len(second) == 60 and first != second and first == file_name_part("x" * 300 + "a")


def test_parts_of_different_names_differ_on_every_file_system():
    names = ["a", "A", "a-2", "a b", "a-b", "骨", "Größe", "骨"]
    parts = distinct_parts(names, file_name_part)
    assert list(parts) == list(dict.fromkeys(names))
    assert len({part.casefold() for part in parts.values()}) == len(parts)
    assert parts["a"] == "a" and parts["A"] == "A-2" and parts["a-2"] == "a-2-2" and parts["a-b"] == "a-b-2"
