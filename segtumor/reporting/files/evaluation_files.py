"""The files of an evaluation: ``metrics.json``, ``per_lesion.csv``, ``per_image.csv`` and the plots.

A folder that holds a training run is refused, since Detectron2 keeps its own ``metrics.json`` there. Not here: the
metrics themselves (``segtumor.evaluation``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtumor.errors import ConfigError
from segtumor.evaluation.study.rows import SUBGROUP_FIELDS
from segtumor.evaluation.study.values import Evaluation, Study
from segtumor.files import read_ordinary
from segtumor.reporting.figures.canvas import png_bytes
from segtumor.reporting.figures.confusion import lesion_confusion_figure
from segtumor.reporting.figures.curves import precision_recall_figure
from segtumor.reporting.figures.histograms import dice_histogram_figure
from segtumor.reporting.figures.training_curves import History, read_training_history, training_curves_figure
from segtumor.reporting.files.outputs import Content, Table, write_files
from segtumor.reporting.provenance import file_provenance
from segtumor.runs import METRICS, TRAINING_CURVES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_IDENTITY = ("image_id", "file_name", "case_id")
_LESION_COLUMNS = (
    *_IDENTITY,
    *("lesion_id", "class", "matched", "hit", "iou", "dice", "score", "predicted_class", "overlap_of", "area_px"),
    *SUBGROUP_FIELDS,
)
_IMAGE_COLUMNS = (
    *_IDENTITY,
    *("label", "n_lesions", "n_findings", "max_score", "tumor_true", "tumor_predicted"),
    *("true_positives", "false_positives", "missed", "crowd_regions", "findings_in_crowds"),
)
#: Pictures that an evaluation may write.
_PICTURES = ("precision_recall.png", "confusion_matrix.png", "dice_histogram.png", TRAINING_CURVES)
_OF_CROWDS = ("crowd_regions", "findings_in_crowds")
#: What is kept of an estimate in ``metrics.json``.
_KEPT = ("value", "low", "high", "method", "n", "successes", "n_cases", "n_defined")


def write_evaluation(
    evaluation: Evaluation,
    folder: str | Path,
    *,
    study: Study | None = None,
    annotations: str | Path | None = None,
    predictions: str | Path | None = None,
    weights: str | Path | None = None,
    run_folder: str | Path | None = None,
) -> list[Path]:
    """Write everything about an evaluation into ``folder``; ``metrics.json`` comes last and stands for the others.

    Args:
        study: what it is part of: intervals go into ``metrics.json``, and its fuller rows into the tables.
        annotations, predictions: paths of the two files that were compared; their SHA-256 is kept.
        weights: path of the weights that predicted, if known; kept with its SHA-256.
        run_folder: a training run whose curves are drawn as well.

    Returns:
        the paths written, ``metrics.json`` first.

    Raises:
        ConfigError: ``folder`` holds a training run.
        DataError: ``run_folder`` has no training log.
        OutputError: a file cannot be written.
    """
    refuse_run_folder(folder)
    history = read_training_history(run_folder) if run_folder is not None else None
    pictures = _pictures(evaluation, history, marks_lesions=study is None or study.marks_lesions)
    metrics = {
        **evaluation.metrics,
        **({} if study is None else {"estimates": _estimates(study)}),
        "provenance": file_provenance(annotations=annotations, predictions=predictions, weights=weights),
    }
    lesions, images = (study.per_lesion, study.per_image) if study else (evaluation.per_lesion, evaluation.per_image)
    contents: dict[str, Content] = {
        "per_lesion.csv": _table(lesions, _LESION_COLUMNS),
        "per_image.csv": _table(images, _IMAGE_COLUMNS),
        **pictures,
        METRICS: metrics,
    }
    earlier = (Path(folder) / METRICS).exists()  # with pictures of what was evaluated then
    *others, last = write_files(folder, contents, earlier=_PICTURES if earlier else [])
    return [last, *others]


def refuse_run_folder(folder: str | Path) -> None:
    """Raise ConfigError if ``folder`` has a ``metrics.json`` that no evaluation wrote, which would be lost."""
    path = Path(folder) / METRICS
    if not path.exists():
        return
    try:
        ours = "definitions" in json.loads(read_ordinary(path))
    except (OSError, ValueError, TypeError):
        ours = False
    if not ours:
        raise ConfigError(
            f"holds a {METRICS} of something else, such as a training run",
            where=folder,
            remedy="Choose another output folder",
        )


def _estimates(study: Study) -> dict[str, dict[str, Any]]:
    """{name: value, limits, method and n} of a study."""
    return {e.name: {name: getattr(e, name) for name in _KEPT} for e in study.estimates}


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Table:
    """Rows with the columns known here and whatever else they have; fields that no row fills are left out."""
    more = dict.fromkeys(name for row in rows for name in row if name not in columns)
    filled = {
        *(column for column in SUBGROUP_FIELDS if any(row.get(column) not in (None, "") for row in rows)),
        *(column for column in _OF_CROWDS if any(row.get(column) for row in rows)),
    }
    kept = [c for c in (*columns, *more) if c not in (*SUBGROUP_FIELDS, *_OF_CROWDS) or c in filled]
    return Table([{column: row[column] for column in kept} for row in rows], kept)


def _pictures(evaluation: Evaluation, history: History | None, *, marks_lesions: bool) -> dict[str, bytes]:
    """{file name: PNG} of the plots; those of lesions only where the model marks them."""
    settings = evaluation.metrics["settings"]
    kind = "segm" if _measured(evaluation, "segm") or not _measured(evaluation, "bbox") else "bbox"
    figures: dict[str, Callable[[], Figure]] = {}
    if marks_lesions:
        figures |= {
            "precision_recall.png": lambda: precision_recall_figure(evaluation.curves[kind], iou_type=kind),
            "confusion_matrix.png": lambda: lesion_confusion_figure(evaluation.confusion, **settings),
            "dice_histogram.png": lambda: dice_histogram_figure(
                evaluation.per_lesion, score_threshold=settings["score_threshold"]
            ),
        }
    if history is not None:
        figures[TRAINING_CURVES] = lambda: training_curves_figure(history)
    return {name: png_bytes(draw) for name, draw in figures.items()}


def _measured(evaluation: Evaluation, kind: str) -> bool:
    return not math.isnan(evaluation.metrics["detection"][kind]["AP"])
