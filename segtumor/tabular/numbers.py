"""Columns of numbers: imputation by mean, median or mode; min-max scaling and z-scores.

A column becomes two features: the scaled number, and 1 where it was missing (else 0). A missing number takes the fill
of the training rows before it is scaled; one beyond the training rows' range is cut to that range, since nothing was
learnt there.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segtumor.arrays import Floats
from segtumor.errors import ConfigError, DataError
from segtumor.tabular.values import number_of, parts_of

MEAN, MEDIAN, MODE = "mean", "median", "mode"
MINMAX, ZSCORE = "minmax", "zscore"

#: What became of a value.
KNOWN, MISSING, OUTSIDE, UNKNOWN = "known", "missing", "outside", "unknown"


@dataclass(frozen=True)
class Encoded:
    """The features of one value, and what became of it: KNOWN, MISSING, OUTSIDE (cut to the range of the training rows)
    or UNKNOWN (a category that they lack)."""

    features: tuple[float, ...]
    state: str


def mode(values: Sequence[float]) -> float:
    """The commonest number; of several, the smallest."""
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value))


#: By name, known numbers (at least one) to what stands in for missing ones.
IMPUTATIONS: Mapping[str, Callable[[Sequence[float]], float]] = {
    MEAN: lambda values: float(np.mean(values)),
    MEDIAN: lambda values: float(np.median(values)),
    MODE: mode,
}


def minmax_of(values: Floats) -> tuple[float, float]:
    """(centre, scale) with which (x - centre) / scale is 0 for the least and 1 for the largest; all equal: 0."""
    low, high = float(np.min(values)), float(np.max(values))
    return low, (high - low) or 1.0


def zscore_of(values: Floats) -> tuple[float, float]:
    """(centre, scale) with which (x - centre) / scale has mean 0 and standard deviation 1 (of N, not N - 1); all equal:
    0."""
    return float(np.mean(values)), float(np.std(values)) or 1.0


#: By name, known numbers to (centre, scale).
SCALINGS: Mapping[str, Callable[[Floats], tuple[float, float]]] = {MINMAX: minmax_of, ZSCORE: zscore_of}


@dataclass(frozen=True, kw_only=True)
class NumberColumn:
    """A fitted column of numbers.

    Attributes:
        name: of the column.
        encoding: MINMAX or ZSCORE.
        fill: stands in for a missing number.
        low, high: range of the training rows.
        centre, scale: (x - centre) / scale is the feature.
    """

    name: str
    encoding: str
    fill: float
    low: float
    high: float
    centre: float
    scale: float

    @property
    def width(self) -> int:
        """Number of features: 2."""
        return 2

    def encode(self, value: object, fold: int | None = None) -> Encoded:
        """Any value -> scaled number and missingness; what is not a number is missing."""
        number = number_of(value)
        used = self.fill if number is None else min(max(number, self.low), self.high)
        state = MISSING if number is None else KNOWN if used == number else OUTSIDE
        return Encoded(((used - self.centre) / self.scale, float(number is None)), state)


def fit_numbers(name: str, values: Sequence[object], *, encoding: str, imputation: str = MEDIAN) -> NumberColumn:
    """Fit a column on the values of the training rows.

    Raises:
        ConfigError: no such imputation or scaling.
        DataError: no row has a number, or a value is something else than a number or nothing.
    """
    if imputation not in IMPUTATIONS:
        raise ConfigError("unknown imputation", where=name, got=imputation, expected=", ".join(IMPUTATIONS))
    if encoding not in SCALINGS:
        raise ConfigError("unknown scaling", where=name, got=encoding, expected=", ".join(SCALINGS))
    read = [number_of(value) for value in values]
    numbers: Floats = np.array([number for number in read if number is not None], dtype=np.float64)
    others = sum(number is None and bool(parts_of(value)) for number, value in zip(read, values, strict=True))
    if others or not numbers.size:
        what = "a column of numbers holds other values" if others else "no row has a number in this column"
        remedy = "Encode categories with onehot, label or target, or leave the column out"
        raise DataError(what, where=f"column {name}", got=f"{others} of {len(values)}", remedy=remedy)
    centre, scale = SCALINGS[encoding](numbers)
    return NumberColumn(
        name=name,
        encoding=encoding,
        fill=IMPUTATIONS[imputation](numbers.tolist()),
        low=float(numbers.min()),
        high=float(numbers.max()),
        centre=centre,
        scale=scale,
    )
