"""Confusion matrices as matplotlib Figures: of lesions, and of images or patients.

Not here: counting (``segtumor.evaluation``), captions (``pages.study_figures``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segtumor.reporting.figures.canvas import (
    DARK,
    FONT_SIZE,
    MANY_CLASSES,
    MOST_PERCENT,
    label_axes,
    name_text,
    new_figure,
    say_empty,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from segtumor.evaluation.study.values import Confusion

SMALL = 8


def class_confusion_figure(names: Sequence[str], counts: ArrayLike, *, unit: str) -> Figure:
    """Images or patients by true (rows) and predicted class; colour is the proportion of the row.

    Args:
        names: K + 1 names, normal first.
        counts: (K + 1, K + 1) int, rows true.
        unit: "images" or "patients", for the title.
    """
    counts = np.asarray(counts)
    n, right = int(counts.sum()), int(np.trace(counts))
    figure, (axes,) = new_figure(f"{unit.capitalize()} by class, {right} of {n} right", size_in=(5.6, 5.0))
    size = FONT_SIZE if len(names) <= MANY_CLASSES else SMALL
    _draw_counts(axes, counts, names, names, size=size, ticks_size=size - 1)
    label_axes(axes, "Predicted", "True", None, None)
    axes.grid(False)
    if not n:
        say_empty(axes, f"no {unit}")
    return figure


def confusions_figure(
    tables: Sequence[tuple[str, Sequence[str], ArrayLike]], *, unit: str, side_by_side: bool = False
) -> Figure:
    """Confusion matrices of several models or readers, one below the other or side by side.

    Args:
        tables: (whose, K names, (K, K) int with rows true) of each.
        unit: what was counted, such as "patients".
    """
    size_in = (1.2 + 3.8 * len(tables), 4.6) if side_by_side else (5.6, 0.6 + 3.6 * len(tables))
    title = f"{unit.capitalize()} by truth and call"
    figure, panels = new_figure(title, n_panels=len(tables), size_in=size_in, side_by_side=side_by_side)
    for axes, (whose, names, given) in zip(panels, tables, strict=True):
        counts = np.asarray(given)
        size = FONT_SIZE - 1 if len(names) <= MANY_CLASSES else SMALL
        _draw_counts(axes, counts, names, names, size=size, ticks_size=size - 1)
        axes.set_title(f"{name_text(whose)}: {int(np.trace(counts))} of {int(counts.sum())} right", fontsize=FONT_SIZE)
        label_axes(axes, "Called", "True", None, None)
        axes.grid(False)
        if not counts.sum():
            say_empty(axes, f"no {unit}")
    return figure


def lesion_confusion_figure(confusion: Confusion, *, score_threshold: float, iou_threshold: float) -> Figure:
    """Lesions by true and predicted class, with missed ones and false positives; coloured by share of the row."""
    counts, n_lesions = confusion.counts, int(confusion.counts[:-1].sum())
    thresholds = f"score ≥ {score_threshold:.2f}, IoU ≥ {iou_threshold:.2f}"
    title = f"Lesions by class, n = {n_lesions}, {int(counts[-1].sum())} false positives\n{thresholds}"
    figure, (axes,) = new_figure(title)
    size = FONT_SIZE - 1 if len(confusion.rows) <= MANY_CLASSES else SMALL
    _draw_counts(axes, counts, confusion.rows, confusion.columns, size=size - 1, ticks_size=size, last_is_nothing=True)
    axes.set_xlabel("Predicted")
    axes.set_ylabel("True")
    if counts.sum() == 0:
        say_empty(axes, "no lesions and no findings")
    return figure


def _draw_counts(
    axes: Axes,
    counts: NDArray[np.int64],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    size: float,
    ticks_size: float,
    last_is_nothing: bool = False,
) -> None:
    """Counts as coloured cells with their percentage of the row; the last cell may be neither lesion nor finding."""
    totals = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(columns)), list(map(name_text, columns)), rotation=30, ha="right", fontsize=ticks_size)
    axes.set_yticks(range(len(rows)), list(map(name_text, rows)), fontsize=ticks_size)
    for (row, column), count in np.ndenumerate(counts):
        percent = f"\n{100 * share[row, column]:.0f}%" if totals[row, 0] and len(counts) <= MOST_PERCENT else ""
        nothing = last_is_nothing and row == column == len(counts) - 1
        color = "white" if share[row, column] > 0.6 else DARK
        text = "–" if nothing else f"{count}{percent}"
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=size)
