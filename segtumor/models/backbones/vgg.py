"""VGG19 (Simonyan & Zisserman 2015, configuration E) as a Detectron2 backbone, plain or with batch normalisation.

Layers carry torchvision's names (``features.0`` ... ``features.36``, or ``features.52`` with batch norm), so that
weights in torchvision's format fit without renaming. The classifier is left out: in Fast R-CNN's use of VGG its two
hidden layers become the box head (see ``segtumor.models.weights``).

Letters: N images, C channels, H, W height and width of the input.
"""

from collections.abc import Sequence

import torch
from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec, get_norm
from detectron2.modeling import BACKBONE_REGISTRY
from detectron2.modeling.backbone.fpn import FPN
from torch import nn

from segtumor.errors import ConfigError
from segtumor.models.backbones.pyramid import pyramid_on
from segtumor.models.backbones.sequential import SequentialBackbone

#: Convolutions per stage and their output channels; every convolution is 3 x 3, every stage ends in 2 x 2 max pooling.
STAGES = {
    16: ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)),
    19: ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512)),
}
#: Map -> pixels of the input per cell.
FEATURE_STRIDES = {"conv1": 1, "conv2": 2, "conv3": 4, "conv4": 8, "conv5": 16, "pool5": 32}
FEATURE_NAMES = tuple(FEATURE_STRIDES)


def stage_channels(depth: int, channels: Sequence[int] = ()) -> tuple[tuple[int, ...], ...]:
    """Output channels of every convolution, a tuple for each of the five stages.

    Args:
        depth: 16 or 19.
        channels: output channels of each convolution, in order; empty for the published ones.

    Raises:
        ConfigError: ``channels`` has another length than the network has convolutions.
    """
    stages = STAGES[depth]
    widths = list(channels) or [width for count, width in stages for _ in range(count)]
    expected = sum(count for count, _ in stages)
    if len(widths) != expected:
        raise ConfigError(
            "one number of channels per convolution",
            where="MODEL.VGG.CHANNELS",
            got=f"{len(widths)} numbers",
            expected=f"{expected} for depth {depth}, or [] for the published ones",
        )
    following = iter(widths)
    return tuple(tuple(next(following) for _ in range(count)) for count, _ in stages)


class VGG(SequentialBackbone):
    """The convolutional part of VGG.

    Args:
        depth: 16 or 19.
        norm: "" for the plain network, or a Detectron2 normalisation ("BN", "FrozenBN", "GN") after each convolution.
        in_channels: channels of the input.
        out_features: names of the maps to return: "conv1" ... "conv5" (the last activation of a stage, before its
            pooling; strides 1, 2, 4, 8, 16) and "pool5" (stride 32).
        freeze_at: number of stages, counted from the input, whose parameters do not train; 0 trains all.
        channels: output channels of each convolution, in order; empty for the published ones.

    Raises:
        ConfigError: ``channels`` has the wrong length.
    """

    def __init__(
        self,
        *,
        depth: int = 19,
        norm: str = "",
        in_channels: int = 3,
        out_features: Sequence[str] = ("conv5",),
        freeze_at: int = 0,
        channels: Sequence[int] = (),
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        ends: dict[str, int] = {}
        channels_of: dict[str, int] = {}
        for number, widths in enumerate(stage_channels(depth, channels), start=1):
            for width in widths:
                layers += _convolution(in_channels, width, norm)
                in_channels = width
            ends[f"conv{number}"] = len(layers)
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            ends[f"pool{number}"] = len(layers)
            channels_of |= {f"conv{number}": in_channels, f"pool{number}": in_channels}
        self.features = nn.Sequential(*layers)
        self.define_maps(out_features, ends=ends, channels=channels_of, strides=FEATURE_STRIDES)
        _initialise(self.features)
        if freeze_at:
            self.features[: ends[f"pool{freeze_at}"]].requires_grad_(False)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """(N, C, H, W) -> {feature name: (N, channels, H / stride, W / stride)}."""
        return self.maps_of(self.features, images)


def _convolution(in_channels: int, out_channels: int, norm: str) -> list[nn.Module]:
    convolution = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
    normalisation = [get_norm(norm, out_channels)] if norm else []
    return [convolution, *normalisation, nn.ReLU(inplace=True)]


def _initialise(features: nn.Sequential) -> None:
    # He et al. 2015, as nineteen layers without normalisation do not start training from smaller weights.
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


@BACKBONE_REGISTRY.register()
def build_vgg_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> VGG:
    """VGG from ``MODEL.VGG`` and ``MODEL.BACKBONE.FREEZE_AT``."""
    return VGG(
        depth=cfg.MODEL.VGG.DEPTH,
        norm=cfg.MODEL.VGG.NORM,
        in_channels=input_shape.channels,
        out_features=cfg.MODEL.VGG.OUT_FEATURES,
        freeze_at=cfg.MODEL.BACKBONE.FREEZE_AT,
        channels=cfg.MODEL.VGG.CHANNELS,
    )


@BACKBONE_REGISTRY.register()
def build_vgg_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> FPN:
    """VGG with a feature pyramid; p6 by max pooling."""
    return pyramid_on(build_vgg_backbone(cfg, input_shape), cfg)
