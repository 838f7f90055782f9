"""The case of an image: one patient's study, the unit of splits, leaks, intervals and counts. Its one definition.

Tables, spreadsheets and JSON write one case as 12, 12.0, "12.0" or "7 ", and a missing one in many ways; every command
must read them alike, or it finds no leak where there is one. Not here: what a data set calls its cases, and what an
image without one counts as.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

#: What spreadsheets and pandas write for nothing, in lower case. Words such as "unknown" are not among them: they are
#: kept, so that images of unknown cases stay together, and ``segtumor data check`` warns of them.
_MISSING = {"", "nan", "-nan", "<na>", "na", "n/a", "#na", "#n/a", "null", "none", "nat"}
_OWN = "image:"
_WHOLE = re.compile(r"(-?(?:0|[1-9][0-9]*))\.0+")

#: What anonymisers and forms give to everyone, without separators. A number behind it ("ANON17") makes it a pseudonym.
_PLACEHOLDERS = {
    "anon", "anonym", "anonymous", "anonymised", "anonymized", "anonymise", "anonymize", "anonymisiert", "anonyme",
    "deid", "deidentified", "deidentify", "removed", "redacted", "deleted", "erased", "cleared", "blank", "empty",
    "hidden", "masked", "withheld", "unknown", "unbekannt", "unspecified", "undefined", "unnamed", "notavailable",
    "notapplicable", "notprovided", "patient", "patientid", "subject", "noid", "noname", "nopatientid", "default",
    "dummy", "test", "private", "confidential", "pseudonym", "pseudonymised", "pseudonymized", "nobody", "johndoe",
    "janedoe", "doejohn", "doejane", "nil", "tbd", "id",
}  # fmt: skip
#: Several of them, as in "Anonymous^Patient"; X alone; zeros alone. Other numbers may be a patient's own.
_SEVERAL = re.compile(
    f"(?:{'|'.join(sorted((w for w in _PLACEHOLDERS if len(w) > 3), key=len, reverse=True))})+|xx+|0+"
)


def case_text(value: Any) -> str | None:
    """A case as every command knows it, or None for no case.

    Blanks at the ends do not count, nor do further blanks within; text is composed Unicode (NFC); a whole number is
    written without a fraction, whatever its type: 12, 12.0 and "12.0" are "12". 0 is a case. Leading zeros stay, so
    that "007" is not "7": hospitals number with them, and to join two patients in silence cannot be undone, while
    ``cases_alike`` can point at two cases that are one.

    Args:
        value: of JSON or a table. None, NaN, "" and what spreadsheets write for nothing are not a case, nor is a
            list or an object.
    """
    if value is None or isinstance(value, (list, tuple, dict, set)):
        return None
    if not isinstance(value, (str, bool)) and hasattr(value, "is_integer"):  # NumPy's numbers, too
        if not math.isfinite(value):
            return None
        return str(int(value)) if value.is_integer() else repr(float(value))
    text = " ".join(str(value).replace("\ufeff", "").split())
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    whole = _WHOLE.fullmatch(text)
    text = whole[1] if whole else text
    return None if text.lower() in _MISSING else "0" if text == "-0" else text


def case_of(record: Mapping[str, Any], key: str = "case_id") -> str | None:
    """The case of an image's entry, attributes or row of a table, as ``case_text``; None where it has none."""
    return case_text(record.get(key))


def own_case(file_name: str) -> str:
    """What an image without a case counts as: a case of its own."""
    return _OWN + file_name


def is_own_case(case: str) -> bool:
    """Whether a case is ``own_case`` of an image."""
    return case.startswith(_OWN)


def case_or_own(image: Mapping[str, Any], key: str = "case_id") -> str:
    """``case_of`` a COCO image entry, or its ``own_case``."""
    return case_of(image, key) or own_case(image["file_name"])


def is_placeholder(identifier: Any) -> bool:
    """Whether an identifier of a patient is one that anonymisers, scanners and forms give to everyone.

    Only letters and digits count, in capitals or not: "De-Identified" is "DEIDENTIFIED". True for nothing at all (also
    "-" or "n/a"), XXXX, and zeros, which a table of cases may well begin with, but no patient's number is.
    """
    text = unicodedata.normalize("NFKD", case_text(identifier) or "").lower()
    letters = "".join(character for character in text if character.isalnum())
    return not letters or letters in _PLACEHOLDERS or bool(_SEVERAL.fullmatch(letters))


def cases_alike(cases: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of cases that differ only in capitals, separators or leading zeros, and may be one; all sorted."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for case in set(cases):
        groups.setdefault(_bare(case), []).append(case)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def doubts(cases: Iterable[str]) -> list[str]:
    """Sentences on cases that name no patient, or of which two may be one; empty where there is no doubt."""
    distinct, shown = set(cases), 5
    nobody = sorted(case for case in distinct if is_placeholder(case) and not case.isdecimal())
    alike = cases_alike(distinct)
    more = f" and {len(alike) - shown} more" if len(alike) > shown else ""
    named = "; ".join(" and ".join(group) for group in alike[:shown]) + more
    return [
        *(f"the case {case} is a placeholder and names no patient: its images count as one case" for case in nobody),
        *(
            [f"cases that may be one, but count as several, since they are written differently: {named}"]
            if alike
            else []
        ),
    ]


def _bare(case: str) -> tuple[str, ...]:
    """Words and numbers without leading zeros: the same for "P-07" and "p7", another for 1-11 than for 11-1."""
    return tuple(word.lstrip("0") or "0" for word in re.findall(r"[^\W\d_]+|\d+", case.casefold()))
