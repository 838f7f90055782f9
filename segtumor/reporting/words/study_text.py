"""A study's numbers in words: values, intervals, counts and the summary paragraph.

Undefined is said in words with its reason, never written as NaN. Not here: the page (``study_page``).
"""

from segtumor.evaluation.study.uneven_views import uneven_views_remark
from segtumor.texts import UNDEFINED, counted, is_undefined, percent_text

#: First words of ``Estimate.method`` as people say them.
_METHODS = {
    "bca": "BCa bootstrap of cases",
    "percentile": "percentile bootstrap of cases",
    "clopper-pearson": "Clopper-Pearson",
}
#: In ``Estimate.method`` where the cases are too few for the bootstrap.
_FEW_CASES, _TOO_NARROW = "few cases", "too narrow"
#: An interval of a proportion wider than this is called wide in the summary.
WIDE_INTERVAL = 0.2


def unit_of(estimate):
    """Unit of an estimate's value: "%", "px", "mm" or ""."""
    if estimate.in_percent:
        return "%"
    if estimate.name.startswith(("hausdorff", "average_surface_distance")):
        return estimate.name.rpartition("_")[2]
    return ""


def number_text(estimate):
    """The value: three decimals, or one for percent, px and mm, with the unit."""
    return _with_unit(estimate, estimate.value)


def interval_text(estimate):
    """ "0.512 to 0.634", or "undefined"."""
    return range_text(estimate, estimate.low, estimate.high)


def wilson_text(estimate):
    """Wilson's interval of a proportion; "" for everything else."""
    return "" if is_undefined(estimate.wilson_low) else range_text(estimate, estimate.wilson_low, estimate.wilson_high)


def is_of_few_cases(estimate) -> bool:
    """Whether an estimate rests on so few cases that its interval deserves a warning."""
    return _FEW_CASES in estimate.method


def spread_text(estimate):
    """ "0.512 to 0.634", "0.512 to 0.634, few cases", or "no interval" with its reason."""
    if is_undefined(estimate.low) or is_undefined(estimate.high):
        reason = estimate.method.removeprefix("undefined: ")
        return f"no interval: {reason}" if reason else "no interval"
    return f"{interval_text(estimate)}, {_FEW_CASES}" if is_of_few_cases(estimate) else interval_text(estimate)


def range_text(estimate, low, high):
    """Two limits in the unit of an estimate, or "undefined"."""
    if is_undefined(low) or is_undefined(high):
        return UNDEFINED
    unit = unit_of(estimate)
    return f"{_plain(low, 1 if unit else 3)} to {_with_unit(estimate, high)}"


def value_cell(estimate):
    """Value of an estimate; where undefined, with the reason."""
    return f"{UNDEFINED}: {_reason(estimate)}" if is_undefined(estimate.value) else number_text(estimate)


def count_text(estimate):
    """What the value rests on: "412 of 570 lesions" for a proportion, else "570 lesions"."""
    if estimate.successes is not None and not is_undefined(estimate.successes):
        return f"{estimate.successes:.0f} of {counted(estimate.n, estimate.unit)}"
    return counted(estimate.n, estimate.unit)


def method_text(estimate, n_resamples):
    """How the interval was made, with how many resamples were defined if some were not."""
    first, _, rest = estimate.method.partition(" ")
    text = f"{_METHODS[first]} {rest}".strip() if first in _METHODS else estimate.method or "not given"
    if 0 < estimate.n_defined < n_resamples:
        text += f"; {estimate.n_defined} of {n_resamples} resamples defined"
    return text


def summary_sentences(study):
    """The study in a few plain sentences, each built from its numbers; nothing is claimed beyond these images."""
    known = {estimate.name: estimate for estimate in study.estimates}
    sentences = [_counts_sentence(study), *_unpredicted_sentence(study), *_result_sentences(study, known)]
    sentences += filter(None, [views_sentence(study)])  # right after the patients
    summarised = [known[name] for name in _SUMMARISED if name in known]
    wide = [e.label for e in summarised if _is_wide(e)]
    narrow = [e.label for e in summarised if _TOO_NARROW in e.method]
    if narrow:
        sentences.append(f"Too few cases for the interval, which is likely too narrow: {', '.join(narrow)}.")
    if wide:
        sentences.append(f"The data leave much uncertainty about: {', '.join(wide)} (interval wider than 0.2).")
    sentences.append(
        "These numbers describe these images, this threshold and these annotations only; they do not show how the "
        "model does elsewhere, nor whether it helps a reader or a patient."
    )
    return sentences


def views_sentence(study):
    """What uneven numbers of images do to the measures of patients; "" where they are even."""
    tumor = [bool(row["tumor_true"]) for row in study.per_case]
    return uneven_views_remark(study.cases.n_images, tumor, study.settings.rule)


_SUMMARISED = (
    *("lesion_recall", "dice", "image_sensitivity", "image_specificity", "image_auc"),
    *("patient_sensitivity", "patient_auc"),
)


def _counts_sentence(study) -> str:
    n_lesions = sum(len(image.lesions) for image in study.images)
    n_without = sum(not image.truth.lesions for image in study.images)
    n_crowds = sum(image.n_crowds for image in study.images)
    crowds = f" and {counted(n_crowds, 'crowd regions')}, which do not count," if n_crowds else ""
    images, cases = counted(len(study.images), "images"), counted(len(study.cases), "cases")
    return (
        f"{images} of {cases} with {counted(n_lesions, 'lesions')}{crowds} were evaluated; {n_without} have no lesion."
    )


def _unpredicted_sentence(study):
    counts = study.evaluation.metrics["counts"]
    n_unpredicted = sum(counts.get(name) or 0 for name in ("n_images_absent", "n_images_failed"))
    if n_unpredicted:
        yield (
            f"{n_unpredicted} of the {counted(len(study.images), 'images')} could not be predicted or are absent from "
            "the predictions; they count as without findings, which makes the normal ones among them right (see "
            "Remarks)."
        )


def _result_sentences(study, known):
    located = " and located" if study.settings.require_located else ""
    level, threshold = percent_text(study.settings.level), f"{study.settings.score_threshold:.2f}"

    def said(name, phrase):
        estimate = known.get(name)
        if estimate is None:
            return []
        if is_undefined(estimate.value):
            return [f"{capital(phrase)} is undefined: {_reason(estimate)}."]
        amount = f"{count_text(estimate)}, " if estimate.successes is not None else ""
        spread = spread_text(estimate)
        spread = spread if spread.startswith("no interval") else f"{level} interval {spread}"
        return [f"{capital(phrase)} was {number_text(estimate)} ({amount}{spread})."]

    return [
        *said("lesion_recall", f"at a score threshold of {threshold}, the sensitivity for lesions"),
        *said("dice", "the mean Dice over all lesions, missed ones counted as 0,"),
        *said("image_sensitivity", "the part of the tumor images called positive"),
        *said("image_specificity", "the part of the normal images called negative"),
        *said("image_auc", "the AUC for telling tumor images from normal ones"),
        *said("patient_sensitivity", f"the part of the patients with a tumor called positive{located}"),
        *said("patient_specificity", "the part of the patients without a tumor called negative"),
        *said("patient_auc", "the AUC for telling patients with a tumor from those without"),
    ]


def _is_wide(estimate):
    return not is_undefined(estimate.high - estimate.low) and estimate.high - estimate.low > WIDE_INTERVAL


def _reason(estimate) -> str:
    if not estimate.n:
        return f"no {estimate.unit} to measure it on"
    return f"cannot be computed from these {counted(estimate.n, estimate.unit)}"


def _with_unit(estimate, value):
    if is_undefined(value):
        return UNDEFINED
    unit = unit_of(estimate)
    return f"{_plain(value, 1)} {unit}" if unit else _plain(value, 3)


def capital(text):
    """The text with a capital first letter; the rest as it is."""
    return text[:1].upper() + text[1:]


def _plain(value, decimals):
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text  # no "-0.000"
