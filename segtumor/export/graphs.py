"""The graphs of a Mask R-CNN, without what is between them, as modules that can be traced.

Detectron2's model chooses proposals and detections inside its own forward pass, with data-dependent control flow that
exporters cannot follow. Here are only the parts that are pure tensor arithmetic: ``Dense`` (backbone, pyramid, proposal
head), ``BoxHead``, ``MaskHead``, which a Faster R-CNN has not, and, of ``ImageHeadRCNN``, ``PooledImageHead``;
``segtumor.runtime`` does the rest in NumPy. ``EagerGraphs`` runs them in torch alone. Weights are shared with the
model, unless they are folded. Not here: other meta architectures, rotated boxes, cascades, keypoints.

Letters: N images; C channels; R boxes; S side of what is pooled; L maps that boxes are pooled from; A anchors per
place; K classes.
"""

from typing import Any

import torch
from detectron2.layers import ROIAlign
from detectron2.modeling import GeneralizedRCNN, StandardROIHeads
from detectron2.modeling.poolers import ROIPooler
from detectron2.modeling.proposal_generator.rpn import RPN
from detectron2.modeling.roi_heads.fast_rcnn import FastRCNNOutputLayers
from detectron2.modeling.roi_heads.mask_head import BaseMaskRCNNHead
from torch import nn
from torchvision.ops import RoIPool

from segtumor.errors import ConfigError
from segtumor.export.folding import fold_batch_norms
from segtumor.models.detectors.image_head import ImageHeadRCNN
from segtumor.runtime.contract import Pooling
from segtumor.runtime.mask_rcnn.pooling import ALIGN, MAX, RegionPooling
from segtumor.runtime.sessions.torchscript import TorchGraphs


class Dense(nn.Module):
    """Images to maps: (N, 3, H, W) float32 -> L features (N, h, w, C), then an objectness (N, A, h, w) per map of the
    proposal head, then its deltas (N, 4A, h, w); a flat tuple."""

    def __init__(self, model: GeneralizedRCNN) -> None:
        super().__init__()
        check_model(model)
        self.backbone, self.head = model.backbone, model.proposal_generator.rpn_head
        self.pooled_names = tuple(model.roi_heads.box_in_features)
        self.proposal_names = tuple(model.proposal_generator.in_features)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        maps = self.backbone(images)
        objectness, deltas = self.head([maps[name] for name in self.proposal_names])
        # Channels last, as pooling reads all channels of a pixel together.
        return (*(maps[name].permute(0, 2, 3, 1) for name in self.pooled_names), *objectness, *deltas)


class BoxHead(nn.Module):
    """Pooled regions (R, S, S, C) -> class logits (R, K + 1) and deltas (R, 4 or 4K)."""

    def __init__(self, model: GeneralizedRCNN) -> None:
        super().__init__()
        check_model(model)
        self.head, self.predictor = model.roi_heads.box_head, model.roi_heads.box_predictor

    def forward(self, regions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits, deltas = self.predictor(self.head(regions.permute(0, 3, 1, 2)))
        return logits, deltas


class MaskHead(nn.Module):
    """Pooled regions (R, S, S, C) -> mask logits (R, 1 or K, M, M)."""

    def __init__(self, model: GeneralizedRCNN) -> None:
        super().__init__()
        check_model(model)
        self.head = model.roi_heads.mask_head

    def forward(self, regions: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head.layers(regions.permute(0, 3, 1, 2))
        return logits


class PooledImageHead(nn.Module):
    """Pooled maps (N, 2 * sum of C), as ``runtime.mask_rcnn.image_head`` has them, -> image logits (N, K + 1) and
    unlikeness (N,)."""

    def __init__(self, model: ImageHeadRCNN) -> None:
        super().__init__()
        check_model(model)
        self.head = model.image_head

    def forward(self, pooled: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits, unlikeness = self.head(pooled)
        return logits, unlikeness


def pooling_of(pooler: ROIPooler) -> Pooling:
    """``runtime.contract.Pooling`` of a Detectron2 ``ROIPooler``.

    Raises:
        ConfigError: it pools in another way than ``runtime.mask_rcnn.pooling`` knows.
    """
    level = pooler.level_poolers[0]
    size = level.output_size if isinstance(level.output_size, int) else level.output_size[0]
    if isinstance(level, RoIPool):
        return Pooling(kind=MAX, size=size, sampling_ratio=0, aligned=False)
    if isinstance(level, ROIAlign):
        return Pooling(kind=ALIGN, size=size, sampling_ratio=level.sampling_ratio, aligned=level.aligned)
    raise ConfigError(
        "this pooling cannot be exported", got=type(level).__name__, expected="ROIAlignV2, ROIAlign or ROIPool"
    )


def _region_pooling(pooler: ROIPooler) -> RegionPooling:
    strides_px = [round(1 / level.spatial_scale) for level in pooler.level_poolers]
    return RegionPooling(strides_px, pooling_of(pooler))


def check_model(model: Any) -> None:
    """Refuse a model that the three graphs do not describe; the ConfigError names the part of another kind."""
    _check_kind("MODEL.META_ARCHITECTURE", model, GeneralizedRCNN)
    _check_kind("MODEL.PROPOSAL_GENERATOR.NAME", model.proposal_generator, RPN)
    heads = model.roi_heads
    _check_kind("MODEL.ROI_HEADS.NAME", heads, StandardROIHeads)
    _check_kind("MODEL.ROI_BOX_HEAD", heads.box_predictor, FastRCNNOutputLayers)
    if getattr(heads.box_predictor, "use_sigmoid_ce", False):  # of newer versions of Detectron2
        raise ConfigError(
            "scores by sigmoid cannot be exported", where="MODEL.ROI_BOX_HEAD.USE_SIGMOID_CE", expected="False"
        )
    if not heads.mask_on:
        return
    _check_kind("MODEL.ROI_MASK_HEAD.NAME", heads.mask_head, BaseMaskRCNNHead)
    if heads.mask_pooler is None:
        raise ConfigError("a mask head without pooling cannot be exported", where="MODEL.ROI_MASK_HEAD.POOLER_TYPE")
    if list(heads.box_in_features) != list(heads.mask_in_features):
        raise ConfigError("boxes and masks are pooled from different maps", where="MODEL.ROI_HEADS.IN_FEATURES")


def _check_kind(where: str, part: Any, kind: type) -> None:
    if not isinstance(part, kind):
        raise ConfigError(
            "this kind of model cannot be exported", where=where, got=type(part).__name__, expected=kind.__name__
        )


class EagerGraphs(TorchGraphs):
    """The graphs of a Detectron2 model in torch, as fast as torch alone gives on a CPU.

    Plain calls, not a trace: a frozen trace of the dense part of ResNet-50-FPN took as long (0.94 s of one processor at
    512 px, both).

    Args:
        model: a Detectron2 ``GeneralizedRCNN``; not changed but for its mode, and its later changes are not seen if
            ``fold``.
        channels_last: whether convolutions run on (N, H, W, C) memory, which is quicker on a CPU.
        fold: whether batch norms are folded into the convolutions.

    Raises:
        ConfigError: as ``check_model``.
    """

    def __init__(self, model: GeneralizedRCNN, *, channels_last: bool = True, fold: bool = True) -> None:
        check_model(model)
        model = fold_batch_norms(model) if fold else model.eval()
        dense, heads = Dense(model), model.roi_heads
        poolers = {"box_head": heads.box_pooler, **({"mask_head": heads.mask_pooler} if heads.mask_on else {})}
        if fold:  # the copy: the caller's model keeps its memory format
            dense.to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
        super().__init__(
            dense,
            BoxHead(model),
            MaskHead(model) if heads.mask_on else None,
            PooledImageHead(model) if isinstance(model, ImageHeadRCNN) else None,
            pools={head: _region_pooling(pooler) for head, pooler in poolers.items()},
            feature_count=len(dense.pooled_names),
            channels_last=channels_last,
            device=model.device,
        )
