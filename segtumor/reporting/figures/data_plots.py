"""The plots of a data card, as matplotlib Figures."""

import numpy as np

from segtumor.ages import AGE_GROUP_STARTS, OLDEST_YEARS
from segtumor.reporting.figures.figure import DARK, class_color, label_axes, name_text, new_figure, say_empty


def lesion_size_figure(sides_px):
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
    labels = [f"{name_text(name)}, n = {len(values)}" for name, values in sides_px.items()]
    axes.hist(
        [np.maximum(values, 1) for values in sides_px.values()],
        edges,
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
    axes.yaxis.get_major_locator().set_params(integer=True)
    # Beside the bars: no place within is free of them, and there may be many classes.
    figure.legend(loc="outside right center", fontsize=9)
    return figure


def age_histogram_figure(ages):
    """Histogram of ages in years; lines part the age groups of the tables."""
    last, n_beyond = min(max(90, *ages), OLDEST_YEARS), sum(age > OLDEST_YEARS for age in ages)
    beyond = f", {n_beyond} above {OLDEST_YEARS} years" if n_beyond else ""
    figure, (axes,) = new_figure(f"Age, n = {len(ages)} images{beyond}", size_in=(7, 4))
    label_axes(axes, "Age (years)", "Images", (0, last + 5), None)
    axes.hist(np.minimum(ages, OLDEST_YEARS), bins=np.arange(0, last + 6, 5), color=class_color(0), edgecolor="white")
    for start in AGE_GROUP_STARTS:
        axes.axvline(start, color=DARK, lw=1, ls=":")
    axes.yaxis.get_major_locator().set_params(integer=True)
    return figure
