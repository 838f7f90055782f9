"""Numbers that come back unchanged from a format which holds them in another unit: percent, corners instead of sizes.

Reading divides or subtracts and so leaves noise in the last bits, which ``without_noise`` takes away; writing looks for
the number that is read as wanted (``number_read_as``). Together they bring back every value of up to six decimals, and
every value that was read from such a file.
"""

import math
from collections.abc import Callable

_DECIMALS = 6
#: Far above the rounding of the few operations of a reader (1e-10 at 1e6 px), far below what anyone measures.
_NOISE = 1e-9
_NEIGHBOURS = 4


def without_noise(value: float) -> float:
    """``value`` rounded to six decimals if that changes it by no more than rounding errors do; else unchanged."""
    rounded = round(value, _DECIMALS)
    return rounded if abs(value - rounded) <= _NOISE else value


def number_read_as(wanted: float, guess: float, read: Callable[[float], float]) -> float:
    """A number near ``guess``, the shortest in decimals, that ``read`` turns into ``wanted``; else ``guess``."""
    for digits in range(1, 18):
        candidate = float(f"{guess:.{digits}g}")
        if read(candidate) == wanted:
            return candidate
    for direction in (-math.inf, math.inf):
        candidate = guess
        for _ in range(_NEIGHBOURS):
            candidate = math.nextafter(candidate, direction)
            if read(candidate) == wanted:
                return candidate
    return guess


def length_between(start: float, end: float) -> float:
    """Width or height of a box that a file gives by its corners."""
    return without_noise(end - start)


def end_of(start: float, length: float) -> float:
    """The far corner of a box, such that ``length_between`` finds the very length again."""
    return number_read_as(length, start + length, lambda end: length_between(start, end))
