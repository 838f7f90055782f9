"""Detectron2's model as a detector, and the predictor of a configuration."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from segtumor.errors import ConfigError
from segtumor.models.build import create_model
from segtumor.models.weights import load_weights, read_checkpoint
from segtumor.runtime.breakdown import LARGEST_OUTPUT, broken_output
from segtumor.runtime.predictor import Predictor
from segtumor.structures import postprocessing
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_from_mask


class ModelDetector:
    """Runs a Detectron2 model as it is: while training, and as the reference of every faster way.

    Args:
        model: a Detectron2 model; its mode (training or not) is restored after each call.
        checks_outputs: whether numbers that are NaN, infinite or absurd fail an image; without it they are lost as
            Detectron2 loses them. It costs 4 to 8 % of the time, which is not Detectron2's where speed is compared.
    """

    def __init__(self, model, *, checks_outputs: bool = True) -> None:
        self.model, self._checks_outputs = model, checks_outputs

    def detect(self, windows, sizes_hw):
        """See ``runtime.predictor``."""
        inputs = [
            {"image": image_tensor(window), "height": height, "width": width}
            for window, (height, width) in zip(windows, sizes_hw, strict=True)
        ]
        watched = _watched(self.model) if self._checks_outputs else contextlib.nullcontext([])
        with torch.inference_mode(), evaluating(self.model), watched as sound:
            found = [findings_from_instances(output["instances"]) for output in self.model(inputs)]
            is_sound = bool(torch.stack(sound).all()) if sound else True
        if is_sound:
            return found
        if len(windows) == 1:
            return [broken_output()]
        # Which of them it was is found out one by one.
        return [self.detect([window], [size_hw])[0] for window, size_hw in zip(windows, sizes_hw, strict=True)]


def findings_from_instances(instances):
    """Predicted ``Instances`` of one image, at its original size, to findings.

    Args:
        instances: with pred_boxes, scores, pred_classes, and optionally pred_masks (N, H, W) bool and
            class_probabilities (N, K).

    Returns:
        tuple of Finding, highest score first.
    """
    instances = instances.to("cpu")
    boxes = instances.pred_boxes.tensor.tolist()
    scores, classes = instances.scores.tolist(), instances.pred_classes.tolist()
    rles = [rle_from_mask(mask.numpy()) for mask in instances.pred_masks] if instances.has("pred_masks") else None
    probabilities = instances.class_probabilities.tolist() if instances.has("class_probabilities") else None
    findings = [
        Finding(
            class_id=classes[i],
            score=scores[i],
            box_xyxy=tuple(boxes[i]),
            rle=rles[i] if rles else None,
            probabilities=tuple(probabilities[i]) if probabilities else (),
        )
        for i in range(len(instances))
    ]
    return tuple(sorted(findings, key=lambda finding: -finding.score))


#: Where numbers leave a part of the model and what follows drops or clamps what is not finite.
_EXITS = ("proposal_generator.rpn_head", "roi_heads.box_predictor", "roi_heads.mask_head.predictor")


@contextlib.contextmanager
def _watched(model: torch.nn.Module) -> Iterator[list[torch.Tensor]]:
    """Gather a bool tensor for every convolution and matrix, and every exit, that computes within the block: whether
    all its outputs are sound, as ``runtime.breakdown`` means it. On a GPU nothing waits for it."""
    sound, handles = [], []

    def watch(module, are_sound) -> None:
        def look(_module, _inputs, outputs) -> None:
            sound.extend(map(are_sound, _tensors(outputs)))

        handles.append(module.register_forward_hook(look))

    try:
        for name, module in model.named_modules():
            if name in _EXITS:
                watch(module, _are_outputs)
            elif getattr(getattr(module, "weight", None), "ndim", 0) > 1:
                watch(module, _are_finite)
        yield sound
    finally:
        for handle in handles:
            handle.remove()


def _tensors(outputs: Any) -> list[torch.Tensor]:
    """The floating point tensors in nested lists, tuples and dicts, empty ones left out."""
    if isinstance(outputs, torch.Tensor):
        return [outputs] if outputs.is_floating_point() and outputs.numel() else []
    if isinstance(outputs, dict):
        outputs = outputs.values()
    return [tensor for item in outputs for tensor in _tensors(item)] if isinstance(outputs, Iterable) else []


def _are_outputs(tensor: torch.Tensor) -> torch.Tensor:
    low, high = torch.aminmax(tensor)  # NaN, if one is there
    return (low >= -LARGEST_OUTPUT) & (high <= LARGEST_OUTPUT)


def _are_finite(tensor: torch.Tensor) -> torch.Tensor:
    # A sum takes half the time of looking at each number; what is so large that it overflows is unsound too.
    return torch.isfinite(tensor.sum(dtype=torch.float32))


def predictor_from_config(cfg, model):
    """The predictor that ``INPUT`` and ``POSTPROCESSING`` describe, with Detectron2's ``model`` as its detector."""
    return Predictor(
        ModelDetector(model),
        short_edge_px=cfg.INPUT.MIN_SIZE_TEST,
        max_long_edge_px=cfg.INPUT.MAX_SIZE_TEST,
        window_percentiles=cfg.INPUT.WINDOW_PERCENTILES,
        settings=postprocessing_settings(cfg),
    )


def postprocessing_settings(cfg):
    """``POSTPROCESSING`` as ``postprocessing.Postprocessing``."""
    return postprocessing.Postprocessing(
        suppression_iou=cfg.POSTPROCESSING.SUPPRESS_IOU,
        fill_holes=cfg.POSTPROCESSING.FILL_HOLES,
        min_part_fraction=cfg.POSTPROCESSING.MIN_PART_FRACTION,
        smooth_radius_px=cfg.POSTPROCESSING.SMOOTH_RADIUS_PX,
        min_area_px=cfg.POSTPROCESSING.MIN_AREA_PX,
    )


def load_trained_model(cfg):
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
    if len(names) != cfg.MODEL.ROI_HEADS.NUM_CLASSES:
        raise ConfigError(
            "weights and configuration differ in their classes",
            where="MODEL.ROI_HEADS.NUM_CLASSES",
            got=cfg.MODEL.ROI_HEADS.NUM_CLASSES,
            expected=f"{len(names)} ({', '.join(names)})",
        )
    model = create_model(cfg)
    load_weights(model, cfg.MODEL.WEIGHTS, strict=True, checkpoint=checkpoint)
    return model.eval(), names


def recorded_training_data(path: str | Path) -> dict | None:
    """What weights say of what they were trained on (``training.data_identity``), or None; of a file that was loaded
    before: its tensors are not read again."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, ValueError):  # a format from before anything was recorded
        return None
    found = content.get("training_data") if isinstance(content, dict) else None
    return found if isinstance(found, dict) else None


@contextlib.contextmanager
def evaluating(model):
    """The model in evaluation mode; its former mode afterwards."""
    was_training = model.training
    model.eval()
    try:
        yield model
    finally:
        model.train(was_training)


def image_tensor(pixels):
    """(h, w) float32 in [0, 1] -> (3, h, w) float32 in 0..255, the gray channel three times."""
    image = torch.empty((3, *pixels.shape), dtype=torch.float32)
    channels = image.numpy()
    np.multiply(pixels, np.float32(255), out=channels[0])
    channels[1:] = channels[0]
    return image
