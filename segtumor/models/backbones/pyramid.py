"""What backbones under a feature pyramid share: its maps, the pyramid itself, and stages that do not train."""

from collections.abc import Iterable

from detectron2.config import CfgNode
from detectron2.layers import FrozenBatchNorm2d
from detectron2.modeling import Backbone
from detectron2.modeling.backbone.fpn import FPN, LastLevelMaxPool
from torch import nn

#: Map that a pyramid is built on -> pixels of the input per cell.
FEATURE_STRIDES = {"res2": 4, "res3": 8, "res4": 16, "res5": 32}
FEATURE_NAMES = tuple(FEATURE_STRIDES)


def pyramid_on(bottom_up: Backbone, cfg: CfgNode) -> FPN:
    """A feature pyramid (Lin et al. 2017) on the maps of ``MODEL.FPN.IN_FEATURES``; p6 by max pooling."""
    return FPN(
        bottom_up=bottom_up,
        in_features=cfg.MODEL.FPN.IN_FEATURES,
        out_channels=cfg.MODEL.FPN.OUT_CHANNELS,
        norm=cfg.MODEL.FPN.NORM,
        top_block=LastLevelMaxPool(),
        fuse_type=cfg.MODEL.FPN.FUSE_TYPE,
    )


def freeze(parts: Iterable[nn.Module]) -> None:
    """Stop the training of ``parts``, in place: their parameters, and the statistics of batch norms within them."""
    for part in parts:
        FrozenBatchNorm2d.convert_frozen_batchnorm(part.requires_grad_(False))
