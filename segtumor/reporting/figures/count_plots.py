"""Counts of a study as matplotlib Figures: true against predicted class, and the spread of Dice.

Not here: the confusion matrix of lesions (``plots``), captions (``study_plots``).
"""

import numpy as np

from segtumor.reporting.figures.figure import (
    DARK,
    FONT_SIZE,
    MANY_CLASSES,
    MOST_PERCENT,
    label_axes,
    name_text,
    new_figure,
    say_empty,
)


def class_confusion_figure(names, counts, *, unit):
    """Images or patients by true (rows) and predicted class; colour is the part of the row.

    Args:
        names: K + 1 names, normal first.
        counts: (K + 1, K + 1) int, rows true.
        unit: "images" or "patients", for the title.
    """
    counts = np.asarray(counts)
    n, right = int(counts.sum()), int(np.trace(counts))
    figure, (axes,) = new_figure(f"{unit.capitalize()} by class, {right} of {n} right", size_in=(5.6, 5.0))
    totals = counts.sum(axis=1, keepdims=True)
    part = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    axes.imshow(part, cmap="Blues", vmin=0, vmax=1)
    shown, small = list(map(name_text, names)), FONT_SIZE if len(names) <= MANY_CLASSES else 8
    axes.set_xticks(range(len(names)), shown, rotation=30, ha="right", fontsize=small - 1)
    axes.set_yticks(range(len(names)), shown, fontsize=small - 1)
    label_axes(axes, "Predicted", "True", None, None)
    axes.grid(False)
    for (row, column), count in np.ndenumerate(counts):
        text = (
            f"{count}\n{100 * part[row, column]:.0f}%" if totals[row, 0] and len(names) <= MOST_PERCENT else f"{count}"
        )
        color = "white" if part[row, column] > 0.6 else DARK
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=small)
    if not n:
        say_empty(axes, f"no {unit}")
    return figure
