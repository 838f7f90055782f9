"""Detectron2's model as a detector."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from detectron2.structures import Instances
from numpy.typing import NDArray
from torch import nn

from segtumor.errors import NonFiniteOutputError
from segtumor.runtime.breakdown import LARGEST_OUTPUT, broken_output, is_broken
from segtumor.runtime.mask_rcnn.image_head import unlike_notes
from segtumor.runtime.protocols import SizeHW, Window
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_from_mask
from segtumor.structures.readings import Reading

M = TypeVar("M", bound=nn.Module)


class ModelDetector:
    """Runs a Detectron2 model as it is: while training, and as the reference of every faster way.

    Args:
        model: a Detectron2 model; its mode (training or not) is restored after each call.
        checks_outputs: whether numbers that are NaN, infinite or absurd fail an image; without it they are lost as
            Detectron2 loses them. It costs 4 to 8% of the time, which is not Detectron2's where speed is compared.
    """

    def __init__(self, model: nn.Module, *, checks_outputs: bool = True) -> None:
        self.model, self._checks_outputs = model, checks_outputs

    def detect(
        self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW]
    ) -> list[Sequence[Finding] | NonFiniteOutputError]:
        """See ``runtime.protocols.Detector``."""
        outputs = self._outputs(windows, sizes_hw)
        return [output if is_broken(output) else findings_from_instances(output["instances"]) for output in outputs]

    def _outputs(
        self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW]
    ) -> list[dict[str, Any] | NonFiniteOutputError]:
        inputs = [
            {"image": image_tensor(window), "height": height, "width": width}
            for window, (height, width) in zip(windows, sizes_hw, strict=True)
        ]
        nothing: list[torch.Tensor] = []
        watched = _watched(self.model) if self._checks_outputs else contextlib.nullcontext(nothing)
        with torch.inference_mode(), evaluating(self.model), watched as sound:
            found: list[dict[str, Any] | NonFiniteOutputError] = list(self.model(inputs))
            is_sound = bool(torch.stack(sound).all()) if sound else True
        if is_sound:
            return found
        if len(windows) == 1:
            return [broken_output()]
        # Which of them it was shows one by one.
        return [self._outputs([window], [size_hw])[0] for window, size_hw in zip(windows, sizes_hw, strict=True)]


class ImageHeadModelDetector(ModelDetector):
    """A model with an image head (``models.detectors.image_head``).

    Args:
        model: as for ``ModelDetector``; its outputs hold ``"image_probabilities"`` too.
        class_names: by ``class_id``.
    """

    def __init__(self, model: nn.Module, class_names: Sequence[str]) -> None:
        super().__init__(model)
        self._class_names = tuple(class_names)

    def read(self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW]) -> list[Reading | NonFiniteOutputError]:
        """See ``runtime.protocols.ReadingModel``."""
        outputs = zip(self._outputs(windows, sizes_hw), sizes_hw, strict=True)
        return [o if is_broken(o) else self._reading(o, (int(h), int(w))) for o, (h, w) in outputs]

    def _reading(self, output: dict[str, Any], size_hw: SizeHW) -> Reading:
        return Reading(
            class_names=self._class_names,
            size_hw=size_hw,
            findings=findings_from_instances(output["instances"]),
            image_probabilities=tuple(output["image_probabilities"].double().clamp(0, 1).tolist()),
            marks_lesions=True,
            attributes=output["attributes"],
            notes=unlike_notes(float(output["unlikeness"])),
        )


def findings_from_instances(instances: Instances) -> tuple[Finding, ...]:
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
_EXITS = (
    *("proposal_generator.rpn_head", "roi_heads.box_predictor", "roi_heads.mask_head.predictor", "image_head"),
    "head",  # of RetinaNet
)


@contextlib.contextmanager
def _watched(model: nn.Module) -> Iterator[list[torch.Tensor]]:
    """Gather a bool tensor for every convolution and matrix, and every exit, that computes within the block: whether
    all its outputs are sound, as ``runtime.breakdown`` means it. On a GPU nothing waits for it."""
    sound: list[torch.Tensor] = []
    handles = []

    def watch(module: nn.Module, are_sound: Callable[[torch.Tensor], torch.Tensor]) -> None:
        def look(_module: nn.Module, _inputs: Any, outputs: Any) -> None:
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


@contextlib.contextmanager
def evaluating(model: M) -> Iterator[M]:
    """The model in evaluation mode; its former mode afterwards."""
    was_training = model.training
    model.eval()
    try:
        yield model
    finally:
        model.train(was_training)


def image_tensor(pixels: NDArray[np.float32]) -> torch.Tensor:
    """(h, w) float32 in [0, 1] -> (3, h, w) float32 in 0..255, the gray channel three times."""
    image = torch.empty((3, *pixels.shape), dtype=torch.float32)
    channels = image.numpy()
    np.multiply(pixels, np.float32(255), out=channels[0])
    channels[1:] = channels[0]
    return image
