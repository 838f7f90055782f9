"""Weights out of an export, to train from: the graphs of a 16-bit ONNX export hold them as they were trained.

So a model that is handed on needs no second file. Other exports hold folded or rounded weights, which no training could
go on from.
"""

from pathlib import Path
from typing import Any

import torch

from segtumor.errors import ModelError
from segtumor.models.pixel_scale import FIELD, STORED
from segtumor.runs import EXPORT
from segtumor.runtime.exported import read_manifest
from segtumor.runtime.sessions.graph_names import PARAMETERS
from segtumor.system.imports import import_optional

#: What ``export.halving`` adds to the name of a constant.
HALF = "_half"
_STATISTICS, _COUNTER = ".running_mean", ".num_batches_tracked"


def read_exported_weights(path: str | Path) -> dict[str, Any]:
    """The weights of an export as ``models.weights.read_checkpoint`` gives those of a file.

    Args:
        path: its ``export.json``.

    Raises:
        ModelError: damaged, or an export that holds no weights to train from.
        InstallationError: the package onnx is missing.
    """
    folder = Path(path).parent
    manifest = read_manifest(folder)
    if (manifest["format"], manifest["precision"]) != ("onnx", "float16"):
        raise ModelError(
            "an export of this kind holds no weights to train from",
            where=folder,
            got=f"{manifest['format']}, {manifest['precision']}",
            expected="onnx, float16",
            remedy="Start from the training run's weights, or export it again with --format onnx --half",
        )
    state: dict[str, torch.Tensor] = {}
    for name in manifest["files"]:
        state |= weights_of_graph(folder / name)
    counters = {name.replace(_STATISTICS, _COUNTER): torch.tensor(0) for name in state if name.endswith(_STATISTICS)}
    preprocessing = manifest["contract"]["preprocessing"]
    return {
        "model": state | counters,
        "class_names": list(manifest["contract"]["class_names"]),
        FIELD: [list(preprocessing[name]) for name in STORED],
        "training_data": manifest["source"]["training_data"],
    }


def is_export_file(path: str | Path) -> bool:
    """Whether a path is that of an export's ``export.json``."""
    return Path(path).name == EXPORT


def weights_of_graph(path: Path) -> dict[str, torch.Tensor]:
    """{parameter of the model: tensor} of one ``.onnx`` file, float16 or float32; empty for a graph of another name."""
    onnx = import_optional("onnx", extra="export")
    graph = onnx.load(str(path), load_external_data=False).graph
    constants = {one.name.removesuffix(HALF): onnx.numpy_helper.to_array(one) for one in graph.initializer}
    # Of parameters that are equal, the exporter keeps one.
    same = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity"}
    constants |= {name: constants[other] for name, other in same.items() if other in constants}
    return {
        own + name.removeprefix(start): torch.from_numpy(values.copy())
        for start, own in PARAMETERS.get(path.stem, {}).items()
        for name, values in constants.items()
        if name.startswith(start)
    }
