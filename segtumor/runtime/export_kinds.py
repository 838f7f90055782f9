"""The kinds of exported model: which graphs an export of each has, and how they become a model. One table.

``export.json`` says the kind as ``model_kind``; exports from before there were several are a Mask R-CNN. A new kind is
registered here and, where exports are made, in ``segtumor.export``.
"""

import dataclasses
import functools
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from segtumor.errors import ModelError, check_current_folder, needed
from segtumor.runtime.contract import Contract, NetworkContract, OneStageContract, TableContract
from segtumor.runtime.mask_rcnn.detector import Detector, ImageHeadDetector
from segtumor.runtime.networks import NetworkClassifier, NetworkSegmenter, NetworkTableClassifier
from segtumor.runtime.one_stage import NetworkOneStage
from segtumor.runtime.protocols import Model, ModelContract
from segtumor.runtime.sessions.graph_names import BOXES_ALONE, GRAPHS, IMAGE_HEAD, NETWORK

#: Format -> suffixes of a graph's files.
FORMATS = {"torchscript": (".pt",), "onnx": (".onnx",), "openvino": (".xml", ".bin")}
#: Module, and how its classes begin, that run graphs in a format: ``...Graphs`` those of a Mask R-CNN, ``...Network``
#: a single one.
_RUNTIMES = {
    "torchscript": ("segtumor.runtime.sessions.torchscript", "TorchScript"),
    "onnx": ("segtumor.runtime.sessions.onnx_graphs", "Onnx"),
    "openvino": ("segtumor.runtime.sessions.openvino_graphs", "OpenVino"),
}


class Graphs(Protocol):
    """What runs the graphs of an export; its other methods are between it and its kind."""

    def describe(self) -> dict[str, Any]:
        """Name and version of the runtime, and its threads."""
        ...


LoadGraphs: TypeAlias = Callable[[Path, str, Any, int | None], Graphs]


@dataclass(frozen=True, kw_only=True)
class ExportKind:
    """What differs between kinds of exported model.

    Attributes:
        graphs: names of the graphs; with a suffix, names of files.
        read_contract: the values in ``export.json`` and its path, for messages -> contract; raises ModelError.
        load_graphs: folder whose files were verified, format, contract, threads or None -> what runs the graphs.
        as_model: graphs and contract -> model.
    """

    graphs: tuple[str, ...]
    read_contract: Callable[[Any, Path], ModelContract]
    load_graphs: LoadGraphs
    as_model: Callable[[Any, Any], Model]


def load_mask_rcnn_graphs(
    folder: Path, format_name: str, contract: Contract, threads: int | None = None, *, names: Sequence[str] = GRAPHS
) -> Any:
    """The graphs of a Mask R-CNN; errors as ``exported.open_export``."""
    options: dict[str, Any] = {"regions": contract.regions, "threads": threads}
    if format_name != "torchscript":  # there, outputs have no names
        options["level_count"] = len(contract.anchors.strides_px)
    return _runtime_class(format_name, "Graphs")(_files(folder, format_name, names), **options)


def load_network(folder: Path, format_name: str, contract: NetworkContract, threads: int | None = None) -> Any:
    """The one graph of a network; errors as ``exported.open_export``."""
    return _runtime_class(format_name, "Network")(_files(folder, format_name, (NETWORK,)), threads=threads)


def _runtime_class(format_name: str, what: str) -> Any:
    if format_name == "torchscript":
        check_current_folder()
    module_name, name = _RUNTIMES[format_name]
    with needed("torch", "torch is not installed", remedy='Type: python -m pip install "segtumor[train]"'):
        return getattr(importlib.import_module(module_name), f"{name}{what}")


def _files(folder: Path, format_name: str, names: Sequence[str]) -> dict[str, dict[str, Path]]:
    return {graph: {suffix: folder / f"{graph}{suffix}" for suffix in FORMATS[format_name]} for graph in names}


#: The kind of exports that do not say theirs.
MASK_RCNN = "mask_rcnn"
_MASK_RCNN = ExportKind(
    graphs=GRAPHS, read_contract=Contract.from_dict, load_graphs=load_mask_rcnn_graphs, as_model=Detector
)
_CLASSIFIER = ExportKind(
    graphs=(NETWORK,),
    read_contract=NetworkContract.from_dict,
    load_graphs=load_network,
    as_model=NetworkClassifier,
)
_ONE_STAGE = dataclasses.replace(_CLASSIFIER, read_contract=OneStageContract.from_dict, as_model=NetworkOneStage)


def _with_graphs(*names: str, as_model: Callable[[Any, Any], Model]) -> ExportKind:
    load_graphs = functools.partial(load_mask_rcnn_graphs, names=names)
    return dataclasses.replace(_MASK_RCNN, graphs=names, load_graphs=load_graphs, as_model=as_model)


_KINDS = {
    MASK_RCNN: _MASK_RCNN,
    "mask_rcnn_image_head": _with_graphs(*GRAPHS, IMAGE_HEAD, as_model=ImageHeadDetector),
    "faster_rcnn": _with_graphs(*BOXES_ALONE, as_model=Detector),
    "faster_rcnn_image_head": _with_graphs(*BOXES_ALONE, IMAGE_HEAD, as_model=ImageHeadDetector),
    "classifier": _CLASSIFIER,
    "table_classifier": dataclasses.replace(
        _CLASSIFIER, read_contract=TableContract.from_dict, as_model=NetworkTableClassifier
    ),
    "segmenter": dataclasses.replace(_CLASSIFIER, as_model=NetworkSegmenter),
    "one_stage": _ONE_STAGE,
    "retinanet": _ONE_STAGE,
}


def register(name: str, kind: ExportKind) -> None:
    """Make a kind of export known by its name in ``export.json``; a later call replaces an earlier one."""
    _KINDS[name] = kind


def all_graph_files() -> set[str]:
    """Names of the files that hold the graphs of any kind in any format."""
    suffixes = {suffix for several in FORMATS.values() for suffix in several}
    return {graph + suffix for kind in _KINDS.values() for graph in kind.graphs for suffix in suffixes}


def kind_named(name: object, where: Path) -> ExportKind:
    """The kind of a name in ``export.json``; raises ModelError, which names ``where``, if it is none."""
    if not isinstance(name, str) or name not in _KINDS:
        remedy = "Update segtumor, or import the package that registers this kind of model"
        raise ModelError(
            "unknown kind of model", where=where, got=f"{name!r:.40}", expected=", ".join(_KINDS), remedy=remedy
        )
    return _KINDS[name]
