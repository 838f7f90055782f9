"""What follows the last step of a training: fitting what is fitted to finished weights, thresholds, the evaluation.

It also stands alone, for weights that no training ends with, such as the mean of several (``models.weight_average``).
"""

import logging
from pathlib import Path

from detectron2.config import CfgNode
from detectron2.utils import comm
from torch import nn

import segtumor
from segtumor.datasets.sampling import evenly_spaced
from segtumor.errors import ConfigError
from segtumor.evaluation.study.values import Evaluation
from segtumor.models.build import create_model
from segtumor.models.kinds import kind_of
from segtumor.models.pixel_scale import adopt, scale_of_config
from segtumor.models.weights import load_weights, read_checkpoint, write_checkpoint
from segtumor.runs import BEST_WEIGHTS
from segtumor.training import data_identity, data_sets, run_folder
from segtumor.training.batches.catalog import DataParts, Files
from segtumor.training.batches.loaders import validation_batches
from segtumor.training.final_evaluation import choose_operating_points, evaluate_sets

logger = logging.getLogger(__name__)
#: Images of a set that what follows training is fitted on.
_MOST_FITTED = 1000


def finish(cfg: CfgNode, model: nn.Module, datasets: DataParts, weights: Path) -> dict[str, Evaluation]:
    """Do all that follows the last step with the weights of a run folder; {set name: Evaluation}.

    Args:
        model: takes the weights.
        weights: file in the run folder; what is fitted is added to it.
    """
    load_weights(model, weights, strict=True, class_names=cfg.MODEL.CLASS_NAMES)
    _fit(cfg, model, datasets, weights)
    choose_operating_points(cfg, model, datasets["validation"], weights.parent, weights=weights)
    return evaluate_sets(cfg, model, datasets["test"], weights.parent, weights=weights)


def finish_only(
    cfg: CfgNode, *, init_from: str | Path | None = None, overwrite: bool = False, files: Files | None = None
) -> dict[str, Evaluation]:
    """Make a run of weights without a step of training; {set name: Evaluation}, empty without test sets.

    Args:
        cfg: configuration, not frozen; ``OUTPUT_DIR`` becomes the run folder, and ``DATASETS.TRAIN`` is what the
            weights have learnt from.
        init_from: weights; ``MODEL.WEIGHTS`` means the same.

    Raises:
        SegtumorError: no weights, such as do not fit, or those of the run folder itself; a model that is fitted at
            once; several processes; bad configuration or data; a folder that cannot be written.
    """
    weights, folder = init_from or cfg.MODEL.WEIGHTS, Path(cfg.OUTPUT_DIR)
    _check(cfg, weights, folder)
    datasets = data_sets.load_training_sets(cfg, files)
    data_sets.check_validation_sets(cfg, datasets["validation"])
    with run_folder.lock_run(folder):
        run_folder.check_run_folder(folder, resume=False, overwrite=overwrite)
        checkpoint = read_checkpoint(weights)
        adopted = adopt(cfg, checkpoint, weights)
        model = create_model(cfg)
        load_weights(model, weights, strict=True, class_names=cfg.MODEL.CLASS_NAMES, checkpoint=checkpoint)
        data_identity.warn_of_seen(weights, datasets)
        known = data_identity.training_data(cfg.DATASETS.TRAIN, datasets["train"], checkpoint.get("training_data"))
        run_folder.begin_run(cfg, datasets, known=known, before=data_identity.seen_by(weights))
        state = {"model": model.state_dict(), "class_names": list(cfg.MODEL.CLASS_NAMES), "training_data": known}
        state |= scale_of_config(cfg)
        write_checkpoint(folder / BEST_WEIGHTS, {**state, "segtumor_version": segtumor.__version__})
        with run_folder.log_file(folder):
            logger.info("Weights, without a step of training: %s", "; ".join(filter(None, [str(weights), adopted])))
            return finish(cfg, model, datasets, folder / BEST_WEIGHTS)


def _check(cfg: CfgNode, weights: str | Path | None, folder: Path) -> None:
    """Refuse what cannot be finished, before anything is read or replaced."""
    if not weights:
        raise ConfigError("no weights to finish", where="--finish-only", remedy="Name them with --init-from")
    if kind_of(cfg).fit is not None:
        what = "this model is fitted at once, and then finished"
        raise ConfigError(what, where="--finish-only", remedy="Leave --finish-only out")
    if comm.get_world_size() > 1:
        raise ConfigError("weights are finished by one process", where="--num-gpus", remedy="Use --num-gpus 1 or 0")
    if Path(weights).resolve().parent == folder.resolve():
        what, remedy = "the weights lie in the folder whose run they would replace", "Choose another OUTPUT_DIR"
        raise ConfigError(what, where=weights, remedy=remedy)


def _fit(cfg: CfgNode, model: nn.Module, datasets: DataParts, weights: Path) -> None:
    """Fit what a kind of model fits after training, and keep it with the weights."""
    fit = kind_of(cfg).finish
    if fit is None:
        return
    if not datasets["validation"]:
        logger.warning(
            "DATASETS.VALIDATION is empty: the model cannot say which pictures are unlike its training images"
        )
        return
    parts = (evenly_spaced(data_sets.records_of(datasets[part]), _MOST_FITTED) for part in ("train", "validation"))
    fit(model, *(validation_batches(cfg, records) for records in parts))
    write_checkpoint(weights, {**read_checkpoint(weights), "model": model.state_dict()})
