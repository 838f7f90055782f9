"""An estimate as text: its value, interval, count and how the interval was made.

Undefined is said in words with its reason, never written as NaN. Not here: sentences of several (``summary``).
"""

from segtumor.evaluation.measures.measure import DETECTION, LESIONS, OVERLAP, SURFACE
from segtumor.evaluation.study.intervals import PERCENTILE_FEW, WILSON_FEW
from segtumor.evaluation.study.values import Estimate, Study
from segtumor.statistics.interval import BCA, CLOPPER_PEARSON, PERCENTILE
from segtumor.texts import UNDEFINED, counted, is_undefined

#: Groups of measures that are not defined for a model that marks no lesions, such as a classifier.
LESION_GROUPS = (DETECTION, OVERLAP, SURFACE, LESIONS)
#: Kinds of ``Estimate.method`` as people say them.
_METHODS = {
    BCA: "BCa bootstrap of cases",
    PERCENTILE: "percentile bootstrap of cases",
    CLOPPER_PEARSON: "Clopper-Pearson",
}


def shown_estimates(study: Study) -> list[Estimate]:
    """The estimates of a study that are defined for its kind of model; some of them may be undefined for its data."""
    return [e for e in study.estimates if study.marks_lesions or e.group not in LESION_GROUPS]


def unit_of(estimate: Estimate) -> str:
    """Unit of an estimate's value: "%", "px", "mm" or ""."""
    if estimate.in_percent:
        return "%"
    if estimate.name.startswith(("hausdorff", "average_surface_distance")):
        return estimate.name.rpartition("_")[2]
    return ""


def number_text(estimate: Estimate) -> str:
    """The value: three decimals, or one for percent, px and mm, with the unit."""
    return _with_unit(estimate, estimate.value)


def interval_text(estimate: Estimate) -> str:
    """ "0.512 to 0.634", or "undefined"."""
    return range_text(estimate, estimate.low, estimate.high)


def wilson_text(estimate: Estimate) -> str:
    """Wilson's interval of a proportion; "" for everything else."""
    return "" if is_undefined(estimate.wilson_low) else range_text(estimate, estimate.wilson_low, estimate.wilson_high)


def is_of_few_cases(estimate: Estimate) -> bool:
    """Whether an estimate rests on so few cases that its interval deserves a warning."""
    return estimate.method in (WILSON_FEW, PERCENTILE_FEW)


def is_too_narrow(estimate: Estimate) -> bool:
    """Whether the cases are so few that the interval is likely too narrow."""
    return estimate.method == PERCENTILE_FEW


def spread_text(estimate: Estimate) -> str:
    """ "0.512 to 0.634", "0.512 to 0.634, few cases", or "no interval" with its reason."""
    if is_undefined(estimate.low) or is_undefined(estimate.high):
        return f"no interval: {estimate.method.detail}" if estimate.method.detail else "no interval"
    return f"{interval_text(estimate)}, few cases" if is_of_few_cases(estimate) else interval_text(estimate)


def range_text(estimate: Estimate, low: float, high: float) -> str:
    """Two limits in the unit of an estimate, or "undefined"."""
    if is_undefined(low) or is_undefined(high):
        return UNDEFINED
    unit = unit_of(estimate)
    return f"{_plain(low, 1 if unit else 3)} to {_with_unit(estimate, high)}"


def value_cell(estimate: Estimate) -> str:
    """Value of an estimate; where undefined, with the reason."""
    return f"{UNDEFINED}: {reason_text(estimate)}" if is_undefined(estimate.value) else number_text(estimate)


def count_text(estimate: Estimate) -> str:
    """What the value rests on: "412 of 570 lesions" for a proportion, else "570 lesions"."""
    if estimate.successes is not None and not is_undefined(estimate.successes):
        return f"{estimate.successes:.0f} of {counted(estimate.n, estimate.unit)}"
    return counted(estimate.n, estimate.unit)


def method_text(estimate: Estimate, n_resamples: int) -> str:
    """How the interval was made, with how many resamples were defined if some were not."""
    kind, detail = estimate.method.kind, estimate.method.detail
    text = f"{_METHODS.get(kind, kind)} {detail}".rstrip()
    if 0 < estimate.n_defined < n_resamples:
        text += f"; {estimate.n_defined} of {n_resamples} resamples defined"
    return text


def reason_text(estimate: Estimate) -> str:
    """Why an estimate is undefined."""
    if not estimate.n:
        return f"no {estimate.unit} to measure it on"
    return f"cannot be computed from these {counted(estimate.n, estimate.unit)}"


def _with_unit(estimate: Estimate, value: float) -> str:
    if is_undefined(value):
        return UNDEFINED
    unit = unit_of(estimate)
    return f"{_plain(value, 1)} {unit}" if unit else _plain(value, 3)


def _plain(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text  # no "-0.000"


def capital(text: str) -> str:
    """The text with a capital first letter; the rest as it is."""
    return text[:1].upper() + text[1:]
