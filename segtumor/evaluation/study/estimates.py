"""Measures with their confidence intervals: one set of drawn cases for all of them.

Which interval each has is decided in ``intervals``; the area under the ROC curve of patients, who are independent, has
DeLong's (``delong_of``). Letters: B resamples, C cases.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from segtumor.arrays import Floats, Ints
from segtumor.evaluation.facts.image_level import Calls
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.measures.measure import Measure
from segtumor.evaluation.study.intervals import interval_of
from segtumor.evaluation.study.values import Estimate
from segtumor.progress import StepProgress, silent
from segtumor.statistics.bootstrap import block_spans, case_weights, leave_one_out_rows
from segtumor.statistics.interval import CLOPPER_PEARSON, Interval, Method, undefined_interval
from segtumor.statistics.proportions import clopper_pearson, wilson
from segtumor.statistics.roc import delong_interval


@dataclass(frozen=True)
class Draws:
    """Resamples shared by all measures.

    Attributes:
        weights: (B, C), how often each case was drawn; as many float64 would take 480 MB for 30,000 cases.
    """

    weights: NDArray[np.uint16]
    level: float

    def of_cases(self, cases: Ints) -> "Draws":
        """The same draws, seen from some of the cases only (indices): whole cases still come and go together."""
        return Draws(np.ascontiguousarray(self.weights[:, cases]), self.level)


def draw(n_cases: int, settings: StudySettings) -> Draws:
    """The Draws of a study with C cases."""
    rng = np.random.default_rng(settings.seed)
    weights = np.empty((settings.n_resamples, n_cases), dtype=np.uint16)
    for start, stop in block_spans(*weights.shape):
        weights[start:stop] = case_weights(n_cases, stop - start, rng=rng)
    return Draws(weights, settings.level)


def estimates_of(
    measures: Sequence[Measure],
    draws: Draws,
    *,
    intervals: Mapping[str, Interval] | None = None,
    progress: StepProgress = silent,
) -> list[Estimate]:
    """An Estimate of each Measure of the same cases.

    Args:
        intervals: {name: Interval} of measures that have one of their own.
    """
    intervals, n_cases = intervals or {}, draws.weights.shape[1]
    ones = np.ones((1, n_cases))
    values = _values(measures, [ones])
    if n_cases < 2:
        nothing = dict.fromkeys(values, np.empty(0))
        return [_estimate(m, values[m.name][0], nothing, nothing, draws, {}) for m in measures]
    spans = block_spans(len(draws.weights), n_cases)
    drawn = (draws.weights[slice(*span)].astype(np.float64) for span in progress("resampling cases", spans))
    replicates = _values(measures, drawn)
    spans = block_spans(n_cases, n_cases)
    jackknife = _values(measures, (leave_one_out_rows(*span, n_cases) for span in spans))
    return [_estimate(m, values[m.name][0], replicates, jackknife, draws, intervals) for m in measures]


def _values(measures: Sequence[Measure], blocks: Iterable[Floats]) -> dict[str, Floats]:
    """{name: values of all rows}. Block by block, so that what the measures share is computed once and kept small."""
    found: dict[str, list[Floats]] = {measure.name: [] for measure in measures}
    for weights in blocks:
        for measure in measures:
            found[measure.name].append(measure.resample(weights))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _estimate(
    measure: Measure,
    value: float,
    replicates: Mapping[str, Floats],
    jackknife: Mapping[str, Floats],
    draws: Draws,
    intervals: Mapping[str, Interval],
) -> Estimate:
    drawn = replicates[measure.name]
    interval = intervals.get(measure.name)
    if interval is None:
        interval = interval_of(measure, float(value), drawn, jackknife[measure.name], level=draws.level)
    if measure.successes is None or not measure.n:
        independent = undefined_interval("no proportion", draws.level)
    else:
        independent = wilson(measure.successes, measure.n, level=draws.level)
    return Estimate(
        **measure.about,
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
    )


def delong_of(calls: Calls, *, level: float) -> dict[str, Interval]:
    """{name: Interval} of the area under the ROC curve of a patients' Calls, where DeLong's variance exists."""
    n_tumor = int(calls.tumor.sum())
    if min(n_tumor, len(calls) - n_tumor) < 2:
        return {}
    interval = delong_interval(calls.score, calls.tumor, level=level)
    if interval.low < interval.high:
        return {"patient_auc": interval}
    fewer = min(n_tumor, len(calls) - n_tumor)
    exact = clopper_pearson(interval.low * fewer, fewer, level=level)
    method = Method(CLOPPER_PEARSON, f"for {fewer} of the smaller class (DeLong's variance is 0)")
    return {"patient_auc": replace(exact, method=method)}
