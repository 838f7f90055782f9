"""The figures of a study's page: which there are, with a caption that says how to read each (``captions.yaml``).

Not here: the drawing (``segtumor.reporting.figures``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from segtumor.errors import DataError
from segtumor.evaluation.study.values import Estimate, Study, SubgroupEstimate
from segtumor.reporting.figures.canvas import png_bytes
from segtumor.reporting.figures.confusion import class_confusion_figure, lesion_confusion_figure
from segtumor.reporting.figures.curves import (
    FEW_OF_A_BIN,
    SIZE_IN,
    froc_figure,
    pr_figure,
    reliability_figure,
    roc_figure,
)
from segtumor.reporting.figures.decisions import decision_figure, referral_figure
from segtumor.reporting.figures.embedding import embedding_figure
from segtumor.reporting.figures.forest import forest_figure
from segtumor.reporting.figures.histograms import dice_histogram_figure
from segtumor.reporting.words import load_words
from segtumor.reporting.words.estimates import capital, interval_text, number_text, shown_estimates
from segtumor.reporting.words.study_terms import froc_criterion_text
from segtumor.reporting.words.summary import views_sentence
from segtumor.retrieval.index import Index, subset
from segtumor.retrieval.neighbours import Neighbours
from segtumor.retrieval.projection import principal_components
from segtumor.statistics.calibration import Reliability, reliability
from segtumor.texts import is_undefined

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Measures whose subgroups are drawn and tabulated.
FOREST_MEASURES = ("dice", "lesion_recall", "image_sensitivity", "image_specificity")
_DPI = 130


@dataclass(frozen=True)
class StudyFigure:
    """A figure of the page.

    Attributes:
        name: its anchor, such as "fig-roc".
        section: "curves", "calibration", "decisions", "confusion", "overlap", "subgroups" or "embedding".
        title: what it is, for those who cannot see it.
        caption: how to read it, and what would be good or bad.
    """

    name: str
    section: str
    title: str
    caption: str
    draw: Callable[[], Figure]

    def png(self) -> bytes:
        """The picture as PNG."""
        return png_bytes(self.draw, dpi=_DPI)


def study_figures(study: Study) -> list[StudyFigure]:
    """The figures of a study, in the order of the page; each says in itself where it has nothing to show.

    Those of lesions are left out where the model marks none.
    """
    known = {estimate.name: estimate for estimate in shown_estimates(study)}
    return [
        *_ranking_figures(study, known),
        *([_froc_figure(study)] if study.marks_lesions else []),
        _calibration_figure(study),
        *_decision_figures(study),
        *_class_confusion_figures(study),
        *([_lesion_confusion_figure(study), _dice_figure(study)] if study.marks_lesions else []),
        *_forest_figures(study, known),
    ]


def embedding_study_figure(study: Study, index: Index) -> StudyFigure:
    """The map of the study's images, with this study's calls.

    Raises:
        DataError: the index is of other images.
    """
    rows, names = {row["file_name"]: row for row in study.per_image}, index.file_names
    absent = [name for name in rows if name not in set(names)]
    if absent:
        what = "the index lacks images of this evaluation"
        raise DataError(what, got=f"{len(absent)}, such as {absent[0]}", expected="segtumor embed on the same file")
    chosen = subset(index, [row for row, name in enumerate(names) if name in rows])
    calls = [rows[name]["predicted_class"] for name in chosen.file_names]
    points = principal_components(Neighbours(chosen).directions)
    draw = _bound(embedding_figure, points, chosen.labels, calls, chosen.class_names, method="pca")
    caption = _caption("embedding", method="their two principal components")
    return StudyFigure("fig-embedding", "embedding", "Map of the images", caption, draw)


def subgroups_of(study: Study, measure: str) -> list[SubgroupEstimate]:
    """The study's subgroups of one measure."""
    return [item for item in study.subgroups if item.estimate.name == measure]


def _ranking_figures(study: Study, known: Mapping[str, Estimate]) -> Iterator[StudyFigure]:
    """ROC curve, precision and recall; of images and, where there are such curves, of patients."""
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
    notes = ["square", *(["no_square"] if study.settings.require_located and "patient" in units else [])]
    views = f" {views_sentence(study)}".rstrip() if "patient" in units else ""
    yield StudyFigure("fig-roc", "curves", "ROC curve", _caption("roc", *notes) + views, lambda: roc_figure(roc))
    caption = _caption("precision_recall", *notes)
    yield StudyFigure("fig-pr", "curves", "Precision-recall curve", caption, lambda: pr_figure(pr))


def _froc_figure(study: Study) -> StudyFigure:
    caption = _caption("froc", criterion=froc_criterion_text(study.settings))
    draw = _bound(froc_figure, study.curves.get("froc"), score_threshold=study.settings.score_threshold)
    return StudyFigure("fig-froc", "curves", "FROC curve", caption, draw)


def _calibration_figure(study: Study) -> StudyFigure:
    temperature = study.settings.temperature
    curves: list[tuple[str, Reliability]] = []
    after = "" if temperature is None else f", after temperature {temperature:.3g}"
    for name, label in (("reliability", "images"), ("reliability_patient", "patients")):
        if name in study.curves:
            curves.append((f"{label}{after}", study.curves[name]))
            if after:
                curves.append((f"{label}, before", _reliability_before(study, label)))
    caption = _caption("calibration", *([] if temperature is None else ["temperature"]), few=FEW_OF_A_BIN)
    title = "Calibration (reliability diagram)"
    return StudyFigure("fig-calibration", "calibration", title, caption, lambda: reliability_figure(curves))


def _decision_figures(study: Study) -> Iterator[StudyFigure]:
    """Referral, by what is uncertain, and the decision curve."""
    for name, by in (("referral", "by distance from the threshold"), ("referral_by_uncertainty", "by uncertainty")):
        if name == "referral" or name in study.curves:
            caption, anchor = _caption("referring", name), f"fig-{name.replace('_', '-')}"
            draw = _bound(referral_figure, study.curves.get(name), by=by)
            yield StudyFigure(anchor, "decisions", f"Referral, {by}", caption, draw)
    caption = _caption("decision", *([] if study.settings.temperature is None else ["decision_temperature"]))
    draw = _bound(decision_figure, study.curves.get("decision"))
    yield StudyFigure("fig-decision", "decisions", "Decision curve", caption, draw)


def _reliability_before(study: Study, unit: str) -> Reliability:
    """Reliability of the scores of "images" or "patients" as the model gave them."""
    rows = study.per_image if unit == "images" else study.per_case
    scores = np.array([row["score"] for row in rows], dtype=np.float64)
    before: Reliability = reliability(scores, np.array([bool(row["tumor_true"]) for row in rows], dtype=bool))
    return before


def _class_confusion_figures(study: Study) -> Iterator[StudyFigure]:
    for key, unit in (("image_class", "images"), ("patient_class", "patients")):
        if key in study.confusions:
            located = unit == "patients" and study.settings.require_located
            caption = _caption("confusion", *(["not_located"] if located else []), unit=unit, one=unit[:-1])
            names, counts = study.confusions[key]
            title = f"Confusion matrix of {unit}"
            draw = _bound(class_confusion_figure, names, counts, unit=unit)
            yield StudyFigure(f"fig-confusion-{unit}", "confusion", title, caption, draw)


def _lesion_confusion_figure(study: Study) -> StudyFigure:
    thresholds = {name: getattr(study.settings, name) for name in ("score_threshold", "iou_threshold")}
    return StudyFigure(
        "fig-confusion-lesions",
        "confusion",
        "Confusion matrix of lesions",
        _caption("lesion_confusion"),
        lambda: _square(lesion_confusion_figure(study.evaluation.confusion, **thresholds)),
    )


def _dice_figure(study: Study) -> StudyFigure:
    """Dice of lesions; the caption says why there are more missed lesions than lesions without a finding."""
    rows = study.per_lesion
    alone, low = sum(not row["matched"] for row in rows), sum(row["matched"] and not row["hit"] for row in rows)
    counts = {"all": alone + low, "alone": alone, "low": low, "iou_threshold": study.settings.iou_threshold}
    return StudyFigure(
        "fig-dice",
        "overlap",
        "Distribution of Dice",
        _caption("dice", *(["missed"] if low else []), **counts),
        lambda: _square(dice_histogram_figure(study.per_lesion, score_threshold=study.settings.score_threshold)),
    )


def _forest_figures(study: Study, known: Mapping[str, Estimate]) -> Iterator[StudyFigure]:
    for name in FOREST_MEASURES:
        rows, overall = subgroups_of(study, name), known.get(name)
        if rows and overall is not None:
            title = f"{capital(overall.label)} by subgroup"
            draw = _bound(forest_figure, overall, rows, higher_is_better=overall.higher_is_better)
            yield StudyFigure(f"fig-forest-{name}", "subgroups", title, _caption("forest"), draw)


def _caption(*names: str, **filling: Any) -> str:
    """Texts of ``captions.yaml`` one after the other."""
    return " ".join(load_words("captions")[name].format(**filling) for name in names)


def _bound(draw: Callable[..., Figure], *arguments: Any, **options: Any) -> Callable[[], Figure]:
    return lambda: draw(*arguments, **options)


def _square(figure: Figure) -> Figure:
    figure.set_size_inches(*SIZE_IN)
    return figure


def _value(known: Mapping[str, Estimate], name: str) -> float:
    return known[name].value if name in known else float("nan")


def _with_interval(known: Mapping[str, Estimate], name: str) -> str:
    if name not in known or is_undefined(known[name].value):
        return "undefined"
    return f"{number_text(known[name])} ({interval_text(known[name])})"
