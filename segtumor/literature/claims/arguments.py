"""The arguments of checks as YAML holds them, each kind read and refused by one function.

A reader returns what the check gets or raises ``ValueError`` with what was expected. Not here: which check takes which.
"""

import math
from typing import Any, TypeVar

from segtumor.literature.claims.spreads import Group
from segtumor.literature.printed_numbers import Printed, read_printed

MAX_CLASSES = 30
T = TypeVar("T")


def text(value: object) -> str:
    """Words."""
    if not isinstance(value, str) or not 0 < len(value) <= 500:
        raise ValueError("text")
    return value


def printed(value: Any) -> Printed:
    """A number as printed, in quotes, so that its decimals are known."""
    number = read_printed(value)
    if number is None:
        raise ValueError('a number as printed, in quotes, as "0.964", "94.5%" or "<0.001"')
    return number


def count(value: object) -> int:
    """A whole number, 0 or more."""
    if type(value) is not int or not 0 <= value < 10**9:
        raise ValueError("a whole number, 0 or more")
    return value


def positive_count(value: object) -> int:
    """A whole number, 1 or more."""
    if type(value) is not int or not 1 <= value < 10**9:
        raise ValueError("a whole number, 1 or more")
    return value


def number(value: Any) -> float:
    """A finite number."""
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError("a number")
    return float(value)


def printed_list(value: Any) -> list[Printed]:
    """Numbers as printed."""
    return [printed(item) for item in _list(value, "a list of numbers as printed")]


def interval(value: Any) -> list[Printed]:
    """[low, high] as printed."""
    ends = printed_list(value)
    return _need(ends, len(ends) == 2 and ends[0].value <= ends[1].value, "[low, high], each as printed, in quotes")


def counts(value: Any) -> list[int]:
    """Whole numbers."""
    return [count(item) for item in _list(value, "a list of whole numbers")]


def pair(value: Any) -> list[int]:
    """Two whole numbers."""
    found = counts(value)
    return _need(found, len(found) == 2, "two whole numbers")


def cell(value: Any) -> list[int]:
    """[k, n], k at most n, n at least 1."""
    found = pair(value)
    return _need(found, found[0] <= found[1] and found[1] >= 1, "[k, n] with k at most n")


def pairs(value: Any) -> list[list[int]]:
    """A list of [k, n]; cells that a source misprints are allowed."""
    return [pair(item) for item in _list(value, "a list of [k, n]")]


def table(value: Any) -> list[list[int]]:
    """Rows of counts, all of one length, not all 0."""
    rows = [counts(row) for row in _list(value, "rows of counts")]
    whole = len({len(row) for row in rows}) == 1 and len(rows) <= MAX_CLASSES and any(map(any, rows))
    return _need(rows, whole, "rows of counts, all of one length, not all 0")


def square(value: Any) -> list[list[int]]:
    """A confusion matrix, rows true."""
    rows = table(value)
    return _need(rows, len(rows) == len(rows[0]) >= 2, "a confusion matrix: as many columns as rows, two or more")


def triples(value: Any) -> dict[str, list[Printed]]:
    """{name: three numbers as printed}."""
    named = {text(name): printed_list(row) for name, row in _mapping(value).items()}
    return _need(named, all(len(row) == 3 for row in named.values()) and len(named) > 1, "two or more rows of three")


def named_counts(value: Any) -> dict[str, int]:
    """{where: count}."""
    named = {text(name): count(item) for name, item in _mapping(value).items()}
    return _need(named, len(named) > 1, "two or more counts by name")


def mean_groups(value: Any) -> list[Group]:
    """[{n, mean}]."""
    return [_group(item, ("n", "mean")) for item in _list(value, "a list of {n, mean}")]


def spread_groups(value: Any) -> list[Group]:
    """[{n, mean, sd}]."""
    return [_group(item, ("n", "mean", "sd")) for item in _list(value, "a list of {n, mean, sd}")]


def _group(value: Any, keys: tuple[str, ...]) -> Group:
    _need(value, isinstance(value, dict) and set(value) == set(keys), f"a group with {', '.join(keys)}")
    group = Group(n=positive_count(value["n"]), mean=printed(value["mean"]))
    if "sd" in keys:
        group["sd"] = printed(value["sd"])
    return group


def _list(value: Any, expected: str) -> list[Any]:
    return _need(value, isinstance(value, list) and 0 < len(value) <= 1000, expected)


def _mapping(value: Any) -> dict[Any, Any]:
    return _need(value, isinstance(value, dict) and bool(value), "names and their values")


def _need(value: T, holds: bool, expected: str) -> T:
    if not holds:
        raise ValueError(expected)
    return value
