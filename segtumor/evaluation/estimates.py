"""Measures with their confidence intervals: one set of drawn cases for all of them.

The interval is the bootstrap's (BCa, percentile where BCa is undefined), by cases, whatever the unit. Two exceptions,
each named in ``method``: a proportion that is the same in all resamples, such as a sensitivity of 1, has Wilson's
interval; the area under the ROC curve of patients, who are independent, has DeLong's, or where that has no width, as
for an area of 1, Clopper and Pearson's for as many units as the smaller class has.
Letters: B resamples, C cases.
"""

import math
from dataclasses import dataclass

import numpy as np

from segtumor.evaluation.study_types import Estimate
from segtumor.statistics.bootstrap import BLOCK_ROWS, bca_interval, case_weights, leave_one_out_weights
from segtumor.statistics.interval import Interval, undefined_interval
from segtumor.statistics.proportions import clopper_pearson, wilson
from segtumor.statistics.roc import delong_interval

DEGENERATE = "degenerate"


@dataclass(frozen=True)
class Draws:
    """Resamples shared by all measures.

    Attributes:
        weights: (B, C) float64, how often each case was drawn.
        level: confidence level.
    """

    weights: np.ndarray
    level: float

    def of_cases(self, cases):
        """The same draws, seen from some of the cases only (indices): whole cases still come and go together."""
        return Draws(np.ascontiguousarray(self.weights[:, cases]), self.level)


def draw(n_cases, settings):
    """The Draws of a study with C cases."""
    rng = np.random.default_rng(settings.seed)
    return Draws(case_weights(n_cases, settings.n_resamples, rng=rng), settings.level)


def estimates_of(measures, draws, *, intervals=None, progress=None):
    """An Estimate of each Measure of the same cases.

    Args:
        measures: Measures.
        draws: Draws of their C cases.
        intervals: {name: Interval} of measures that have one of their own.
        progress: None, or a function (what, iterable) -> iterable.
    """
    intervals, n_cases = intervals or {}, draws.weights.shape[1]
    ones = np.ones((1, n_cases))
    values = _values(measures, [ones])
    if n_cases < 2:
        nothing = dict.fromkeys(values, np.empty(0))
        return [_estimate(m, values[m.name][0], nothing, nothing, draws, {}) for m in measures]
    blocks = _blocks(draws.weights)
    replicates = _values(measures, progress("resampling cases", blocks) if progress else blocks)
    jackknife = _values(measures, _blocks(leave_one_out_weights(n_cases)))
    return [_estimate(m, values[m.name][0], replicates, jackknife, draws, intervals) for m in measures]


def _blocks(weights):
    return [weights[start : start + BLOCK_ROWS] for start in range(0, len(weights), BLOCK_ROWS)]


def _values(measures, blocks):
    """{name: values of all rows}. Block by block, so that what the measures share is computed once and kept small."""
    found = {measure.name: [] for measure in measures}
    for weights in blocks:
        for measure in measures:
            found[measure.name].append(measure.resample(weights))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _estimate(measure, value, replicates, jackknife, draws, intervals):
    drawn = replicates[measure.name]
    interval = intervals.get(measure.name)
    if interval is None:
        interval = _interval(measure, value, drawn, jackknife[measure.name], draws)
    if measure.successes is None or not measure.n:
        independent = undefined_interval("no proportion", draws.level)
    else:
        independent = wilson(measure.successes, measure.n, level=draws.level)
    return Estimate(
        name=measure.name,
        label=measure.label,
        group=measure.group,
        unit=measure.unit,
        value=float(value),
        low=interval.low,
        high=interval.high,
        method=interval.method,
        n=measure.n,
        successes=measure.successes,
        n_cases=measure.n_cases,
        n_defined=int(np.isfinite(drawn).sum()),
        wilson_low=independent.low,
        wilson_high=independent.high,
        higher_is_better=measure.higher_is_better,
        in_percent=measure.in_percent,
    )


def _interval(measure, value, replicates, jackknife, draws):
    n_cases = draws.weights.shape[1]
    if math.isnan(value):
        return undefined_interval("nothing to measure", draws.level)
    if n_cases < 2:
        return undefined_interval("one case", draws.level)
    interval = bca_interval(value, replicates, jackknife, level=draws.level)
    if interval.method == DEGENERATE and measure.successes is not None:
        exact = wilson(measure.successes, measure.n, level=draws.level)
        return Interval(exact.low, exact.high, "wilson (the same in all resamples)", draws.level)
    return interval


def delong_of(calls, *, level):
    """{name: Interval} of the area under the ROC curve of a patients' Calls, where DeLong's variance exists."""
    n_tumor = int(calls.tumor.sum())
    if min(n_tumor, len(calls) - n_tumor) < 2:
        return {}
    interval = delong_interval(calls.score, calls.tumor, level=level)
    if interval.low < interval.high:
        return {"patient_auc": interval}
    fewer = min(n_tumor, len(calls) - n_tumor)
    exact = clopper_pearson(interval.low * fewer, fewer, level=level)
    method = f"clopper-pearson for {fewer} of the smaller class (DeLong's variance is 0)"
    return {"patient_auc": Interval(exact.low, exact.high, method, level)}
