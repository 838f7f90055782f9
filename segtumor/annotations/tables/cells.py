"""Age and sex as people write them into tables: read where it leaves no doubt, else None, which the caller names.

Not here: which column is which (``tables``, ``converters.csv_layout``, ``btxrd.table``), and DICOM headers.
"""

import math
import re

_NUMBER = r"(\d{1,3}(?:[.,]\d{1,4})?)"
_YEARS = r"(?:y|yr|yrs|yo|y/o|year|years|years? old|jahre?|ans?|a|años?|anni|anos?|岁|лет)"
_MONTHS = r"(?:m|mo|mos|mth|mths|month|months|monate?|mois|meses|mesi|月)"
_AGE = re.compile(
    rf"(?:{_NUMBER}\s*{_YEARS}?\.?)?(?:(?:^|[\s,]+(?:and )?){_NUMBER}\s*{_MONTHS}\.?(?: old)?)?", re.ASCII
)
_DAYS = re.compile(rf"{_NUMBER}\s*(w|wk|wks|weeks?|d|days?)\.?(?: old)?", re.ASCII)
_DAYS_OF = {"w": 7, "d": 1}
_DAYS_A_YEAR, _OLDEST = 365.25, 130
_MALE = "m male man boy masculine männlich mann masculin homme hombre masculino maschio uomo 男 男性 муж мужской м"
_FEMALE = "f female woman girl feminine weiblich frau w féminin femme mujer femenino feminino femmina donna 女 女性 жен"
_SEXES = {**dict.fromkeys(_MALE.split(), "M"), **dict.fromkeys([*_FEMALE.split(), "женский", "ж"], "F")}
#: What says that nobody knows; it is read as a blank cell.
_UNKNOWN = {"", "-", "?", "na", "n/a", "nan", "none", "null", "unknown", "u", "not known", "missing", "."}
_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}")
_SHOWN = 30


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
    if not math.isfinite(age) or age > _OLDEST:
        return None
    return int(age) if age.is_integer() else age


def sex_letter(text: str) -> str | None:
    """``M`` or ``F``; None for blanks and for everything else, which the form of our files cannot hold."""
    return _SEXES.get(text.strip().casefold().rstrip("."))


def unread_cell(column: str, text: str) -> str | None:
    """What to tell of a cell of age or sex that is filled in and could not be read; None if all is well.

    A date is not repeated: a date of birth tells who somebody is.
    """
    read = {"age": age_years, "sex": sex_letter}.get(column)
    if read is None or is_blank(text) or read(text) is not None:
        return None
    return f"{column}: {'a date' if _DATE.search(text) else repr(text.strip()[:_SHOWN])}"


def _value(text):
    return float(text.replace(",", "."))
