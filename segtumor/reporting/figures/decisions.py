"""Referral and decision curves with their bands as matplotlib Figures. Not here: captions (``pages.study_figures``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from segtumor.reporting.figures.canvas import DARK, NEUTRAL, class_color, label_axes, line_style, new_figure, say_empty
from segtumor.reporting.figures.curves import SIZE_IN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from segtumor.arrays import Floats
    from segtumor.evaluation.measures.referral import Band, Curve

_COLORS = (class_color(6), class_color(1), class_color(2))


def referral_figure(curve: Curve | None, *, by: str) -> Figure:
    """What is right among the images kept, against the proportion referred.

    Args:
        by: what sorts the images, for the title.
    """
    figure, (axes,) = new_figure(f"Referral of the most uncertain images\n{by}", size_in=SIZE_IN)
    label_axes(axes, "Proportion of images referred", "Of the images kept", (-0.02, 1.0), None)
    if curve is None:
        say_empty(axes, "not defined: no images")
        return figure
    for number, (name, band) in enumerate(curve.bands.items()):
        _draw(axes, curve.at, band, name, number)
        if np.isfinite(band.value[0]):
            axes.axhline(band.value[0], ls=":", lw=1, color=_COLORS[number])
    axes.plot([], [], ":", color=NEUTRAL, label="referred at random")
    axes.set_ylim(top=1.02)
    axes.legend(loc="best", fontsize=9, framealpha=0.9)
    return figure


def decision_figure(curve: Curve | None) -> Figure:
    """Net benefit against the threshold probability, beside calling everybody and nobody."""
    figure, (axes,) = new_figure("Decision curve: worth of calling a tumour", size_in=SIZE_IN)
    label_axes(axes, "Threshold probability", "Net benefit (tumours found, per image)", (-0.02, 1.02), None)
    if curve is None:
        say_empty(axes, "not defined: needs tumour and normal")
        return figure
    worth, everybody = curve.bands["net_benefit"], curve.bands["treat_all"]
    _draw(axes, curve.at, worth, "model", 0)
    axes.plot(curve.at, everybody.value, "--", color=DARK, lw=1.5, label="call everybody")
    axes.axhline(0, ls=":", color=NEUTRAL, lw=1.5, label="call nobody")
    top = float(np.nanmax([*worth.high, *worth.value, everybody.value[0]]))
    low = float(np.nanmin(worth.value))  # towards a threshold of 1 a false alarm costs without end
    axes.set_ylim(max(-0.3, min(-0.05, low - 0.02)), top + 0.05)
    axes.legend(loc="best", fontsize=9, framealpha=0.9)
    return figure


def _draw(axes: Axes, at: Floats, band: Band, label: str, number: int) -> None:
    color = _COLORS[number]
    axes.fill_between(at, band.low, band.high, color=color, alpha=0.15, lw=0)
    axes.plot(at, band.value, line_style(number), color=color, lw=2.5, label=label)
