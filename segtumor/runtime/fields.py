"""What the fields of a dataclass must be, to read one from a file and name the first field that is wrong.

A rule has ``read(value, field)``, which gives the value as it is kept or raises ``WrongFieldError``. Not here: which
fields there are (``runtime.contract``), and what a user is told.
"""

import dataclasses
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class WrongFieldError(Exception):
    """A field that is missing, unknown or wrong, by its path such as "regions.nms_iou"; "" is the whole."""

    def __init__(self, field: str, what: str, *, got: Any = None, expected: str | None = None) -> None:
        super().__init__(field, what)
        self.field, self.what, self.got, self.expected = field or "as a whole", what, got, expected


class Reads(Protocol):
    """A rule: how a field is read."""

    def read(self, value: Any, field: str, /) -> Any:
        """The value as it is kept; raises ``WrongFieldError``."""
        ...


@dataclass(frozen=True)
class Rule:
    """A single value: of ``kind`` (int, float, bool or str, no text empty) and between two limits if a number."""

    kind: type[int] | type[float] | type[bool] | type[str]
    expected: str
    low: float = -(2.0**53)  # beyond it, floats are no exact whole numbers; NaN and infinities lie outside too
    high: float = 2.0**53

    def read(self, value: Any, field: str) -> Any:
        """The value as ``kind``; a whole number will do for a float."""
        is_number = isinstance(value, int if self.kind is int else (int, float)) and not isinstance(value, bool)
        fits = is_number if self.kind in (int, float) else isinstance(value, self.kind) and value != ""
        if not fits or (is_number and not self.low <= value <= self.high):
            raise WrongFieldError(field, "is not right", got=_shown(value), expected=self.expected)
        return self.kind(value)


@dataclass(frozen=True)
class Several:
    """A list whose items follow one rule: ``count`` of them, or any number from ``least`` on."""

    item: Reads
    count: int | None = None
    least: int = 1

    def read(self, values: Any, field: str) -> tuple[Any, ...]:
        """A tuple of the items."""
        is_list = isinstance(values, (list, tuple))
        if not is_list or len(values) < self.least or self.count not in (None, len(values)):
            expected = f"a list of {self.count or 'some'} values"
            raise WrongFieldError(field, "is not right", got=_shown(values), expected=expected)
        return tuple(self.item.read(value, f"{field}[{index}]") for index, value in enumerate(values))


@dataclass(frozen=True)
class OrNone:
    """What follows a rule, or None where there is none."""

    rule: Reads

    def read(self, value: Any, field: str) -> Any:
        """None, or what the rule reads."""
        return None if value is None else self.rule.read(value, field)


@dataclass(frozen=True)
class Fields:
    """A dataclass, ``kind``, from a dict with a rule for each of its fields; those ``optional`` have a default."""

    kind: Callable[..., Any]
    rules: Mapping[str, Reads]
    optional: frozenset[str] = frozenset()

    def read(self, values: Any, field: str) -> Any:
        """An instance of ``kind``."""
        check_names(list(self.rules), values, field, optional=self.optional)
        given = {name: rule for name, rule in self.rules.items() if name in values}
        return self.kind(**{name: rule.read(values[name], _path(field, name)) for name, rule in given.items()})


def fields_of(kind: type[Any]) -> Fields:
    """The rules of a dataclass: its fields are ``Annotated`` with one each, or are such dataclasses."""
    hints = typing.get_type_hints(kind, include_extras=True)
    rules = {name: getattr(hint, "__metadata__", ()) or (fields_of(hint),) for name, hint in hints.items()}
    optional = {one.name for one in dataclasses.fields(kind) if one.default is not dataclasses.MISSING}
    return Fields(kind, {name: rule for name, (rule,) in rules.items()}, frozenset(optional))


def check_names(names: Sequence[str], values: Any, field: str, *, optional: Collection[str] = ()) -> None:
    """Refuse what is no dict with exactly these names; those ``optional`` may be missing."""
    if not isinstance(values, dict):
        raise WrongFieldError(field, "is not right", got=_shown(values), expected="fields with values")
    for name in names:
        if name not in values and name not in optional:
            raise WrongFieldError(_path(field, name), "is missing")
    unknown = sorted(set(values) - set(names), key=str)
    if unknown:
        raise WrongFieldError(_path(field, unknown[0]), "is unknown")


def _path(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name


def _shown(value: Any) -> str:
    return f"{value!r:.60}"
