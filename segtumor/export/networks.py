"""How models that are one graph are exported: classifiers, with or without a table, segmenters, one-stage detectors.

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
from detectron2.modeling.meta_arch.retinanet import RetinaNet
from torch import nn

from segtumor.arrays import Floats32
from segtumor.errors import ConfigError, ModelError
from segtumor.export.adaptive_pooling import with_adaptive_pools
from segtumor.export.contract import preprocessing_of
from segtumor.export.graph_files import Graph, write_onnx_graphs, write_openvino, write_torchscript_graphs
from segtumor.export.halving import halve_weights
from segtumor.export.parity import MAX_SCORE, origin_of
from segtumor.export.quantization import calibration_images, quantize_dense
from segtumor.export.retinanet import RetinaNetRows, selection_of
from segtumor.imaging import Radiograph
from segtumor.models.build import postprocessing_settings
from segtumor.models.classifiers.image_classifier import ImageClassifier
from segtumor.models.classifiers.tasks import AuxiliaryTasks
from segtumor.models.detectors.yolo.architecture import YOLO
from segtumor.models.pixel_model import PixelModel
from segtumor.runtime.contract import NetworkContract, OneStageContract, TableContract
from segtumor.runtime.inputs import model_images
from segtumor.runtime.predictor import Windowing
from segtumor.runtime.sessions.graph_names import IMAGES, NETWORK, TABLE
from segtumor.tabular.encoder import TableEncoder

logger = logging.getLogger(__name__)
#: Edge of what is traced, at least: smaller maps of a deep network would have no pixel left.
_SMALLEST_PX = 32


class Answer(nn.Module):
    """Images (N, 3, H, W), and a table (N, D) of a classifier that takes one -> what the model answers, so that it can
    be traced; ConfigError for a module that is no ``PixelModel``."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        if not isinstance(model, PixelModel):
            got = type(model).__name__
            raise ConfigError("cannot be exported", where="MODEL.META_ARCHITECTURE", got=got, expected="a PixelModel")
        self.model, self.OUTPUTS, self.size_multiple = model, model.OUTPUTS, model.size_multiple

    def forward(self, images: torch.Tensor, *table: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.model.answers(images, *table)


def say_what_is_left_out(tasks: AuxiliaryTasks | None) -> None:
    """Warn of tasks that an export does not answer."""
    if tasks is not None:
        logger.warning("what the model has learnt of %s is left out of the export", ", ".join(tasks.values))


def _graph_of(model: nn.Module) -> Answer | RetinaNetRows:
    return RetinaNetRows(model) if isinstance(model, RetinaNet) else Answer(model)


def network_contract(cfg: CfgNode, model: nn.Module, class_names: Sequence[str]) -> NetworkContract:
    """``runtime.contract.NetworkContract`` of a model that is one graph; ConfigError for another module."""
    if isinstance(model, ImageClassifier):
        say_what_is_left_out(model.tasks)
    values: dict[str, Any] = {
        "class_names": tuple(class_names),
        "confidence_threshold": float(cfg.TEST.CONFIDENCE_THRESHOLD),
        "preprocessing": preprocessing_of(cfg, _graph_of(model).size_multiple),
        "postprocessing": dataclasses.asdict(postprocessing_settings(cfg)),
    }
    contract = NetworkContract(**values)
    if isinstance(model, YOLO):
        contract = OneStageContract(**values, selection=model.selection)
    elif isinstance(model, RetinaNet):
        contract = OneStageContract(**values, selection=selection_of(cfg))
    elif isinstance(model, ImageClassifier) and model.table is not None:
        contract = TableContract(**values, columns=tuple(model.table.encoder.as_dicts()))
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
    """The one graph of a model to a folder; see ``export.Exporter``."""
    multiple = max(contract.preprocessing.size_divisibility, _SMALLEST_PX)
    module = _graph_of(with_adaptive_pools(copy.deepcopy(model).eval()))
    inputs = {IMAGES: torch.zeros(1, 3, 2 * multiple, 3 * multiple)}
    if isinstance(contract, TableContract):
        inputs[TABLE] = torch.from_numpy(_tables(contract)[0])
    with torch.no_grad():
        answers = module(*inputs.values())
    names = module.OUTPUTS[: len(answers)]
    tensors = {**inputs, **dict(zip(names, answers, strict=True))}
    axes = {name: _sizes(name, tensor.dim()) for name, tensor in tensors.items()}
    graph = Graph(module, tuple(inputs.values()), tuple(inputs), names, axes)
    if format_name == "torchscript":
        write_torchscript_graphs({NETWORK: graph}, folder)
        return
    with tempfile.TemporaryDirectory(dir=folder, prefix=".onnx.") as temporary:
        onnx_folder = Path(temporary) if format_name == "openvino" else folder
        write_onnx_graphs({NETWORK: graph}, onnx_folder)
        path = onnx_folder / f"{NETWORK}.onnx"
        if precision == "int8":
            further = {TABLE: _tables(contract)[0]} if isinstance(contract, TableContract) else {}
            quantize_dense(path, path, calibration_images(contract, calibration), further)
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
    tables = _tables(contract) if isinstance(contract, TableContract) else []
    changes = []
    for radiograph in radiographs:
        images = model_images(
            [windowing.window(radiograph.pixels, spacing_mm=radiograph.spacing_mm)],
            pixel_mean=preprocessing.pixel_mean,
            pixel_std=preprocessing.pixel_std,
            size_divisibility=preprocessing.size_divisibility,
        )
        for further in [{TABLE: table} for table in tables] or [{}]:
            with torch.inference_mode():
                answers = model.answers(*map(torch.from_numpy, [images, *further.values()]))  # type: ignore[operator]
            own = [answer.numpy() for answer in answers]
            if not all(np.isfinite(array).all() for array in own):
                raise ModelError("the model breaks down", where=radiograph.name, remedy="Nothing was written")
            changes += [np.abs(mine - its) for mine, its in zip(own, network.answer(images, **further), strict=True)]
    return {
        "max_probability": max(float(change.max()) for change in changes),
        "mean_probability": float(np.mean([change.mean() for change in changes])),
        "n_samples": len(radiographs),
        "samples": origin_of(radiographs),
        "runtime": network.describe(),
    }


def _tables(contract: TableContract) -> list[Floats32]:
    """(1, D) each: nothing known, and made-up features on both sides of it."""
    usual = np.array([TableEncoder.from_dicts(contract.columns, where="columns").features({})], dtype=np.float32)
    return [usual, usual + np.float32(1), usual - np.float32(1)]


def check_network(measured: Mapping[str, Any], where: Path) -> None:
    """Refuse a 32-bit export that does not answer as its model."""
    if not measured["max_probability"] <= MAX_SCORE:
        raise ModelError(
            f"the export does not answer as its model: probabilities by {measured['max_probability']:.3g}",
            where=where,
            expected=f"up to {MAX_SCORE}",
            remedy="Nothing was written; try another --format, and report this with the output of `segtumor doctor`",
        )
