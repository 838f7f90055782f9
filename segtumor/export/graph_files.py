"""The graphs of a model to files: TorchScript, ONNX (opset 17) or OpenVINO, with dynamic shapes.

OpenVINO's files are made from the ONNX ones: as exact as from the trace, with names, and quicker. Not here: what is
beside the graphs (``runtime.exported``), and 8-bit weights (``export.quantization``).
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from detectron2.modeling import GeneralizedRCNN
from torch import nn

from segtumor.errors import ConfigError, OutputError
from segtumor.export.graphs import BoxHead, Dense, MaskHead, PooledImageHead, pooling_of
from segtumor.files import write_bytes
from segtumor.models.detectors.image_head import ImageHeadRCNN
from segtumor.runtime.sessions.graph_names import IMAGE_HEAD, POOLED, REGIONS, input_of, outputs_of
from segtumor.runtime.sessions.openvino_graphs import import_openvino
from segtumor.system.imports import import_optional

OPSET = 17


@dataclass(frozen=True)
class Graph:
    """A graph to be written.

    Attributes:
        inputs: examples; what is traced holds for other sizes and numbers.
        input_names, output_names: in ONNX and OpenVINO.
        dynamic_axes: {tensor: {axis: name}}.
    """

    module: nn.Module
    inputs: tuple[torch.Tensor, ...]
    input_names: Sequence[str]
    output_names: Sequence[str]
    dynamic_axes: Mapping[str, Mapping[int, str]]


def write_torchscript(model: GeneralizedRCNN, folder: Path) -> None:
    """The ``.pt`` file of every graph of a folded model, frozen."""
    # Quicker on a CPU, and stored with the weights.
    write_torchscript_graphs(_graphs_of(model.to(memory_format=torch.channels_last)), folder)


def write_torchscript_graphs(graphs: Mapping[str, Graph], folder: Path) -> None:
    """The ``.pt`` file of every graph, frozen."""
    with torch.no_grad(), exporters_quiet():
        for name, graph in graphs.items():
            traced = torch.jit.trace(graph.module, graph.inputs, check_trace=False)  # type: ignore[no-untyped-call]
            # By way of memory: on a full disk torch's own writer ends the process.
            buffer = io.BytesIO()
            torch.jit.save(torch.jit.freeze(traced.eval()), buffer)
            write_bytes(folder / f"{name}.pt", buffer.getbuffer())


def write_onnx(model: GeneralizedRCNN, folder: Path) -> None:
    """The ``.onnx`` file of every graph of a model in evaluation mode; batch, size and rows are dynamic.

    Raises:
        ConfigError, InstallationError: as ``write_onnx_graphs``.
    """
    write_onnx_graphs(_graphs_of(model.to(memory_format=torch.contiguous_format)), folder)


def write_onnx_graphs(graphs: Mapping[str, Graph], folder: Path) -> None:
    """The ``.onnx`` file of every graph.

    Raises:
        ConfigError: the model holds something that ONNX has no operator for.
        InstallationError: the package onnx is missing.
    """
    check_onnx()
    with torch.no_grad(), exporters_quiet():
        for name, graph in graphs.items():
            try:
                torch.onnx.export(
                    graph.module,
                    graph.inputs,
                    str(folder / f"{name}.onnx"),
                    input_names=list(graph.input_names),
                    output_names=list(graph.output_names),
                    dynamic_axes=graph.dynamic_axes,
                    opset_version=OPSET,
                    training=torch.onnx.TrainingMode.PRESERVE,  # evaluation, too, but batch norms stay where they are
                    dynamo=False,  # the other exporter needs one more package and writes the same
                )
            except torch.onnx.errors.OnnxExporterError as error:
                reason = str(error).strip().splitlines()[0]
                raise ConfigError(f"the {name} graph cannot be written as ONNX: {reason:.160}") from error


def write_openvino(onnx_folder: Path, folder: Path, *, in_halves: bool = False) -> None:
    """OpenVINO's ``.xml`` and ``.bin`` of the ONNX files in another folder; weights as they are, or in 16 bits."""
    openvino = import_openvino()
    core = openvino.Core()
    for source in sorted(onnx_folder.glob("*.onnx")):
        # ``openvino.convert_model`` does the same and reports its use to a server.
        graph, path = core.read_model(source), folder / f"{source.stem}.xml"
        with _write_errors(path):
            openvino.save_model(graph, path, compress_to_fp16=in_halves)


def feature_and_level_counts(model: GeneralizedRCNN) -> tuple[int, int]:
    """How many maps boxes are pooled from, and how many levels the proposal head has."""
    return len(model.roi_heads.box_in_features), len(model.proposal_generator.in_features)


def check_onnx() -> None:
    """Raises InstallationError unless the package onnx is installed: torch's exporter and quantisation use it."""
    import_optional("onnx", extra="export")


def _graphs_of(model: GeneralizedRCNN) -> dict[str, Graph]:
    """The graphs of a model with proposals by name."""
    counts, graphs = feature_and_level_counts(model), {}
    for name, (module, inputs) in _graphs_and_inputs(model).items():
        input_name, output_names = input_of(name), outputs_of(name, *counts)
        axes = {tensor: _dynamic_axes(tensor) for tensor in (input_name, *output_names)}
        graphs[name] = Graph(module, inputs, (input_name,), output_names, axes)
    return graphs


def _graphs_and_inputs(model: GeneralizedRCNN) -> dict[str, tuple[nn.Module, tuple[torch.Tensor]]]:
    """{graph: (module, example inputs)}."""
    dense = Dense(model).eval()
    multiple = max(model.backbone.size_divisibility, 32)
    channels = dense(torch.zeros(1, 3, multiple, multiple))[0].shape[-1]
    heads = model.roi_heads
    box_size = pooling_of(heads.box_pooler).size
    graphs: dict[str, tuple[nn.Module, tuple[torch.Tensor]]] = {
        "dense": (dense, (torch.zeros(1, 3, 2 * multiple, 3 * multiple),)),
        "box_head": (BoxHead(model).eval(), (torch.zeros(2, box_size, box_size, channels),)),
    }
    if heads.mask_on:
        mask_size = pooling_of(heads.mask_pooler).size
        graphs["mask_head"] = (MaskHead(model).eval(), (torch.zeros(2, mask_size, mask_size, channels),))
    if isinstance(model, ImageHeadRCNN):
        head = PooledImageHead(model).eval()
        graphs[IMAGE_HEAD] = (head, (torch.zeros(2, head.head.typicality.mean.numel()),))
    return graphs


def _dynamic_axes(name: str) -> dict[int, str]:
    if name in (REGIONS, POOLED, "class_logits", "box_deltas", "mask_logits", "image_logits", "unlikeness"):
        return {0: "rows"}
    height, width = (1, 2) if name.startswith("feature_") else (2, 3)
    return {0: "batch", height: f"{name}_height", width: f"{name}_width"}


@contextlib.contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    """OpenVINO reports a full disk as RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise OutputError(
            f"cannot write: {reason:.160}",
            where=path,
            remedy="Choose a folder that you may write to and that has space left",
        ) from error


@contextlib.contextmanager
def exporters_quiet(logger_name: str = "torch.onnx") -> Iterator[None]:
    """Hide what exporters and quantisers log for programmers, here and through a logger ("" is the root); parity is
    measured afterwards."""
    logger = logging.getLogger(logger_name)
    level, handlers = logger.level, list(logger.handlers)
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        logger.handlers[:] = handlers  # onnxruntime adds one to the root, which would print everything twice
