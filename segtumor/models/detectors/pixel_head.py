"""A judgement of every place beside a detector's regions: tumour or not, on its pyramid.

Regions are learnt from the boxes that proposals hit; a small lesion that none hits teaches the heads little. A map over
the whole image is learnt from each of its pixels, and shares the pyramid (the semantic branch of Panoptic FPN, Kirillov
et al. 2019, here with sums of the levels at the finest one). Only training needs it: where it was tried, the scores of
findings became no better by it (docs/results.md).
Letters: N images of H x W, s the stride of the finest level.
"""

from collections.abc import Mapping, Sequence

import torch
from detectron2.structures import Instances
from torch import nn
from torch.nn import functional


class PixelHead(nn.Module):
    """Feature maps to a map of logits at the finest level.

    Args:
        in_features: names of the maps, finest first.
        channels: of each map.
        strides: of each map, px of the image per cell.
        hidden: channels of the sum of the levels and of the layers on it.
    """

    def __init__(
        self, *, in_features: Sequence[str], channels: Sequence[int], strides: Sequence[int], hidden: int
    ) -> None:
        super().__init__()
        self._in_features, self.stride = tuple(in_features), min(strides)
        self.lateral = nn.ModuleList(nn.Conv2d(width, hidden, 1) for width in channels)
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [nn.Conv2d(hidden, hidden, 3, padding=1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(hidden, 1, 1))

    def forward(self, features: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Maps by name -> (N, H / s, W / s) logits of tumour."""
        maps = [layer(features[name]) for name, layer in zip(self._in_features, self.lateral, strict=True)]
        size = maps[0].shape[2:]
        wide = [maps[0], *(functional.interpolate(m, size=size, mode="bilinear") for m in maps[1:])]
        logits: torch.Tensor = self.layers(torch.stack(wide).sum(dim=0))
        return logits[:, 0]

    def losses(self, features: Mapping[str, torch.Tensor], instances: Sequence[Instances]) -> torch.Tensor:
        """Cross entropy and 1 - Dice of the batch's lesions (Milletari et al. 2016, without squares); instances with
        ``gt_masks`` of the images' sizes."""
        logits = self(features).float()
        truth = torch.stack([self._target(lesions, logits) for lesions in instances])
        probability = logits.sigmoid()
        both, sums = (probability * truth).sum(), (probability + truth).sum()
        dice = 1 - 2 * both / sums.clamp(min=1e-6) if truth.any() else logits.new_zeros(())
        loss: torch.Tensor = functional.binary_cross_entropy_with_logits(logits, truth) + dice
        return loss

    def _target(self, lesions: Instances, like: torch.Tensor) -> torch.Tensor:
        """(H / s, W / s) float32: the share of each cell that lesions cover."""
        covered = lesions.gt_masks.tensor.any(dim=0).to(like)
        height, width = (size * self.stride for size in like.shape[1:])
        padded = functional.pad(covered, (0, width - covered.shape[1], 0, height - covered.shape[0]))
        return functional.avg_pool2d(padded[None], self.stride)[0]
