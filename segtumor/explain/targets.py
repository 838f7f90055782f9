"""What is explained of each kind of model: the numbers behind its findings, and behind what it says of the whole image.

* A classifier: the logit of its most probable tumour class.
* A U-Net: of each finding, the mean logit of its class over its pixels (Seg-Grad-CAM, Vinogradova et al. 2020), by the
  encoder's coarsest maps.
* A one-stage detector: of each finding, the logarithm of the probability of its class at the place that says its box
  best, by the backbone's maps.
* A Mask R-CNN: of each finding, the logit of its class for its box, by the pyramid's maps; of the image head, as a
  classifier.

Letters: h, w of a window, H, W of its radiograph.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from detectron2.modeling import GeneralizedRCNN
from detectron2.structures import Boxes
from torch import nn
from torchvision.ops import box_iou

from segtumor.errors import ConfigError
from segtumor.explain.heat import Layer, Score, last_maps
from segtumor.models.classifiers.image_classifier import ImageClassifier
from segtumor.models.detectors.image_head import ImageHeadRCNN
from segtumor.models.detectors.yolo.architecture import YOLO
from segtumor.models.segmenters.unet import UNet
from segtumor.structures.lesions import Finding
from segtumor.structures.readings import Reading
from segtumor.system.opencv import cv2

WHOLE_IMAGE = "image"
#: Below it a probability has no logarithm worth explaining.
_LEAST = 1e-12


@dataclass(frozen=True, eq=False)
class Target:
    """A number to explain: its name, ``WHOLE_IMAGE`` or "finding N", how it is computed, and where to look."""

    name: str
    score: Score
    layer: Layer


def targets_of(
    model: nn.Module, reading: Reading, images: torch.Tensor, window_hw: tuple[int, int], *, at_most: int
) -> Iterator[Target]:
    """What is explained of a reading.

    Args:
        model: in evaluation mode, of a kind above.
        images: (1, 3, h', w'), as it has seen the radiograph, padded.
        window_hw: (h, w) without the padding.
        at_most: so many findings, the first ones.

    Raises:
        ConfigError: a model of another kind.
    """
    findings = [(number, f) for number, f in enumerate(reading.findings[:at_most], start=1) if f.is_placed]
    scale = window_hw[1] / reading.size_hw[1], window_hw[0] / reading.size_hw[0]
    if isinstance(model, ImageClassifier):
        yield Target(WHOLE_IMAGE, _class_logit(model, _tumour_class(reading)), last_maps(model.network, images))
    elif isinstance(model, UNet):
        coarsest = max(model.backbone.output_shape().items(), key=lambda item: int(item[1].stride))[0]
        layer = Layer(model.backbone, (coarsest,))
        for number, finding in findings:
            yield Target(f"finding {number}", _pixel_logit(model, finding, images.shape[2:], window_hw), layer)
    elif isinstance(model, YOLO):
        layer = Layer(model.backbone, model.in_features)
        for number, finding in findings:
            yield Target(f"finding {number}", _place_logarithm(model, finding, scale, images), layer)
    elif isinstance(model, GeneralizedRCNN):
        layer = Layer(model.backbone, tuple(model.roi_heads.box_in_features))
        for number, finding in findings:
            yield Target(f"finding {number}", _box_logit(model, finding, scale), layer)
        if isinstance(model, ImageHeadRCNN) and reading.image_probabilities is not None:
            yield Target(WHOLE_IMAGE, _image_logit(model, _tumour_class(reading)), layer)
    else:
        raise ConfigError("this kind of model cannot be explained", where="--explain", got=type(model).__name__)


def _tumour_class(reading: Reading) -> int:
    """Position, in the image's probabilities, of the most probable class but normal."""
    return 1 + int(np.argmax((reading.image_probabilities or (0.0, 0.0))[1:]))


def _class_logit(model: ImageClassifier, index: int) -> Score:
    return lambda images: model.logits(images)[0, index]


def _image_logit(model: ImageHeadRCNN, index: int) -> Score:
    head = model.image_head
    return lambda images: head.layers(head.pooled(model.backbone(images)))[0, index]


def _pixel_logit(model: UNet, finding: Finding, size_hw: Sequence[int], window_hw: tuple[int, int]) -> Score:
    mask = finding.mask
    if mask is None:
        raise ConfigError("a finding without a mask cannot be explained", where="--explain")
    small = cv2.resize(mask.view(np.uint8), window_hw[::-1], interpolation=cv2.INTER_NEAREST)
    inside = torch.zeros(tuple(size_hw), dtype=torch.bool)
    inside[: window_hw[0], : window_hw[1]] = torch.from_numpy(np.asarray(small, dtype=bool))
    if not inside.any():  # smaller than a pixel of the window
        y, x = np.argwhere(mask)[0]
        inside[int(y * window_hw[0] / mask.shape[0]), int(x * window_hw[1] / mask.shape[1])] = True
    return lambda images: model.logits(images)[0, finding.class_id + 1][inside.to(images.device)].mean()


def _place_logarithm(model: YOLO, finding: Finding, scale_xy: tuple[float, float], images: torch.Tensor) -> Score:
    column = 4 + finding.class_id
    size_xy = images.shape[3], images.shape[2]
    box = torch.tensor(finding.box_xyxy) * torch.tensor(scale_xy * 2) / torch.tensor(size_xy * 2)
    with torch.no_grad():
        rows = model.answers(images)[0][0]
    overlaps = box_iou(box[None].to(rows), rows[:, :4])[0]
    place = int((overlaps * rows[:, column]).argmax())

    def score(changed: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = model.answers(changed)[0][0, place, column].clamp(min=_LEAST).log()
        return found

    return score


def _box_logit(model: GeneralizedRCNN, finding: Finding, scale_xy: tuple[float, float]) -> Score:
    box = torch.tensor(finding.box_xyxy, dtype=torch.float32) * torch.tensor(scale_xy * 2)
    heads = model.roi_heads

    def score(images: torch.Tensor) -> torch.Tensor:
        maps = model.backbone(images)
        pooled = heads.box_pooler([maps[name] for name in heads.box_in_features], [Boxes(box[None].to(images.device))])
        logits, _ = heads.box_predictor(heads.box_head(pooled))
        found: torch.Tensor = logits[0, finding.class_id]
        return found

    return score
