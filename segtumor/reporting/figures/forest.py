"""A forest plot: one measure by subgroup, each level with its number, point and interval.

Undefined levels keep their row and say so. Not here: choosing the measures (``pages.study_figures``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from segtumor.evaluation.study.values import Estimate, SubgroupEstimate
from segtumor.reporting.figures.canvas import DARK, NEUTRAL, class_color, name_text, new_figure, say_empty
from segtumor.reporting.words.estimates import capital, is_of_few_cases
from segtumor.reporting.words.study_terms import field_text
from segtumor.texts import is_undefined

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: More rows make a picture nobody reads; what is left out is named in the plot and is in ``subgroups.csv``.
MAX_ROWS = 60
_ROW_IN, _LONGEST = 0.24, 34
_INK = class_color(6)


def forest_figure(overall: Estimate, subgroups: Iterable[SubgroupEstimate], *, higher_is_better: bool = True) -> Figure:
    """Levels from top to bottom, grouped by field; the broken line is the value of all.

    Args:
        subgroups: of the same measure, those of a field side by side.
        higher_is_better: which side of the line is better, for the axis.
    """
    rows = _rows(overall, subgroups)
    left_out = len(rows) - MAX_ROWS
    rows = rows[:MAX_ROWS]
    figure, (axes,) = new_figure(f"{capital(overall.label)} by subgroup", size_in=(6.4, 1.5 + _ROW_IN * len(rows)))
    if not is_undefined(overall.value):
        axes.axvline(overall.value, color=DARK, ls="--", lw=1)
        if not is_undefined(overall.low):
            axes.axvspan(overall.low, overall.high, color=NEUTRAL, alpha=0.2, lw=0)
    for number, (_, estimate) in enumerate(rows):
        if estimate is not None:
            _draw_row(axes, number, estimate, is_all=number == 0)
    axes.set_yticks(range(len(rows)), [label for label, _ in rows], fontsize=9)
    for tick, (_, estimate) in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_fontweight("normal" if estimate is not None else "bold")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(*_limits([estimate for _, estimate in rows if estimate is not None]))
    axes.set_xlabel("further right is better" if higher_is_better else "further left is better", fontsize=10)
    axes.grid(axis="x", alpha=0.3)
    if left_out > 0:
        say_empty(axes, f"{left_out} more rows in subgroups.csv")
    return figure


def _rows(overall: Estimate, subgroups: Iterable[SubgroupEstimate]) -> list[tuple[str, Estimate | None]]:
    """(label, estimate), with (field, None) as the heading of each field."""
    rows: list[tuple[str, Estimate | None]] = [(f"all (n = {overall.n})", overall)]
    field = None
    for item in subgroups:
        if item.field != field:
            field = item.field
            rows.append((name_text(field_text(field), _LONGEST), None))
        rows.append((f"{name_text(item.level, _LONGEST)} (n = {item.estimate.n})", item.estimate))
    return rows


def _draw_row(axes: Axes, row: int, estimate: Estimate, *, is_all: bool) -> None:
    if is_undefined(estimate.value):
        axes.text(0.5, row, "undefined", transform=axes.get_yaxis_transform(), ha="center", va="center", fontsize=9)
        return
    if not is_undefined(estimate.low) and not is_undefined(estimate.high):
        style = ":" if is_of_few_cases(estimate) else "-"
        axes.plot([estimate.low, estimate.high], [row, row], style, color=_INK, lw=2, solid_capstyle="butt")
    axes.plot(estimate.value, row, "D" if is_all else "o", color=DARK if is_all else _INK, ms=7 if is_all else 6)


def _limits(estimates: Iterable[Estimate]) -> tuple[float, float]:
    """Zero to one for ratios, else what holds every interval."""
    values = [v for e in estimates for v in (e.low, e.value, e.high) if not is_undefined(v)]
    return (-0.02, max([1.02, *(1.05 * value for value in values if value > 1)]))
