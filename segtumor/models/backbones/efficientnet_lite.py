"""EfficientNet-Lite 0 to 2 as Detectron2 backbones: made for processors without a GPU.

The networks are those that Google published as EfficientNet-Lite in 2020: EfficientNet (Tan & Le 2019) without
squeeze-and-excite, with ReLU6 in place of swish, and with a stem of fixed width, so that they also run in 8 bits.
Padding is TensorFlow's "SAME", which at stride 2 pads more at the bottom and right; weights trained with it lose some 5
points of accuracy under symmetric padding. Drop-connect, by which whole blocks are skipped at random while training, is
left out.

Letters: N images, H, W height and width of the input.
"""

import math
from collections.abc import Sequence
from itertools import accumulate

import torch
from detectron2.config import CfgNode
from detectron2.layers import Conv2d, ShapeSpec, get_norm
from detectron2.modeling import BACKBONE_REGISTRY
from detectron2.modeling.backbone.fpn import FPN
from torch import nn
from torch.nn import functional

from segtumor.models.backbones.pyramid import FEATURE_NAMES, FEATURE_STRIDES, freeze, pyramid_on
from segtumor.models.backbones.sequential import SequentialBackbone

#: Variant -> factor of the width, factor of the number of blocks.
VARIANTS = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}
#: Each stage of variant 0: blocks, kernel side, stride, expansion, output channels (Tan & Le 2019, table 1).
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_LAST_STAGE_OF = {"res2": 2, "res3": 3, "res4": 5, "res5": 7}
_STEM_CHANNELS = 32
_NORM_EPSILON = 1e-3


def scaled_stages(variant: int) -> tuple[tuple[int, int, int, int, int], ...]:
    """``STAGES`` of a variant, 0 to 2: the first and the last keep their single block, channels are multiples of 8."""
    width, depth = VARIANTS[variant]
    ends = (0, len(STAGES) - 1)
    return tuple(
        (blocks if index in ends else math.ceil(blocks * depth), kernel, stride, expansion, _multiple_of_8(out * width))
        for index, (blocks, kernel, stride, expansion, out) in enumerate(STAGES)
    )


def _multiple_of_8(channels: float) -> int:
    # The nearest one. Google's rounding goes up where that takes away more than a tenth, which it never does here.
    return int(channels + 4) // 8 * 8


class SamePaddedConv2d(Conv2d):
    """Detectron2's convolution, padded as TensorFlow's "SAME" pads an input of even height and width.

    The padding is a constant, so that it is one in exported graphs too. Before stride 2 the input must have an even
    height and width, which ``EfficientNetLite.size_divisibility`` sees to.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel: int, stride: int, groups: int, norm: str
    ) -> None:
        before, after = (kernel - stride) // 2, (kernel - stride + 1) // 2
        uneven = before != after
        super().__init__(
            in_channels,
            out_channels,
            kernel,
            stride=stride,
            padding=0 if uneven else before,
            groups=groups,
            bias=False,
            norm=_norm(norm, out_channels),
            activation=nn.ReLU6(inplace=True),
        )
        self._pads = (before, after, before, after) if uneven else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, channels, H, W) -> (N, channels, H / stride, W / stride)."""
        padded = x if self._pads is None else functional.pad(x, self._pads)
        if self.groups == 1 or not torch.is_autocast_enabled("cpu"):
            output: torch.Tensor = super().forward(padded)
            return output
        # The backward pass of a depthwise convolution takes three times as long in bfloat16.
        with torch.autocast("cpu", enabled=False):
            output = super().forward(padded.float())
        return output


class InvertedResidual(nn.Module):
    """Widen by 1 x 1, convolve each channel by itself, narrow by 1 x 1 without activation (Sandler et al. 2018).

    The input is added where the output has its shape.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel: int, stride: int, expansion: int, norm: str
    ) -> None:
        super().__init__()
        width = in_channels * expansion
        self.expand = _pointwise(in_channels, width, norm, nn.ReLU6(inplace=True)) if expansion != 1 else None
        self.depthwise = SamePaddedConv2d(width, width, kernel=kernel, stride=stride, groups=width, norm=norm)
        self.project = _pointwise(width, out_channels, norm)
        self._adds_input = stride == 1 and in_channels == out_channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride)."""
        widened = x if self.expand is None else self.expand(x)
        narrow: torch.Tensor = self.project(self.depthwise(widened))
        return x + narrow if self._adds_input else narrow


def _pointwise(in_channels: int, out_channels: int, norm: str, activation: nn.Module | None = None) -> Conv2d:
    return Conv2d(in_channels, out_channels, 1, bias=False, norm=_norm(norm, out_channels), activation=activation)


def _norm(name: str, channels: int) -> nn.Module:
    norm: nn.BatchNorm2d = get_norm(name, channels)
    norm.eps = _NORM_EPSILON
    return norm


class EfficientNetLite(SequentialBackbone):
    """The convolutional part of EfficientNet-Lite, without its last 1 x 1 convolution and classifier.

    Args:
        variant: 0, 1 or 2.
        norm: "BN", "SyncBN" or "FrozenBN".
        in_channels: channels of the input.
        out_features: maps to return, among "res2" ... "res5" (strides 4, 8, 16, 32).
        freeze_at: how many of stem, res2, res3, res4 and res5 do not train, their normalisation neither; 0 trains all.
    """

    def __init__(
        self,
        *,
        variant: int = 0,
        norm: str = "BN",
        in_channels: int = 3,
        out_features: Sequence[str] = FEATURE_NAMES,
        freeze_at: int = 0,
    ) -> None:
        super().__init__()
        stages = scaled_stages(variant)
        self.stem = SamePaddedConv2d(in_channels, _STEM_CHANNELS, kernel=3, stride=2, groups=1, norm=norm)
        blocks, channels = [], _STEM_CHANNELS
        for count, kernel, first_stride, expansion, width in stages:
            for stride in [first_stride] + [1] * (count - 1):
                blocks.append(
                    InvertedResidual(channels, width, kernel=kernel, stride=stride, expansion=expansion, norm=norm)
                )
                channels = width
        self.blocks = nn.ModuleList(blocks)
        blocks_until = list(accumulate(count for count, *_ in stages))
        ends = {name: blocks_until[_LAST_STAGE_OF[name] - 1] for name in FEATURE_NAMES}
        widths = {name: stages[_LAST_STAGE_OF[name] - 1][-1] for name in FEATURE_NAMES}
        self.define_maps(out_features, ends=ends, channels=widths, strides=FEATURE_STRIDES)
        _initialise(self)
        if freeze_at:
            freeze([self.stem, *self.blocks[: [0, *ends.values()][min(freeze_at - 1, len(ends))]]])

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """(N, C, H, W) -> {feature name: (N, channels, H / stride, W / stride)}."""
        return self.maps_of(self.blocks, self.stem(images))


def _initialise(model: nn.Module) -> None:
    # He et al. 2015, by the inputs of a cell: by its outputs, channels convolved one by one would start near zero.
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")


@BACKBONE_REGISTRY.register()
def build_efficientnet_lite_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> FPN:
    """``EfficientNetLite`` of ``MODEL.EFFICIENTNET_LITE`` with a feature pyramid; p6 by max pooling."""
    bottom_up = EfficientNetLite(
        variant=cfg.MODEL.EFFICIENTNET_LITE.VARIANT,
        norm=cfg.MODEL.EFFICIENTNET_LITE.NORM,
        in_channels=input_shape.channels,
        out_features=cfg.MODEL.FPN.IN_FEATURES,
        freeze_at=cfg.MODEL.BACKBONE.FREEZE_AT,
    )
    return pyramid_on(bottom_up, cfg)
