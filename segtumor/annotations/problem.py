"""One thing wrong with an annotation file: its place, what it is, and what to do about it.

Not here: finding them (``segtumor.annotations.validation``, ``plausibility``, ``segmentations``, ``file_names``).
"""

import reprlib
from typing import NamedTuple

from segtumor.annotations.remedies import remedy_of

#: An error keeps a file from being used; a warning is reported; the file is still used.
ERROR, WARNING = "error", "warning"
#: What is said of a file whose own name tells who it shows; its name is then not repeated anywhere.
NAMES_THE_PATIENT = "holds the name or number of the patient"
_LONGEST = 60

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = _LONGEST
_SHORT.maxlist = _SHORT.maxdict = 8


class Problem(NamedTuple):
    """One thing wrong with an annotation file or one of its images.

    Attributes:
        where: list, position and id, e.g. ``annotations[3] (id 17)``, or the image's file name.
        field: key of that entry.
        what: what is wrong with it; the same words for the same kind of problem.
        got: the offending value, shortened; empty if there is none.
        severity: ERROR or WARNING.
        remedy: what to do about it; empty where the words above say it.
    """

    where: str
    field: str
    what: str
    got: str = ""
    severity: str = ERROR
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.where} {self.field}: {self.what}" + (f", got {self.got}" if self.got else "")


def error(where, field, what, got: str = ""):
    """A Problem that keeps the file from being used, with the remedy for its kind."""
    return Problem(where, field, what, got, ERROR, remedy_of(field, what))


def warning(where, field, what, got: str = ""):
    """A Problem that is told while the file is used, with the remedy for its kind."""
    return Problem(where, field, what, got, WARNING, remedy_of(field, what))


def show(value):
    """A value as text short enough for a message; values nested without end are no danger."""
    try:
        text = _SHORT.repr(value)
    except ValueError:  # an integer of more digits than Python writes
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def place(name, index, entry) -> str:
    """Where an entry stands: ``annotations[3] (id 17)``."""
    return f"{name}[{index}] (id {show(entry.get('id'))})"


def value_at(entry, key):
    """The value of ``key`` as ``show`` has it; empty if the entry has no such key."""
    return show(entry[key]) if key in entry else ""
