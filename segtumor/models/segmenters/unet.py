"""U-Net (Ronneberger et al. 2015) whose encoder is any backbone here, as a Detectron2 architecture.

The encoder's maps, coarsest first, are widened to the size of the next finer one, joined with it and convolved twice;
where the finest map is coarser than 2 px, another such step without a map follows. Normal images are learnt from too.
Letters: N images of h x w; K classes, without background; H, W the padded size.
"""

from collections.abc import Sequence
from typing import Any

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY, Backbone, build_backbone
from detectron2.modeling.backbone.fpn import FPN
from torch import nn
from torch.nn import functional

from segtumor.models.pixel_model import PixelModel

#: Target of pixels outside an image, which count in no loss.
OUTSIDE = -100
_FINEST_STRIDE = 2


class Decoder(nn.Module):
    """Maps of an encoder to logits at its input's size.

    Args:
        channels: of each map, finest first.
        strides: px of the input per cell of each map, finest first; each a multiple of the one before.
        width: channels of the finest step; each coarser one has twice as many, at most 256.
        num_outputs: channels of the logits.
    """

    def __init__(self, *, channels: Sequence[int], strides: Sequence[int], width: int, num_outputs: int) -> None:
        super().__init__()
        without_map = strides[0] > _FINEST_STRIDE
        skips = [*([0] if without_map else []), *channels[:-1]]
        widths = [min(width * 2**step, 256) for step in range(len(skips))]
        inputs = [*widths[1:], channels[-1]]
        self.steps = nn.ModuleList(
            _convolutions(below + skip, out) for below, skip, out in zip(inputs, skips, widths, strict=True)
        )
        self._has_map = [skip > 0 for skip in skips]
        self.last = nn.Conv2d(widths[0], num_outputs, 1)

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Maps (N, C, H / stride, W / stride), finest first -> logits at up to half the input's resolution."""
        *skips, x = maps
        waiting = list(skips)
        for step, has_map in zip(reversed(self.steps), reversed(self._has_map), strict=True):
            if has_map:
                skip = waiting.pop()
                x = torch.cat([functional.interpolate(x, size=skip.shape[2:], mode="nearest"), skip], dim=1)
            else:
                x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = step(x)
        logits: torch.Tensor = self.last(x)
        return logits


def _convolutions(channels: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs in (channels, width):
        layers += [nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


@META_ARCH_REGISTRY.register()
class UNet(PixelModel):
    """Encoder and ``Decoder``, with cross entropy and Dice loss.

    In training it takes, beside ``"image"``, ``"class_map"``, (h, w) int64: 0 background, ``class_id`` + 1; it returns
    ``loss_pixels`` and ``loss_dice``. In evaluation each output holds ``"class_maps"``, (K, h, w) in [0, 1].
    """

    @configurable
    def __init__(self, *, backbone: Backbone, decoder: Decoder, dice_weight: float, **scaling: Any) -> None:
        """
        Args:
            backbone: images (N, 3, H, W) -> its maps by name.
            decoder: of the backbone's maps, finest first.
            dice_weight: of the Dice loss beside cross entropy, 0 or more.
            scaling: as of ``PixelModel``.
        """
        super().__init__(**scaling)
        self.backbone, self.decoder, self._dice_weight = backbone, decoder, dice_weight
        self._names, _ = _finest_first(backbone)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """The backbone of ``MODEL.BACKBONE`` without its pyramid, and the decoder of ``MODEL.UNET``."""
        backbone = build_backbone(cfg)
        backbone = backbone.bottom_up if isinstance(backbone, FPN) else backbone
        names, strides = _finest_first(backbone)
        shapes = backbone.output_shape()
        decoder = Decoder(
            channels=[shapes[name].channels for name in names],
            strides=strides,
            width=cfg.MODEL.UNET.WIDTH,
            num_outputs=len(cfg.MODEL.CLASS_NAMES) + 1,
        )
        return {
            "backbone": backbone,
            "decoder": decoder,
            "dice_weight": cfg.MODEL.UNET.DICE_WEIGHT,
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
        }

    @property
    def size_multiple(self) -> int:
        """Height and width are padded to a multiple of it, px."""
        return max(int(shape.stride) for shape in self.backbone.output_shape().values())

    def forward(self, batched_inputs: list[dict[str, Any]]) -> Any:
        """Losses in training mode, one output for each image in evaluation mode."""
        images = self.images(batched_inputs)
        if not self.training:
            maps = self.answer(images.tensor)
            return [{"class_maps": m[:, :h, :w]} for m, (h, w) in zip(maps, images.image_sizes, strict=True)]
        logits, size_hw = self.logits(images.tensor), images.tensor.shape[2:]
        targets = torch.stack([_padded(x["class_map"].to(self.device), size_hw) for x in batched_inputs])
        return {
            "loss_pixels": functional.cross_entropy(logits, targets, ignore_index=OUTSIDE),
            "loss_dice": self._dice_weight * dice_loss(logits, targets),
        }

    def answer(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) -> (N, K, H, W)."""
        return self.logits(images).softmax(dim=1)[:, 1:]

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W), normalised, multiples of ``size_multiple`` -> (N, K + 1, H, W), background first."""
        maps = self.backbone(images)
        coarse = self.decoder([maps[name] for name in self._names])
        large: torch.Tensor = functional.interpolate(coarse, size=images.shape[2:], mode="bilinear")
        return large.float()


def _finest_first(backbone: Backbone) -> tuple[list[str], list[int]]:
    """Names and strides of a backbone's maps."""
    shapes = backbone.output_shape()
    names = sorted(shapes, key=lambda name: int(shapes[name].stride))
    return names, [shapes[name].stride for name in names]


def _padded(class_map: torch.Tensor, size_hw: Sequence[int]) -> torch.Tensor:
    height, width = class_map.shape
    return functional.pad(class_map, (0, size_hw[1] - width, 0, size_hw[0] - height), value=OUTSIDE)


def dice_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """1 - Dice of probabilities, over all pixels of a batch at once; mean of the classes that occur in it, else 0.

    Source: the soft Dice of Milletari et al. 2016, without its squares, by class. Background is left out.

    Args:
        logits: (N, K + 1, H, W), background first.
        targets: (N, H, W) int64; OUTSIDE counts nowhere.
    """
    inside = targets != OUTSIDE
    probabilities = logits.softmax(dim=1) * inside[:, None]
    truth = functional.one_hot(targets.clamp(min=0), logits.shape[1]).permute(0, 3, 1, 2) * inside[:, None]
    axes = (0, 2, 3)
    both, sums = (probabilities * truth).sum(axes)[1:], (probabilities + truth).sum(axes)[1:]
    occurs = truth.sum(axes)[1:] > 0
    losses = (1 - 2 * both / sums.clamp(min=1e-6)) * occurs
    mean: torch.Tensor = losses.sum() / occurs.sum().clamp(min=1)
    return mean
