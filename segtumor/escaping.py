"""Texts that come from others (names of files, classes, cases, readers), made harmless for where they are written.

A spreadsheet takes one for a formula, a terminal for a command, a file system for a folder, a plot for a formula again.
Not here: HTML, whose templates escape, and Markdown (``segtumor.texts``).
"""

import hashlib
import numbers
import re
from collections.abc import Callable, Iterable
from typing import Any

# What a spreadsheet takes for the start of a formula, wide and small forms too (OWASP, "CSV Injection"); it may follow
# blanks and zero-width characters, and what divides or quotes cells in the spreadsheets of some countries.
_FORMULA = r"[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b]"
_SKIPPED = r"[ \0-\x08\x0b\x0c\x0e-\x1f\x7f-\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]*"
_DIVIDER = r"[,;|\t\r\n\"]"
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_STARTS = rf"(?!{_NUMBER}\Z)(?={_SKIPPED}{_FORMULA}|'*{_SKIPPED}[\t\r\n])"
_QUOTED = rf"(?!{_NUMBER}\Z)(?={_SKIPPED}{_FORMULA})"
_FOLLOWS = rf"(?! *{_NUMBER} *(?:{_DIVIDER}|\Z))(?={_SKIPPED}{_FORMULA})"
_BARE = re.compile(rf"\A{_STARTS}|(?<='){_QUOTED}|(?<={_DIVIDER}){_FOLLOWS}")
_DEFUSED = re.compile(rf"\A'{_STARTS}|(?<=')'{_QUOTED}|(?<={_DIVIDER})'{_FOLLOWS}")

_OBEYED = re.compile(
    r"\x1b(?!\[[0-9;]*m|\[A)|[\0-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
_DEVICE = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]", re.IGNORECASE)
_LONGEST_PART, _HASH_DIGITS = 60, 8
_JOINERS = "\u200c\u200d"  # without them Persian and Indian words are misspelt


def csv_cell(value: Any) -> Any:
    """The cell of a CSV file: text that a spreadsheet would take for a formula gets an apostrophe before it.

    Plain numbers stay as they are, also those written as text; an undefined one, NaN, is an empty cell.
    ``text_of_cell`` takes the apostrophe away again.
    """
    if value is None or isinstance(value, numbers.Real):
        return None if value != value else value
    return _BARE.sub("'", str(value))


def text_of_cell(cell: str) -> str:
    """The text that ``csv_cell`` made a cell of; other cells as they are, but for such an apostrophe."""
    return _DEFUSED.sub("", cell)


def printable(text: Any, *, keep: str = "") -> str:
    """The text with invisible characters as ``\\x1b``: a terminal obeys some of them, others hide or reverse text.

    Args:
        text: anything; a line break in a name is escaped too.
        keep: characters that stay, such as the line breaks of a whole message.
    """
    return "".join(c if c.isprintable() or c in keep or c in _JOINERS else _escaped(c) for c in str(text))


def without_commands(text: str) -> str:
    """The text of a stream, which may contain names, with control characters that a terminal obeys as ``\\x1b``.

    Line breaks, tabs and what progress bars need stay: a return, colours, and going up a line.
    """
    return _OBEYED.sub(lambda character: _escaped(character[0]), text)


def shortened(text: Any, longest: int) -> str:
    """``printable`` text of at most ``longest`` characters, without its middle: both ends of a name are informative."""
    text = printable(text)
    tail = (longest - 1) // 2
    return text if len(text) <= longest else f"{text[: longest - 1 - tail]}…{text[len(text) - tail :]}"


def file_name_part(text: str, *, empty: str = "x") -> str:
    """A name as part of the name of a file on any system: letters, digits, dots, and hyphens for all else.

    A long one is cut and ends in a hash of the whole, a device of Windows gets an ending, and one without any letter or
    digit is ``empty``. Different names may have the same part: ``distinct_parts`` numbers them.
    """
    part = re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.") or empty
    if len(part) > _LONGEST_PART:
        digits = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
        part = f"{part[: _LONGEST_PART - 1 - _HASH_DIGITS]}-{digits}"
    return f"{part}-{empty}" if _DEVICE.fullmatch(part.partition(".")[0]) else part


def distinct_parts(names: Iterable[str], part_of: Callable[[str], str]) -> dict[str, str]:
    """{name: its part}; parts that are the same, or differ in upper and lower case only, get a number."""
    found, taken = {}, set()
    for name in dict.fromkeys(names):
        part, number = part_of(name), 2
        while part.casefold() in taken:
            part, number = f"{part_of(name)}-{number}", number + 1
        taken.add(part.casefold())
        found[name] = part
    return found


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
