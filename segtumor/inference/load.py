"""The model that ``tools/infer.py`` was given, ready to predict: an exported one, or that of a training run."""

import contextlib
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtumor.errors import ConfigError, InstallationError, check_current_folder
from segtumor.runs import CONFIG, EXPORT

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class InferenceModel:
    """A model with what the tables say of it.

    Attributes:
        predictor: ``runtime.predictor.Predictor``.
        class_names: names by ``class_id``.
        settings: what decides its findings; "settings" of summary.json.
        entry: what identifies it; "model" of summary.json.
        max_pixels: larger pictures fail, px.
        remark: what a reader of its findings must know of the model itself, a sentence, or None.
    """

    predictor: Any
    class_names: tuple[str, ...]
    settings: dict
    entry: dict
    max_pixels: int
    remark: str | None = None


def check_model(folder):
    """Refuse a folder that holds no model, which needs no framework to be seen; None passes.

    Raises:
        ConfigError: it is missing, or neither a training run nor an export.
    """
    if folder is None or any((Path(folder) / name).exists() for name in (CONFIG, EXPORT)):
        return
    missing = "" if Path(folder).exists() else ": no such folder"
    raise ConfigError(
        f"neither a training run nor an exported model{missing}",
        where=folder,
        expected=f"a folder with {CONFIG} and weights, or with {EXPORT}",
        remedy="Check --run",
    )


def load_model(arguments):
    """The model of ``--run`` or ``--config-file``.

    Raises:
        ConfigError: options that do not fit it.
        ModelError: it is missing, damaged or of another version.
        InstallationError: what runs it is not installed.
    """

    started = time.perf_counter()
    # Damaged or not: what is wrong with an export is said where exports are read.
    exported = arguments.run is not None and (Path(arguments.run) / EXPORT).exists()
    model = _exported_model(arguments) if exported else _trained_model(arguments)
    logger.debug("model loaded after %.2f s", time.perf_counter() - started)
    return model


@contextlib.contextmanager
def opencv_threads(count):
    """OpenCV's own threads, for the time of a block."""
    from segtumor.system.opencv import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(count)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _exported_model(arguments):
    from segtumor.files import sha256_of_file
    from segtumor.runtime.exported import open_export
    from segtumor.runtime.mask_rcnn.detector import Detector
    from segtumor.runtime.predictor import Predictor

    for option, is_given in (
        ("--opts", arguments.opts),
        ("--device", arguments.device),
        ("--runtime", arguments.runtime),
    ):
        if is_given:
            raise ConfigError(
                "an exported model is run as it was exported",
                where=option,
                remedy=f"Leave {option} out, or give the training run to --run",
            )
    export = open_export(arguments.run, threads=arguments.threads)
    contract, preprocessing = export.contract, export.contract.preprocessing
    given = arguments.confidence_threshold
    settings = {
        "confidence_threshold": contract.confidence_threshold if given is None else given,
        "short_edge_px": preprocessing.short_edge_px,
        "max_long_edge_px": preprocessing.max_long_edge_px,
        "window_percentiles": list(preprocessing.window_percentiles),
        "postprocessing": dict(contract.postprocessing),
        "runtime": _without_threads(export.graphs.describe()),
    }
    entry = {
        "folder": str(export.folder),
        "export_sha256": sha256_of_file(export.folder / EXPORT),
        "format": export.manifest["format"],
        "precision": export.manifest["precision"],
        "weights_sha256": export.manifest["source"].get("weights_sha256"),
        "class_names": list(contract.class_names),
        "training_data": export.manifest["source"].get("training_data"),
    }
    predictor, remark = Predictor.from_contract(contract, Detector(export.graphs, contract)), _remark(entry)
    return InferenceModel(predictor, contract.class_names, settings, entry, preprocessing.max_pixels, remark)


def _trained_model(arguments):
    _check_frameworks(arguments.run or arguments.config_file)
    cfg = _config(arguments)
    return model_of_config(cfg, runtime=arguments.runtime, threads=arguments.threads)


def _check_frameworks(where):
    check_current_folder()
    try:
        from segtumor.compat import prepare_detectron2

        prepare_detectron2()
    except InstallationError as error:
        raise InstallationError(
            f"a training run needs torch and Detectron2: {error.what}",
            where=where,
            remedy="Export it where it was trained (tools/export.py), or install segtumor[train] and Detectron2 as the"
            " README says",
        ) from error


def model_of_config(cfg, *, runtime=None, threads=None):
    """The model of ``MODEL.WEIGHTS``; errors as ``load_model``.

    Args:
        cfg: configuration.
        runtime: "torch", "detectron2", or None for torch where it can.
        threads: of the model; None for one on each core.
    """
    from segtumor.files import sha256_of_file
    from segtumor.models.weights import recorded_training_data

    predictor, class_names, description = _predictor(cfg, runtime, threads)
    settings = {
        "confidence_threshold": cfg.TEST.CONFIDENCE_THRESHOLD,
        "short_edge_px": cfg.INPUT.MIN_SIZE_TEST,
        "max_long_edge_px": cfg.INPUT.MAX_SIZE_TEST,
        "window_percentiles": list(cfg.INPUT.WINDOW_PERCENTILES),
        "postprocessing": dict(cfg.POSTPROCESSING),
        "device": cfg.MODEL.DEVICE,
        "runtime": _without_threads(description),
    }
    entry = {
        "weights": cfg.MODEL.WEIGHTS,
        "weights_sha256": sha256_of_file(cfg.MODEL.WEIGHTS),
        "backbone": cfg.MODEL.BACKBONE.NAME,
        "class_names": list(class_names),
        "training_data": recorded_training_data(cfg.MODEL.WEIGHTS),
    }
    return InferenceModel(predictor, tuple(class_names), settings, entry, cfg.INPUT.MAX_PIXELS, _remark(entry))


def _remark(entry):
    """A model that knows phantoms only is as sure of real radiographs, and wrong; pixels do not tell the two apart."""
    training_data = entry["training_data"]
    if training_data is None:
        logger.info("the weights do not say what they were trained on")
        return None
    if training_data.get("synthetic") is not True:
        return None
    return "The model was trained on synthetic radiographs only: what it finds on real ones means nothing."


def _predictor(cfg, runtime, threads):
    """(Predictor, class names, description of what computes it) of a configuration."""
    from segtumor.export.torch_runtime import load_detectron2_predictor, load_fast_predictor

    if runtime == "detectron2":
        return load_detectron2_predictor(cfg, threads=threads)
    return load_fast_predictor(cfg, threads=threads, fallback=runtime is None)


def _without_threads(description):
    # A run may be continued with another number of threads.
    return {key: value for key, value in description.items() if key != "threads"}


def _config(arguments):
    cfg = model_config(arguments)
    if arguments.device:
        cfg.MODEL.DEVICE = arguments.device
    if arguments.confidence_threshold is not None:
        cfg.TEST.CONFIDENCE_THRESHOLD = arguments.confidence_threshold
    cfg.freeze()
    return cfg


def model_config(arguments):
    """The configuration that ``--run`` or ``--config-file``, and ``--opts``, mean together.

    Returns:
        CfgNode, not frozen; of a run with its best weights, unless ``--opts`` names others.

    Raises:
        ConfigError: no run, no such file, or a wrong setting.
    """
    from segtumor.config import load_config
    from segtumor.runs import find_run

    config_file, weights = find_run(arguments.run) if arguments.run else (arguments.config_file, None)
    chosen = ["MODEL.WEIGHTS", str(weights)] if weights else []
    return load_config(config_file, [*chosen, *arguments.opts])
