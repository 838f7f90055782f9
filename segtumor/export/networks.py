"""How models that are one graph are exported: classifiers and segmenters.

Not here: what exports of all kinds share (``export.export``), reading them back (``runtime.networks``).
"""

import copy
import dataclasses
import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from torch import nn

from segtumor.errors import ConfigError, ModelError
from segtumor.export.contract import preprocessing_of
from segtumor.export.graph_files import Graph, write_onnx_graphs, write_openvino, write_torchscript_graphs
from segtumor.export.halving import halve_weights
from segtumor.export.parity import MAX_SCORE, origin_of
from segtumor.export.quantization import calibration_images, quantize_dense
from segtumor.imaging import Radiograph
from segtumor.models.build import postprocessing_settings
from segtumor.models.classifiers.image_classifier import ImageClassifier
from segtumor.models.detectors.yolo.architecture import YOLO
from segtumor.models.pixel_model import PixelModel
from segtumor.runtime.contract import NetworkContract, OneStageContract
from segtumor.runtime.inputs import model_images
from segtumor.runtime.predictor import Windowing
from segtumor.runtime.sessions.graph_names import IMAGES, NETWORK

logger = logging.getLogger(__name__)


class Answer(nn.Module):
    """Images (N, 3, H, W) -> what the model answers, so that it can be traced."""

    def __init__(self, model: PixelModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.model.answers(images)


def network_contract(cfg: CfgNode, model: nn.Module, class_names: Sequence[str]) -> NetworkContract:
    """``runtime.contract.NetworkContract`` of a ``PixelModel``; ConfigError for another module."""
    if not isinstance(model, PixelModel):
        got = type(model).__name__
        raise ConfigError("cannot be exported", where="MODEL.META_ARCHITECTURE", got=got, expected="a PixelModel")
    if isinstance(model, ImageClassifier) and model.table is not None:
        what, remedy = "a model that takes a table cannot be exported", "Use the training run itself: --run RUN_DIR"
        raise ConfigError(what, where="MODEL.CLINICAL.COLUMNS", got=", ".join(model.table.encoder.names), remedy=remedy)
    if isinstance(model, ImageClassifier) and model.tasks is not None:
        logger.warning("what the model has learnt of %s is left out of the export", ", ".join(model.tasks.values))
    values: dict[str, Any] = {
        "class_names": tuple(class_names),
        "confidence_threshold": float(cfg.TEST.CONFIDENCE_THRESHOLD),
        "preprocessing": preprocessing_of(cfg, model.size_multiple),
        "postprocessing": dataclasses.asdict(postprocessing_settings(cfg)),
    }
    contract = NetworkContract(**values)
    if isinstance(model, YOLO):
        contract = OneStageContract(**values, selection=model.selection)
    contract.from_dict(contract.as_dict(), "this model")  # refuses numbers that no reader would take
    return contract


def write_network(
    model: nn.Module,
    contract: NetworkContract,
    folder: Path,
    format_name: str,
    precision: str,
    calibration: Sequence[str | Path],
) -> None:
    """The graph of a ``PixelModel`` to a folder; see ``export.Exporter``."""
    multiple = contract.preprocessing.size_divisibility
    module = Answer(copy.deepcopy(model).eval())  # type: ignore[arg-type]  # ``network_contract`` saw to it
    with torch.no_grad():
        answers = module(torch.zeros(1, 3, multiple, multiple))
    names = module.model.OUTPUTS[: len(answers)]
    axes = {name: _sizes(name, answer.dim()) for name, answer in zip(names, answers, strict=True)}
    example = torch.zeros(1, 3, 2 * multiple, 3 * multiple)
    graph = Graph(module, (example,), IMAGES, names, {IMAGES: _sizes(IMAGES, 4), **axes})
    if format_name == "torchscript":
        write_torchscript_graphs({NETWORK: graph}, folder)
        return
    with tempfile.TemporaryDirectory(dir=folder, prefix=".onnx.") as temporary:
        onnx_folder = Path(temporary) if format_name == "openvino" else folder
        write_onnx_graphs({NETWORK: graph}, onnx_folder)
        path = onnx_folder / f"{NETWORK}.onnx"
        if precision == "int8":
            quantize_dense(path, path, calibration_images(contract, calibration))
        if format_name == "openvino":
            write_openvino(onnx_folder, folder, in_halves=precision == "float16")
        elif precision == "float16":
            halve_weights(path)


def _sizes(name: str, dims: int) -> dict[int, str]:
    """Dynamic axes of a tensor: batch and rows of three, batch, height and width of four."""
    axes = {3: {0: "batch", 1: "rows"}, 4: {0: "batch", 2: "height", 3: "width"}}.get(dims, {0: "batch"})
    return {axis: what if name == IMAGES else f"{name}_{what}" for axis, what in axes.items()}


def measure_network(
    model: nn.Module, network: Any, contract: NetworkContract, radiographs: Sequence[Radiograph]
) -> dict[str, Any]:
    """The largest and the mean difference of a probability between model and export, and what was compared."""
    windowing, preprocessing = Windowing.from_contract(contract), contract.preprocessing
    changes = []
    for radiograph in radiographs:
        images = model_images(
            [windowing.window(radiograph.pixels, spacing_mm=radiograph.spacing_mm)],
            pixel_mean=preprocessing.pixel_mean,
            pixel_std=preprocessing.pixel_std,
            size_divisibility=preprocessing.size_divisibility,
        )
        with torch.inference_mode():
            own = [x.numpy() for x in model.answers(torch.from_numpy(images))]  # type: ignore[operator]  # as above
        if not all(np.isfinite(array).all() for array in own):
            raise ModelError("the model breaks down", where=radiograph.name, remedy="Nothing was written")
        changes += [np.abs(mine - its) for mine, its in zip(own, network.answer(images), strict=True)]
    return {
        "max_probability": max(float(change.max()) for change in changes),
        "mean_probability": float(np.mean([change.mean() for change in changes])),
        "n_samples": len(radiographs),
        "samples": origin_of(radiographs),
        "runtime": network.describe(),
    }


def check_network(measured: Mapping[str, Any], where: Path) -> None:
    """Refuse a 32-bit export that does not answer as its model."""
    if not measured["max_probability"] <= MAX_SCORE:
        raise ModelError(
            f"the export does not answer as its model: probabilities by {measured['max_probability']:.3g}",
            where=where,
            expected=f"up to {MAX_SCORE}",
            remedy="Nothing was written; try another --format, and report this with the output of `segtumor doctor`",
        )
