"""The predictor of a training run as fast as torch alone makes it.

Batch norms folded into convolutions, maps in channels-last order, and between the graphs the NumPy of
``segtumor.runtime`` in place of Detectron2's own steps; findings agree with Detectron2's but for rounding. An export
(``export.export``) is faster still.
"""

import logging
from pathlib import Path
from typing import Any

import torch
from detectron2.config import CfgNode
from torch import nn

from segtumor.errors import ConfigError
from segtumor.export.contract import contract_of
from segtumor.export.graphs import EagerGraphs
from segtumor.models.build import load_trained_model, predictor_from_config
from segtumor.models.detectors.image_head import ImageHeadRCNN
from segtumor.models.kinds import kind_of
from segtumor.models.pixel_model import PixelModel
from segtumor.runtime.export_kinds import kind_named
from segtumor.runtime.predictor import Predictor
from segtumor.system.versions import detectron2_version

logger = logging.getLogger(__name__)
#: Predictor, class names, and a description of what computes it.
Loaded = tuple[Predictor, list[str], dict[str, Any]]


def load_fast_predictor(cfg: CfgNode, *, threads: int | None = None, fallback: bool = True) -> Loaded:
    """The predictor of ``MODEL.WEIGHTS``; that of Detectron2 on other devices than the CPU, where maps would be copied
    for NumPy, and for models that the three graphs do not describe.

    Args:
        threads: for torch, in this process; None leaves its choice.
        fallback: whether Detectron2 may step in.

    Raises:
        ConfigError: as ``load_trained_model``, or Detectron2 would have to step in.
        ModelError: as ``load_trained_model``.
    """
    model, class_names = _load(cfg, threads)
    if isinstance(model, PixelModel):  # one graph, which torch runs as it is
        description = {"runtime": "torch", "version": torch.__version__, "threads": torch.get_num_threads()}
        return predictor_from_config(cfg, model, class_names), class_names, description
    try:
        if torch.device(cfg.MODEL.DEVICE).type != "cpu":
            got, what = cfg.MODEL.DEVICE, "torch alone computes on the CPU"
            raise ConfigError(what, where="MODEL.DEVICE", got=got, expected="cpu")
        if isinstance(model, ImageHeadRCNN) and model.tasks is not None:
            got, what = list(model.tasks.values), "the graphs do not answer further tasks"
            raise ConfigError(what, where="MODEL.AUXILIARY.TASKS", got=got, expected="none")
        graphs, contract = EagerGraphs(model), contract_of(cfg, model, class_names)
    except ConfigError as error:
        if not fallback:
            remedy = "Only Detectron2 itself computes this model: leave --runtime out"
            raise ConfigError(
                error.what, where=error.where, got=error.got, expected=error.expected, remedy=remedy
            ) from error
        logger.info("Detectron2 itself computes this model: %s", error)
        return predictor_from_config(cfg, model, class_names), class_names, _detectron2_description()
    as_model = kind_named(kind_of(cfg).name, Path(cfg.MODEL.WEIGHTS)).as_model
    return Predictor.from_contract(contract, as_model(graphs, contract)), class_names, graphs.describe()


def load_detectron2_predictor(cfg: CfgNode, *, threads: int | None = None) -> Loaded:
    """The predictor of ``MODEL.WEIGHTS`` with all of Detectron2's own steps; as ``load_fast_predictor``."""
    model, class_names = _load(cfg, threads)
    return predictor_from_config(cfg, model, class_names), class_names, _detectron2_description()


def _load(cfg: CfgNode, threads: int | None) -> tuple[nn.Module, list[str]]:
    if threads is not None:
        torch.set_num_threads(threads)
    return load_trained_model(cfg)


def _detectron2_description() -> dict[str, Any]:
    return {"runtime": "detectron2", "version": detectron2_version()}
