"""The flow of a data set as a figure: images found, left out and why, used, and the parts of the split.

Not here: the counting (``segtumor.datasets.flow``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segtumor.datasets.flow import Amount, Flow
from segtumor.reporting.figures.canvas import DARK, FONT_SIZE, name_text, new_figure
from segtumor.texts import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_REASONS = 8
_LONGEST_REASON = 60
_BOX = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": DARK}


def flow_figure(flow: Flow) -> Figure:
    """Boxes from top to bottom: found, left out (at the right), used, and each part."""
    n_left_out = sum(flow.left_out.values())
    height = 3.2 + 0.25 * min(len(flow.left_out), _MOST_REASONS) + (1.4 if flow.parts else 0)
    figure, (axes,) = new_figure("From images to a data set", size_in=(8.4, height))
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    bottom = 0.42 if flow.parts else 0.12
    _arrow(axes, (0.27, 0.88), (0.27, bottom + 0.1))
    _box(axes, (0.27, 0.9), f"{counted(flow.found, 'images')} found")
    if n_left_out:
        middle = (0.9 + bottom) / 2
        _arrow(axes, (0.27, middle), (0.52, middle))
        _box(axes, (0.54, middle), _reasons(flow), align="left")
    for number, part in enumerate(flow.parts):
        place = (0.5 + number) / len(flow.parts)
        _arrow(axes, (0.27, bottom - 0.06), (place, 0.2))
        _box(axes, (place, 0.12), _amount(part))
    _box(axes, (0.27, bottom), _amount(flow.used))
    return figure


def _reasons(flow: Flow) -> str:
    kinds = list(flow.left_out.items())
    rest = sum(n for _, n in kinds[_MOST_REASONS:])
    lines = [f"{n}  {name_text(kind, _LONGEST_REASON)}" for kind, n in kinds[:_MOST_REASONS]]
    lines += [f"{rest}  for other reasons"] if rest else []
    return "\n".join([f"{counted(sum(flow.left_out.values()), 'images')} left out", *lines])


def _amount(amount: Amount) -> str:
    lesions = f"{counted(amount.cases, 'cases')}, {counted(amount.lesions, 'lesions')}"
    return "\n".join([name_text(amount.name), counted(amount.images, "images"), lesions])


def _box(axes: Axes, place: tuple[float, float], text: str, *, align: str = "center") -> None:
    axes.text(*place, text, ha=align, va="center", fontsize=FONT_SIZE - 2, bbox=_BOX)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", xy=end, xytext=start, arrowprops={"arrowstyle": "->", "color": DARK})
