"""The three graphs of a Mask R-CNN, without what lies between them, as modules that can be traced.

Detectron2's model chooses proposals and detections inside its own forward pass, with data-dependent control flow that
exporters cannot follow. Here are only the parts that are pure tensor arithmetic: ``Dense`` (backbone, pyramid, proposal
head), ``BoxHead`` and ``MaskHead``; ``segtumor.runtime`` does the rest in NumPy. ``EagerGraphs`` runs them in torch
alone. Weights are shared with the model, unless they are folded. Not here: other meta architectures, rotated boxes,
cascades, keypoints.

Letters: N images; C channels; R boxes; L maps that boxes are pooled from; A anchors per place; K classes.
"""

import torch
from detectron2.layers import ROIAlign
from detectron2.modeling import GeneralizedRCNN, StandardROIHeads
from detectron2.modeling.proposal_generator.rpn import RPN
from detectron2.modeling.roi_heads.fast_rcnn import FastRCNNOutputLayers
from detectron2.modeling.roi_heads.mask_head import BaseMaskRCNNHead
from torch import nn
from torchvision.ops import RoIPool, roi_align, roi_pool

from segtumor.errors import ConfigError
from segtumor.modeling.folding import fold_batch_norms
from segtumor.runtime.torchscript import TorchGraphs


class Dense(nn.Module):
    """Images to maps: (N, 3, H, W) float32 -> L features, then an objectness (N, A, h, w) per map of the proposal
    head, then its deltas (N, 4A, h, w); a flat tuple."""

    def __init__(self, model):
        super().__init__()
        check_model(model)
        self.backbone, self.head = model.backbone, model.proposal_generator.rpn_head
        self.pooled_names = tuple(model.roi_heads.box_in_features)
        self.proposal_names = tuple(model.proposal_generator.in_features)

    def forward(self, images):
        maps = self.backbone(images)
        objectness, deltas = self.head([maps[name] for name in self.proposal_names])
        return (*(maps[name] for name in self.pooled_names), *objectness, *deltas)


class BoxHead(nn.Module):
    """L features, then L boxes (R_i, 5) of (image, x0, y0, x1, y1) in px -> class logits (R, K + 1) and deltas
    (R, 4 or 4K), rows in the order of the boxes."""

    def __init__(self, model):
        super().__init__()
        check_model(model)
        self.pool = _Pooling(model.roi_heads.box_pooler)
        self.head, self.predictor = model.roi_heads.box_head, model.roi_heads.box_predictor

    def forward(self, *features_and_boxes):
        return self.predictor(self.head(self.pool(features_and_boxes)))


class MaskHead(nn.Module):
    """L features, then L boxes as for ``BoxHead`` -> mask logits (R, 1 or K, M, M)."""

    def __init__(self, model):
        super().__init__()
        check_model(model)
        self.pool, self.head = _Pooling(model.roi_heads.mask_pooler), model.roi_heads.mask_head

    def forward(self, *features_and_boxes):
        return self.head.layers(self.pool(features_and_boxes))


class _Pooling(nn.Module):
    """Detectron2's ``ROIPooler`` for boxes that are already dealt to their maps."""

    def __init__(self, pooler):
        super().__init__()
        self.levels = tuple(_level_pooling(level) for level in pooler.level_poolers)

    def forward(self, features_and_boxes):
        features, boxes = features_and_boxes[: len(self.levels)], features_and_boxes[len(self.levels) :]
        pooled = [pool(*pair) for pool, *pair in zip(self.levels, features, boxes, strict=True)]
        return pooled[0] if len(pooled) == 1 else torch.cat(pooled)


def _level_pooling(level):
    # The functions themselves: Detectron2's module asserts on shapes, which tracing would freeze and warn of.
    if isinstance(level, RoIPool):
        return lambda feature, boxes: roi_pool(feature, boxes, level.output_size, level.spatial_scale)
    if isinstance(level, ROIAlign):
        options = level.output_size, level.spatial_scale, level.sampling_ratio, level.aligned
        return lambda feature, boxes: roi_align(feature, boxes, *options)
    raise ConfigError(
        "this pooling cannot be exported", got=type(level).__name__, expected="ROIAlignV2, ROIAlign or ROIPool"
    )


def check_model(model):
    """Refuse a model that the three graphs do not describe.

    Raises:
        ConfigError: names the part that is of another kind.
    """
    _check_kind("MODEL.META_ARCHITECTURE", model, GeneralizedRCNN)
    _check_kind("MODEL.PROPOSAL_GENERATOR.NAME", model.proposal_generator, RPN)
    heads = model.roi_heads
    _check_kind("MODEL.ROI_HEADS.NAME", heads, StandardROIHeads)
    _check_kind("MODEL.ROI_BOX_HEAD", heads.box_predictor, FastRCNNOutputLayers)
    if not heads.mask_on:
        raise ConfigError("a model without masks cannot be exported", where="MODEL.MASK_ON", expected="True")
    _check_kind("MODEL.ROI_MASK_HEAD.NAME", heads.mask_head, BaseMaskRCNNHead)
    if heads.mask_pooler is None:
        raise ConfigError("a mask head without pooling cannot be exported", where="MODEL.ROI_MASK_HEAD.POOLER_TYPE")
    if list(heads.box_in_features) != list(heads.mask_in_features):
        raise ConfigError("boxes and masks are pooled from different maps", where="MODEL.ROI_HEADS.IN_FEATURES")


def _check_kind(where, part, kind):
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

    def __init__(self, model, *, channels_last=True, fold=True):
        check_model(model)
        model = fold_batch_norms(model) if fold else model.eval()
        dense = Dense(model)
        if fold:  # the copy: the caller's model keeps its memory format
            dense.to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
        super().__init__(
            dense,
            BoxHead(model),
            MaskHead(model),
            feature_count=len(dense.pooled_names),
            channels_last=channels_last,
            device=model.device,
        )
