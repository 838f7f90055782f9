"""Texts that come from others (names of files, classes, cases, readers), made harmless for where they are written.

Not here: HTML, whose templates escape, and Markdown (``segtumor.reporting.markdown``).
"""

import re
from typing import Any

# What a spreadsheet takes for the begin of a formula, wide and small forms too (OWASP, "CSV Injection"); it may follow
# blanks and signs without width, and what divides cells or quotes them in the spreadsheets of some countries.
_FORMULA = r"[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b]"
_SKIPPED = r"[ \0-\x08\x0b\x0c\x0e-\x1f\x7f-\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]*"
_DIVIDER = r"[,;|\t\r\n\"]"
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_STARTS = rf"(?!{_NUMBER}\Z)(?={_SKIPPED}{_FORMULA}|'*{_SKIPPED}[\t\r\n])"
_QUOTED = rf"(?!{_NUMBER}\Z)(?={_SKIPPED}{_FORMULA})"
_FOLLOWS = rf"(?! *{_NUMBER} *(?:{_DIVIDER}|\Z))(?={_SKIPPED}{_FORMULA})"
_BARE = re.compile(rf"\A{_STARTS}|(?<='){_QUOTED}|(?<={_DIVIDER}){_FOLLOWS}")
_DEFUSED = re.compile(rf"\A'{_STARTS}|(?<=')'{_QUOTED}|(?<={_DIVIDER})'{_FOLLOWS}")


def csv_cell(value: Any) -> Any:
    """The cell of a CSV file: text that a spreadsheet would take for a formula gets an apostrophe before it.

    Plain numbers stay as they are, also those written as text. ``text_of_cell`` takes the apostrophe away again.
    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _BARE.sub("'", str(value))


def text_of_cell(cell: str) -> str:
    """The text that ``csv_cell`` made a cell of; other cells as they are, but for such an apostrophe."""
    return _DEFUSED.sub("", cell)
