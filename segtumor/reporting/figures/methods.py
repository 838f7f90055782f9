"""Several methods side by side as a bar chart with intervals.

Not here: choosing the measures (``comparison.methods``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from segtumor.evaluation.comparison.methods import MethodResult, defined_estimates
from segtumor.evaluation.study.values import Estimate
from segtumor.reporting.figures.canvas import DARK, FONT_SIZE, class_color, name_text, new_figure, say_empty
from segtumor.texts import is_undefined

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GROUP = 0.8
_WIDTH_IN, _LEAST_IN = 1.1, 6.0


def methods_figure(methods: Sequence[MethodResult], *, level: str) -> Figure:
    """A group of bars for each measure, a bar for each method; measures in percent as proportions.

    Undefined values have no bar, undefined intervals no line.

    Args:
        level: of the intervals, as text.
    """
    rows = [row for row in defined_estimates(methods) if row[0].higher_is_better and all(map(_is_proportion, row))]
    width = max(_LEAST_IN, _WIDTH_IN * len(rows) * max(1, len(methods) / 4))
    figure, (axes,) = new_figure(f"Methods compared, with {level} intervals", size_in=(width, 4.8))
    step = _GROUP / max(1, len(methods))
    for number, method in enumerate(methods):
        places = [place + (number + 0.5) * step - _GROUP / 2 for place in range(len(rows))]
        heights = [_scaled(row[number], row[number].value) for row in rows]
        axes.bar(places, heights, step * 0.92, label=name_text(method.name), color=class_color(number))
        for place, row in zip(places, rows, strict=True):
            limits = [_scaled(row[number], limit) for limit in (row[number].low, row[number].high)]
            axes.plot([place, place], limits, color=DARK, lw=1.2)  # nothing where undefined
    axes.set_xticks(range(len(rows)), [row[0].name for row in rows], rotation=35, ha="right", fontsize=FONT_SIZE - 3)
    axes.set_ylim(0, 1.02)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    if rows:
        figure.legend(loc="outside lower center", ncols=min(4, len(methods)), fontsize=FONT_SIZE - 2)
    else:
        say_empty(axes, "nothing is defined for any of them")
    return figure


def _is_proportion(estimate: Estimate) -> bool:
    """Whether a value lies in [0, 1], or is in percent: what one axis can show."""
    return estimate.in_percent or is_undefined(estimate.value) or 0 <= estimate.value <= 1


def _scaled(estimate: Estimate, value: float) -> float:
    return value / 100 if estimate.in_percent else value
