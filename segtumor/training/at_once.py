"""Training of models that are fitted at once (``ModelKind.fit``), into a run folder like any other's.

What a training has beside, there is nothing of here: iterations, augmentation, a learning rate, a choice of the best.
"""

import json
import logging
import time
from pathlib import Path

from detectron2.config import CfgNode
from detectron2.utils import comm
from torch import nn

import segtumor
from segtumor.cases import case_or_own
from segtumor.errors import ConfigError
from segtumor.evaluation.study.metrics import evaluate
from segtumor.evaluation.study.values import Evaluation
from segtumor.files import write_text
from segtumor.models.build import create_model, predictor_from_config
from segtumor.models.classifiers.fitted import Fitted
from segtumor.models.kinds import kind_of
from segtumor.models.weights import write_checkpoint
from segtumor.runs import FINAL_WEIGHTS, TRAINING_METRICS
from segtumor.training import data_identity, data_sets, run_folder
from segtumor.training.batches.catalog import DataParts
from segtumor.training.batches.loaders import validation_batches
from segtumor.training.final_evaluation import evaluate_sets
from segtumor.training.hooks import as_logged, in_words, metrics_of
from segtumor.training.validation import predict_dataset

logger = logging.getLogger(__name__)


def fit_at_once(
    cfg: CfgNode, datasets: DataParts, folder: Path, *, resume: bool, init_from: str | Path | None
) -> dict[str, Evaluation]:
    """Fit, validate and evaluate; {name of a test set: Evaluation}. The folder was checked, and is locked.

    Raises:
        ConfigError: it is to go on from something, or on several GPUs.
        InstallationError: what fits it is not installed.
    """
    model = _checked_model(cfg, resume=resume, init_from=init_from)
    known = data_identity.training_data(cfg.DATASETS.TRAIN, datasets["train"])
    run_folder.begin_run(cfg, datasets, known=known)
    with run_folder.log_file(folder):
        _fit(cfg, model, datasets)
        state = {"model": model.state_dict(), "class_names": list(cfg.MODEL.CLASS_NAMES), "training_data": known}
        weights = folder / FINAL_WEIGHTS
        write_checkpoint(weights, {**state, "segtumor_version": segtumor.__version__})
        _validate(cfg, model, datasets, folder)
        return evaluate_sets(cfg, model, datasets["test"], folder, weights=weights)


def dry_fit(cfg: CfgNode, datasets: DataParts, *, init_from: str | Path | None) -> list[str]:
    """What ``train.dry_run`` says of such a model; fits nothing."""
    model = _checked_model(cfg, resume=False, init_from=init_from)
    return [
        *(f"{part}: {data_sets.describe(sets)}" for part, sets in datasets.items()),
        f"numbers to fit: {sum(values.numel() for values in model.state_dict().values()):,}",
        "fitted at once, without iterations",
    ]


def _checked_model(cfg: CfgNode, *, resume: bool, init_from: str | Path | None) -> nn.Module:
    """The model, once all that a user can get wrong is known to be right."""
    if resume or init_from:
        where = "--resume" if resume else "--init-from"
        raise ConfigError("this model is fitted at once, from nothing", where=where, remedy=f"Leave {where} out")
    if comm.get_world_size() > 1:
        raise ConfigError("this model is fitted by one process", where="--num-gpus", remedy="Use --num-gpus 0")
    model = create_model(cfg)
    for part in model.modules():
        if isinstance(part, Fitted):
            part.fitting_library()
    return model


def _fit(cfg: CfgNode, model: nn.Module, datasets: DataParts) -> None:
    fit = kind_of(cfg).fit
    if fit is None:
        raise ConfigError("this model trains by iterations", where="MODEL.META_ARCHITECTURE")
    started, records = time.perf_counter(), data_sets.records_of(datasets["train"])
    fit(model, validation_batches(cfg, records), [case_or_own(record) for record in records], max(0, cfg.SEED))
    logger.info("Fitted to %d images in %.1f s", len(records), time.perf_counter() - started)


def _validate(cfg: CfgNode, model: nn.Module, datasets: DataParts, folder: Path) -> None:
    """Measure on the validation set, which nothing was chosen by, into log and metrics."""
    lines = []
    for dataset in datasets["validation"]:
        names = dataset.taxonomy.names
        results = predict_dataset(
            predictor_from_config(cfg, model, names),
            dataset,
            batch_size=cfg.SOLVER.IMS_PER_BATCH,
            max_pixels=cfg.INPUT.MAX_PIXELS,
        )
        thresholds = {"score_threshold": cfg.TEST.CONFIDENCE_THRESHOLD, "iou_threshold": cfg.TEST.HIT_IOU}
        values = metrics_of(evaluate(results, names, **thresholds).metrics, kind_of(cfg).metrics)
        logger.info("validation: %s", in_words(values))
        lines.append(json.dumps({"iteration": 0, **as_logged(values)}) + "\n")
    write_text(folder / TRAINING_METRICS, "".join(lines))
