"""Age and sex as people write them."""

import pytest

from segtumor.annotations.tables.person_cells import age_years, sex_letter, unread_cell


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
