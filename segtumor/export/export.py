"""A trained model to a folder that needs neither torch nor Detectron2: graphs, contract, and the proof that it answers
as the model does.

Everything is written beside the output, read back, compared with Detectron2's own model, and only then moved into
place. What differs between kinds of model is in one table. Not here: the folder's format (``runtime.exported``), the
graphs (``export.graph_files``).
"""

import copy
import dataclasses
import hashlib
import importlib.util
import logging
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detectron2.config import CfgNode
from torch import nn

from segtumor.errors import ConfigError, InstallationError
from segtumor.evaluation.operating_points import OperatingPoints, read_points, used_threshold
from segtumor.export.contract import contract_of
from segtumor.export.folding import fold_batch_norms
from segtumor.export.graph_files import write_onnx, write_openvino, write_torchscript
from segtumor.export.graphs import check_model
from segtumor.export.halving import halve_weights
from segtumor.export.networks import (
    check_network,
    measure_network,
    network_contract,
    say_what_is_left_out,
    write_network,
)
from segtumor.export.output_folder import check_output, clear_up, folder_beside, move_into_place
from segtumor.export.parity import (
    check_parity,
    check_samples,
    measure_image_head_parity,
    measure_parity,
    sample_radiographs,
)
from segtumor.export.quantization import calibration_images, quantize_dense
from segtumor.export.retinanet import measure_retinanet
from segtumor.files import output_errors, sha256_of_file, write_json
from segtumor.imaging import Radiograph
from segtumor.models.build import load_trained_model
from segtumor.models.detectors.image_head import ImageHeadRCNN
from segtumor.models.kinds import (
    CLASSIFIER,
    FASTER_RCNN,
    IMAGE_HEAD_FASTER_RCNN,
    IMAGE_HEAD_RCNN,
    MASK_RCNN,
    ONE_STAGE,
    RETINANET,
    SEGMENTER,
    TABLE_CLASSIFIER,
    kind_of,
)
from segtumor.models.weights import recorded_training_data
from segtumor.runs import OPERATING_POINTS
from segtumor.runtime.contract import Contract
from segtumor.runtime.export_kinds import FORMATS
from segtumor.runtime.exported import Manifest, open_export, write_manifest
from segtumor.system.locks import lock_beside
from segtumor.system.versions import versions

logger = logging.getLogger(__name__)
FLOAT32, FLOAT16, INT8 = "float32", "float16", "int8"
_PACKAGES = {"torchscript": (), "onnx": ("onnx", "onnxruntime"), "openvino": ("onnx", "openvino")}


@dataclass(frozen=True, kw_only=True)
class Exporter:
    """How a kind of model is exported; ``runtime.export_kinds`` has how it is read back.

    Attributes:
        contract: configuration, module and class names to what inference must know beside the graphs; raises
            ConfigError for a module that the graphs do not describe.
        write: writes the graphs of a module and its contract to a folder, in a format and a precision; for 8-bit
            integers the last argument holds files and folders of radiographs to measure ranges on.
        measure: differences between the module and the graphs on radiographs, the last of them blank; plain values.
        check: refuses such differences in a 32-bit export to a folder, by ModelError.
    """

    contract: Callable[[CfgNode, nn.Module, Sequence[str]], Any]
    write: Callable[[nn.Module, Any, Path, str, str, Sequence[str | Path]], None]
    measure: Callable[[nn.Module, Any, Any, Sequence[Radiograph]], dict[str, Any]]
    check: Callable[[Mapping[str, Any], Path], None]


def register(kind: str, exporter: Exporter) -> None:
    """Say how a kind of model (``models.kinds``, by its name) is exported; a later call replaces an earlier one."""
    _EXPORTERS[kind] = exporter


def export(
    cfg: CfgNode,
    output: str | Path,
    *,
    format_name: str,
    precision: str = FLOAT32,
    calibration: Sequence[str | Path] | None = None,
    samples: Sequence[str | Path] = (),
    overwrite: bool = False,
) -> Manifest:
    """Export the model of ``MODEL.WEIGHTS``.

    Args:
        format_name: "torchscript", "onnx" or "openvino".
        precision: "float32"; "float16" stores weights in 16 bits, and computes in 32; "int8" computes the dense graph
            in 8-bit integers. In ONNX, "float16" keeps weights as they were trained: a training can start from them
            (``models.exported_weights``).
        calibration: files and folders of radiographs like those the model will see; needed for "int8".
        samples: files and folders to compare on; none for phantoms. A blank image is always added.

    Returns:
        The manifest, as ``runtime.exported`` writes it, with the seconds that it took under "seconds".

    Raises:
        ConfigError: options that do not go together, a model of another kind, or something else at ``output``.
        InstallationError: a package that the format needs is missing.
        ModelError: weights that do not fit, or a 32-bit export that does not answer as its model; nothing is left.
        DataError: a radiograph that cannot be read.
        OutputError: it cannot be written.
    """
    started, output = time.perf_counter(), Path(output)
    check_options(format_name, precision=precision, calibration=calibration)
    target = Path(os.path.realpath(output))  # a link stays one
    with lock_beside(target):
        clear_up(target)
        check_output(output, overwrite=overwrite)
        manifest = _export(
            cfg,
            output,
            target,
            format_name=format_name,
            precision=precision,
            calibration=calibration or (),
            samples=samples,
        )
    return {**manifest, "seconds": round(time.perf_counter() - started, 1)}


def _export(
    cfg: CfgNode,
    output: Path,
    target: Path,
    *,
    format_name: str,
    precision: str,
    calibration: Sequence[str | Path],
    samples: Sequence[str | Path],
) -> Manifest:
    check_samples([*samples, *calibration])
    exporter = _exporter_of(cfg)
    _check_packages(format_name, precision)
    cfg, points = _prepared(cfg)
    model, class_names = load_trained_model(cfg)
    contract = exporter.contract(cfg, model, class_names)
    radiographs = sample_radiographs(samples, max_pixels=cfg.INPUT.MAX_PIXELS)
    about: dict[str, Any] = {
        "format_name": format_name,
        "precision": precision,
        "contract": contract,
        "source": _source(cfg),
        "made_with": versions(("torch", "torchvision", "numpy", *_PACKAGES[format_name], "detectron2")),
        "model_kind": kind_of(cfg).name,
    }
    with output_errors(output), folder_beside(target) as folder:
        exporter.write(model, contract, folder, format_name, precision, calibration)
        write_manifest(folder, **about, parity={})
        parity = exporter.measure(model, open_export(folder).graphs, contract, radiographs)
        if precision == FLOAT32:
            exporter.check(parity, output)
        manifest = write_manifest(folder, **about, parity=parity)
        if points is not None:
            write_json(folder / OPERATING_POINTS, points.as_dict())
        move_into_place(folder, target)
    return manifest


def check_options(format_name: str, *, precision: str, calibration: Sequence[str | Path] | None) -> None:
    """Refuse options that do not go together, before anything is loaded; see ``export``."""
    if format_name not in FORMATS:
        raise ConfigError("unknown format", where="--format", got=format_name, expected=", ".join(FORMATS))
    if precision != FLOAT32 and format_name == "torchscript":
        raise ConfigError(f"{precision} is not for TorchScript", where="--format", remedy="Use --format openvino")
    if precision == INT8 and not calibration:
        raise ConfigError(
            "8-bit integers need radiographs to measure their ranges on",
            where="--int8",
            remedy="Add --calibration DIR, a folder of some dozens of radiographs like those that will be read",
        )
    if calibration and precision != INT8:
        raise ConfigError("is for 8-bit integers only", where="--calibration", remedy="Add --int8, or leave it out")


def _exporter_of(cfg: CfgNode) -> Exporter:
    exporter = _EXPORTERS.get(kind_of(cfg).name)
    if exporter is None:
        raise ConfigError(
            "this kind of model cannot be exported",
            where="MODEL.META_ARCHITECTURE",
            got=f"{cfg.MODEL.META_ARCHITECTURE}, {kind_of(cfg).name}",
            expected=", ".join(_EXPORTERS),
        )
    return exporter


def _prepared(cfg: CfgNode) -> tuple[CfgNode, OperatingPoints | None]:
    """The configuration on the CPU with the threshold that is used, and the operating points of the weights, if any."""
    cfg, weights = cfg.clone(), Path(cfg.MODEL.WEIGHTS)
    cfg.defrost()
    cfg.MODEL.DEVICE = "cpu"
    cfg.TEST.CONFIDENCE_THRESHOLD = used_threshold(cfg.OPERATING_POINTS.USED, cfg.TEST.CONFIDENCE_THRESHOLD, weights)
    cfg.freeze()
    points = read_points(weights.parent) if (weights.parent / OPERATING_POINTS).is_file() else None
    if points is not None and points.weights_sha256 != sha256_of_file(weights):
        logger.warning("%s belongs to other weights and is left behind", weights.parent / OPERATING_POINTS)
        points = None
    return cfg, points


def _check_packages(format_name: str, precision: str) -> None:
    wanted = {*_PACKAGES[format_name], *(("onnxruntime",) if precision == INT8 else ())}
    missing = sorted(name for name in wanted if importlib.util.find_spec(name) is None)
    if missing:
        raise InstallationError(
            f"{' and '.join(missing)} not installed", remedy='Type: python -m pip install "segtumor[export]"'
        )


def _source(cfg: CfgNode) -> dict[str, Any]:
    return {
        "weights": Path(cfg.MODEL.WEIGHTS).name,
        "weights_sha256": sha256_of_file(cfg.MODEL.WEIGHTS),
        "config_sha256": hashlib.sha256(cfg.dump().encode("utf-8")).hexdigest(),
        "training_data": recorded_training_data(cfg.MODEL.WEIGHTS),
    }


def _mask_rcnn_contract(cfg: CfgNode, model: nn.Module, class_names: Sequence[str]) -> Contract:
    check_model(model)
    if isinstance(model, ImageHeadRCNN):
        say_what_is_left_out(model.tasks)
    contract = contract_of(cfg, model, class_names)
    Contract.from_dict(contract.as_dict(), "this model")  # refuses numbers that no reader would take
    return contract


def _write_mask_rcnn(
    model: nn.Module,
    contract: Contract,
    folder: Path,
    format_name: str,
    precision: str,
    calibration: Sequence[str | Path],
) -> None:
    is_to_train_from = format_name == "onnx" and precision == FLOAT16  # ``models.exported_weights``
    prepared = copy.deepcopy(model).eval() if is_to_train_from else fold_batch_norms(model)
    if format_name == "torchscript":
        write_torchscript(prepared, folder)
        return
    with tempfile.TemporaryDirectory(dir=folder, prefix=".onnx.") as temporary:
        onnx_folder = Path(temporary) if format_name == "openvino" else folder
        write_onnx(prepared, onnx_folder)
        if precision == INT8:
            dense = onnx_folder / "dense.onnx"
            quantize_dense(dense, dense, calibration_images(contract, calibration))
        if format_name == "openvino":
            write_openvino(onnx_folder, folder, in_halves=precision == FLOAT16)
        elif precision == FLOAT16:
            for path in onnx_folder.glob("*.onnx"):
                halve_weights(path)


_MASK_RCNN = Exporter(contract=_mask_rcnn_contract, write=_write_mask_rcnn, measure=measure_parity, check=check_parity)
_WITH_IMAGE_HEAD = dataclasses.replace(_MASK_RCNN, measure=measure_image_head_parity)
_NETWORK = Exporter(contract=network_contract, write=write_network, measure=measure_network, check=check_network)
#: Kinds of model by their name.
_EXPORTERS = {
    MASK_RCNN.name: _MASK_RCNN,
    FASTER_RCNN.name: _MASK_RCNN,
    IMAGE_HEAD_RCNN.name: _WITH_IMAGE_HEAD,
    IMAGE_HEAD_FASTER_RCNN.name: _WITH_IMAGE_HEAD,
    RETINANET.name: dataclasses.replace(_NETWORK, measure=measure_retinanet, check=check_parity),
    CLASSIFIER.name: _NETWORK,
    TABLE_CLASSIFIER.name: _NETWORK,
    SEGMENTER.name: _NETWORK,
    ONE_STAGE.name: _NETWORK,
}
