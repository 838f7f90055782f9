"""Putting a run together: data, model, validation, training, and the final evaluation."""

import logging
import resource
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from detectron2.config import CfgNode
from detectron2.utils import comm
from torch import nn
from tqdm import tqdm

from segtumor.annotations.coco import CocoDataset
from segtumor.errors import ConfigError, DataError, ModelError
from segtumor.evaluation.study.values import Evaluation
from segtumor.models.kinds import kind_of
from segtumor.models.pixel_scale import adopt, scale_of_config
from segtumor.models.weights import load_weights, read_checkpoint
from segtumor.reporting.figures.training_curves import training_curves
from segtumor.runs import BEST_WEIGHTS, FINAL_WEIGHTS, find_run
from segtumor.training import data_identity, data_sets, run_folder
from segtumor.training.at_once import dry_fit, fit_at_once
from segtumor.training.batches.catalog import DataParts, Files
from segtumor.training.batches.loaders import build_train_loader
from segtumor.training.checkpoints.resuming import Newest, newest_checkpoint
from segtumor.training.finishing import finish
from segtumor.training.hooks import Validation
from segtumor.training.trainer import Trainer

logger = logging.getLogger(__name__)
_TIMED_STEPS = 3


def train(
    cfg: CfgNode,
    *,
    resume: bool = False,
    overwrite: bool = False,
    init_from: str | Path | None = None,
    files: Files | None = None,
) -> dict[str, Evaluation]:
    """Train, validate, and evaluate the best model on the test sets; {set name: Evaluation}, empty without any.

    Args:
        cfg: configuration, not frozen; ``OUTPUT_DIR`` becomes the run folder.
        init_from: weights to start from; ``MODEL.WEIGHTS`` means the same.

    Raises:
        SegtumorError: bad configuration, data or weights, a diverging loss, or a folder that cannot be written.
    """
    if resume:
        cfg.SEED = data_identity.resumed_seed(cfg.OUTPUT_DIR, cfg.SEED)
    datasets = data_sets.load_training_sets(cfg, files)
    with run_folder.lock_run(cfg.OUTPUT_DIR):
        return _train(cfg, datasets, resume=resume, overwrite=overwrite, init_from=init_from)


def _train(
    cfg: CfgNode, datasets: DataParts, *, resume: bool, overwrite: bool, init_from: str | Path | None
) -> dict[str, Evaluation]:
    folder = Path(cfg.OUTPUT_DIR)
    run_folder.check_run_folder(folder, resume=resume, overwrite=overwrite)
    if kind_of(cfg).fit is not None:
        return fit_at_once(cfg, datasets, folder, resume=resume, init_from=_initial(cfg, init_from))
    newest = newest_checkpoint(folder) if resume else None
    adopted = adopt(cfg, newest.checkpoint, newest.path) if newest else ""
    trainer, weights = _build(cfg, datasets, init_from=None if newest else _initial(cfg, init_from))
    remarks = [f"Nothing to resume in {folder}: training starts from the beginning"] if resume else []
    if newest:
        remarks = [*filter(None, [adopted]), *_resume(cfg, trainer, newest, datasets, folder)]
    # Only now, when all that a user can get wrong is known to be right, may an old run be changed or replaced.
    if comm.is_main_process():
        before = data_identity.seen_by(None if newest else _initial(cfg, init_from))
        run_folder.begin_run(cfg, datasets, known=trainer.checkpointer.training_data, before=before, resume=resume)
    comm.synchronize()
    with run_folder.log_file(folder):
        for remark in remarks:
            logger.warning("%s", remark)
        if trainer.resumed_from:
            logger.info("Resumed from %s, after iteration %d", trainer.resumed_from, trainer.start_iter)
        else:
            logger.info("Weights: %s", weights)
        trainer.add_hooks()
        return _run(cfg, trainer, datasets, folder)


def _resume(cfg: CfgNode, trainer: Trainer, newest: Newest, datasets: DataParts, folder: Path) -> list[str]:
    """Put the trainer where the run in ``folder`` stopped; what the user should know, in sentences. Changes no file."""
    differing = data_identity.compare_settings(folder, yaml.safe_load(cfg.dump()))
    remarks = trainer.restore(newest)
    start = data_identity.read_start(folder)
    differing += data_identity.compare_data(start, datasets)
    differing += data_identity.compare_augmentation(start, cfg.INPUT.AUGMENTATION)
    trainer.checkpointer.add_values(training_data=_training_data(cfg, datasets, newest.checkpoint))
    remarks += [f"Not as this run was started: {'; '.join(differing)}"] if differing else []
    if trainer.start_iter >= trainer.max_iter:
        remarks.append(f"Nothing is left to train: SOLVER.MAX_ITER is {trainer.max_iter}")
    return remarks + _forget_a_lost_best(trainer, folder / BEST_WEIGHTS)


def _forget_a_lost_best(trainer: Trainer, path: Path) -> list[str]:
    """Let the next validation choose a new best model where the file of the earlier one is gone or damaged."""
    if trainer.validation is None or not trainer.validation.has_best:
        return []
    try:
        read_checkpoint(path)
    except ModelError as error:
        trainer.validation.forget_best()
        return [f"{error} The next validation chooses a new best model"]
    return []


def _training_data(cfg: CfgNode, datasets: DataParts, checkpoint: Mapping[str, Any] | None) -> dict[str, Any]:
    earlier = checkpoint and checkpoint.get("training_data")
    return data_identity.training_data(cfg.DATASETS.TRAIN, datasets["train"], earlier)


def _run(cfg: CfgNode, trainer: Trainer, datasets: DataParts, folder: Path) -> dict[str, Evaluation]:
    trainer.train()
    if trainer.stop_reason:
        logger.info("Stopped early at iteration %d: %s", trainer.iter, trainer.stop_reason)
    if not comm.is_main_process():
        return {}
    trainer.checkpointer.save(FINAL_WEIGHTS, iteration=trainer.iter - 1)
    if trainer.iter > trainer.start_iter:
        _draw_curves(folder)
    return finish(cfg, trainer.model, datasets, find_run(folder)[1])


def _draw_curves(folder: Path) -> None:
    try:
        training_curves(folder)
    except DataError as error:  # the models are worth more than a picture of how they came about
        logger.warning("No training curves: %s", error)


def dry_run(cfg: CfgNode, *, init_from: str | Path | None = None) -> list[str]:
    """Check data and configuration and take a few training steps, writing nothing; lines for people."""
    datasets = data_sets.load_training_sets(cfg)
    if kind_of(cfg).fit is not None:
        return dry_fit(cfg, datasets, init_from=_initial(cfg, init_from))
    trainer, weights = _build(cfg, datasets, init_from=_initial(cfg, init_from))
    seconds = trainer.time_steps(_TIMED_STEPS)
    duration = tqdm.format_interval(seconds * cfg.SOLVER.MAX_ITER)
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts in KiB
    on_gpu = f", {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB on the GPU" if cfg.MODEL.DEVICE != "cpu" else ""
    return [
        *(f"{part}: {data_sets.describe(sets)}" for part, sets in datasets.items()),
        f"weights: {weights}",
        f"parameters: {sum(p.numel() for p in trainer.model.parameters()):,}",
        f"memory: {peak_gib:.1f} GiB at most so far{on_gpu}",
        f"time: {seconds:.2f} s per iteration of {cfg.SOLVER.IMS_PER_BATCH} images, "
        f"{duration} for {cfg.SOLVER.MAX_ITER} iterations, validation not counted",
    ]


def _initial(cfg: CfgNode, init_from: str | Path | None) -> str | Path | None:
    return init_from or cfg.MODEL.WEIGHTS or None


def _build(cfg: CfgNode, datasets: DataParts, *, init_from: str | Path | None) -> tuple[Trainer, str]:
    """Trainer with its validation, and a sentence on the weights; touches no file of the run."""
    data_sets.check_schedule(cfg)
    checkpoint = read_checkpoint(init_from) if init_from else None
    adopted = adopt(cfg, checkpoint, str(init_from)) if checkpoint else ""
    trainer = Trainer.from_config(cfg, build_train_loader(cfg, [dataset.records for dataset in datasets["train"]]))
    validation = _validation(cfg, datasets["validation"], trainer.validated_model)
    if validation is not None:
        trainer.add_validation(validation)
    sentence = "none, trained from scratch"
    if init_from:
        data_identity.warn_of_seen(init_from, datasets)
        report = load_weights(
            trainer.model, init_from, strict=False, class_names=cfg.MODEL.CLASS_NAMES, checkpoint=checkpoint
        )
        sentence = "; ".join(filter(None, [f"{init_from}: {report.sentence()}", adopted]))
    trainer.checkpointer.add_values(training_data=_training_data(cfg, datasets, checkpoint), **scale_of_config(cfg))
    return trainer, sentence


def _validation(cfg: CfgNode, datasets: Sequence[CocoDataset], model: nn.Module) -> Validation | None:
    data_sets.check_validation_sets(cfg, datasets)
    if not datasets:
        remedy = "Name DATASETS.VALIDATION or set it to 0"
        if cfg.SOLVER.AVERAGE_DECAY:
            what, got = "averaged weights are those of the best model, which no set chooses", cfg.SOLVER.AVERAGE_DECAY
            raise ConfigError(what, where="SOLVER.AVERAGE_DECAY", got=got, remedy=remedy)
        if cfg.SOLVER.PLATEAU_PATIENCE:
            what, got = "no validation could stand still", cfg.SOLVER.PLATEAU_PATIENCE
            raise ConfigError(what, where="SOLVER.PLATEAU_PATIENCE", got=got, remedy=remedy)
        logger.warning("DATASETS.VALIDATION is empty: no best model is chosen, training does not stop early")
        return None
    return Validation.from_config(cfg, datasets[0], model)
