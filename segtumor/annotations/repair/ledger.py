"""What a repair did: changes of single values, and images left out."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from segtumor.annotations.problems import ProblemKind, show
from segtumor.annotations.remarks import Remark

#: {list: (position in the file, entry)}; an entry may be anything. What repairs change, in place.
Work = dict[str, list[tuple[int, Any]]]


def objects(entries: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The (position, entry) pairs whose entry is an object."""
    return ((index, entry) for index, entry in entries if isinstance(entry, dict))


def integer_at(entry: Any, key: str) -> int | None:
    """The integer that an entry has at ``key``; None where it has none, or is no object."""
    value = entry.get(key) if isinstance(entry, dict) else None
    return value if type(value) is int else None


class Change(NamedTuple):
    """One value changed: where (list, position and id in the file given), field, what was done; values shortened."""

    where: str
    field: str
    what: str
    before: str
    after: str


class Repaired(NamedTuple):
    """A sound COCO object, which shares unchanged values with what was given, and its story.

    ``left_out`` has an entry for each image, category or annotation without an image that is not in the copy; ``kinds``
    are those of the problems for which it was left out.
    """

    coco: dict[str, Any]
    changes: list[Change]
    left_out: list[Remark]
    kinds: frozenset[ProblemKind]


class Ledger:
    """Collects changes and what was left out."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.left_out: list[Remark] = []
        self.kinds: set[ProblemKind] = set()

    def change(self, where: str, field: str, what: str, before: Any, after: Any) -> None:
        """Note one change; the values are shortened."""
        self.changes.append(Change(where, field, what, show(before), show(after)))

    def set(self, entry: dict[str, Any], where: str, field: str, what: str, value: Any) -> None:
        """Give ``field`` of ``entry`` a new value, and note it."""
        before = show(entry[field]) if field in entry else ""
        entry[field] = value
        self.changes.append(Change(where, field, what, before, show(value)))

    def leave_out(self, name: str, kind: str, detail: str = "") -> None:
        """Note that something is not in the copy."""
        self.left_out.append(Remark(name, kind, detail))
