"""Detectron2's standard heads, with every class's probability kept and class weights in the loss.

Fast Mask R-CNN with VGG19, as the paper on bone tumours of that name describes it (its section 3.3), is these heads on
the last convolutional map of VGG19 alone (``configs/fast_mask_rcnn_VGG19.yaml``). Where the paper leaves the standard
form, the standard form is used:

* Equation 6 puts a sigmoid on the region proposal network's box offsets. Offsets are signed and unbounded, so that a
  box could never move left or shrink; they are linear here, as in Faster R-CNN (Ren et al. 2015, equations 1-2).
* Equation 7's softmax over object and background is the sigmoid of the difference of the two logits, which is what
  Detectron2 computes from one logit.
* Equation 9's softmax runs over the tumour classes and background; equation 10's offsets are linear.
* Equation 11's masks are predicted at a fixed size and upsampled, inside their box, to the original resolution.

Letters: R proposals, K classes (without background).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling import ROI_HEADS_REGISTRY, StandardROIHeads
from detectron2.modeling.roi_heads.fast_rcnn import FastRCNNOutputLayers
from detectron2.structures import ImageList, Instances
from torch.nn import functional
from torchvision.ops import RoIPool

#: Class logits (R, K + 1) and box deltas.
Predictions = tuple[torch.Tensor, torch.Tensor]


class TumorOutputLayers(FastRCNNOutputLayers):
    """Class and box prediction that remembers the probability of every class of every detection.

    Its detections carry, beside Detectron2's fields, ``class_probabilities``: (detections, K) in [0, 1], without
    background.
    """

    def set_class_weights(self, class_weights: Sequence[float]) -> "TumorOutputLayers":
        """Weights of the K classes and, last, background in the classification loss; empty for none."""
        weights = torch.tensor(class_weights, dtype=torch.float32) if len(class_weights) else None
        self.register_buffer("class_weights", weights, persistent=False)
        return self

    def losses(self, predictions: Predictions, proposals: list[Instances]) -> dict[str, torch.Tensor]:
        """Detectron2's losses; with class weights, the weighted mean cross entropy in place of the plain one."""
        losses: dict[str, torch.Tensor] = super().losses(predictions, proposals)
        if self.class_weights is not None and len(proposals):
            scores, _ = predictions
            classes = torch.cat([p.gt_classes for p in proposals])
            if classes.numel():
                scale = self.loss_weight.get("loss_cls", 1.0)
                losses["loss_cls"] = scale * functional.cross_entropy(scores, classes, weight=self.class_weights)
        return losses

    def inference(
        self, predictions: Predictions, proposals: list[Instances]
    ) -> tuple[list[Instances], list[torch.Tensor]]:
        """Detectron2's inference, with ``class_probabilities`` added to each image's instances."""
        instances, kept = super().inference(predictions, proposals)
        probabilities, boxes = self.predict_probs(predictions, proposals), self.predict_boxes(predictions, proposals)
        for image_instances, image_kept, rows, image_boxes in zip(instances, kept, probabilities, boxes, strict=True):
            # Detectron2 leaves out what is not finite first and counts ``kept`` among the rest.
            finite = torch.isfinite(image_boxes).all(dim=1) & torch.isfinite(rows).all(dim=1)
            image_instances.class_probabilities = rows[finite][image_kept, :-1]
        return instances, kept


@ROI_HEADS_REGISTRY.register()
class TumorROIHeads(StandardROIHeads):
    """Standard box and mask heads with ``TumorOutputLayers`` as box predictor."""

    def forward(
        self,
        images: ImageList,
        features: dict[str, torch.Tensor],
        proposals: list[Instances],
        targets: list[Instances] | None = None,
    ) -> tuple[list[Instances], dict[str, torch.Tensor]]:
        """Detectron2's. Max pooling, unlike RoIAlign, takes no 16-bit features beside 32-bit boxes."""
        if any(isinstance(module, RoIPool) for module in self.modules()):
            features = {name: maps.float() for name, maps in features.items()}
        found: tuple[list[Instances], dict[str, torch.Tensor]] = super().forward(images, features, proposals, targets)
        return found

    @classmethod
    def _init_box_head(cls, cfg: CfgNode, input_shape: Mapping[str, ShapeSpec]) -> dict[str, Any]:
        parts: dict[str, Any] = super()._init_box_head(cfg, input_shape)
        predictor = TumorOutputLayers(cfg, parts["box_head"].output_shape)
        parts["box_predictor"] = predictor.set_class_weights(cfg.MODEL.ROI_BOX_HEAD.CLASS_WEIGHTS)
        return parts
