"""A trained model to a folder that needs neither torch nor Detectron2: graphs, contract, and the proof that it answers
as the model does.

Everything is written beside the output, read back, compared with Detectron2's own model, and only then moved into
place. Not here: the folder's format (``runtime.exported``), the graphs (``export.graph_files``).
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import tempfile
import time
from pathlib import Path

from segtumor.errors import ConfigError, InstallationError
from segtumor.export.contract import contract_of
from segtumor.export.folding import fold_batch_norms
from segtumor.export.graph_files import write_onnx, write_openvino, write_torchscript
from segtumor.export.graphs import check_model
from segtumor.export.parity import check_parity, check_samples, image_files, measure_parity, sample_radiographs
from segtumor.export.quantization import MAX_CALIBRATION_IMAGES, evenly_spaced, quantize_dense
from segtumor.files import TEMPORARY_PREFIX, output_errors, sha256_of_file, umask
from segtumor.imaging import read_radiograph
from segtumor.models.build import load_trained_model
from segtumor.models.weights import recorded_training_data
from segtumor.runs import EXPORT
from segtumor.runtime.contract import Contract
from segtumor.runtime.export_kinds import FORMATS
from segtumor.runtime.exported import file_names, is_export, open_export, write_manifest
from segtumor.runtime.mask_rcnn.detector import model_images
from segtumor.runtime.predictor import Windowing
from segtumor.system.locks import lock_beside
from segtumor.system.versions import versions

FLOAT32, INT8 = "float32", "int8"
_FORMER = ".former"
_PACKAGES = {"torchscript": (), "onnx": ("onnx", "onnxruntime"), "openvino": ("onnx", "openvino")}


def export(cfg, output, *, format_name, int8: bool = False, calibration=None, samples=(), overwrite: bool = False):
    """Export the model of ``MODEL.WEIGHTS``.

    Args:
        cfg: configuration with weights.
        output: folder to make.
        format_name: "torchscript", "onnx" or "openvino".
        int8: whether the dense graph computes in 8-bit integers.
        calibration: files and folders of radiographs like those the model will see; needed for ``int8``.
        samples: files and folders to compare on; none for phantoms. A blank image is always added.
        overwrite: whether an export that is at ``output`` is replaced.

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
    check_options(format_name, int8=int8, calibration=calibration)
    target = Path(os.path.realpath(output))  # a link stays one
    with lock_beside(target):
        _clear_up(target)
        check_output(output, overwrite=overwrite)
        options = {"format_name": format_name, "int8": int8, "calibration": calibration, "samples": samples}
        manifest = _export(cfg, output, target, **options)
    return {**manifest, "seconds": round(time.perf_counter() - started, 1)}


def _export(cfg, output, target, *, format_name, int8, calibration, samples):
    check_samples([*samples, *(calibration or ())])
    _check_packages(format_name, int8=int8)
    cfg = _on_cpu(cfg)
    model, class_names = load_trained_model(cfg)
    check_model(model)
    contract = contract_of(cfg, model, class_names)
    Contract.from_dict(contract.as_dict(), "this model")  # refuses numbers that no reader would take
    radiographs = sample_radiographs(samples, max_pixels=cfg.INPUT.MAX_PIXELS)
    about = {
        "format_name": format_name,
        "precision": INT8 if int8 else FLOAT32,
        "contract": contract,
        "source": _source(cfg),
        "made_with": versions(("torch", "torchvision", "numpy", *_PACKAGES[format_name], "detectron2")),
    }
    with output_errors(output), _folder_beside(target) as folder:
        _write_graphs(model, folder, format_name, _calibration_images(contract, calibration) if int8 else None)
        write_manifest(folder, **about, parity={})
        parity = measure_parity(model, open_export(folder).graphs, contract, radiographs)
        if not int8:
            check_parity(parity, output)
        manifest = write_manifest(folder, **about, parity=parity)
        _move_into_place(folder, target)
    return manifest


def check_options(format_name, *, int8, calibration):
    """Refuse options that do not go together, before anything is loaded; see ``export``."""
    if format_name not in FORMATS:
        raise ConfigError("unknown format", where="--format", got=format_name, expected=", ".join(FORMATS))
    if int8 and format_name == "torchscript":
        raise ConfigError("8-bit integers are not for TorchScript", where="--int8", remedy="Use --format openvino")
    if int8 and not calibration:
        raise ConfigError(
            "8-bit integers need radiographs to measure their ranges on",
            where="--int8",
            remedy="Add --calibration DIR, a folder of some dozens of radiographs like those that will be read",
        )
    if calibration and not int8:
        raise ConfigError("is for 8-bit integers only", where="--calibration", remedy="Add --int8, or leave it out")


def check_output(output, *, overwrite):
    """Refuse to replace what is no export, or holds more than one, or an export without ``overwrite``; an empty folder
    is welcome."""
    output = Path(output)
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not is_export(output):
        raise ConfigError(
            "is there already and is not an export; it will not be replaced",
            where=output,
            remedy="Choose another --output",
        )
    others = _other_files(output)
    if others:
        raise ConfigError(
            "the export's folder holds other files too; it will not be replaced",
            where=output,
            got=", ".join(others)[:200],
            remedy="Move them away, or choose another --output",
        )
    if not overwrite:
        raise ConfigError("the export is there already", where=output, remedy="Replace it with --overwrite")


def _other_files(folder):
    """Names of what lies in the folder of an export and is no part of one."""
    parts = {EXPORT, *(name for format_name in FORMATS for name in file_names(format_name))}
    return sorted(path.name for path in folder.iterdir() if path.name not in parts)


def _on_cpu(cfg):
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.DEVICE = "cpu"
    cfg.freeze()
    return cfg


def _check_packages(format_name, *, int8):
    wanted = {*_PACKAGES[format_name], *(("onnxruntime",) if int8 else ())}
    missing = sorted(name for name in wanted if importlib.util.find_spec(name) is None)
    if missing:
        raise InstallationError(
            f"{' and '.join(missing)} not installed", remedy='Type: python -m pip install "segtumor[export]"'
        )


def _write_graphs(model, folder, format_name, calibration_images) -> None:
    """The files of ``format_name``; with 8-bit integers if there are calibration images."""
    folded = fold_batch_norms(model)
    if format_name == "torchscript":
        write_torchscript(folded, folder)
        return
    with tempfile.TemporaryDirectory(dir=folder, prefix=".onnx.") as onnx_folder:
        onnx_folder = Path(onnx_folder) if format_name == "openvino" else folder
        write_onnx(folded, onnx_folder)
        if calibration_images is not None:
            dense = onnx_folder / "dense.onnx"
            quantize_dense(dense, dense, calibration_images)
        if format_name == "openvino":
            write_openvino(onnx_folder, folder)


def _calibration_images(contract, paths):
    """The dense graph's input of each calibration radiograph, one after the other."""
    windowing, preprocessing = Windowing.from_contract(contract), contract.preprocessing
    for path in evenly_spaced(image_files(paths), MAX_CALIBRATION_IMAGES):
        window = windowing.window(read_radiograph(path, max_pixels=preprocessing.max_pixels).pixels)
        yield model_images(
            [window],
            pixel_mean=preprocessing.pixel_mean,
            pixel_std=preprocessing.pixel_std,
            size_divisibility=preprocessing.size_divisibility,
        )


def _source(cfg):
    return {
        "weights": Path(cfg.MODEL.WEIGHTS).name,
        "weights_sha256": sha256_of_file(cfg.MODEL.WEIGHTS),
        "config_sha256": hashlib.sha256(cfg.dump().encode("utf-8")).hexdigest(),
        "training_data": recorded_training_data(cfg.MODEL.WEIGHTS),
    }


@contextlib.contextmanager
def _folder_beside(output):
    """A new folder on the same disk as ``output``, which is gone afterwards unless it was moved."""
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=output.parent, prefix=_temporary_prefix(output)))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _temporary_prefix(output) -> str:
    """What the names of folders made beside ``output`` for it begin with, and for no other export there."""
    return f"{TEMPORARY_PREFIX}{hashlib.sha256(os.fsencode(output.name)).hexdigest()[:8]}."


def _clear_up(output) -> None:
    """Bring back the export that a process was replacing when it was killed, and remove what it left half-written."""
    left = sorted(path for path in output.parent.glob(f"{_temporary_prefix(output)}*") if path.is_dir())
    for path in left:
        if path.suffix == _FORMER and not (output.is_dir() and any(output.iterdir())):
            os.replace(path, output)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _move_into_place(folder, output):
    """Rename ``folder`` to ``output``; an export that was there goes only when the new one is in place.

    Args:
        folder: beside ``output``.
        output: no link.
    """
    folder.chmod(0o777 & ~umask())  # mkdtemp makes private folders; this is ordinary output
    if not (output.is_dir() and any(output.iterdir())):
        os.replace(folder, output)
        return
    check_output(output, overwrite=True)  # minutes have passed
    former = folder.with_name(f"{folder.name}{_FORMER}")
    os.replace(output, former)
    try:
        os.replace(folder, output)
    except BaseException:
        os.replace(former, output)
        raise
    shutil.rmtree(former, ignore_errors=True)
