"""The plots of an evaluation and of a training run, as matplotlib Figures.

Drawn with the object-oriented API on the Agg canvas: no window, no global state, so that a test, a thread and a
notebook do not disturb each other. Each title states how many cases and which thresholds; where there is nothing to
draw the plot says so. Not here: writing them (``segtumor.reporting.evaluation_report``).
"""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from segtumor.taxonomy import color_rgb

_LINE_STYLES = ("-", "--", "-.", ":")  # besides the colour, for prints in gray
_NEUTRAL, _DARK = (0.6, 0.6, 0.6), (0.2, 0.2, 0.2)
_FONT_SIZE = 12


def precision_recall_figure(curves, *, iou_type):
    """Precision against recall at IoU 0.50, a line per class.

    Args:
        curves: {class name: PrecisionRecall}, in the order of ``class_id``.
        iou_type: ``"segm"`` or ``"bbox"``, for the title.
    """
    kind = {"segm": "masks", "bbox": "boxes"}[iou_type]
    n_lesions = sum(curve.n_lesions for curve in curves.values())
    title = f"Precision and recall of {kind}\nIoU ≥ 0.50, all scores, n = {n_lesions} lesions"
    figure, (axes,) = _figure(title)
    _label(axes, "Recall", "Precision", (0, 1.02), (0, 1.05))
    drawn = False
    for class_id, (name, curve) in enumerate(curves.items()):
        if np.isfinite(curve.precision).any():
            label = f"{name}: AP50 {100 * np.mean(curve.precision):.1f}, n = {curve.n_lesions}"
            axes.plot(curve.recall, curve.precision, _style(class_id), color=_rgb(class_id), lw=2.5, label=label)
            drawn = True
    if drawn:
        axes.legend(loc="best", framealpha=0.9)
    else:
        _say_empty(axes, "no lesions or no findings to compare" if n_lesions == 0 else "not defined: masks are missing")
    return figure


def confusion_matrix_figure(confusion, *, score_threshold, iou_threshold):
    """Lesions by true and predicted class, with missed ones and false positives; colour is the part of the row."""
    counts, n_lesions = confusion.counts, int(confusion.counts[:-1].sum())
    n_false = int(counts[-1].sum())
    title = (
        f"Lesions by class, n = {n_lesions}, {n_false} false positives\n{_thresholds(score_threshold, iou_threshold)}"
    )
    figure, (axes,) = _figure(title)
    totals = counts.sum(axis=1, keepdims=True)
    part = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    axes.imshow(part, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(confusion.columns)), confusion.columns, rotation=30, ha="right")
    axes.set_yticks(range(len(confusion.rows)), confusion.rows)
    axes.set_xlabel("Predicted")
    axes.set_ylabel("True")
    for (row, column), count in np.ndenumerate(counts):
        nothing = row == column == len(counts) - 1  # neither lesion nor finding: cannot be counted
        text = "–" if nothing else f"{count}\n{100 * part[row, column]:.0f}%" if totals[row, 0] else "0"
        color = "white" if part[row, column] > 0.6 else _DARK
        axes.text(column, row, text, ha="center", va="center", color=color)
    if counts.sum() == 0:
        _say_empty(axes, "no lesions and no findings")
    return figure


def dice_histogram_figure(per_lesion, *, score_threshold):
    """Histogram of Dice per lesion; lesions without any overlap stand apart at 0 and count in the mean.

    Args:
        per_lesion: rows with ``dice`` and ``matched``.
        score_threshold: for the title.
    """
    dice = np.array([row["dice"] for row in per_lesion if row["matched"]], dtype=np.float64)
    n_lesions, n_missed = len(per_lesion), len(per_lesion) - len(dice)
    title = f"Dice per lesion, n = {n_lesions}, {n_missed} without any overlap\nscore ≥ {score_threshold:.2f}"
    figure, (axes,) = _figure(title)
    _label(axes, "Dice coefficient", "Lesions", (-0.08, 1.02), None)
    if not n_lesions:
        _say_empty(axes, "no lesions")
        return figure
    axes.hist(dice, bins=np.linspace(0, 1, 21), color=_rgb(0), edgecolor="white", label=f"matched, n = {len(dice)}")
    axes.bar([-0.04], [n_missed], width=0.05, color=_rgb(1), hatch="//", label=f"no overlap (Dice 0), n = {n_missed}")
    axes.axvline(dice.sum() / n_lesions, color=_DARK, lw=2, label=f"mean of all: {dice.sum() / n_lesions:.3f}")
    if len(dice):
        axes.axvline(dice.mean(), color=_DARK, lw=2, ls=":", label=f"mean of matched: {dice.mean():.3f}")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="best", framealpha=0.9)
    return figure


def training_curves_figure(history):
    """Loss, validation metrics and learning rate against the iteration.

    Args:
        history: {key: (iterations, values)} as ``segtumor.reporting.evaluation_report.read_training_history`` gives;
            missing keys leave their panel empty.
    """
    last = max((int(iterations[-1]) for iterations, _ in history.values() if len(iterations)), default=0)
    figure, panels = _figure(f"Training up to iteration {last}", n_panels=3, size_in=(8, 9))
    _curves(panels[0], history, {"total_loss": "training", "val/loss": "validation"}, "Loss")
    percent = {key: (x, np.asarray(y) / 100) for key, (x, y) in history.items() if key == "val/segm_AP50"}
    _curves(
        panels[1], {**history, **percent}, {"val/segm_AP50": "mask AP50", "val/dice": "Dice"}, "Validation (0 to 1)"
    )
    _curves(panels[2], history, {"lr": "learning rate"}, "Learning rate")
    panels[2].set_xlabel("Iteration")
    return figure


def png_bytes(figure, *, dpi=120):
    """The figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def _curves(axes, history, labels, ylabel):
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.3)
    drawn = False
    for number, (key, label) in enumerate(labels.items()):
        iterations, values = history.get(key, ((), ()))
        if len(iterations):
            marker = "o" if len(iterations) <= 30 else None
            axes.plot(iterations, values, _style(number), color=_rgb(number), lw=2, marker=marker, label=label)
            drawn = True
    if drawn:
        axes.legend(loc="best", framealpha=0.9)
    else:
        _say_empty(axes, f"no {' or '.join(labels)} in metrics.json")


def _figure(title, *, n_panels=1, size_in=(7, 6)):
    """A Figure with stacked panels, and their axes."""
    figure = Figure(figsize=size_in, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=_FONT_SIZE + 1)
    panels = [figure.add_subplot(n_panels, 1, i + 1) for i in range(n_panels)]
    for axes in panels:
        axes.tick_params(labelsize=_FONT_SIZE - 1)
        axes.xaxis.label.set_size(_FONT_SIZE)
        axes.yaxis.label.set_size(_FONT_SIZE)
    return figure, panels


def _label(axes, xlabel, ylabel, xlim, ylim):
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.set_xlim(xlim)
    if ylim:
        axes.set_ylim(ylim)
    axes.grid(alpha=0.3)


def _say_empty(axes, text):
    box = {"facecolor": "white", "edgecolor": _NEUTRAL, "boxstyle": "round"}
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=_FONT_SIZE, bbox=box)


def _thresholds(score_threshold, iou_threshold):
    return f"score ≥ {score_threshold:.2f}, IoU ≥ {iou_threshold:.2f}"


def _style(class_id):
    return _LINE_STYLES[class_id % len(_LINE_STYLES)]


def _rgb(class_id):
    return tuple(channel / 255 for channel in color_rgb(class_id))
