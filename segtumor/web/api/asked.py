"""What was asked for, checked: numbers and words of an address, and the name of the user."""

from collections.abc import Sequence
from urllib.parse import unquote

from flask import request

from segtumor.errors import ConfigError
from segtumor.escaping import printable, shortened

_LONGEST_NAME = 80
NOBODY = "unnamed"


def whole_number(name: str, default: int, low: int, high: int) -> int:
    """A number of the query; raises ConfigError unless it lies in [low, high]."""
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and low <= int(text) <= high):
        raise ConfigError("out of range", where=name, expected=f"{low} to {high}")
    return int(text)


def fraction(name: str, default: float) -> float:
    """A number of the query; raises ConfigError unless it lies in [0, 1]."""
    text = request.args.get(name)
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ConfigError("out of range", where=name, expected="0 to 1")
    return value


def word(name: str, choices: Sequence[str], default: str | None) -> str | None:
    """A word of the query; raises ConfigError unless it is one of the choices."""
    text = request.args.get(name)
    if text is not None and text not in choices:
        raise ConfigError("not one of the choices", where=name, expected=", ".join(choices))
    return default if text is None else text


def user() -> str:
    """The name that the page asked for, percent-encoded in a header."""
    name = unquote(request.headers.get("X-User", ""), errors="replace")
    return shortened(printable(name).strip(), _LONGEST_NAME) or NOBODY
