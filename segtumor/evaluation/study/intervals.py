"""Which interval a measure has. Whole cases are resampled, whatever the unit; ``Interval.method`` says what was done.

* The bootstrap's: BCa, percentile where BCa is undefined.
* A proportion of which every case holds one unit, as of patients: Wilson's, for the units are independent. It is
  shorter (10 patients, true value 0.9: 0.37 wide and 93% covered, by BCa 0.44 and 98%) and does not depend on draws.
* With fewer than FEW_CASES cases that hold what is measured the bootstrap is not trusted: BCa covers the mean of 5
  cases in 81% instead of 95%, and may reach from 0 to 1. A proportion then has Wilson's interval with its cases as the
  units, each as good as one observation however many units it holds, which is on the safe side unless one case holds
  most of them. Anything else has the percentile interval, and ``method`` warns that it is likely too narrow.
* Where all resamples are equal, as for a sensitivity of 1, the bootstrap says nothing: a proportion has Wilson's
  interval with its cases as the units, an area under the ROC curve Clopper and Pearson's with the cases of the rarer
  kind, anything else none. Nor is an interval given that has no width, that leaves out its own estimate, or that rests
  on one case, such as an area with one patient of a kind.

Letters: B resamples, C cases.
"""

import math
from dataclasses import replace

import numpy as np

from segtumor.arrays import Floats
from segtumor.evaluation.measures.measure import Measure
from segtumor.statistics.bootstrap import bca_interval, percentile_interval
from segtumor.statistics.interval import (
    BCA,
    CLOPPER_PEARSON,
    DEGENERATE,
    PERCENTILE,
    UNDEFINED,
    Interval,
    Method,
    undefined_interval,
)
from segtumor.statistics.proportions import clopper_pearson, wilson

#: Below so many contributing cases the bootstrap is not trusted.
FEW_CASES = 10
WILSON, WILSON_FEW = Method("Wilson"), Method("Wilson", "on cases (few cases)")
PERCENTILE_FEW = Method(PERCENTILE, "(few cases: likely too narrow)")
#: Reasons for no interval where resamples say nothing.
ALL_EQUAL, NEARLY_ALL_EQUAL = "all resamples equal", "nearly all resamples equal"
_AREAS = ("image_auc", "patient_auc")
#: Limits may miss their estimate by this, relative to it, for sums of the same terms differ in their last digits.
_ROUNDING = 1e-9
_NOTHING = 1e-12


def interval_of(measure: Measure, value: float, replicates: Floats, jackknife: Floats, *, level: float) -> Interval:
    """The Interval of a Measure.

    Args:
        replicates: (B,) its values in the resamples.
        jackknife: (C,) its values with one case left out.
    """
    if math.isnan(value):
        return undefined_interval("nothing to measure" if not measure.n else "cannot be computed", level)
    if measure.n_cases < 2:
        return undefined_interval("one case", level)
    n_cases = contributing(measure)
    if measure.successes is not None:
        if n_cases == measure.n:
            return replace(wilson(measure.successes, measure.n, level=level), method=WILSON)
        if n_cases < FEW_CASES:
            return _wilson_on_cases(value, n_cases, level, WILSON_FEW)
    interval = bootstrap_interval(value, replicates, jackknife, n_cases=n_cases, level=level)
    why = interval.method.detail
    if interval.method.kind != UNDEFINED or why not in (ALL_EQUAL, NEARLY_ALL_EQUAL):
        return interval
    if measure.successes is not None:
        return _wilson_on_cases(value, n_cases, level, Method("Wilson", f"on cases ({why})"))
    if measure.name in _AREAS:
        method = Method(CLOPPER_PEARSON, f"for {n_cases} cases of the rarer kind ({why})")
        return replace(clopper_pearson(value * n_cases, n_cases, level=level), method=method)
    return interval


def contributing(measure: Measure) -> int:
    """Cases that a Measure rests on; all of them if it does not say."""
    return measure.n_cases if measure.n_contributing is None else measure.n_contributing


def bootstrap_interval(value: float, replicates: Floats, jackknife: Floats, *, n_cases: int, level: float) -> Interval:
    """BCa, or percentile if there are few cases; NaN where that has no width or leaves out the value.

    Args:
        value, replicates, jackknife: as of ``bca_interval``.
        n_cases: cases that contribute.
    """
    if n_cases < 2 and not math.isnan(value):
        return undefined_interval("fewer than two contributing cases", level)
    if n_cases < FEW_CASES and not math.isnan(value):
        interval = percentile_interval(replicates, level=level)
        interval = replace(interval, method=PERCENTILE_FEW) if interval.method.kind == PERCENTILE else interval
    else:
        interval = bca_interval(value, replicates, jackknife, level=level)
    # A difference of equal sums is some 1e-17, not 0: below this all is rounding, whatever the unit.
    rounding = max(_ROUNDING * max(abs(value), abs(interval.low), abs(interval.high)), _NOTHING)
    if interval.method.kind == DEGENERATE:
        return undefined_interval(ALL_EQUAL, level)
    if interval.high - interval.low <= rounding:
        return undefined_interval(NEARLY_ALL_EQUAL, level)
    if not math.isnan(interval.low) and not interval.low - rounding <= value <= interval.high + rounding:
        return undefined_interval("the resamples lie beside the value", level)
    return interval


def is_bootstrapped(method: Method) -> bool:
    """Whether the limits with this ``method`` are those of resamples."""
    return method.kind in (BCA, PERCENTILE)


def _wilson_on_cases(value: float, n_cases: int, level: float, method: Method) -> Interval:
    successes = float(np.clip(value * n_cases, 0, n_cases))
    return replace(wilson(successes, n_cases, level=level), method=method)
