"""The predictor of a training run as fast as torch alone makes it.

Batch norms folded into convolutions, maps in channels-last order, and between the graphs the NumPy of
``segtumor.runtime`` in place of Detectron2's own steps; findings agree with Detectron2's but for rounding. An export
(``engine.exporting``) is faster still.
"""

import logging

import torch

from segtumor.engine.contract_of import contract_of
from segtumor.engine.predictor import load_trained_model, predictor_from_config
from segtumor.errors import ConfigError
from segtumor.modeling.graphs import EagerGraphs
from segtumor.runtime.detector import Detector
from segtumor.runtime.predictor import Predictor

logger = logging.getLogger(__name__)


def load_fast_predictor(cfg, *, threads=None):
    """The predictor of ``MODEL.WEIGHTS``; that of Detectron2 for models that the three graphs do not describe.

    Args:
        cfg: configuration.
        threads: for torch, in this process; None leaves its choice.

    Returns:
        (Predictor, class names, description of what computes it, as ``graphs.describe()``).

    Raises:
        ConfigError, ModelError: as ``load_trained_model``.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    model, class_names = load_trained_model(cfg)
    try:
        graphs, contract = EagerGraphs(model), contract_of(cfg, model, class_names)
    except ConfigError as error:
        logger.info("Detectron2 itself computes this model: %s", error)
        return predictor_from_config(cfg, model), class_names, {"runtime": "detectron2"}
    return Predictor.from_contract(contract, Detector(graphs, contract)), class_names, graphs.describe()
