"""What a value of a configuration can be: rules of kinds and ranges in words, and texts read as values.

Not here: which key has which rule (``values``).
"""

import ast
import itertools
import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeGuard

from segtumor.errors import ConfigError

#: Numbers up to it, not included, fit into 64 bits.
INT64 = 2**63


class Rule(NamedTuple):
    """What a right value is: as a predicate, which takes any value, and in words."""

    holds: Callable[[Any], bool]
    expected: str


def shown(value: object) -> str:
    """A value as shown in a message, cut where it is long."""
    return f"{value!s:.100}"


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a value is a whole number or a finite fraction."""
    return type(value) in (int, float) and math.isfinite(value)


def percent_hint(value: object) -> str | None:
    """What is meant where 50 was typed for a share from 0 to 1; None where nothing can be meant."""
    return f"Did you mean {value / 100:g}?" if is_number(value) and 1 < value <= 100 else None


def whole(low: int, high: int | None = None) -> Rule:
    """A whole number."""
    words = f"a whole number, {low} to {high}" if high is not None else f"a whole number, {low} or more"
    return Rule(lambda v: type(v) is int and low <= v and (high is None or v <= high), words)


def real(low: float, high: float = math.inf, *, above: bool = False, below: bool = False) -> Rule:
    """A number; ``above`` leaves out the lower limit itself, ``below`` the upper one."""
    if high == math.inf:
        words = f"a number above {low:g}" if above else f"a number, {low:g} or more"
    else:
        words = f"a number, {low:g} to {'below ' if below else ''}{high:g}"

    def holds(v: Any) -> bool:
        return is_number(v) and (low < v if above else low <= v) and (v < high if below else v <= high)

    return Rule(holds, words)


def choice(*names: str) -> Rule:
    """One of some texts."""
    words = " or ".join(names) if len(names) == 2 else f"one of {', '.join(name or '(empty)' for name in names)}"
    return Rule(lambda v: isinstance(v, str) and v in names, words)


def each(rule: Rule, *, count: int | None = None, least: int = 1, rising: bool = False) -> Rule:
    """A list whose items obey ``rule``: exactly ``count`` or at least ``least`` of them."""
    number = (
        f"{count} of them" if count else "at least one" if least == 1 else f"at least {least}" if least else "or []"
    )
    words = f"a list, each {rule.expected}; {number}{', rising' if rising else ''}"

    def holds(v: Any) -> bool:
        if not isinstance(v, (list, tuple)) or (len(v) != count if count is not None else len(v) < least):
            return False
        ordered = not rising or all(a < b for a, b in itertools.pairwise(v))
        return all(map(rule.holds, v)) and ordered

    return Rule(holds, words)


def as_kind_of(default: Any, value: Any, *, where: str) -> Any:
    """``value`` as the kind of thing that ``default`` is.

    Args:
        default: bool, number, text, list or tuple; None takes anything.
        value: from a YAML file, or as typed: texts are read as Python's or YAML's values where no text is wanted.

    Raises:
        ConfigError: it is of another kind.
    """
    read = _read_text(value, default) if isinstance(value, str) else value
    if default is None or (read is None and where.endswith(_MAY_BE_NONE)):
        return read
    if isinstance(default, float) and type(read) is int and abs(read) < INT64:
        return float(read)
    if isinstance(default, (list, tuple)) and isinstance(read, (list, tuple)):
        return type(default)(read)
    if type(read) is not type(default):
        expected, remedy = _KINDS[type(default)], None
        if re.fullmatch(r"[+-]?\d*,\d+", str(value).strip()) and is_number(default):
            remedy = f"Write it with a point: {str(value).strip().replace(',', '.')}"
        elif isinstance(default, (list, tuple)):
            items = "" if value is None else shown(value).strip("[]()")
            remedy = f"Write [{items}], in quotes on the command line"
        raise ConfigError("wrong value", where=where, got=shown(value), expected=expected, remedy=remedy)
    return read


_MAY_BE_NONE = "SOLVER.WEIGHT_DECAY_BIAS"
_KINDS = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text; numbers and words such as yes in quotes",
    list: "a list",
    tuple: "a list",
}


def _read_text(text: str, default: Any) -> Any:
    """A typed text as Python reads it, or else as YAML does, whose lists may hold names without quotes."""
    stripped = text.strip()
    try:
        read = ast.literal_eval(stripped)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        read = _read_yaml(stripped)
    if isinstance(default, str):
        return read if isinstance(read, str) and stripped[:1] in ("'", '"') else text
    return read


def _read_yaml(text: str) -> Any:
    import yaml  # here: inference reads no configuration, and its start is waited for

    if text.startswith("(") and text.endswith(")"):
        text = f"[{text[1:-1]}]"
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text
