"""Curves over the score threshold as matplotlib Figures: ROC, precision and recall, FROC; and calibration.

A curve that is not defined is missing from its plot, which then says so. Not here: captions (``pages.study_figures``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from segtumor.reporting.figures.canvas import (
    DARK,
    FONT_SIZE,
    MANY_CLASSES,
    NEUTRAL,
    class_color,
    label_axes,
    line_style,
    name_text,
    new_figure,
    say_empty,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from segtumor.evaluation.measures.froc import Froc
    from segtumor.evaluation.measures.resampled_ap import PrecisionRecall
    from segtumor.statistics.calibration import Reliability
    from segtumor.statistics.roc import PrCurve, RocCurve

LegendPlace = Literal["best", "lower left", "lower right"]
#: (right, up), both in [0, 1].
Point = tuple[float, float]

SIZE_IN = (5.6, 5.0)
#: Bins of a reliability diagram with fewer are points by themselves: a line through them would draw chance.
FEW_OF_A_BIN = 5
#: x of the FROC axis runs on a logarithmic scale over these rates of false positives per image.
FROC_TICKS = (0.125, 0.25, 0.5, 1, 2, 4, 8)


def roc_figure(curves: Sequence[tuple[str, RocCurve | None, Point | None]]) -> Figure:
    """Sensitivity against the rate of false positives.

    Args:
        curves: (label, curve, operating point (false positive rate, sensitivity)) of each.
    """
    figure, (axes,) = new_figure("ROC: tumour or normal", size_in=SIZE_IN)
    label_axes(axes, "1 − specificity", "Sensitivity", (-0.02, 1.02), (-0.02, 1.02))
    axes.plot([0, 1], [0, 1], ":", color=NEUTRAL, lw=1.5, label="chance")
    lines = [(label, curve.false_positive_rate, curve.sensitivity, at) for label, curve, at in curves if curve]
    return _finish(figure, axes, _draw(axes, lines), "needs tumour and normal", "lower right")


def pr_figure(curves: Sequence[tuple[str, PrCurve | None, Point | None]]) -> Figure:
    """Precision (positive predictive value) against recall (sensitivity); arguments as for ``roc_figure``."""
    figure, (axes,) = new_figure("Precision and recall: tumour or normal", size_in=SIZE_IN)
    label_axes(axes, "Recall (sensitivity)", "Precision (positive predictive value)", (-0.02, 1.02), (-0.02, 1.02))
    lines = [(label, curve.recall, curve.precision, at) for label, curve, at in curves if curve]
    return _finish(figure, axes, _draw(axes, lines), "needs a tumour", "lower left")


def froc_figure(froc: Froc | None, *, score_threshold: float | None = None) -> Figure:
    """Sensitivity for lesions against false positives per image, with the seven rates of the mean.

    Args:
        froc: None where it is not defined.
        score_threshold: where it lies on the curve is marked; None: nowhere.
    """
    figure, (axes,) = new_figure("FROC: lesions found, by false positives", size_in=SIZE_IN)
    label_axes(axes, "False positives per image", "Lesions found (sensitivity)", (0.1, 10), (-0.02, 1.02))
    axes.set_xscale("log")
    axes.set_xticks(FROC_TICKS, ["1/8", "1/4", "1/2", "1", "2", "4", "8"])
    axes.minorticks_off()
    if froc is None:
        return _finish(figure, axes, False, "needs lesions", "best")
    # A curve that ends early is drawn on: more false positives are never made, and nothing more is found.
    rates, found = np.append(froc.false_positives_per_image, 1e3), np.append(froc.sensitivity, max(froc.sensitivity))
    axes.plot(np.maximum(rates, 1e-3), found, color=class_color(6), lw=2.5, drawstyle="steps-post")
    marked = np.array(list(froc.at.values()), dtype=float)
    label = f"the seven rates, mean {froc.mean:.3f}" if np.isfinite(froc.mean) else "the seven rates"
    axes.plot(list(froc.at), marked, "o", color=class_color(1), ms=7, label=label)
    if score_threshold is not None:
        x, y = _at_threshold(froc, score_threshold)
        mark: dict[str, Any] = {"color": "white", "mec": DARK, "mew": 2, "ms": 9, "zorder": 5, "clip_on": False}
        axes.plot(min(max(x, 0.1), 10), y, "s", label="at the score threshold", **mark)
    return _finish(figure, axes, True, "", "best")


def _at_threshold(froc: Froc, score_threshold: float) -> Point:
    """(false positives per image, sensitivity) of the findings at or above a score."""
    last = np.flatnonzero(np.asarray(froc.thresholds) >= score_threshold)[-1]  # the first threshold is infinite
    return float(froc.false_positives_per_image[last]), float(froc.sensitivity[last])


def reliability_figure(curves: Sequence[tuple[str, Reliability]]) -> Figure:
    """Observed proportion of tumours against the mean score of a bin; the line joins bins of more than a few, whose
    points are filled.

    Args:
        curves: with their labels; the first one's counts are drawn below.
    """
    figure, panels = new_figure("Calibration: score and observed proportion of tumours", n_panels=2, size_in=SIZE_IN)
    top, bottom = panels
    label_axes(top, "", "Observed proportion of tumours", (-0.02, 1.02), (-0.05, 1.08))
    label_axes(bottom, "Score", "Images", (-0.02, 1.02), None)
    top.plot([0, 1], [0, 1], ":", color=NEUTRAL, lw=1.5, label="perfect")
    for number, (label, curve) in enumerate(curves):
        filled = np.asarray(curve.counts) > 0
        x, y = np.asarray(curve.mean_probability)[filled], np.asarray(curve.observed)[filled]
        ink: dict[str, Any] = {"color": _COLORS[number], "ms": 6}
        solid = np.asarray(curve.counts)[filled] >= FEW_OF_A_BIN
        top.plot(x, y, _MARKERS[number], mfc="white", label=label, **ink)
        top.plot(x[solid], y[solid], line_style(number) + _MARKERS[number], lw=2, **ink)
        edges = np.asarray(curve.edges, dtype=float)
        if number == 0:
            bars = bottom.bar(edges[:-1], curve.counts, np.diff(edges), align="edge", color=_COLORS[0], ec="white")
            bottom.bar_label(bars, [int(n) if n else "" for n in curve.counts], fontsize=8)
            bottom.margins(y=0.2)
    if curves:
        top.legend(loc="best", fontsize=9 if len(curves) < 3 else 7, framealpha=0.9)
    else:
        say_empty(top, "no images")
    return figure


def precision_recall_figure(curves: Mapping[str, PrecisionRecall], *, iou_type: str) -> Figure:
    """Precision against recall at IoU 0.50, a line per class.

    Args:
        curves: by class name, in the order of ``class_id``.
        iou_type: ``"segm"`` or ``"bbox"``, for the title.
    """
    kind = {"segm": "masks", "bbox": "boxes"}[iou_type]
    n_lesions = sum(curve.n_lesions for curve in curves.values())
    title = f"Precision and recall of {kind}\nIoU ≥ 0.50, all scores, n = {n_lesions} lesions"
    figure, (axes,) = new_figure(title)
    label_axes(axes, "Recall", "Precision", (0, 1.02), (0, 1.05))
    drawn = False
    for class_id, (name, curve) in enumerate(curves.items()):
        if np.isfinite(curve.precision).any():
            label = f"{name_text(name)}: AP50 {100 * np.mean(curve.precision):.1f}, n = {curve.n_lesions}"
            axes.plot(
                curve.recall, curve.precision, line_style(class_id), color=class_color(class_id), lw=2.5, label=label
            )
            drawn = True
    if drawn:
        axes.legend(loc="best", framealpha=0.9, fontsize=FONT_SIZE - 2 if len(curves) <= MANY_CLASSES else 7)
    else:
        say_empty(axes, "no lesions or no findings to compare" if n_lesions == 0 else "not defined: masks are missing")
    return figure


_MARKERS = ("o", "s", "^", "D")
_COLORS = (class_color(6), class_color(1), class_color(2), class_color(4))


def _draw(axes: Axes, lines: Sequence[tuple[str, ArrayLike, ArrayLike, Point | None]]) -> bool:
    """Lines with their operating points; returns whether there was anything to draw."""
    for number, (label, x, y, point) in enumerate(lines):
        axes.plot(x, y, line_style(number), color=_COLORS[number], lw=2.5, label=label)
        if point is not None and np.isfinite(point).all():
            axes.plot(*point, "s", color="white", mec=_COLORS[number], mew=2.5, ms=9, zorder=5, clip_on=False)
    return bool(lines)


def _finish(figure: Figure, axes: Axes, drawn: bool, reason: str, loc: LegendPlace) -> Figure:
    if drawn:
        axes.legend(loc=loc, fontsize=9, framealpha=0.9)
    else:
        say_empty(axes, f"not defined: {reason}")
    return figure
