"""Networks of torchvision as Detectron2 backbones: MobileNet, EfficientNet and DenseNet, module for module.

Layers carry torchvision's names (``features.0.0.weight``), so that its weights fit without renaming. Layers behind the
last map are left out.
Letters: N images, H, W height and width of the input.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from detectron2.config import CfgNode
from detectron2.layers import FrozenBatchNorm2d, ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY
from detectron2.modeling.backbone.fpn import FPN
from torch import nn
from torchvision.models import densenet121, efficientnet_b0, mobilenet_v2, mobilenet_v3_large

from segtumor.models.backbones.pyramid import FEATURE_NAMES, FEATURE_STRIDES, freeze, pyramid_on
from segtumor.models.backbones.sequential import SequentialBackbone


@dataclass(frozen=True)
class _Network:
    """``build`` with ``features`` in it; how many of these are the stem, and up to which each map goes."""

    build: Callable[..., nn.Module]
    stem: int
    ends: tuple[int, int, int, int]
    channels: tuple[int, int, int, int]


_NETWORKS = {
    "mobilenet_v2": _Network(mobilenet_v2, 1, (4, 7, 14, 18), (24, 32, 96, 320)),
    "mobilenet_v3_large": _Network(mobilenet_v3_large, 1, (4, 7, 13, 16), (24, 40, 112, 160)),
    "efficientnet_b0": _Network(efficientnet_b0, 1, (3, 4, 6, 8), (24, 40, 112, 320)),
    "densenet121": _Network(densenet121, 4, (5, 7, 9, 12), (256, 512, 1024, 1024)),
}


class TorchvisionFeatures(SequentialBackbone):
    """The convolutional part of a network of torchvision, up to its last map of stride 32; input of three channels.

    Args:
        name: "mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0" or "densenet121".
        norm: "BN", or "FrozenBN" to keep batch norms as the weights have them.
        out_features: maps to return, among "res2" ... "res5" (strides 4, 8, 16, 32).
        freeze_at: how many of stem, res2, res3, res4 and res5 do not train, their normalisation neither; 0 trains all.
    """

    def __init__(
        self, *, name: str, norm: str = "BN", out_features: Sequence[str] = FEATURE_NAMES, freeze_at: int = 0
    ) -> None:
        super().__init__()
        network = _NETWORKS[name]
        features = dict(network.build(weights=None).get_submodule("features").named_children())
        self.features = nn.Sequential(OrderedDict(list(features.items())[: network.ends[-1]]))
        if norm == "FrozenBN":
            FrozenBatchNorm2d.convert_frozen_batchnorm(self.features)
        freeze(self.features[: (0, network.stem, *network.ends)[min(freeze_at, len(FEATURE_NAMES) + 1)]])
        ends, channels = (dict(zip(FEATURE_NAMES, of, strict=True)) for of in (network.ends, network.channels))
        self.define_maps(out_features, ends=ends, channels=channels, strides=FEATURE_STRIDES)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """(N, 3, H, W) -> {feature name: (N, channels, H / stride, W / stride)}."""
        return self.maps_of(self.features, images)


@BACKBONE_REGISTRY.register()
def build_torchvision_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> FPN:
    """``TorchvisionFeatures`` of ``MODEL.TORCHVISION`` with a feature pyramid; p6 by max pooling."""
    bottom_up = TorchvisionFeatures(
        name=cfg.MODEL.TORCHVISION.NAME,
        norm=cfg.MODEL.TORCHVISION.NORM,
        out_features=cfg.MODEL.FPN.IN_FEATURES,
        freeze_at=cfg.MODEL.BACKBONE.FREEZE_AT,
    )
    return pyramid_on(bottom_up, cfg)
