"""What all plots share: a Figure without global state, labels, colours and the way to PNG.

Drawn with the object-oriented API on the Agg canvas: no window, no global state, so that a test, a thread and a
notebook do not disturb each other. matplotlib is imported by ``plotting_library`` alone.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from segtumor.escaping import shortened
from segtumor.reporting.figures.plotting_library import import_matplotlib, own_settings
from segtumor.taxonomy import color_rgb

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE_STYLES = ("-", "--", "-.", ":")  # besides the colour, for prints in grey
NEUTRAL, DARK = (0.6, 0.6, 0.6), (0.2, 0.2, 0.2)
FONT_SIZE = 12
Limits = tuple[float, float]
#: A table of more classes than this is drawn in smaller letters.
MANY_CLASSES = 5
#: Of more than this there is room for the counts alone.
MOST_PERCENT = 10


def png_bytes(draw: Callable[[], Figure], *, dpi: int = 120) -> bytes:
    """The figure that ``draw()`` gives as PNG, drawn with matplotlib's own settings whatever the user's are."""
    buffer = io.BytesIO()
    with own_settings(), warnings.catch_warnings():
        # Names in a script that matplotlib's own font lacks are drawn as boxes; the tables beside each figure hold
        # them as text. Other fonts are not sought: which there are differs by machine, and so would the picture.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        draw().savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def new_figure(
    title: str, *, n_panels: int = 1, size_in: tuple[float, float] = (7, 6), side_by_side: bool = False
) -> tuple[Figure, list[Axes]]:
    """A Figure with panels, stacked unless ``side_by_side``, and their axes."""
    import_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size_in, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=FONT_SIZE + 1)
    grid = (1, n_panels) if side_by_side else (n_panels, 1)
    panels = [figure.add_subplot(*grid, i + 1) for i in range(n_panels)]
    for axes in panels:
        axes.tick_params(labelsize=FONT_SIZE - 1)
        axes.xaxis.label.set_fontsize(FONT_SIZE)
        axes.yaxis.label.set_fontsize(FONT_SIZE)
    return figure, panels


def name_text(name: str, longest: int = 28) -> str:
    """A name as plots write it: on one line, short, no formula (what is between dollar signs), and shown in legends
    (which leave out what begins with a low line)."""
    text = shortened(name, longest).strip() or "(no name)"
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def label_axes(axes: Axes, xlabel: str, ylabel: str, xlim: Limits | None, ylim: Limits | None) -> None:
    """Name and limit both axes; a limit of None is left to matplotlib."""
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.set_xlim(xlim)
    if ylim:
        axes.set_ylim(ylim)
    axes.grid(alpha=0.3)


def say_empty(axes: Axes, text: str) -> None:
    """Write into the middle of a plot why there is nothing to see."""
    box = {"facecolor": "white", "edgecolor": NEUTRAL, "boxstyle": "round"}
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=FONT_SIZE, bbox=box)


def count_upwards(axes: Axes) -> None:
    """Let the vertical axis have whole numbers only."""
    locator: Any = axes.yaxis.get_major_locator()
    locator.set_params(integer=True)


def line_style(class_id: int) -> str:
    """Line style of a class."""
    return _LINE_STYLES[class_id % len(_LINE_STYLES)]


def class_color(class_id: int) -> tuple[float, float, float]:
    """Colour of a class as matplotlib wants it, in [0, 1]."""
    red, green, blue = color_rgb(class_id)
    return red / 255, green / 255, blue / 255
