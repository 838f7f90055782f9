"""A study in a paragraph: a few plain sentences, each built from its numbers.

Not here: a single estimate as text (``estimates``), the page (``segtumor.reporting.pages.study_page``).
"""

from collections.abc import Iterator, Mapping

from segtumor.evaluation.study.remarks import uneven_views_remark
from segtumor.evaluation.study.values import Estimate, Study
from segtumor.reporting.words.estimates import (
    capital,
    count_text,
    is_too_narrow,
    number_text,
    reason_text,
    shown_estimates,
    spread_text,
)
from segtumor.texts import counted, is_undefined, percent_text

#: An interval of a proportion wider than this is called wide.
WIDE_INTERVAL = 0.2
_SUMMARISED = (
    *("lesion_recall", "dice", "image_sensitivity", "image_specificity", "image_auc"),
    *("patient_sensitivity", "patient_auc"),
)


def summary_sentences(study: Study) -> list[str]:
    """The study in a few plain sentences, each built from its numbers; nothing is claimed beyond these images."""
    known = {estimate.name: estimate for estimate in shown_estimates(study)}
    sentences = [_counts_sentence(study), *_unpredicted_sentence(study), *_result_sentences(study, known)]
    sentences += filter(None, [views_sentence(study)])  # right after the patients
    summarised = [known[name] for name in _SUMMARISED if name in known]
    wide = [e.label for e in summarised if _is_wide(e)]
    narrow = [e.label for e in summarised if is_too_narrow(e)]
    if narrow:
        sentences.append(f"Too few cases for the interval, which is likely too narrow: {', '.join(narrow)}.")
    if wide:
        names = ", ".join(wide)
        sentences.append(f"Much uncertainty remains about: {names} (interval wider than {WIDE_INTERVAL}).")
    sentences.append(
        "These numbers describe these images, this threshold and these annotations only; they do not show how "
        "well the model does elsewhere, nor whether it helps a reader or a patient."
    )
    return sentences


def views_sentence(study: Study) -> str:
    """What uneven numbers of images do to the measures of patients; "" where they are even."""
    tumor = [bool(row["tumor_true"]) for row in study.per_case]
    return uneven_views_remark(study.cases.n_images, tumor, study.settings.rule)


def _counts_sentence(study: Study) -> str:
    images, cases = counted(len(study.images), "images"), counted(len(study.cases), "cases")
    if not study.marks_lesions:
        n_tumor = sum(bool(row["tumor_true"]) for row in study.per_image)
        return (
            f"{images} of {cases} were evaluated; {n_tumor} of them show a tumour. The model judges whole images and "
            "marks no lesions: measures of lesions, of their outlines and of detection are not defined for it."
        )
    n_lesions = sum(len(image.lesions) for image in study.images)
    n_without = sum(not image.truth.lesions for image in study.images)
    n_crowds = sum(image.n_crowds for image in study.images)
    crowds = f" and {counted(n_crowds, 'crowd regions')}, which do not count," if n_crowds else ""
    return (
        f"{images} of {cases} with {counted(n_lesions, 'lesions')}{crowds} were evaluated; {n_without} have no lesion."
    )


def _unpredicted_sentence(study: Study) -> Iterator[str]:
    counts = study.evaluation.metrics["counts"]
    n_unpredicted = sum(counts.get(name) or 0 for name in ("n_images_absent", "n_images_failed"))
    if n_unpredicted:
        yield (
            f"{n_unpredicted} of the {counted(len(study.images), 'images')} could not be predicted or are absent from "
            "the predictions; they count as without findings, which makes the normal ones among them correct (see "
            "Remarks)."
        )


def _result_sentences(study: Study, known: Mapping[str, Estimate]) -> list[str]:
    located = " and located" if study.settings.require_located else ""
    level, threshold = percent_text(study.settings.level), f"{study.settings.score_threshold:.2f}"

    def said(name: str, phrase: str) -> list[str]:
        estimate = known.get(name)
        if estimate is None:
            return []
        if is_undefined(estimate.value):
            return [f"{capital(phrase)} is undefined: {reason_text(estimate)}."]
        amount = f"{count_text(estimate)}, " if estimate.successes is not None else ""
        spread = spread_text(estimate)
        spread = spread if spread.startswith("no interval") else f"{level} interval {spread}"
        return [f"{capital(phrase)} was {number_text(estimate)} ({amount}{spread})."]

    return [
        *said("lesion_recall", f"at a score threshold of {threshold}, the sensitivity for lesions"),
        *said("dice", "the mean Dice over all lesions, missed ones counted as 0,"),
        *said("image_sensitivity", "the proportion of tumour images called positive"),
        *said("image_specificity", "the proportion of normal images called negative"),
        *said("image_auc", "the AUC for separating tumour images from normal ones"),
        *said("patient_sensitivity", f"the proportion of patients with a tumour called positive{located}"),
        *said("patient_specificity", "the proportion of patients without a tumour called negative"),
        *said("patient_auc", "the AUC for separating patients with a tumour from those without"),
    ]


def _is_wide(estimate: Estimate) -> bool:
    return not is_undefined(estimate.high - estimate.low) and estimate.high - estimate.low > WIDE_INTERVAL
