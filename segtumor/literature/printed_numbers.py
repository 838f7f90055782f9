"""A number as a source prints it: its decimals say which values it may stand for.

A printed value agrees with a recomputed one that rounds to it, half up or half to even.
Not here: what is recomputed (``claims``).
"""

import math
import re
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

ROUNDED, TRUNCATED, DIFFERENT = "rounded", "truncated", "different"
_NUMBER = re.compile(r"(?P<less><)?(?P<digits>-?\d{1,12}(\.\d{1,10})?)(?P<percent>%)?")
#: Recomputed values are compared after rounding here, so that 0.85 stored as 0.8499999999999999 is 0.85.
_NOISE_DECIMALS = 12
#: No printed number is so large; beyond it decimals would not fit the arithmetic.
_LARGEST = 1e14


@dataclass(frozen=True)
class Printed:
    """One printed number.

    Args:
        text: as printed, for example ``0.964``, ``94.5%``, ``1,060``, ``<0.001``.
        digits: the number in the unit of print (94.5 of ``94.5%``).
        scale: 100 of a percentage, else 1.
        less_than: the source prints only a bound.
    """

    text: str
    digits: Decimal
    decimals: int
    scale: int
    less_than: bool

    @property
    def value(self) -> float:
        """The number as a fraction: 0.945 of ``94.5%``."""
        return float(self.digits / self.scale)

    @property
    def low(self) -> float:
        """Smallest value that rounds to it."""
        return float((self.digits - self._half_unit()) / self.scale)

    @property
    def high(self) -> float:
        """Largest value that rounds to it (half to even) or the bound of those that do."""
        return float((self.digits + self._half_unit()) / self.scale)

    def agreement(self, low: float, high: float | None = None) -> str:
        """ROUNDED, TRUNCATED or DIFFERENT: how a recomputed value, or one anywhere in [low, high], becomes it."""
        if math.isnan(low):
            return DIFFERENT
        if self.less_than:
            return ROUNDED if low < self.value else DIFFERENT
        if high is None or math.isclose(low, high, abs_tol=1e-12):
            return self._agreement_of_one(low)
        if low <= self.high and high >= self.low:
            return ROUNDED
        unit = 2 * float(self._half_unit()) / self.scale
        return TRUNCATED if low < self.value + unit and high >= self.value else DIFFERENT

    def show(self, value: float, extra: int = 1) -> str:
        """``value`` in the unit of print with ``extra`` more decimals."""
        if math.isnan(value):
            return "undefined"
        decimals = self.decimals + extra if self.decimals or extra > 1 or self.scale > 1 else 0
        return f"{value * self.scale:.{decimals}f}{'%' if self.scale > 1 else ''}"

    def _agreement_of_one(self, value: float) -> str:
        if abs(value) > _LARGEST:
            return DIFFERENT
        exact = Decimal(repr(round(float(value) * self.scale, _NOISE_DECIMALS)))
        unit = Decimal(1).scaleb(-self.decimals)
        if self.digits in {exact.quantize(unit, rounding) for rounding in (ROUND_HALF_UP, ROUND_HALF_EVEN)}:
            return ROUNDED
        return TRUNCATED if exact.quantize(unit, ROUND_DOWN) == self.digits else DIFFERENT

    def _half_unit(self) -> Decimal:
        return Decimal(5).scaleb(-self.decimals - 1)


def read_printed(text: object) -> Printed | None:
    """``Printed`` of a string; None if it is not a number as papers print it."""
    if not isinstance(text, str):
        return None
    match = _NUMBER.fullmatch(text.replace(",", "").replace(" ", ""))
    if match is None:
        return None
    digits = match["digits"]
    decimals = len(digits.partition(".")[2])
    scale = 100 if match["percent"] else 1
    return Printed(text, Decimal(digits), decimals, scale, match["less"] is not None)
