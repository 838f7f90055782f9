"""The plots of an evaluation and of a training run, as matplotlib Figures.

Each title states how many cases and which thresholds; where there is nothing to
draw the plot says so. Not here: writing them (``segtumor.reporting.files.evaluation_report``).
"""

import numpy as np

from segtumor.reporting.figures.figure import (
    DARK,
    FONT_SIZE,
    MANY_CLASSES,
    MOST_PERCENT,
    class_color,
    label_axes,
    line_style,
    name_text,
    new_figure,
    say_empty,
)
from segtumor.runs import TRAINING_METRICS


def precision_recall_figure(curves, *, iou_type):
    """Precision against recall at IoU 0.50, a line per class.

    Args:
        curves: {class name: PrecisionRecall}, in the order of ``class_id``.
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


def confusion_matrix_figure(confusion, *, score_threshold, iou_threshold):
    """Lesions by true and predicted class, with missed ones and false positives; colour is the part of the row."""
    counts, n_lesions = confusion.counts, int(confusion.counts[:-1].sum())
    n_false = int(counts[-1].sum())
    title = (
        f"Lesions by class, n = {n_lesions}, {n_false} false positives\n{_thresholds(score_threshold, iou_threshold)}"
    )
    figure, (axes,) = new_figure(title)
    totals = counts.sum(axis=1, keepdims=True)
    part = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    axes.imshow(part, cmap="Blues", vmin=0, vmax=1)
    small = FONT_SIZE - 1 if len(confusion.rows) <= MANY_CLASSES else 8
    for ticks, names in ((axes.set_xticks, confusion.columns), (axes.set_yticks, confusion.rows)):
        ticks(range(len(names)), list(map(name_text, names)), fontsize=small)
    axes.set_xticks(axes.get_xticks(), axes.get_xticklabels(), rotation=30, ha="right")
    axes.set_xlabel("Predicted")
    axes.set_ylabel("True")
    for (row, column), count in np.ndenumerate(counts):
        nothing = row == column == len(counts) - 1  # neither lesion nor finding: cannot be counted
        percent = f"\n{100 * part[row, column]:.0f}%" if totals[row, 0] and len(counts) <= MOST_PERCENT else ""
        text = "–" if nothing else f"{count}{percent}"
        color = "white" if part[row, column] > 0.6 else DARK
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=small - 1)
    if counts.sum() == 0:
        say_empty(axes, "no lesions and no findings")
    return figure


def dice_histogram_figure(per_lesion, *, score_threshold):
    """Histogram of Dice per lesion; lesions paired with no finding stand apart at 0 and count in the mean.

    Args:
        per_lesion: rows with ``dice``, ``matched`` and, where a hit asks for more than any overlap, ``hit``.
        score_threshold: for the title.
    """
    dice = np.array([row["dice"] for row in per_lesion if row["matched"]], dtype=np.float64)
    n_lesions, n_missed = len(per_lesion), len(per_lesion) - len(dice)
    n_low = sum(row["matched"] and not row.get("hit", True) for row in per_lesion)
    low = f"\n({n_low} of them overlap too little to hit)" if n_low else ""
    title = f"Dice per lesion, n = {n_lesions}, {n_missed} paired with no finding\nscore ≥ {score_threshold:.2f}"
    figure, (axes,) = new_figure(title)
    label_axes(axes, "Dice coefficient", "Lesions", (-0.08, 1.02), None)
    if not n_lesions:
        say_empty(axes, "no lesions")
        return figure
    axes.hist(
        dice,
        bins=np.linspace(0, 1, 21),
        color=class_color(0),
        edgecolor="white",
        label=f"matched, n = {len(dice)}{low}",
    )
    axes.bar(
        [-0.04], [n_missed], width=0.05, color=class_color(1), hatch="//", label=f"no finding (Dice 0), n = {n_missed}"
    )
    axes.axvline(dice.sum() / n_lesions, color=DARK, lw=2, label=f"mean of all: {dice.sum() / n_lesions:.3f}")
    if len(dice):
        axes.axvline(dice.mean(), color=DARK, lw=2, ls=":", label=f"mean of matched: {dice.mean():.3f}")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="best", framealpha=0.9)
    return figure


def training_curves_figure(history):
    """Loss, validation metrics and learning rate against the iteration.

    Args:
        history: {key: (iterations, values)} as ``segtumor.reporting.files.evaluation_report.read_training_history``
        gives;     missing keys leave their panel empty.
    """
    last = max((int(iterations[-1]) for iterations, _ in history.values() if len(iterations)), default=0)
    figure, panels = new_figure(f"Training up to iteration {last}", n_panels=3, size_in=(8, 9))
    _curves(panels[0], history, {"total_loss": "training", "val/loss": "validation"}, "Loss")
    percent = {key: (x, np.asarray(y) / 100) for key, (x, y) in history.items() if key == "val/segm_AP50"}
    _curves(
        panels[1], {**history, **percent}, {"val/segm_AP50": "mask AP50", "val/dice": "Dice"}, "Validation (0 to 1)"
    )
    _curves(panels[2], history, {"lr": "learning rate"}, "Learning rate")
    panels[2].set_xlabel("Iteration")
    for panel in panels:  # alike, so that one can look from one to the next
        panel.set_xlim(-0.02 * max(last, 1), 1.02 * max(last, 1))
    return figure


def _curves(axes, history, labels, ylabel) -> None:
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.3)
    drawn = False
    for number, (key, label) in enumerate(labels.items()):
        iterations, values = history.get(key, ((), ()))
        if len(iterations):
            marker = "o" if len(iterations) <= 30 else None
            axes.plot(
                iterations, values, line_style(number), color=class_color(number), lw=2, marker=marker, label=label
            )
            drawn = True
    if drawn:
        axes.legend(loc="best", framealpha=0.9)
    else:
        say_empty(axes, f"no {' or '.join(labels)} in {TRAINING_METRICS}")


def _thresholds(score_threshold, iou_threshold) -> str:
    return f"score ≥ {score_threshold:.2f}, IoU ≥ {iou_threshold:.2f}"
