"""A measure as a function of case weights, so that one resampling scheme serves them all.

``Measure.resample`` takes how often each case was drawn, (B, C), and gives the value of each of B resamples, equal to
measuring the resampled images afresh. With ones it is the plain value; with leave-one-out weights the jackknife.
Not here: which measures there are (``measure_set``), and intervals (``study.estimates``).
Letters: B resamples, C cases, N units (lesions, images or patients).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Bools, Floats, Ints
from segtumor.errors import DataError

_T = TypeVar("_T")

OVERLAP, SURFACE, LESIONS, DETECTION = "overlap", "surface", "lesions", "detection"
IMAGES, PATIENTS, CALIBRATION = "images", "patients", "calibration"
GROUPS = (OVERLAP, SURFACE, LESIONS, DETECTION, IMAGES, PATIENTS, CALIBRATION)
FINDINGS = "findings"
_ABOUT = ("name", "label", "group", "unit", "higher_is_better", "in_percent")


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number measured on cases.

    Attributes:
        group: one of GROUPS.
        unit: what ``n`` counts.
        n: units that define the value.
        resample: (B, C) weights -> (B,) values, NaN where undefined. The weights must not be changed afterwards: what
            several measures share is remembered by the array it was computed from.
        successes: of a proportion, how many of ``n``; else None.
        n_contributing: cases that hold a unit of the denominator, of the rarer kind where kinds are set against each
            other (tumour and normal, classes); None if unknown. So many observations an interval rests on, however
            many units they hold.
        in_percent: 0 to 100 instead of 0 to 1.
    """

    name: str
    label: str
    group: str
    unit: str
    n: int
    n_cases: int
    resample: Callable[[Floats], Floats]
    successes: int | None = None
    n_contributing: int | None = None
    higher_is_better: bool = True
    in_percent: bool = False

    @property
    def about(self) -> dict[str, Any]:
        """What tables say of it beside its numbers: fields that Estimate and ComparisonRow have, too."""
        return {name: getattr(self, name) for name in _ABOUT}

    @property
    def value(self) -> float:
        """The measure on the cases as they are; NaN if undefined."""
        return float(self.resample(_once(self.n_cases))[0])


@lru_cache(maxsize=2)
def _once(n_cases: int) -> Floats:
    """(1, C) ones, the same array for all measures of a set, so that they share what they have in common."""
    ones = np.ones((1, n_cases))
    ones.flags.writeable = False
    return ones


def per_case(values: ArrayLike, case_of: ArrayLike, n_cases: int) -> Floats:
    """Sums of ``values`` (N,) or (N, V) by case: (C,) or (C, V)."""
    array = np.asarray(values, dtype=np.float64)
    sums = np.zeros((n_cases, *array.shape[1:]))
    np.add.at(sums, np.asarray(case_of, dtype=np.int64), array)
    return sums


def ratio_measure(
    name: str,
    label: str,
    group: str,
    unit: str,
    numerators: ArrayLike,
    denominators: ArrayLike,
    case_of: ArrayLike,
    n_cases: int,
    *,
    proportion: bool = False,
    n: int | None = None,
    **options: Any,
) -> Measure:
    """sum(w * numerator) / sum(w * denominator): a mean, or a proportion, over the units of the drawn cases.

    Args:
        numerators: (N,) per unit; a mean's values, a proportion's successes.
        denominators: (N,) per unit; 1 for a unit that counts, 0 for one that does not.
        case_of: (N,) case of each unit.
        proportion: whether ``numerators`` count successes among ``denominators``.
        n: units that define the value; default: the denominators' sum.
        options: ``higher_is_better``, ``in_percent``.
    """
    sums = per_case(np.column_stack([np.asarray(numerators), np.asarray(denominators)]), case_of, n_cases)
    return Measure(
        name=name,
        label=label,
        group=group,
        unit=unit,
        n=round(sums[:, 1].sum()) if n is None else n,
        n_cases=n_cases,
        resample=lambda weights: divide(*(weights @ sums).T),
        successes=round(sums[:, 0].sum()) if proportion else None,
        n_contributing=int((sums[:, 1] > 0).sum()),
        **options,
    )


def n_holding(chosen: Bools, case_of: Ints) -> int:
    """Number of cases that hold one of the units ``chosen`` (N,), ``case_of`` (N,) being the case of each."""
    return len(np.unique(case_of[chosen]))


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """Elementwise quotient, NaN where the denominator is 0."""
    nan = np.full(np.shape(denominator), np.nan)
    return np.asarray(np.divide(numerator, denominator, out=nan, where=denominator > 0))


def checked_weights(weights: ArrayLike, case_of_image: ArrayLike, n_images: int) -> tuple[Floats, Ints]:
    """Weights (B, C) and the case of each image (N,) as arrays.

    Raises:
        DataError: lengths that do not fit, or weights that are negative or not finite.
    """
    drawn, cases = np.asarray(weights, dtype=np.float64), np.asarray(case_of_image, dtype=np.int64)
    if drawn.ndim != 2 or not (np.isfinite(drawn) & (drawn >= 0)).all():
        got = f"shape {drawn.shape}"
        raise DataError("unusable weights of cases", got=got, expected="(B, C), finite and at least 0")
    if cases.shape != (n_images,):
        raise DataError("not one case per image", got=cases.shape, expected=(n_images,))
    if len(cases) and (cases.min() < 0 or cases.max() >= drawn.shape[1]):
        got = f"{cases.min()} to {cases.max()}"
        raise DataError("case of an image has no weight", got=got, expected=f"0 to {drawn.shape[1] - 1}")
    return drawn, cases


class LastTwoCache(Generic[_T]):
    """A function of weights that keeps its two latest results, by the array's identity: several measures share them.

    Two, as a paired comparison asks every measure with the weights of the one and of the other in turn.
    """

    def __init__(self, function: Callable[[Floats], _T]) -> None:
        self._function = function
        self._kept: list[tuple[Floats, _T]] = []

    def __call__(self, weights: Floats) -> _T:
        for known, result in self._kept:
            if known is weights:
                return result
        result = self._function(weights)
        self._kept = [*self._kept, (weights, result)][-2:]
        return result
