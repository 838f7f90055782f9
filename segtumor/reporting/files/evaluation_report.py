"""Writing an evaluation: ``metrics.json``, ``per_lesion.csv``, ``per_image.csv`` and the plots.

Each file is written atomically. A folder that holds a training run is refused, since Detectron2 keeps its own
``metrics.json`` there. Not here: the metrics themselves (``segtumor.evaluation``).
"""

import json
import math
from pathlib import Path

from segtumor.errors import ConfigError
from segtumor.evaluation.summary.tables import SUBGROUP_FIELDS
from segtumor.files import (
    prepare_output_folder,
    read_ordinary,
    remove_files,
    sha256_of_file,
    write_bytes,
    write_csv,
    write_json,
)
from segtumor.reporting.figures import training_curves
from segtumor.runs import METRICS, TRAINING_CURVES
from segtumor.system.versions import versions

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
_OF_CROWDS = ("crowd_regions", "findings_in_crowds")
_VERSIONS = ("segtumor", "python", "numpy", "scipy", "pycocotools", "faster-coco-eval")


def write_evaluation(
    evaluation, folder, *, study=None, annotations=None, predictions=None, weights=None, run_folder=None
):
    """Write everything about an evaluation into ``folder``; ``metrics.json`` comes last and stands for the others.

    Args:
        evaluation: an Evaluation.
        folder: created if needed.
        study: the Study it is part of: intervals go into ``metrics.json``, and its fuller rows into the tables.
        annotations, predictions: paths of the two files that were compared; their SHA-256 is kept.
        weights: path of the weights that predicted, if known; kept with its SHA-256.
        run_folder: a training run whose curves are drawn as well.

    Returns:
        list of the paths written.

    Raises:
        ConfigError: ``folder`` holds a training run.
        DataError: ``run_folder`` has no training log.
        OutputError: a file cannot be written.
    """
    refuse_run_folder(folder)
    history = training_curves.read_training_history(run_folder) if run_folder is not None else None
    pictures = _pictures(evaluation, history)
    metrics = {
        **evaluation.metrics,
        **({} if study is None else {"estimates": _estimates(study)}),
        "provenance": provenance(annotations=annotations, predictions=predictions, weights=weights),
    }
    rows, images = (study.per_lesion, study.per_image) if study else (evaluation.per_lesion, evaluation.per_image)
    folder = prepare_output_folder(folder)
    earlier = (folder / METRICS).exists()  # with the curves of the run that was evaluated then
    remove_files([folder / name for name in (METRICS, *([TRAINING_CURVES] if earlier else []))])
    _write_rows(folder / "per_lesion.csv", rows, _LESION_COLUMNS)
    _write_rows(folder / "per_image.csv", images, _IMAGE_COLUMNS)
    for name, picture in pictures.items():
        write_bytes(folder / name, picture)
    write_json(folder / METRICS, metrics)
    return [folder / name for name in (METRICS, "per_lesion.csv", "per_image.csv", *pictures)]


def _estimates(study):
    """{name: value, limits, method and n} of a Study."""
    kept = ("value", "low", "high", "method", "n", "successes", "n_cases", "n_defined")
    return {e.name: {name: getattr(e, name) for name in kept} for e in study.estimates}


def _write_rows(path, rows, columns) -> None:
    """Rows with the columns known here and whatever else they have; fields that no row fills are left out."""
    more = dict.fromkeys(name for row in rows for name in row if name not in columns)
    filled = {
        *(column for column in SUBGROUP_FIELDS if any(row.get(column) not in (None, "") for row in rows)),
        *(column for column in _OF_CROWDS if any(row.get(column) for row in rows)),
    }
    kept = [c for c in (*columns, *more) if c not in (*SUBGROUP_FIELDS, *_OF_CROWDS) or c in filled]
    write_csv(path, [{column: row[column] for column in kept} for row in rows], kept)


def refuse_run_folder(folder):
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


def provenance(*, annotations=None, predictions=None, weights=None):
    """Hashes of the compared files (None where there is no file) and the versions that measured."""
    return {
        "annotations_sha256": sha256_of_file(annotations) if annotations is not None else None,
        "predictions_sha256": sha256_of_file(predictions) if predictions is not None else None,
        "weights": str(weights) if weights is not None else None,
        "weights_sha256": sha256_of_file(weights) if weights is not None else None,
        "versions": versions(_VERSIONS),
    }


def _pictures(evaluation, history):
    """{file name: PNG} of the plots."""
    # matplotlib takes half a second to import
    from segtumor.reporting.figures.canvas import png_bytes
    from segtumor.reporting.figures.confusion import lesion_confusion_figure
    from segtumor.reporting.figures.curves import precision_recall_figure
    from segtumor.reporting.figures.histograms import dice_histogram_figure

    settings = evaluation.metrics["settings"]
    kind = "segm" if _measured(evaluation, "segm") or not _measured(evaluation, "bbox") else "bbox"
    figures = {
        "precision_recall.png": lambda: precision_recall_figure(evaluation.curves[kind], iou_type=kind),
        "confusion_matrix.png": lambda: lesion_confusion_figure(evaluation.confusion, **settings),
        "dice_histogram.png": lambda: dice_histogram_figure(
            evaluation.per_lesion, score_threshold=settings["score_threshold"]
        ),
    }
    if history is not None:
        figures[TRAINING_CURVES] = lambda: training_curves.training_curves_figure(history)
    return {name: png_bytes(draw) for name, draw in figures.items()}


def _measured(evaluation, kind) -> bool:
    return not math.isnan(evaluation.metrics["detection"][kind]["AP"])
