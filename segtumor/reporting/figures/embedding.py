"""An embedding as a map: each image a point, in the colour of its class, wrong calls with a cross.

Not here: how images become points (``retrieval.projection``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from segtumor.arrays import Floats
from segtumor.reporting.figures.canvas import DARK, NEUTRAL, class_color, label_axes, name_text, new_figure
from segtumor.taxonomy import NORMAL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMES = {"pca": "principal component", "tsne": "t-SNE"}


def embedding_figure(
    points: Floats, labels: Sequence[str], calls: Sequence[str], class_names: Sequence[str], *, method: str
) -> Figure:
    """Points of images.

    Args:
        points: (N, 2).
        labels: true class of each image.
        calls: what the model called it.
        class_names: that the model finds, for colours; normal and what else there is are grey.
        method: "pca" or "tsne", for the axes.
    """
    wrong = np.array([label != call for label, call in zip(labels, calls, strict=True)], dtype=np.bool_)
    figure, (axes,) = new_figure(f"Embedding of {len(points)} images, {int(wrong.sum())} called wrongly")
    names = [NORMAL, *class_names, *sorted(set(labels) - {NORMAL, *class_names})]
    for name in names:
        rows = np.array([label == name for label in labels], dtype=np.bool_)
        color = class_color(list(class_names).index(name)) if name in class_names else NEUTRAL
        if rows.any():
            text = f"{name_text(name)}, n = {int(rows.sum())}"
            axes.scatter(points[rows, 0], points[rows, 1], s=16, color=color, alpha=0.8, linewidths=0, label=text)
    if wrong.any():
        axes.scatter(
            points[wrong, 0], points[wrong, 1], s=26, marker="x", color=DARK, linewidths=0.8, label="called wrongly"
        )
    label_axes(axes, f"First {_NAMES[method]}", f"Second {_NAMES[method]}", None, None)
    axes.legend(loc="best", framealpha=0.9)
    return figure
