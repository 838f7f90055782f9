"""Path aggregation (PANet, Liu et al. 2018) in YOLOv5's form: coarse maps down to fine ones, and back up again.

Letters: N images; three maps, finest first, each half the size of the one before.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from segtumor.models.backbones.csp import ConvUnit, CSPBlock

LEVELS = 3


class PathAggregation(nn.Module):
    """Three maps to three of the same sizes, in which every level has seen the others.

    Args:
        channels: of the three maps, finest first.
        widths: of what comes out, likewise.
        blocks: bottlenecks of each joint.
    """

    def __init__(self, channels: Sequence[int], widths: Sequence[int], *, blocks: int) -> None:
        super().__init__()
        fine, middle, coarse = channels
        out_fine, out_middle, out_coarse = widths
        self.narrow_coarse = ConvUnit(coarse, out_middle)
        self.down_middle = CSPBlock(out_middle + middle, out_middle, blocks, shortcut=False)
        self.narrow_middle = ConvUnit(out_middle, out_fine)
        self.down_fine = CSPBlock(out_fine + fine, out_fine, blocks, shortcut=False)
        self.halve_fine = ConvUnit(out_fine, out_fine, 3, 2)
        self.up_middle = CSPBlock(2 * out_fine, out_middle, blocks, shortcut=False)
        self.halve_middle = ConvUnit(out_middle, out_middle, 3, 2)
        self.up_coarse = CSPBlock(2 * out_middle, out_coarse, blocks, shortcut=False)

    def forward(self, maps: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Three maps (N, channels, H, W) -> three (N, widths, H, W), finest first."""
        fine, middle, coarse = maps
        from_coarse = self.narrow_coarse(coarse)
        from_middle = self.narrow_middle(self.down_middle(torch.cat([_doubled(from_coarse), middle], dim=1)))
        first = self.down_fine(torch.cat([_doubled(from_middle), fine], dim=1))
        second = self.up_middle(torch.cat([self.halve_fine(first), from_middle], dim=1))
        third = self.up_coarse(torch.cat([self.halve_middle(second), from_coarse], dim=1))
        return [first, second, third]


def _doubled(x: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
