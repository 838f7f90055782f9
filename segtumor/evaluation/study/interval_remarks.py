"""What a reader should know about the estimates of a study, in sentences: what is undefined, and which intervals are
rough. Not here: what was assumed about the images (``remarks``).
"""

import math

from segtumor.evaluation.study.intervals import FEW_CASES, PERCENTILE_FEW, WILSON_FEW, is_bootstrapped

#: Limits at 2.5% and 97.5% of fewer resamples are rough (Efron and Tibshirani 1993, chapter 13).
_ENOUGH_RESAMPLES = 1000
#: Part of the resamples that should define a measure.
_MOSTLY = 0.95


def interval_remarks(estimates, subgroups, *, n_images, settings):
    """Sentences about Estimates, SubgroupEstimates and the resamples of StudySettings."""
    if not n_images:
        return ()
    return (
        *undefined_remarks(estimates),
        *_few_cases(estimates, subgroups),
        *_rarely_defined(estimates, settings),
        *_few_resamples(settings),
        *_beside_the_value(estimates, settings),
    )


def undefined_remarks(estimates):
    """Sentences naming the Estimates without a value: nothing to measure on is not the same as what cannot be done."""
    undefined = [e for e in estimates if math.isnan(e.value)]
    nothing, unequal = (", ".join(e.name for e in undefined if bool(e.n) == counted) for counted in (False, True))
    if nothing:
        yield f"Undefined, as there is nothing to measure them on: {nothing}."
    if unequal:
        yield (
            "Undefined, as they cannot be computed from what there is (one kind of truth or of call only, or masks "
            f"missing): {unequal}."
        )


def _few_cases(estimates, subgroups):
    n_cases = max((e.n_cases for e in estimates), default=0)
    if 1 < n_cases < FEW_CASES:
        yield (
            f"There are {n_cases} cases only: intervals are rough, those of the bootstrap likely too narrow (see the "
            "column method)."
        )
        return
    if any(e.method in (WILSON_FEW, PERCENTILE_FEW) for e in (*estimates, *(s.estimate for s in subgroups))):
        yield (
            f"Rows that rest on fewer than {FEW_CASES} cases are marked (few cases) in the report and in the column "
            "method of the tables: there proportions have Wilson's interval with the cases as units, and other "
            "intervals are likely too narrow."
        )


def _rarely_defined(estimates, settings):
    rare = [
        f"{e.name} ({e.n_defined} of {settings.n_resamples})"
        for e in estimates
        if is_bootstrapped(e.method) and e.n_defined < _MOSTLY * settings.n_resamples
    ]
    if rare:
        yield f"Undefined in many resamples, of which their intervals leave these out: {', '.join(rare)}."


def comparison_remarks(rows, settings):
    """Sentences about the intervals of differences: ComparisonRows and the StudySettings."""
    few = [row.name for row in rows if row.method == PERCENTILE_FEW]
    if few:
        yield (
            f"{len(few)} of {len(rows)} intervals rest on fewer than {FEW_CASES} cases (few cases); they are likely "
            "too narrow."
        )
    yield from _few_resamples(settings)


def _few_resamples(settings):
    if settings.n_resamples < _ENOUGH_RESAMPLES:
        yield (
            f"Intervals are from {settings.n_resamples} resamples only; their limits vary with the seed. "
            f"{_ENOUGH_RESAMPLES:,} or more are usual."
        )


def _beside_the_value(estimates, settings):
    outside = [e.name for e in estimates if e.value < e.low or e.value > e.high]
    if outside:
        yield (
            f"Intervals that do not hold their own value: {', '.join(outside)}; {settings.n_resamples} resamples are "
            "too few for them, or the measure is skewed."
        )
