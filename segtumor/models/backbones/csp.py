"""The backbone of YOLOv5, release 6: stages of cross-stage-partial blocks and pooling of growing reach at the end.

Sources: CSPNet (Wang et al. 2020), spatial pyramid pooling (He et al. 2014), and the layer table of YOLOv5's
architecture description, whose published parameter counts a test holds. Written from these descriptions; YOLOv5's own
code is AGPL and was not used. Weights are of our own layout.
Letters: N images, C channels, H, W size.
"""

from collections.abc import Sequence

import torch
from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, Backbone
from torch import nn

#: Channels and blocks of the stages at width and depth 1: strides 4, 8, 16, 32.
_CHANNELS, _BLOCKS = (128, 256, 512, 1024), (3, 6, 9, 3)
_STEM_CHANNELS, _NAMES = 64, ("res2", "res3", "res4", "res5")
# YOLOv5 lets the statistics of batch norms follow more slowly (momentum 0.03): over hundreds of iterations instead of
# hundreds of thousands they would lag behind the weights.
_NORM_EPSILON = 1e-3


def scaled_channels(channels: int, width: float) -> int:
    """Channels at a width multiple, rounded up to a multiple of 8."""
    return max(8, int(-(-channels * width // 8)) * 8)


def scaled_blocks(count: int, depth: float) -> int:
    """Number of blocks at a depth multiple, at least 1."""
    return max(1, round(count * depth))


class ConvUnit(nn.Sequential):
    """Convolution without bias, batch norm, SiLU; (N, C, H, W) -> (N, C', H / stride, W / stride)."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, padding: int | None = None) -> None:
        padding = kernel // 2 if padding is None else padding
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
            nn.BatchNorm2d(outputs, eps=_NORM_EPSILON),
            nn.SiLU(inplace=True),
        )


class Bottleneck(nn.Module):
    """A 1 x 1 and a 3 x 3 convolution, whose input is added where ``shortcut``; (N, C, H, W) -> the same shape."""

    def __init__(self, channels: int, *, shortcut: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(ConvUnit(channels, channels), ConvUnit(channels, channels, 3))
        self._shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        changed: torch.Tensor = self.layers(x)
        return x + changed if self._shortcut else changed


class CSPBlock(nn.Module):
    """Bottlenecks on one half of the channels, joined with the other half; (N, inputs, H, W) -> (N, outputs, H, W)."""

    def __init__(self, inputs: int, outputs: int, count: int, *, shortcut: bool = True) -> None:
        super().__init__()
        half = outputs // 2
        self.changed = nn.Sequential(
            ConvUnit(inputs, half), *(Bottleneck(half, shortcut=shortcut) for _ in range(count))
        )
        self.kept = ConvUnit(inputs, half)
        self.joined = ConvUnit(2 * half, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        found: torch.Tensor = self.joined(torch.cat([self.changed(x), self.kept(x)], dim=1))
        return found


class PooledPyramid(nn.Module):
    """Maxima over 5, 9 and 13 px beside the map itself (SPPF: the same window three times in a row)."""

    def __init__(self, channels: int, window: int = 5) -> None:
        super().__init__()
        self.narrow = ConvUnit(channels, channels // 2)
        self.pool = nn.MaxPool2d(window, stride=1, padding=window // 2)
        self.joined = ConvUnit(channels // 2 * 4, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> the same shape."""
        maps = [self.narrow(x)]
        for _ in range(3):
            maps.append(self.pool(maps[-1]))
        found: torch.Tensor = self.joined(torch.cat(maps, dim=1))
        return found


class CSPDarknet(Backbone):
    """Maps "res2" to "res5" of images.

    Args:
        width: multiple of the channels; 0.25 is YOLOv5n's, 0.5 YOLOv5s's, 0.75, 1 and 1.25 those of m, l and x.
        depth: multiple of the numbers of blocks: 1/3 (n, s), 2/3, 1, 4/3.
        in_channels: channels of the input.
        out_features: maps to return.
    """

    def __init__(
        self, *, width: float, depth: float, in_channels: int = 3, out_features: Sequence[str] = _NAMES[1:]
    ) -> None:
        super().__init__()
        channels = [scaled_channels(count, width) for count in _CHANNELS]
        stem = scaled_channels(_STEM_CHANNELS, width)
        self.stem = ConvUnit(in_channels, stem, kernel=6, stride=2, padding=2)
        stages: list[nn.Module] = []
        for before, after, blocks in zip([stem, *channels], channels, _BLOCKS, strict=False):
            stages.append(
                nn.Sequential(ConvUnit(before, after, 3, 2), CSPBlock(after, after, scaled_blocks(blocks, depth)))
            )
        stages[-1] = nn.Sequential(stages[-1], PooledPyramid(channels[-1]))
        self.stages = nn.ModuleList(stages)
        self._out_features = list(out_features)
        self._out_feature_channels = dict(zip(_NAMES, channels, strict=True))
        self._out_feature_strides = {name: 4 * 2**index for index, name in enumerate(_NAMES)}

    @property
    def size_divisibility(self) -> int:
        """Height and width of images are multiples of it, px."""
        return 32

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """(N, in_channels, H, W) -> {name: (N, channels, H / stride, W / stride)}."""
        x, maps = self.stem(images), {}
        for name, stage in zip(_NAMES, self.stages, strict=True):
            x = stage(x)
            maps[name] = x
        return {name: maps[name] for name in self._out_features}


@BACKBONE_REGISTRY.register()
def build_csp_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> CSPDarknet:
    """``CSPDarknet`` of ``MODEL.YOLO``, with the maps that its detector takes."""
    return CSPDarknet(
        width=cfg.MODEL.YOLO.WIDTH,
        depth=cfg.MODEL.YOLO.DEPTH,
        in_channels=input_shape.channels,
        out_features=cfg.MODEL.YOLO.IN_FEATURES,
    )
