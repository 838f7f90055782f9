"""The curves of a training run: read from its log, drawn, written.

Not here: writing the log, which Detectron2 does (``segtumor.training``).
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtumor.errors import DataError
from segtumor.files import read_ordinary, write_bytes
from segtumor.reporting.figures.canvas import class_color, line_style, new_figure, png_bytes, say_empty
from segtumor.runs import TRAINING_CURVES, TRAINING_METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: {key: (iterations, values)}, two equally long sequences, iterations rising.
History = Mapping[str, tuple[Sequence[int], Sequence[float]]]

_OF_LESIONS = {"val/segm_AP50": "validation mask AP50", "val/dice": "validation Dice"}
_OF_IMAGES = {
    "train/accuracy": "training accuracy",
    "val/image_class_accuracy": "validation accuracy",
    "train/brier": "training Brier score",
    "val/image_brier": "validation Brier score, tumour or not",
}
logger = logging.getLogger(__name__)


def training_curves(run_folder: str | Path, path: str | Path | None = None) -> Path:
    """Draw the training curves of a run to ``path`` (by default ``training_curves.png`` in it); returns the path."""
    path = Path(path) if path is not None else Path(run_folder) / TRAINING_CURVES
    history = read_training_history(run_folder)
    write_bytes(path, png_bytes(lambda: training_curves_figure(history)))
    return path


def read_training_history(run_folder: str | Path) -> History:
    """Scalars of a training run from Detectron2's ``metrics.json``, a JSON object per line.

    Lines that are damaged, or that a killed run left unfinished, are skipped with a warning. An iteration that a
    resumed run wrote again counts as it was written last.

    Raises:
        DataError: the file is missing, or none of its lines can be used.
    """
    path = Path(run_folder) / TRAINING_METRICS
    try:
        lines = read_ordinary(path).decode("utf-8", "replace").splitlines()
    except OSError as error:
        raise DataError("cannot read the training log", where=path, remedy="Give the OUTPUT_DIR of a run") from error
    values: dict[str, dict[int, float]] = defaultdict(dict)
    n_bad = 0
    for line in filter(str.strip, lines):
        record = _record(line)
        if record is None:
            n_bad += 1
            continue
        for key, value in record.items():
            if isinstance(value, (int, float)):
                values[key][record["iteration"]] = value
    if n_bad and not values:
        raise DataError("no training log: no line has an iteration", where=path)
    if n_bad:
        logger.warning("%s: %d unreadable lines skipped", path, n_bad)
    return {key: (sorted(points), [points[i] for i in sorted(points)]) for key, points in values.items()}


def _record(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("iteration"), int) else None


def training_curves_figure(history: History) -> Figure:
    """Loss, validation metrics and learning rate against the iteration; missing keys leave their panel empty."""
    last = max((int(iterations[-1]) for iterations, _ in history.values() if len(iterations)), default=0)
    figure, panels = new_figure(f"Training up to iteration {last}", n_panels=3, size_in=(8, 9))
    _curves(panels[0], history, {"total_loss": "training", "val/loss": "validation"}, "Loss")
    percent = {key: (x, [value / 100 for value in y]) for key, (x, y) in history.items() if key == "val/segm_AP50"}
    judges_images = "train/accuracy" in history
    _curves(panels[1], {**history, **percent}, _OF_IMAGES if judges_images else _OF_LESIONS, "0 to 1")
    _curves(panels[2], history, {"lr": "learning rate"}, "Learning rate")
    panels[2].set_xlabel("Iteration")
    for panel in panels:  # alike, so that one can look from one to the next
        panel.set_xlim(-0.02 * max(last, 1), 1.02 * max(last, 1))
    return figure


def _curves(axes: Axes, history: History, labels: Mapping[str, str], ylabel: str) -> None:
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.3)
    drawn = False
    for number, (key, label) in enumerate(labels.items()):
        iterations, values = history.get(key, ((), ()))
        if len(iterations):
            marker = "o" if len(iterations) <= 30 else None
            axes.plot(
                iterations, values, line_style(number), color=class_color(number), lw=2, marker=marker, label=label
            )
            drawn = True
    if drawn:
        axes.legend(loc="best", framealpha=0.9)
    else:
        say_empty(axes, f"no {' or '.join(labels)} in {TRAINING_METRICS}")
