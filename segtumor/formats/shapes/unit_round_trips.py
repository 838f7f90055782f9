"""Numbers that come back unchanged from a format which holds them in another unit: percent, corners instead of sizes.

Reading divides or subtracts and so leaves noise in the last bits, which ``without_noise`` takes away; writing looks for
the number that is read as wanted (``number_read_as``). Together they bring back every value of up to six decimals, and
every value that was read from such a file.
"""

import math

_DECIMALS = 6
#: Far above the rounding of the few operations of a reader (1e-10 at 1e6 px), far below what anyone measures.
_NOISE = 1e-9
_NEIGHBOURS = 4


def without_noise(value):
    """``value`` rounded to six decimals if that changes it by no more than rounding errors do; else unchanged."""
    rounded = round(value, _DECIMALS)
    return rounded if abs(value - rounded) <= _NOISE else value


def number_read_as(wanted, guess, read):
    """A number near ``guess``, the shortest in decimals, that ``read`` turns into ``wanted``; ``guess`` if none does.

    Args:
        wanted: float, what must come back.
        guess: float, right up to rounding.
        read: what the reader does with the number.
    """
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
