"""What the cells of tables that people bring mean: numbers, ages, sexes, cases, lists. The one definition.

A cell is read where it leaves no doubt; what cannot be read is None, and the caller names it. Not here: which column is
which (``image_tables``, ``formats.csv_boxes.layout``, ``formats.btxrd.dataset_table``), and DICOM headers.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from segtumor.ages import is_age
from segtumor.cases import case_text

#: Other names of the columns that become fields of an image.
FIELD_OF_COLUMN = {"gender": "sex", "centre": "center", "case": "case_id", "patient_id": "case_id"}
_FIELDS = {"case_id", "age", "sex", "site", "region", "view", "center", "image_label"}
_IDENTIFIERS, _LISTS = ("case_id", "center"), ("site", "region", "view")

_NUMBER = r"(\d{1,3}(?:[.,]\d{1,4})?)"
_YEARS = r"(?:y|yr|yrs|yo|y/o|year|years|years? old|jahre?|ans?|a|años?|anni|anos?|岁|лет)"
_MONTHS = r"(?:m|mo|mos|mth|mths|month|months|monate?|mois|meses|mesi|月)"
_AGE = re.compile(
    rf"(?:{_NUMBER}\s*{_YEARS}?\.?)?(?:(?:^|[\s,]+(?:and )?){_NUMBER}\s*{_MONTHS}\.?(?: old)?)?", re.ASCII
)
_DAYS = re.compile(rf"{_NUMBER}\s*(w|wk|wks|weeks?|d|days?)\.?(?: old)?", re.ASCII)
_DAYS_OF = {"w": 7, "d": 1}
_DAYS_A_YEAR = 365.25
_MALE = "m male man boy masculine männlich mann masculin homme hombre masculino maschio uomo 男 男性 муж мужской м"
_FEMALE = "f female woman girl feminine weiblich frau w féminin femme mujer femenino feminino femmina donna 女 女性 жен"
_SEXES = {**dict.fromkeys(_MALE.split(), "M"), **dict.fromkeys([*_FEMALE.split(), "женский", "ж"], "F")}
#: What says that nobody knows; it is read as a blank cell.
_UNKNOWN = {"", "-", "?", "na", "n/a", "nan", "none", "null", "unknown", "u", "not known", "missing", "."}
_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}")
_SHOWN = 30


class TypedFields(NamedTuple):
    """Fields of an image from the cells of a row, and what of them cannot be read: ``age: 'abc'``."""

    values: dict[str, Any]
    unread: tuple[str, ...]


def typed_fields(cells: Mapping[str, str]) -> TypedFields:
    """The fields that a row gives to its image.

    A case and a centre are text, written as ``cases.case_text`` does, and no field where the cell says nothing; age is
    a number of years and sex M or F, None where they cannot be read; site, region and view are lists divided by
    semicolons; the label is in lower case; all others are text.

    Args:
        cells: {field of the image: text}; blank cells give no field.
    """
    filled = {field: text.strip() for field, text in cells.items() if field and text.strip()}
    values = {field: _typed(field, text) for field, text in filled.items()}
    values = {field: value for field, value in values.items() if value is not None or field not in _IDENTIFIERS}
    unread = (unread_cell(field, text) for field, text in filled.items())
    return TypedFields(values, tuple(fault for fault in unread if fault))


def field_of_column(column: str) -> str:
    """The field of an image that a column in lower case is for: ``patient id`` -> case_id; others are their own."""
    name = re.sub(r"[\s_-]+", "_", column)
    name = FIELD_OF_COLUMN.get(name, name)
    return name if name in _FIELDS else column


def cell_number(text: str) -> int | float | None:
    """Number of a cell, an int where it is whole; None for a blank, text, nan or infinity."""
    try:
        value = float(text)
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() else value


def is_blank(text: str) -> bool:
    """Whether a cell says nothing, or that nothing is known."""
    return text.strip().casefold() in _UNKNOWN


def age_years(text: str) -> int | float | None:
    """Age in years, an int where it is whole; None for blanks and for what cannot be read.

    Read: 12, 12.5, 12,5, 12 years, 12y, 012Y, 18 months, 1 year 6 months, 6 weeks, 10 days.
    """
    words = " ".join(text.split()).casefold()
    days = _DAYS.fullmatch(words)
    parts = _AGE.fullmatch(words)
    if days:
        age = _value(days[1]) * _DAYS_OF[days[2][0]] / _DAYS_A_YEAR
    elif parts and (parts[1] or parts[2]):
        age = _value(parts[1] or "0") + _value(parts[2] or "0") / 12
    else:
        return None
    age = round(age, 3)
    if not is_age(age):
        return None
    return int(age) if age.is_integer() else age


def sex_letter(text: str) -> str | None:
    """``M`` or ``F``; None for blanks and for everything else, which the form of our files cannot hold."""
    return _SEXES.get(text.strip().casefold().rstrip("."))


def unread_cell(column: str, text: str) -> str | None:
    """What to report of a cell of age or sex that is filled in and cannot be read; None if all is well.

    A date is not repeated: a date of birth identifies a person.
    """
    read = _READ.get(column)
    if read is None or is_blank(text) or read(text) is not None:
        return None
    return f"{column}: {'a date' if _DATE.search(text) else repr(text.strip()[:_SHOWN])}"


def _typed(field: str, text: str) -> Any:
    if field in _IDENTIFIERS:
        return case_text(text)
    if field in _READ:
        return _READ[field](text)
    if field in _LISTS:
        return [part.strip() for part in text.split(";") if part.strip()]
    return text.lower() if field == "image_label" else text


def _value(text: str) -> float:
    return float(text.replace(",", "."))


_READ = {"age": age_years, "sex": sex_letter}
