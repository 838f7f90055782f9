"""The three graphs of a folded model to files: TorchScript, ONNX (opset 17) or OpenVINO, with dynamic shapes.

OpenVINO's files are made from the ONNX ones: as exact as from the trace, with names, and quicker. Not here: what is
beside the graphs (``runtime.exported``), and 8-bit weights (``engine.quantizing``).

Letters: L maps that boxes are pooled from.
"""

import contextlib
import logging
import warnings

import torch

from segtumor.errors import ConfigError, InstallationError, OutputError
from segtumor.modeling.graphs import BoxHead, Dense, MaskHead
from segtumor.runtime.graph_names import GRAPHS, inputs_of, outputs_of
from segtumor.runtime.openvino_graphs import import_openvino

OPSET = 17


def write_torchscript(model, folder):
    """``dense.pt``, ``box_head.pt`` and ``mask_head.pt`` of a folded model, frozen."""
    model = model.to(memory_format=torch.channels_last)  # quicker on a CPU, and stored with the weights
    with torch.no_grad(), _exporters_quiet():
        for name, (graph, inputs) in _graphs_and_inputs(model).items():
            traced = torch.jit.trace(graph, inputs, check_trace=False)
            path = folder / f"{name}.pt"
            with _write_errors(path):
                torch.jit.freeze(traced.eval()).save(str(path))


def write_onnx(model, folder):
    """``dense.onnx``, ``box_head.onnx`` and ``mask_head.onnx`` of a folded model; batch, size and rows are dynamic.

    Raises:
        ConfigError: the model holds something that ONNX has no operator for.
        InstallationError: the package onnx is missing.
    """
    check_onnx()
    model = model.to(memory_format=torch.contiguous_format)
    counts = feature_and_level_counts(model)
    with torch.no_grad(), _exporters_quiet():
        for name, (graph, inputs) in _graphs_and_inputs(model).items():
            input_names, output_names = inputs_of(name, counts[0]), outputs_of(name, *counts)
            try:
                torch.onnx.export(
                    graph,
                    inputs,
                    str(folder / f"{name}.onnx"),
                    input_names=list(input_names),
                    output_names=list(output_names),
                    dynamic_axes={tensor: _dynamic_axes(tensor) for tensor in (*input_names, *output_names)},
                    opset_version=OPSET,
                    dynamo=False,  # torch.export refuses pooling by boxes
                )
            except torch.onnx.errors.OnnxExporterError as error:
                reason = str(error).strip().splitlines()[0]
                raise ConfigError(f"the {name} graph cannot be written as ONNX: {reason:.160}") from error


def write_openvino(onnx_folder, folder):
    """OpenVINO's ``.xml`` and ``.bin`` of the ONNX files in another folder; weights stay as they are."""
    openvino = import_openvino()
    core = openvino.Core()
    for name in GRAPHS:
        # ``openvino.convert_model`` does the same and reports its use to a server.
        graph, path = core.read_model(onnx_folder / f"{name}.onnx"), folder / f"{name}.xml"
        with _write_errors(path):
            openvino.save_model(graph, path, compress_to_fp16=False)


def feature_and_level_counts(model):
    """How many maps boxes are pooled from, and how many levels the proposal head has."""
    return len(model.roi_heads.box_in_features), len(model.proposal_generator.in_features)


def check_onnx():
    """Raises InstallationError unless the package onnx is installed."""
    try:
        import onnx  # noqa: F401  torch's exporter and onnxruntime's quantisation use it
    except ImportError as error:
        raise InstallationError(
            "onnx is not installed", remedy='Type: python -m pip install "segtumor[export]"'
        ) from error


def _graphs_and_inputs(model):
    """{graph: (module, example inputs)}; what is traced holds for other sizes and numbers of boxes."""
    dense = Dense(model).eval()
    multiple = max(model.backbone.size_divisibility, 32)
    images = torch.zeros(1, 3, 2 * multiple, 3 * multiple)
    features = [feature.contiguous() for feature in dense(images)[: len(dense.pooled_names)]]
    boxes = [torch.tensor([[0.0, 0.0, 0.0, 16.0, 16.0], [0.0, 8.0, 4.0, 24.0, 40.0]]) for _ in features]
    inputs = (*features, *boxes)
    return {
        "dense": (dense, (images,)),
        "box_head": (BoxHead(model).eval(), inputs),
        "mask_head": (MaskHead(model).eval(), inputs),
    }


def _dynamic_axes(name):
    if name.startswith("boxes_"):
        return {0: f"{name}_rows"}
    if name in ("class_logits", "box_deltas", "mask_logits"):
        return {0: "rows"}
    return {0: "batch", 2: f"{name}_height", 3: f"{name}_width"}


@contextlib.contextmanager
def _write_errors(path):
    """torch and OpenVINO report a full disk as RuntimeError."""
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
def _exporters_quiet():
    """Hide what exporters tell programmers; parity is measured afterwards."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
