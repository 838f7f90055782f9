"""The figures of a study's page: which there are, with a caption that says how to read each.

Not here: the drawing (``curve_plots``, ``count_plots``, ``forest_plot``, ``plots``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from segtumor.reporting.figures.count_plots import class_confusion_figure
from segtumor.reporting.figures.curve_plots import (
    FEW_OF_A_BIN,
    SIZE_IN,
    froc_figure,
    pr_figure,
    reliability_figure,
    roc_figure,
)
from segtumor.reporting.figures.figure import png_bytes
from segtumor.reporting.figures.forest_plot import forest_figure
from segtumor.reporting.figures.plots import confusion_matrix_figure, dice_histogram_figure
from segtumor.reporting.words.study_terms import froc_criterion_text
from segtumor.reporting.words.study_text import capital, interval_text, number_text, views_sentence
from segtumor.texts import is_undefined

#: Measures whose subgroups are drawn and tabulated.
FOREST_MEASURES = ("dice", "lesion_recall", "image_sensitivity", "image_specificity")
_DPI = 130
_SQUARE = "The white square marks the score threshold of this report."
_NO_SQUARE = (
    "The curve of patients has no square: their sensitivity here asks for a located lesion, which the scores do not."
)


@dataclass(frozen=True)
class StudyFigure:
    """A figure of the page.

    Attributes:
        name: its anchor, such as "fig-roc".
        section: "curves", "calibration", "confusion", "overlap" or "subgroups".
        title: what it is, for those who cannot see it.
        caption: how to read it, and what would be good or bad.
        draw: gives the matplotlib Figure.
    """

    name: str
    section: str
    title: str
    caption: str
    draw: Callable[[], Any]

    def png(self):
        """The picture as PNG."""
        return png_bytes(self.draw, dpi=_DPI)


def study_figures(study):
    """The StudyFigures of a study, in the order of the page; each says in itself where it has nothing to show."""
    known = {estimate.name: estimate for estimate in study.estimates}
    return [
        *_curve_figures(study, known),
        _calibration_figure(study),
        *_confusion_figures(study),
        _dice_figure(study),
        *_forest_figures(study, known),
    ]


def subgroups_of(study, measure):
    """The study's SubgroupEstimates of one measure."""
    return [item for item in study.subgroups if item.estimate.name == measure]


def _curve_figures(study, known):
    units = [unit for unit in ("image", "patient") if unit == "image" or f"roc_{unit}" in study.curves]
    roc, pr = [], []
    for unit in units:
        names = ("sensitivity", "specificity", "ppv")
        sensitivity, specificity, ppv = (_value(known, f"{unit}_{name}") for name in names)
        on_curve = unit == "image" or not study.settings.require_located
        label = f"{unit}s: AUC {_with_interval(known, f'{unit}_auc')}"
        roc.append((label, study.curves.get(f"roc_{unit}"), (1 - specificity, sensitivity) if on_curve else None))
        label = f"{unit}s: average precision {_with_interval(known, f'{unit}_auc_pr')}"
        pr.append((label, study.curves.get(f"pr_{unit}"), (sensitivity, ppv) if on_curve else None))
    note = f" {_NO_SQUARE}" if study.settings.require_located and "patient" in units else ""
    views = f" {views_sentence(study)}".rstrip() if "patient" in units else ""
    yield StudyFigure("fig-roc", "curves", "ROC curve", _ROC_CAPTION + note + views, lambda: roc_figure(roc))
    yield StudyFigure("fig-pr", "curves", "Precision-recall curve", _PR_CAPTION + note, lambda: pr_figure(pr))
    caption = _FROC_CAPTION.format(criterion=froc_criterion_text(study.settings))
    froc, threshold = study.curves.get("froc"), study.settings.score_threshold
    yield StudyFigure("fig-froc", "curves", "FROC curve", caption, lambda: froc_figure(froc, score_threshold=threshold))


def _calibration_figure(study):
    temperature, curves = study.settings.temperature, []
    after = "" if temperature is None else f", after temperature {temperature:.3g}"
    for name, label in (("reliability", "images"), ("reliability_patient", "patients")):
        if name in study.curves:
            curves.append((f"{label}{after}", study.curves[name]))
            if after:
                curves.append((f"{label}, before", _reliability_before(study, label)))
    caption = _CALIBRATION_CAPTION if temperature is None else f"{_CALIBRATION_CAPTION} {_TEMPERATURE}"
    title = "Calibration (reliability diagram)"
    return StudyFigure("fig-calibration", "calibration", title, caption, lambda: reliability_figure(curves))


def _reliability_before(study, unit):
    """Reliability of the scores of "images" or "patients" as the model gave them."""
    from segtumor.statistics.calibration import reliability

    rows, name = (study.per_image, "max_score") if unit == "images" else (study.per_case, "score")
    scores = np.array([row[name] or 0.0 for row in rows], dtype=np.float64)
    return reliability(scores, np.array([bool(row["tumor_true"]) for row in rows], dtype=bool))


def _confusion_figures(study):
    for key, unit in (("image_class", "images"), ("patient_class", "patients")):
        if key not in study.confusions:
            continue
        names, counts = study.confusions[key]
        title = f"Confusion matrix of {unit}"
        yield StudyFigure(
            f"fig-confusion-{unit}",
            "confusion",
            title,
            _CONFUSION_CAPTION.format(unit=unit, one=unit[:-1], note=_located_note(study, unit)),
            lambda names=names, counts=counts, unit=unit: class_confusion_figure(names, counts, unit=unit),
        )
    thresholds = {name: getattr(study.settings, name) for name in ("score_threshold", "iou_threshold")}
    yield StudyFigure(
        "fig-confusion-lesions",
        "confusion",
        "Confusion matrix of lesions",
        _LESION_CONFUSION_CAPTION,
        lambda: _square(confusion_matrix_figure(study.evaluation.confusion, **thresholds)),
    )


def _located_note(study, unit):
    return f" {_NOT_LOCATED}" if unit == "patients" and study.settings.require_located else ""


def _dice_figure(study):
    return StudyFigure(
        "fig-dice",
        "overlap",
        "Distribution of Dice",
        _DICE_CAPTION + _missed_note(study),
        lambda: _square(dice_histogram_figure(study.per_lesion, score_threshold=study.settings.score_threshold)),
    )


def _missed_note(study) -> str:
    """Why there are more missed lesions than lesions without a finding, which look like two counts of one thing."""
    rows = study.per_lesion
    alone, low = sum(not row["matched"] for row in rows), sum(row["matched"] and not row["hit"] for row in rows)
    if not low:
        return ""
    return (
        f" Everywhere else, {alone + low} lesions count as missed: these {alone}, and {low} whose finding overlaps "
        f"them too little to hit (IoU below {study.settings.iou_threshold:.2f})."
    )


def _forest_figures(study, known):
    for name in FOREST_MEASURES:
        rows, overall = subgroups_of(study, name), known.get(name)
        if rows and overall is not None:
            yield StudyFigure(
                f"fig-forest-{name}",
                "subgroups",
                f"{capital(overall.label)} by subgroup",
                _FOREST_CAPTION,
                lambda overall=overall, rows=rows: forest_figure(
                    overall, rows, higher_is_better=overall.higher_is_better
                ),
            )


def _square(figure):
    figure.set_size_inches(*SIZE_IN)
    return figure


def _value(known, name):
    return known[name].value if name in known else float("nan")


def _with_interval(known, name) -> str:
    if name not in known or is_undefined(known[name].value):
        return "undefined"
    return f"{number_text(known[name])} ({interval_text(known[name])})"


_ROC_CAPTION = (
    "How many tumors are recognised (up) at the price of how many false alarms (right), for every possible score "
    f"threshold. A good curve runs close to the upper left corner; along the dotted diagonal is chance. Where the "
    f"upper end is a straight line, the images without any finding cannot be ranked. {_SQUARE}"
)
_PR_CAPTION = (
    "Of the images or patients called positive, how many have a tumor (up), against how many of the tumors are "
    "called positive (right). A good curve stays at the top; chance is a level line at the part of tumors in these "
    f"data, so curves of data with another part of tumors cannot be compared. {_SQUARE}"
)
_FROC_CAPTION = (
    "Lesions found (up) against findings that hit nothing, per image (right, each mark twice the last); {criterion}. "
    "A good curve is high already at the left. A curve that ends early means that the model makes no more findings; it "
    "is drawn on at its last height. The white square marks the score threshold of this report; here a further finding "
    "on a lesion already found counts neither way, while the tables count it as a false positive."
)
_CALIBRATION_CAPTION = (
    "Whether a score can be read as a probability: images, or patients, are binned by their score, and each point "
    "compares the mean score of a bin (right) with the part of it that has a tumor (up). On the dotted line they "
    "agree; below it the model is too sure, above it too careful. The bars count the images of each bin; open points "
    f"are bins of fewer than {FEW_OF_A_BIN} images or patients, which mean little and are not joined by the line."
)
_TEMPERATURE = "Scores after dividing their logit by the temperature, with the lines before for comparison."
_CONFUSION_CAPTION = (
    "Each row holds the {unit} of one true class, each column those predicted to be of a class; percentages are of the "
    "row. Good: dark on the diagonal. A malignant {one} in the column normal was called negative.{note}"
)
_NOT_LOCATED = "Whether a lesion was located is not asked here."
_LESION_CONFUSION_CAPTION = (
    "Each row holds the lesions of one true class by the class of the finding that hits them; the last column counts "
    "missed lesions, the last row findings that hit nothing. Good: dark on the diagonal, little in the last column and "
    "row."
)
_DICE_CAPTION = (
    "How well outlines agree, lesion by lesion: 1 is the same outline, 0 no overlap. Good: a tall group near 1. The "
    "hatched bar counts the lesions that no finding is paired with; they count in the mean of all, not in that "
    "of matched."
)
_FOREST_CAPTION = (
    "Each row is a subgroup with its number, its value (point) and its interval (line); the broken line and the gray "
    "band are all together; a dotted line rests on fewer than ten cases and is rough. Rows whose interval lies "
    "clear of the broken line deserve a look. Small groups have long "
    "lines, and among many rows some differ by chance; the tests below allow for that."
)
