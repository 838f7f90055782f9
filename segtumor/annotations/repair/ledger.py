"""What a repair did: changes of single values, and images left out."""

from typing import Any, NamedTuple

from segtumor.annotations.problem import show
from segtumor.annotations.remarks import Remark


class Change(NamedTuple):
    """One value changed: where (list, position and id in the file given), field, what was done; values shortened."""

    where: str
    field: str
    what: str
    before: str
    after: str


class Repaired(NamedTuple):
    """A sound COCO object and its story.

    Attributes:
        coco: the repaired copy; shares unchanged values with what was given.
        changes: list of Change.
        left_out: list of Remark, one for each image, category or annotation without an image that is not in the copy.
    """

    coco: dict[str, Any]
    changes: list
    left_out: list


class Ledger:
    """Collects changes and what was left out."""

    def __init__(self) -> None:
        self.changes, self.left_out = [], []

    def change(self, where, field, what, before, after) -> None:
        """Note one change; the values are shortened."""
        self.changes.append(Change(where, field, what, show(before), show(after)))

    def set(self, entry, where, field, what, value) -> None:
        """Give ``field`` of ``entry`` a new value, and note it."""
        before = show(entry[field]) if field in entry else ""
        entry[field] = value
        self.changes.append(Change(where, field, what, before, show(value)))

    def leave_out(self, name, kind, detail: str = "") -> None:
        """Note that something is not in the copy."""
        self.left_out.append(Remark(name, kind, detail))
