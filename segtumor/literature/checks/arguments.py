"""The arguments of checks as they stand in YAML, each kind read and refused by one function.

A reader returns what the check gets or raises ``ValueError`` with what was expected. Not here: which check takes which.
"""

import math

from segtumor.literature.checks.printed_numbers import read_printed

MAX_CLASSES = 30


def text(value):
    """Words."""
    return _need(value, isinstance(value, str) and 0 < len(value) <= 500, "text")


def printed(value):
    """A number as printed, in quotes, so that its decimals are known."""
    number = read_printed(value)
    return _need(number, number is not None, 'a number as printed, in quotes, as "0.964", "94.5%" or "<0.001"')


def count(value):
    """A whole number, 0 or more."""
    return _need(value, type(value) is int and 0 <= value < 10**9, "a whole number, 0 or more")


def positive_count(value):
    """A whole number, 1 or more."""
    return _need(value, type(value) is int and 1 <= value < 10**9, "a whole number, 1 or more")


def number(value):
    """A finite number."""
    finite = type(value) in (int, float) and math.isfinite(value)
    return _need(value, finite, "a number")


def printed_list(value):
    """Numbers as printed."""
    return [printed(item) for item in _list(value, "a list of numbers as printed")]


def interval(value):
    """[low, high] as printed."""
    ends = printed_list(value)
    return _need(ends, len(ends) == 2 and ends[0].value <= ends[1].value, "[low, high], each as printed, in quotes")


def counts(value):
    """Whole numbers."""
    return [count(item) for item in _list(value, "a list of whole numbers")]


def pair(value):
    """Two whole numbers."""
    found = counts(value)
    return _need(found, len(found) == 2, "two whole numbers")


def cell(value):
    """[k, n], k at most n, n at least 1."""
    found = pair(value)
    return _need(found, found[0] <= found[1] and found[1] >= 1, "[k, n] with k at most n")


def pairs(value):
    """A list of [k, n]; cells that a source misprints are allowed."""
    return [pair(item) for item in _list(value, "a list of [k, n]")]


def table(value):
    """Rows of counts, all of one length, not all 0."""
    rows = [counts(row) for row in _list(value, "rows of counts")]
    whole = len({len(row) for row in rows}) == 1 and len(rows) <= MAX_CLASSES and any(map(any, rows))
    return _need(rows, whole, "rows of counts, all of one length, not all 0")


def square(value):
    """A confusion matrix, rows true."""
    rows = table(value)
    return _need(rows, len(rows) == len(rows[0]) >= 2, "a confusion matrix: as many columns as rows, two or more")


def triples(value):
    """{name: three numbers as printed}."""
    named = {text(name): printed_list(row) for name, row in _mapping(value).items()}
    return _need(named, all(len(row) == 3 for row in named.values()) and len(named) > 1, "two or more rows of three")


def named_counts(value):
    """{where: count}."""
    named = {text(name): count(item) for name, item in _mapping(value).items()}
    return _need(named, len(named) > 1, "two or more counts by name")


def mean_groups(value):
    """[{n, mean}]."""
    return [_group(item, ("n", "mean")) for item in _list(value, "a list of {n, mean}")]


def spread_groups(value):
    """[{n, mean, sd}]."""
    return [_group(item, ("n", "mean", "sd")) for item in _list(value, "a list of {n, mean, sd}")]


def _group(value, keys):
    _need(value, isinstance(value, dict) and set(value) == set(keys), f"a group with {', '.join(keys)}")
    return {key: positive_count(item) if key == "n" else printed(item) for key, item in value.items()}


def _list(value, expected):
    return _need(value, isinstance(value, list) and 0 < len(value) <= 1000, expected)


def _mapping(value):
    return _need(value, isinstance(value, dict) and bool(value), "names and their values")


def _need(value, holds, expected):
    if not holds:
        raise ValueError(expected)
    return value
