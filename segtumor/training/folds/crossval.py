"""k-fold cross-validation by case: train on all folds but one, test on that one, and pool what was found.

Each fold is an ordinary run (``training``) in a folder of its own; a stopped cross-validation continues where it was.
``segtumor.evaluation.folds.REMARKS`` says what its numbers do not: the standard deviation over folds is no standard
error, the folds share training cases, and pooled average precision ranks the scores of different models together. Not
here: what will be trained and tested (``plan``), what is in the folder (``folder``), and pooling (``report``).
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detectron2.config import CfgNode

from segtumor.datasets.splits.cross_validation import Fold, fold_documents
from segtumor.datasets.splits.document import hash_images
from segtumor.datasets.splits.output import write_parts
from segtumor.errors import ModelError
from segtumor.files import prepare_output_folder, write_json
from segtumor.progress import Progress
from segtumor.runs import EVALUATIONS, PREDICTIONS
from segtumor.training.final_evaluation import evaluate_run
from segtumor.training.folds.folder import (
    FOLDS,
    can_resume,
    check_folder,
    finished_predictions,
    fold_folder,
    folds_document,
    has_seen,
    is_trained,
    mark_finished,
    remove_earlier,
    setup_of,
)
from segtumor.training.folds.plan import PARTS, Plan
from segtumor.training.train import train

logger = logging.getLogger(__name__)


def cross_validate(
    cfg: CfgNode,
    plan: Plan,
    output: str | Path,
    *,
    init_from: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress = iter,
) -> list[Path]:
    """Train and test every fold that is not finished yet; returns the paths of the folds' predictions.

    Args:
        cfg: configuration; its data sets and ``OUTPUT_DIR`` are replaced by each fold's.
        output: folder; fold k is the run ``fold_<k>``.
        init_from: weights that every fold starts from; ``MODEL.WEIGHTS`` means the same.
        progress: wraps the names of the images while they are hashed.

    Raises:
        SegtumorError: the folder holds something else, or whatever a training raises; what is finished stays.
    """
    output, init_from = Path(output), init_from or cfg.MODEL.WEIGHTS or None
    check_folder(output, None, overwrite=overwrite)
    if init_from and not Path(init_from).is_file():
        raise ModelError("no such file of weights", where=init_from)
    if has_seen(init_from, plan):
        logger.warning("%s was trained on some of these images: results will flatter the model", init_from)
    hashes = hash_images(plan.image_root, plan.file_names, progress=progress)
    setup = setup_of(cfg, plan, image_sha256=hashes, init_from=init_from)
    check_folder(output, setup, overwrite=overwrite)
    prepare_output_folder(output)
    if overwrite:
        remove_earlier(output)
    write_json(output / FOLDS, folds_document(plan, setup, image_sha256=hashes, init_from=init_from))
    return [_finish(cfg, plan, fold, fold_folder(output, fold.number), setup, init_from) for fold in plan.folds]


def _finish(
    cfg: CfgNode, plan: Plan, fold: Fold, folder: Path, setup: Mapping[str, Any], init_from: str | Path | None
) -> Path:
    """Path of a fold's predictions, after training and testing it if that is still to be done."""
    name, predictions = f"Fold {fold.number} of {len(plan.folds)}", finished_predictions(folder, setup)
    if predictions is not None:
        logger.info("%s: finished earlier", name)
        return predictions
    counts = {part: len(positions) for part, positions in fold.parts.items()}
    logger.info("%s: %d images to train, %d to choose the model, %d to test", name, *counts.values())
    _run(cfg, plan, fold, folder, init_from)
    predictions = folder / EVALUATIONS / f"fold{fold.number}_test" / PREDICTIONS
    mark_finished(folder, fold.number, predictions, setup)
    return predictions


def _run(cfg: CfgNode, plan: Plan, fold: Fold, folder: Path, init_from: str | Path | None) -> None:
    files = {
        f"fold{fold.number}_{part}": (path, plan.image_root)
        for part, path in _write_annotations(plan, fold, folder / "annotations").items()
    }
    own = cfg.clone()
    own.OUTPUT_DIR = str(folder)
    own.DATASETS.CLASSES, own.DATASETS.NORMAL = [], True  # the fold's files have the scheme's classes already
    for part, key in PARTS.items():
        own.DATASETS[key] = tuple(name for name in files if name.endswith(f"_{part}"))
    if is_trained(folder):
        logger.info("trained earlier; testing its best model")
        own.MODEL.WEIGHTS = ""
        evaluate_run(own, files=files)
        return
    resume = can_resume(folder)
    train(own, resume=resume, overwrite=not resume, init_from=None if resume else init_from, files=files)


def _write_annotations(plan: Plan, fold: Fold, folder: Path) -> dict[str, Path]:
    """{part: path} of the fold's annotation files; the same bytes each time."""
    documents = fold_documents(plan.merged, fold, folds=len(plan.folds), split_sha256=plan.split.sha256)
    written = write_parts(folder, documents, label_of=plan.label_of, severity=plan.severity)
    return {part: folder / f"{part}.json" for part in written}
