"""The final evaluation: what a model finds on the test sets, measured, and reported in the run folder."""

import importlib
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from detectron2.config import CfgNode
from numpy.typing import NDArray
from torch import nn

from segtumor import progress
from segtumor.annotations.coco import CocoDataset
from segtumor.annotations.predictions.writing import predictions_document
from segtumor.errors import ConfigError, DataError
from segtumor.evaluation.facts.operating_points import Goals
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.operating_points import choose_points, used_threshold
from segtumor.evaluation.study.study import study
from segtumor.evaluation.study.values import Evaluation
from segtumor.files import remove_files, sha256_of_file, write_json
from segtumor.imaging import read_radiograph
from segtumor.models.build import create_model, predictor_from_config
from segtumor.models.pixel_scale import adopt
from segtumor.models.weights import load_weights, read_checkpoint
from segtumor.reporting.figures.plotting_library import import_matplotlib
from segtumor.reporting.files.study_files import write_study
from segtumor.reporting.pages.study_examples import choose_examples, draw_examples
from segtumor.reporting.provenance import study_provenance
from segtumor.runs import EVALUATIONS, OPERATING_POINTS, PREDICTIONS, find_run
from segtumor.structures.lesions import ImageResult
from segtumor.structures.outcomes import InferenceOutcome
from segtumor.structures.readings import Reading
from segtumor.texts import counted
from segtumor.training.batches.catalog import Files, load_datasets, scheme_of
from segtumor.training.data_identity import warn_of_seen
from segtumor.training.data_sets import complete_config
from segtumor.training.run_folder import check_appended, check_run_folder, lock_run, log_file
from segtumor.training.tables import complete_fitted, right_answers
from segtumor.training.validation import image_results, read_dataset

logger = logging.getLogger(__name__)
#: What functions of evaluation, reporting and training import when they are called.
_IMPORTED_LATE = ("scipy.ndimage", "scipy.optimize", "scipy.special", "scipy.stats", "jinja2", "tensorboard")


def import_late_dependencies() -> None:
    """Import what is needed once training has ended: a broken package is reported now rather than after hours.

    Raises:
        ImportError, InstallationError: one is missing or broken.
    """
    for module in _IMPORTED_LATE:
        importlib.import_module(module)
    import_matplotlib()


def evaluate_run(cfg: CfgNode, *, files: Files | None = None) -> dict[str, Evaluation]:
    """Evaluate ``MODEL.WEIGHTS``, or the best weights in ``OUTPUT_DIR``, on ``DATASETS.TEST``; {set name: Evaluation}.

    Raises:
        SegtumorError: no test set, weights that are missing or do not fit, or an ``OUTPUT_DIR`` that holds the run of
            other weights, whose evaluation would be replaced.
    """
    if not cfg.DATASETS.TEST:
        raise ConfigError("nothing to evaluate on", where="DATASETS.TEST", remedy="Name a data set, e.g. btxrd256_test")
    datasets = load_datasets(cfg.DATASETS.TEST, files=files, scheme=scheme_of(cfg))
    folder = Path(cfg.OUTPUT_DIR)
    complete_fitted(cfg, folder)
    complete_config(cfg, datasets)
    with lock_run(folder):
        weights = Path(cfg.MODEL.WEIGHTS or find_run(folder)[1])
        if weights.resolve().parent != folder.resolve():
            check_run_folder(folder, resume=False, overwrite=False)
        check_appended(folder)
        checkpoint = read_checkpoint(weights)
        adopted = adopt(cfg, checkpoint, weights)
        model = create_model(cfg)
        load_weights(model, weights, strict=True, class_names=cfg.MODEL.CLASS_NAMES, checkpoint=checkpoint)
        warn_of_seen(weights, {"test": datasets})
        with log_file(folder):
            if adopted:
                logger.info("%s: %s", weights, adopted)
            return evaluate_sets(cfg, model, datasets, folder, weights=weights)


def evaluate_sets(
    cfg: CfgNode, model: nn.Module, datasets: Sequence[CocoDataset], folder: Path, *, weights: Path
) -> dict[str, Evaluation]:
    """Evaluate a model on the sets of ``DATASETS.TEST``, each in a folder of its name under ``inference``."""
    logger.info("Evaluating %s", weights)
    threshold = used_threshold(cfg.OPERATING_POINTS.USED, cfg.TEST.CONFIDENCE_THRESHOLD, weights)
    evaluations = {}
    for name, dataset in zip(cfg.DATASETS.TEST, datasets, strict=True):
        where = folder / EVALUATIONS / name
        evaluations[name] = _evaluate_set(cfg, model, dataset, where, weights, threshold=threshold)
    return evaluations


def choose_operating_points(
    cfg: CfgNode, model: nn.Module, datasets: Sequence[CocoDataset], folder: Path, *, weights: Path
) -> None:
    """Choose thresholds on the one validation set and keep them in the run folder (``evaluation.operating_points``).

    Without a validation set, or one with images of one kind only, there are none, and the log says so; those of earlier
    weights are removed.
    """
    remove_files([folder / OPERATING_POINTS])
    if not datasets:
        return
    (dataset,) = datasets
    names = dataset.taxonomy.names
    try:
        points = choose_points(
            image_results(dataset, _readings(cfg, model, dataset, "choosing thresholds")),
            names,
            Goals(
                sensitivity=cfg.OPERATING_POINTS.SENSITIVITY,
                specificity=cfg.OPERATING_POINTS.SPECIFICITY,
                false_positives=cfg.OPERATING_POINTS.FALSE_POSITIVES,
                risk=cfg.OPERATING_POINTS.RISK,
            ),
            annotations_sha256=dataset.sha256,
            weights_sha256=sha256_of_file(weights),
            iou_threshold=cfg.TEST.HIT_IOU,
        )
    except DataError as error:
        logger.warning("No operating points: %s", error)
        return
    write_json(folder / OPERATING_POINTS, points.as_dict())
    for point in points.points:
        logger.info("operating point %s: %s score %.3f (%s)", point.key, point.of, point.score_threshold, point.name)


def _readings(cfg: CfgNode, model: nn.Module, dataset: CocoDataset, doing: str) -> list[Reading]:
    return read_dataset(
        predictor_from_config(cfg, model, dataset.taxonomy.names),
        dataset,
        batch_size=cfg.SOLVER.IMS_PER_BATCH,
        max_pixels=cfg.INPUT.MAX_PIXELS,
        progress=lambda batches, total: progress.bar(batches, total, doing),
    )


def _evaluate_set(
    cfg: CfgNode, model: nn.Module, dataset: CocoDataset, folder: Path, weights: Path, *, threshold: float
) -> Evaluation:
    started = time.perf_counter()
    names = dataset.taxonomy.names
    readings = _readings(cfg, model, dataset, "evaluating")
    seconds = time.perf_counter() - started
    logger.info("%d images in %.1f s (%.3f s each)", len(readings), seconds, seconds / max(1, len(readings)))
    for task, (right, count) in right_answers(readings, dataset.records).items():
        logger.info("%s: right in %d of %s that have it", task, right, counted(count, "images"))
    results = image_results(dataset, readings)
    outcomes = [InferenceOutcome(r.truth.file_name, reading) for r, reading in zip(results, readings, strict=True)]
    document = predictions_document(outcomes, names)
    write_json(folder / PREDICTIONS, document)
    write_json(folder / "coco_instances_results.json", coco_results(results, dataset.category_id_of_class))
    settings = StudySettings(score_threshold=threshold, iou_threshold=cfg.TEST.HIT_IOU)
    found = study(results, names, settings)
    files = {"annotations": dataset.json_path, "predictions": folder / PREDICTIONS, "weights": weights}
    write_study(
        found,
        folder,
        evaluation=files,
        provenance=study_provenance(
            annotations=files["annotations"],
            predictions=files["predictions"],
            weights=weights,
            run_folder=cfg.OUTPUT_DIR,
        ),
        examples=draw_examples(found, choose_examples(found), _pixels_of(dataset, cfg.INPUT.MAX_PIXELS)),
        title=f"Evaluation on {folder.name}",
    )
    return found.evaluation


def _pixels_of(dataset: CocoDataset, max_pixels: int) -> Callable[[int], NDArray[np.float32]]:
    """Function of an image id that reads its pixels, for the report's examples."""
    paths = {record["image_id"]: record["file_name"] for record in dataset.records}
    return lambda image_id: read_radiograph(paths[image_id], max_pixels=max_pixels).pixels


def coco_results(results: Iterable[ImageResult], category_ids: Sequence[int]) -> list[dict[str, Any]]:
    """The plain COCO results list, with the annotation file's own ids."""
    return [
        {
            "image_id": result.truth.image_id,
            "category_id": category_ids[finding.class_id],
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "score": finding.score,
            "segmentation": finding.rle,
        }
        for result in results
        for finding in result.findings
        for x0, y0, x1, y1 in [finding.box_xyxy]
    ]
