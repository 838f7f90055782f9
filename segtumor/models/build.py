"""A model from a configuration, with what can be wrong in it in one line; its weights, and its predictor."""

from collections.abc import Sequence

import torch
from detectron2.config import CfgNode
from detectron2.modeling import build_model
from torch import nn

from segtumor.errors import ConfigError, InstallationError
from segtumor.models.kinds import class_count, kind_of
from segtumor.models.pixel_scale import adopt
from segtumor.models.weights import load_weights, read_checkpoint
from segtumor.runtime.predictor import Predictor, Windowing
from segtumor.structures import postprocessing

#: Detectron2's and torch's ways to say that a name or a value is wrong.
_REFUSALS = (KeyError, AssertionError, ValueError, TypeError, IndexError, ZeroDivisionError, NotImplementedError)


def create_model(cfg: CfgNode) -> nn.Module:
    """Build the model that ``MODEL`` describes, on ``MODEL.DEVICE``, with fresh weights.

    Raises:
        InstallationError: a GPU is asked for and there is none that works.
        ConfigError: a name that no registry knows, or values that do not fit each other.
    """
    if torch.device(cfg.MODEL.DEVICE).type == "cuda" and not torch.cuda.is_available():
        raise InstallationError(
            "no usable GPU", where="MODEL.DEVICE", got=cfg.MODEL.DEVICE, remedy="Use --device cpu or MODEL.DEVICE cpu"
        )
    try:
        model: nn.Module = build_model(cfg)
    except _REFUSALS as error:
        reason = " ".join(str(error).strip("'\"").split()) or "a value that Detectron2 refuses"
        raise ConfigError(f"the model cannot be built: {reason:.200}", where="MODEL") from error
    if cfg.MODEL.CHANNELS_LAST:
        model.to(memory_format=torch.channels_last)
    return model


def load_trained_model(cfg: CfgNode) -> tuple[nn.Module, list[str]]:
    """Model and class names of ``MODEL.WEIGHTS``.

    Raises:
        ConfigError: no weights are named.
        ModelError: they are missing, damaged or of another model.
    """
    if not cfg.MODEL.WEIGHTS:
        raise ConfigError(
            "no weights", where="MODEL.WEIGHTS", remedy="Use --run RUN_DIR or --opts MODEL.WEIGHTS model.pth"
        )
    checkpoint = read_checkpoint(cfg.MODEL.WEIGHTS)
    names = checkpoint.get("class_names") or list(cfg.MODEL.CLASS_NAMES)
    if not names:
        raise ConfigError(
            "the weights do not say what their classes are",
            where=cfg.MODEL.WEIGHTS,
            remedy="Add --opts MODEL.CLASS_NAMES \"['benign','malignant']\"",
        )
    if len(names) != class_count(cfg):
        raise ConfigError(
            "weights and configuration differ in their classes",
            where=kind_of(cfg).count_key or "MODEL.CLASS_NAMES",
            got=class_count(cfg),
            expected=f"{len(names)} ({', '.join(names)})",
        )
    adopt(cfg, checkpoint, cfg.MODEL.WEIGHTS)
    model = create_model(cfg)
    load_weights(model, cfg.MODEL.WEIGHTS, strict=True, checkpoint=checkpoint)
    return model.eval(), names


def predictor_from_config(cfg: CfgNode, model: nn.Module, class_names: Sequence[str]) -> Predictor:
    """The predictor that ``INPUT`` and ``POSTPROCESSING`` describe, around ``model`` as its kind reads radiographs."""
    return Predictor(
        kind_of(cfg).as_model(model, class_names),
        class_names=class_names,
        windowing=windowing_from_config(cfg),
        settings=postprocessing_settings(cfg),
    )


def windowing_from_config(cfg: CfgNode) -> Windowing:
    """What ``INPUT`` says of how a radiograph becomes what a model sees."""
    return Windowing(
        short_edge_px=cfg.INPUT.MIN_SIZE_TEST,
        max_long_edge_px=cfg.INPUT.MAX_SIZE_TEST,
        window_percentiles=cfg.INPUT.WINDOW_PERCENTILES,
        square=cfg.INPUT.SQUARE,
        steps=tuple(cfg.INPUT.PREPROCESSING),
        spacing_mm=cfg.INPUT.SPACING_MM,
        spacing_required=cfg.INPUT.SPACING_UNKNOWN == "refuse",
    )


def postprocessing_settings(cfg: CfgNode) -> postprocessing.Postprocessing:
    """``POSTPROCESSING`` as ``postprocessing.Postprocessing``."""
    return postprocessing.Postprocessing(
        suppression_iou=cfg.POSTPROCESSING.SUPPRESS_IOU,
        fill_holes=cfg.POSTPROCESSING.FILL_HOLES,
        min_part_fraction=cfg.POSTPROCESSING.MIN_PART_FRACTION,
        smooth_radius_px=cfg.POSTPROCESSING.SMOOTH_RADIUS_PX,
        min_area_px=cfg.POSTPROCESSING.MIN_AREA_PX,
    )
