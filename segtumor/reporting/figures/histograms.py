"""Histograms as matplotlib Figures: Dice of lesions, sizes of lesions, ages.

Each title states how many there are; where there is nothing to draw the plot says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from segtumor.ages import AGE_GROUP_STARTS, OLDEST_YEARS
from segtumor.reporting.figures.canvas import (
    DARK,
    class_color,
    count_upwards,
    label_axes,
    name_text,
    new_figure,
    say_empty,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def dice_histogram_figure(per_lesion: Sequence[Mapping[str, Any]], *, score_threshold: float) -> Figure:
    """Histogram of Dice per lesion; lesions paired with no finding are set apart at 0 and count in the mean.

    Args:
        per_lesion: rows with ``dice``, ``matched`` and, where a hit asks for more than any overlap, ``hit``.
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
        bins=np.linspace(0, 1, 21).tolist(),
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
    count_upwards(axes)
    axes.legend(loc="best", framealpha=0.9)
    return figure


def lesion_size_figure(sides_px: Mapping[str, ArrayLike]) -> Figure:
    """Histogram of lesion sizes by class, on a logarithmic axis.

    Args:
        sides_px: {class name: sizes}, in the order of ``class_id``; side of a square of the lesion's area, px.
    """
    everything = np.concatenate([np.zeros(0), *map(np.asarray, sides_px.values())])
    figure, (axes,) = new_figure(f"Lesion sizes, n = {len(everything)} lesions", size_in=(7, 4))
    label_axes(axes, "Side of a square of the same area (px)", "Lesions", None, None)
    if not len(everything):
        say_empty(axes, "no lesions")
        return figure
    edges = np.geomspace(max(1, everything.min()), max(2, everything.max() * 1.001), 25)
    colors = [class_color(class_id) for class_id in range(len(sides_px))]
    labels = [f"{name_text(name)}, n = {np.size(values)}" for name, values in sides_px.items()]
    axes.hist(
        [np.maximum(values, 1) for values in sides_px.values()],
        edges.tolist(),
        stacked=True,
        color=colors,
        label=labels,
        ec=DARK,
        lw=0.4,
    )
    axes.set_xscale("log")
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000) if edges[0] / 2 < tick < 2 * edges[-1]]
    axes.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
    axes.minorticks_off()
    axes.set_xlim(edges[0], edges[-1])
    count_upwards(axes)
    # Beside the bars: no place within is free of them, and there may be many classes.
    figure.legend(loc="outside right center", fontsize=9)
    return figure


def age_histogram_figure(ages: Sequence[float]) -> Figure:
    """Histogram of ages in years; lines part the age groups of the tables."""
    last, n_beyond = min(max(90, *ages), OLDEST_YEARS), sum(age > OLDEST_YEARS for age in ages)
    beyond = f", {n_beyond} above {OLDEST_YEARS} years" if n_beyond else ""
    figure, (axes,) = new_figure(f"Age, n = {len(ages)} images{beyond}", size_in=(7, 4))
    label_axes(axes, "Age (years)", "Images", (0, last + 5), None)
    axes.hist(
        np.minimum(ages, OLDEST_YEARS), bins=np.arange(0, last + 6, 5).tolist(), color=class_color(0), edgecolor="white"
    )
    for start in AGE_GROUP_STARTS:
        axes.axvline(start, color=DARK, lw=1, ls=":")
    count_upwards(axes)
    return figure
