"""A Mask R-CNN that judges the whole image too: normal, or which kind of tumour.

Regions see a lesion and little around it, and a normal radiograph has none to learn from. The image head sees every
feature map at once, pooled: the mean of each channel tells what the picture is of, its maximum whether something is
anywhere. It is trained jointly and says the reading's image probabilities.

Letters: N images; L maps of C channels; D pooled values, twice the channels of all maps; K classes, without normal.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY, GeneralizedRCNN
from detectron2.structures import ImageList
from torch import nn
from torch.nn import functional

from segtumor.models.classifiers.losses import image_loss
from segtumor.models.classifiers.tasks import AuxiliaryTasks
from segtumor.models.detectors.pixel_head import PixelHead
from segtumor.models.detectors.typicality import Typicality


class ImageHead(nn.Module):
    """Feature maps to logits of normal and the K classes.

    Args:
        in_features: names of the L maps.
        channels: C of each map.
        hidden: width of the one hidden layer.
        num_classes: K.
        dropout: proportion of the hidden values left out in training, [0, 1).
    """

    def __init__(
        self, *, in_features: Sequence[str], channels: Sequence[int], hidden: int, num_classes: int, dropout: float
    ) -> None:
        super().__init__()
        self.in_features = tuple(in_features)
        self.typicality = Typicality(2 * sum(channels))
        self.layers = nn.Sequential(
            nn.Linear(2 * sum(channels), hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes + 1),
        )

    def forward(self, pooled: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pooled maps (N, D) -> (N, K + 1) logits, normal first, and (N,) unlikeness (``typicality``)."""
        return self.layers(pooled), self.typicality(pooled)

    def pooled(self, features: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """L maps (N, C, h, w) -> (N, D): of each map the means, then the maxima of its channels."""
        maps = [features[name] for name in self.in_features]
        return torch.cat([pool(feature) for feature in maps for pool in (_mean, _maximum)], dim=1)


def _mean(feature: torch.Tensor) -> torch.Tensor:
    return feature.mean(dim=(2, 3))


def _maximum(feature: torch.Tensor) -> torch.Tensor:
    return feature.amax(dim=(2, 3))


@META_ARCH_REGISTRY.register()
class ImageHeadRCNN(GeneralizedRCNN):
    """``GeneralizedRCNN`` with an ``ImageHead``.

    In training it takes, beside Detectron2's fields, ``"image_class"``: 0 normal, ``class_id`` + 1, below 0 unknown
    (no loss); and returns ``loss_image`` too. In evaluation each output holds, beside ``"instances"``,
    ``"image_probabilities"``, (K + 1,) in [0, 1], normal first, summing to 1, and ``"unlikeness"``, above 1 where the
    image is unlike the training images.

    With auxiliary tasks, examples hold ``"context"`` in training, what is annotated of the image; each task adds its
    loss, and ``"attributes"`` to the outputs.
    """

    @configurable
    def __init__(
        self,
        *,
        image_head: ImageHead,
        image_loss_weight: float,
        tasks: AuxiliaryTasks | None = None,
        pixel_head: PixelHead | None = None,
        pixel_loss_weight: float = 1.0,
        **parts: Any,
    ) -> None:
        """
        Args:
            image_head: on maps of the backbone.
            image_loss_weight: of its loss among the others.
            tasks: what else is learnt from the pooled maps, or None.
            pixel_head: on the same maps, or None.
            pixel_loss_weight: of its loss among the others.
            parts: as of ``GeneralizedRCNN``.
        """
        super().__init__(**parts)
        self.image_head, self._image_loss_weight, self.tasks = image_head, image_loss_weight, tasks
        self.pixel_head, self._pixel_loss_weight = pixel_head, pixel_loss_weight

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Detectron2's parts, and the image head of ``MODEL.IMAGE_HEAD`` on the maps that regions are pooled from."""
        parts: dict[str, Any] = super().from_config(cfg)
        shapes, names = parts["backbone"].output_shape(), list(cfg.MODEL.ROI_HEADS.IN_FEATURES)
        channels = [shapes[name].channels for name in names]
        head = ImageHead(
            in_features=names,
            channels=channels,
            hidden=cfg.MODEL.IMAGE_HEAD.HIDDEN,
            num_classes=cfg.MODEL.ROI_HEADS.NUM_CLASSES,
            dropout=cfg.MODEL.IMAGE_HEAD.DROPOUT,
        )
        tasks = AuxiliaryTasks.from_config(cfg, 2 * sum(channels)) if cfg.MODEL.AUXILIARY.TASKS else None
        pixel_head = None
        if cfg.MODEL.PIXEL_HEAD.ENABLED:
            strides = [shapes[name].stride for name in names]
            hidden = cfg.MODEL.PIXEL_HEAD.HIDDEN
            pixel_head = PixelHead(in_features=names, channels=channels, strides=strides, hidden=hidden)
        return {
            **parts,
            "pixel_head": pixel_head,
            "pixel_loss_weight": cfg.MODEL.PIXEL_HEAD.LOSS_WEIGHT,
            "image_head": head,
            "image_loss_weight": cfg.MODEL.IMAGE_HEAD.LOSS_WEIGHT,
            "tasks": tasks,
        }

    def forward(self, batched_inputs: list[dict[str, Any]]) -> Any:
        """Losses in training mode, one output for each image in evaluation mode."""
        if not self.training:
            return self.inference(batched_inputs)
        images, features = self._features(batched_inputs)
        instances = [example["instances"].to(self.device) for example in batched_inputs]
        proposals, proposal_losses = self.proposal_generator(images, features, instances)
        _, detector_losses = self.roi_heads(images, features, proposals, instances)
        classes = torch.tensor([example["image_class"] for example in batched_inputs], device=self.device)
        pooled = self.image_head.pooled(features)
        logits, _ = self.image_head(pooled)
        losses = {"loss_image": self._image_loss_weight * image_loss(logits, classes)}
        if self.tasks is not None:
            losses |= self.tasks.losses(pooled, [example.get("context", {}) for example in batched_inputs])
        if self.pixel_head is not None:
            losses["loss_pixels"] = self._pixel_loss_weight * self.pixel_head.losses(features, instances)
        return {**detector_losses, **proposal_losses, **losses}

    def inference(
        self, batched_inputs: list[dict[str, Any]], detected_instances: None = None, do_postprocess: bool = True
    ) -> Any:
        """As ``GeneralizedRCNN.inference``, with image probabilities; instances cannot be given."""
        images, features = self._features(batched_inputs)
        proposals, _ = self.proposal_generator(images, features, None)
        instances, _ = self.roi_heads(images, features, proposals, None)
        if not do_postprocess:
            return instances
        outputs = GeneralizedRCNN._postprocess(instances, batched_inputs, images.image_sizes)
        pooled = self.image_head.pooled(features)
        logits, unlikeness = self.image_head(pooled)
        attributes = [{}] * len(outputs) if self.tasks is None else self.tasks.answers(pooled)
        said = zip(outputs, functional.softmax(logits, dim=1), unlikeness, attributes, strict=True)
        return [
            {**output, "image_probabilities": row, "unlikeness": unlike, "attributes": further}
            for output, row, unlike, further in said
        ]

    def _features(self, batched_inputs: list[dict[str, Any]]) -> tuple[ImageList, dict[str, torch.Tensor]]:
        images = self.preprocess_image(batched_inputs)
        return images, self.backbone(images.tensor)


@torch.no_grad()
def fit_typicality(
    model: ImageHeadRCNN, training: Iterable[list[dict[str, Any]]], validation: Iterable[list[dict[str, Any]]]
) -> None:
    """Let a trained model know what its training images look like, see ``Typicality.fit``.

    Args:
        model: in any mode, which is restored.
        training, validation: batches of examples without augmentation.
    """
    was_training = model.training
    model.eval()
    head = model.image_head
    sets = (torch.cat([head.pooled(model._features(batch)[1]) for batch in part]) for part in (training, validation))
    head.typicality.fit(*sets)
    model.train(was_training)
