"""Curves over the score threshold as matplotlib Figures: ROC, precision and recall, FROC; and calibration.

A curve that is not defined is missing from its plot, which then says so. Not here: captions (``study_plots``).
"""

import numpy as np

from segtumor.reporting.figures.figure import DARK, NEUTRAL, class_color, label_axes, line_style, new_figure, say_empty

SIZE_IN = (5.6, 5.0)
#: Bins of a reliability diagram with fewer are points by themselves: a line through them would draw chance.
FEW_OF_A_BIN = 5
#: x of the FROC axis runs on a logarithmic scale over these rates of false positives per image.
FROC_TICKS = (0.125, 0.25, 0.5, 1, 2, 4, 8)


def roc_figure(curves):
    """Sensitivity against the rate of false positives.

    Args:
        curves: [(label, RocCurve or None, operating point (false positive rate, sensitivity) or None)].
    """
    figure, (axes,) = new_figure("ROC: tumor or normal", size_in=SIZE_IN)
    label_axes(axes, "1 − specificity", "Sensitivity", (-0.02, 1.02), (-0.02, 1.02))
    axes.plot([0, 1], [0, 1], ":", color=NEUTRAL, lw=1.5, label="chance")
    lines = [(label, curve.false_positive_rate, curve.sensitivity, at) for label, curve, at in curves if curve]
    return _finish(figure, axes, _draw(axes, lines), "needs tumor and normal", "lower right")


def pr_figure(curves):
    """Precision (positive predictive value) against recall (sensitivity); arguments as for ``roc_figure``."""
    figure, (axes,) = new_figure("Precision and recall: tumor or normal", size_in=SIZE_IN)
    label_axes(axes, "Recall (sensitivity)", "Precision (positive predictive value)", (-0.02, 1.02), (-0.02, 1.02))
    lines = [(label, curve.recall, curve.precision, at) for label, curve, at in curves if curve]
    return _finish(figure, axes, _draw(axes, lines), "needs a tumor", "lower left")


def froc_figure(froc, *, score_threshold=None):
    """Sensitivity for lesions against false positives per image, with the seven rates of the mean.

    Args:
        froc: Froc or None.
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
        mark = {"color": "white", "mec": DARK, "mew": 2, "ms": 9, "zorder": 5, "clip_on": False}
        axes.plot(min(max(x, 0.1), 10), y, "s", label="at the score threshold", **mark)
    return _finish(figure, axes, True, "", "best")


def _at_threshold(froc, score_threshold):
    """(false positives per image, sensitivity) of the findings at or above a score."""
    last = np.flatnonzero(np.asarray(froc.thresholds) >= score_threshold)[-1]  # the first threshold is infinite
    return float(froc.false_positives_per_image[last]), float(froc.sensitivity[last])


def reliability_figure(curves):
    """Observed part of tumors against the mean score of a bin; the line joins bins of more than a few, whose points are
    filled.

    Args:
        curves: [(label, Reliability)]; the first one's counts are drawn below.
    """
    figure, panels = new_figure("Calibration: score and observed part of tumors", n_panels=2, size_in=SIZE_IN)
    top, bottom = panels
    label_axes(top, "", "Observed part of tumors", (-0.02, 1.02), (-0.05, 1.08))
    label_axes(bottom, "Score", "Images", (-0.02, 1.02), None)
    top.plot([0, 1], [0, 1], ":", color=NEUTRAL, lw=1.5, label="perfect")
    for number, (label, curve) in enumerate(curves):
        filled = np.asarray(curve.counts) > 0
        x, y = np.asarray(curve.mean_probability)[filled], np.asarray(curve.observed)[filled]
        ink, solid = {"color": _COLORS[number], "ms": 6}, np.asarray(curve.counts)[filled] >= FEW_OF_A_BIN
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


_MARKERS = ("o", "s", "^", "D")
_COLORS = (class_color(6), class_color(1), class_color(2), class_color(4))


def _draw(axes, lines):
    """Lines with their operating points; returns whether there was anything to draw."""
    for number, (label, x, y, point) in enumerate(lines):
        axes.plot(x, y, line_style(number), color=_COLORS[number], lw=2.5, label=label)
        if point is not None and np.isfinite(point).all():
            axes.plot(*point, "s", color="white", mec=_COLORS[number], mew=2.5, ms=9, zorder=5, clip_on=False)
    return bool(lines)


def _finish(figure, axes, drawn, reason, loc):
    if drawn:
        axes.legend(loc=loc, fontsize=9, framealpha=0.9)
    else:
        say_empty(axes, f"not defined: {reason}")
    return figure
