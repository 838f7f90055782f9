"""A model ready to read radiographs: an exported one, or that of a training run or a configuration."""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtumor.errors import ConfigError, InstallationError, check_current_folder
from segtumor.runs import CONFIG, EXPORT

if TYPE_CHECKING:
    from detectron2.config import CfgNode

    from segtumor.imaging import Radiograph
    from segtumor.runtime.predictor import Predictor
    from segtumor.structures.readings import Note, Reading
    from segtumor.tabular.encoder import Context

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class InferenceModel:
    """A model with what the tables say of it.

    Attributes:
        settings: what decides its readings; "settings" of summary.json.
        entry: what identifies it; "model" of summary.json.
        max_pixels: larger pictures fail, px.
        note: what limits all of its readings, or None.
        set_thresholds: of prediction sets, (K + 1,), normal first, or None (``inference.points``).
    """

    predictor: "Predictor"
    settings: Mapping[str, Any]
    entry: Mapping[str, Any]
    max_pixels: int
    note: "Note | None" = None
    set_thresholds: tuple[float, ...] | None = None

    def read(self, radiograph: "Radiograph", context: "Context | None" = None) -> "Reading":
        """What it says of one radiograph, with its prediction set and its note; raises as ``Predictor.read``."""
        from segtumor.structures.readings import with_prediction_set

        found = with_prediction_set(self.predictor.read(radiograph, context or {}), self.set_thresholds)
        return dataclasses.replace(found, notes=(*found.notes, self.note)) if self.note else found


def check_model(folder: str | Path | None, *, remedy: str = "Check --run") -> None:
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
        remedy=remedy,
    )


def load_model(
    *,
    run: str | Path | None = None,
    config_file: str | Path | None = None,
    opts: Sequence[str] = (),
    device: str | None = None,
    runtime: str | None = None,
    threads: int | None = None,
    confidence_threshold: float | None = None,
    mc_dropout: int = 0,
) -> InferenceModel:
    """Load a model.

    Args:
        run: folder of a training run, whose best weights are used, or of an export; or
        config_file: a configuration, whose weights ``opts`` name.
        opts: settings as on the command line, KEY VALUE KEY VALUE ...; not for exports.
        device: "cpu" or "cuda"; None for ``MODEL.DEVICE``; not for exports.
        runtime: "torch" or "detectron2"; None for torch where it can; not for exports.
        threads: of the model; None for one on each core.
        confidence_threshold: findings below it are not shown, [0, 1]; None for the model's own.
        mc_dropout: passes with dropout left on, 0 for none, which Detectron2 computes; not for exports.

    Raises:
        ConfigError: options that do not fit it.
        ModelError: it is missing, damaged or of another version.
        InstallationError: what runs it is not installed.
    """
    started = time.perf_counter()
    # Damaged or not: what is wrong with an export is said where exports are read.
    if run is not None and (Path(run) / EXPORT).exists():
        _refuse_options_of_runs(opts=opts, device=device, runtime=runtime, mc_dropout=mc_dropout)
        model = _exported_model(Path(run), threads, confidence_threshold)
    else:
        _check_frameworks(run or config_file)
        cfg = model_config(run=run, config_file=config_file, opts=opts)
        if device:
            cfg.MODEL.DEVICE = device
        if confidence_threshold is not None:
            cfg.TEST.CONFIDENCE_THRESHOLD, cfg.OPERATING_POINTS.USED = confidence_threshold, ""
        cfg.freeze()
        model = model_of_config(cfg, runtime="detectron2" if mc_dropout else runtime, threads=threads)
        model = _dropping(model, mc_dropout) if mc_dropout else model
    logger.debug("model loaded after %.2f s", time.perf_counter() - started)
    return model


def _dropping(loaded: InferenceModel, passes: int) -> InferenceModel:
    """A model as so many of it, each with other values dropped."""
    from segtumor.inference.combined import Ensemble
    from segtumor.models.image_models import module_of
    from segtumor.models.mc_dropout import DropoutSample

    if passes < 2:
        raise ConfigError("out of range", where="--mc-dropout", got=passes, expected="2 passes or more")
    predictor, names = loaded.predictor, loaded.predictor.class_names
    module = module_of(predictor.model)
    samples = [DropoutSample(module, predictor.model, names, number=number) for number in range(passes)]
    ensemble = Ensemble(samples, names, settings=predictor.settings)
    settings = {**loaded.settings, "mc_dropout": passes}
    return dataclasses.replace(loaded, predictor=predictor.with_model(ensemble), settings=settings)


def with_embedding(loaded: InferenceModel) -> InferenceModel:
    """The model with embeddings in its readings (``structures.readings``).

    Raises:
        ConfigError: it gives none: an export that is one graph, which holds its answer only.
    """
    from segtumor.runtime.mask_rcnn.detector import Detector
    from segtumor.runtime.networks import NetworkClassifier, NetworkSegmenter, NetworkTableClassifier
    from segtumor.runtime.one_stage import NetworkOneStage

    predictor = loaded.predictor
    if isinstance(predictor.model, Detector):
        return loaded
    if isinstance(predictor.model, (NetworkClassifier, NetworkTableClassifier, NetworkSegmenter, NetworkOneStage)):
        remedy = "Give the training run that it was made of, which needs torch"
        raise ConfigError(
            "an exported classifier, U-Net or one-stage detector gives no embedding", where="--run", remedy=remedy
        )
    from segtumor.models.embedding import Embedding

    model = Embedding(predictor.model, predictor.class_names)
    return dataclasses.replace(loaded, predictor=predictor.with_model(model))


def folds_in(folder: str | Path) -> list[Path]:
    """The runs of a cross-validation's folds, in order, if the folder is one; else the folder itself."""
    folder = Path(folder)
    if (folder / CONFIG).exists() or (folder / EXPORT).exists():
        return [folder]
    folds = [path for path in folder.glob("fold_*") if (path / CONFIG).is_file() and path.name[5:].isdecimal()]
    return sorted(folds, key=lambda path: int(path.name[5:])) or [folder]


@contextlib.contextmanager
def opencv_threads(count: int) -> Iterator[None]:
    """OpenCV's own threads, for the time of a block."""
    from segtumor.system.opencv import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(count)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _refuse_options_of_runs(**options: Any) -> None:
    for name, value in options.items():
        if value:
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(
                "an exported model is run as it was exported",
                where=option,
                remedy=f"Leave {option} out, or give the training run to --run",
            )


def _exported_model(folder: Path, threads: int | None, confidence_threshold: float | None) -> InferenceModel:
    from segtumor.files import sha256_of_file
    from segtumor.runtime.exported import open_export
    from segtumor.runtime.predictor import Predictor

    export = open_export(folder, threads=threads)
    contract, preprocessing = export.contract, export.contract.preprocessing
    settings = {
        "confidence_threshold": contract.confidence_threshold if confidence_threshold is None else confidence_threshold,
        "short_edge_px": preprocessing.short_edge_px,
        "max_long_edge_px": preprocessing.max_long_edge_px,
        "window_percentiles": list(preprocessing.window_percentiles),
        **({"square": True} if preprocessing.square else {}),
        **({"steps": list(preprocessing.steps)} if preprocessing.steps else {}),
        **({"spacing_mm": preprocessing.spacing_mm} if preprocessing.spacing_mm else {}),
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
    predictor = Predictor.from_contract(contract, export.model)
    return InferenceModel(predictor, settings, entry, preprocessing.max_pixels, _note(entry))


def _check_frameworks(where: str | Path | None) -> None:
    check_current_folder()
    try:
        from segtumor.compat import prepare_detectron2

        prepare_detectron2()
    except InstallationError as error:
        raise InstallationError(
            f"a training run needs torch and Detectron2: {error.what}",
            where=where,
            remedy="Export it where it was trained (tools/export.py), or install segtumor[train] and Detectron2 as"
            " docs/how-to/install.md says",
        ) from error


def model_of_config(cfg: "CfgNode", *, runtime: str | None = None, threads: int | None = None) -> InferenceModel:
    """The model of ``MODEL.WEIGHTS``; errors as ``load_model``."""
    from segtumor.evaluation.operating_points import used_threshold
    from segtumor.export.torch_runtime import load_detectron2_predictor, load_fast_predictor
    from segtumor.files import sha256_of_file
    from segtumor.models.weights import recorded_training_data

    if runtime == "detectron2":
        predictor, class_names, description = load_detectron2_predictor(cfg, threads=threads)
    else:
        predictor, class_names, description = load_fast_predictor(cfg, threads=threads, fallback=runtime is None)
    settings = {
        "confidence_threshold": used_threshold(
            cfg.OPERATING_POINTS.USED, cfg.TEST.CONFIDENCE_THRESHOLD, Path(cfg.MODEL.WEIGHTS)
        ),
        "short_edge_px": cfg.INPUT.MIN_SIZE_TEST,
        "max_long_edge_px": cfg.INPUT.MAX_SIZE_TEST,
        "window_percentiles": list(cfg.INPUT.WINDOW_PERCENTILES),
        **({"square": True} if cfg.INPUT.SQUARE else {}),
        **({"steps": list(cfg.INPUT.PREPROCESSING)} if cfg.INPUT.PREPROCESSING else {}),
        **({"spacing_mm": cfg.INPUT.SPACING_MM} if cfg.INPUT.SPACING_MM else {}),
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
    return InferenceModel(predictor, settings, entry, cfg.INPUT.MAX_PIXELS, _note(entry))


def _note(entry: Mapping[str, Any]) -> "Note | None":
    """A model that knows phantoms only is as sure of real radiographs, and wrong; pixels do not tell the two apart."""
    from segtumor.structures.readings import UNLIKE_TRAINING, Note

    training_data = entry["training_data"]
    if training_data is None:
        logger.info("the weights do not say what they were trained on")
        return None
    if training_data.get("synthetic") is not True:
        return None
    text = "The model was trained on synthetic radiographs only: what it finds on real ones means nothing."
    return Note(UNLIKE_TRAINING, text)


def _without_threads(description: Mapping[str, Any]) -> dict[str, Any]:
    # A run may be continued with another number of threads.
    return {key: value for key, value in description.items() if key != "threads"}


def model_config(
    *, run: str | Path | None = None, config_file: str | Path | None = None, opts: Sequence[str] = ()
) -> "CfgNode":
    """The configuration that a run or a configuration file means, not frozen, with settings of the command line. Of a
    run it has the best weights, unless ``opts`` name others.

    Raises:
        ConfigError: no run, no such file, or a wrong setting.
    """
    from segtumor.config import load_config
    from segtumor.runs import find_run

    if run:
        config_file, weights = find_run(run)
        opts = ["MODEL.WEIGHTS", str(weights), *opts]
    if config_file is None:
        raise ConfigError("neither a training run nor a configuration", expected="one of the two")
    return load_config(config_file, list(opts))
