"""Histograms of oriented gradients (Dalal & Triggs 2005), in torch: what they describe goes into exports.

Unsigned gradients, each shared by the two nearest orientations; square cells; blocks of 2 x 2 cells, one cell apart,
each scaled to length 1, cut at 0.2 and scaled again ("L2-Hys"). A pixel belongs to one cell: votes are not shared among
neighbouring cells, as in scikit-image. OpenCV 5 has no HOG any more.

Letters: N images of H x W; S side that they are scaled to; G = S / cell side, cells along it; B orientations; L levels.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from segtumor.errors import ConfigError

_CUT = 0.2
_TINY = 1e-5
#: Half the width of a smoothing kernel, in standard deviations.
_REACH = 3.0


class Hog(nn.Module):
    """Features of images: (N, 3, H, W) with equal channels -> (N, F).

    Args:
        side_px: S, to which images of another size are stretched; a multiple of ``cell_px``, at least two cells.
        cell_px: side of a cell.
        orientations: B, bins of 0 to 180 degrees.
        smoothing_px: standard deviations of the Gaussians before the gradients, one for each level; 0 for none.

    Raises:
        ConfigError: cells that do not fill the image.
    """

    def __init__(self, *, side_px: int, cell_px: int, orientations: int, smoothing_px: Sequence[float]) -> None:
        super().__init__()
        if side_px % cell_px or side_px < 2 * cell_px:
            expected = f"a divisor of INPUT.MIN_SIZE_TEST, {side_px}, and at most half of it"
            raise ConfigError("cells do not fill the image", where="MODEL.HOG.CELL_PX", got=cell_px, expected=expected)
        self.side_px = side_px
        self.histograms = Histograms(cell_px, orientations, smoothing_px)
        self.count = len(smoothing_px) * 4 * orientations * (side_px // cell_px - 1) ** 2

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """See the class; F = ``count`` = 4 L B (G - 1)^2."""
        size = (self.side_px, self.side_px)
        gray = functional.interpolate(images[:, :1], size=size, mode="bilinear", align_corners=False)
        cells = self.histograms(gray).unflatten(1, (len(self.histograms.smoothing_px), -1))  # (N, L, B, G, G)
        top, bottom = cells[..., :-1, :], cells[..., 1:, :]
        corners = [half[..., columns] for half in (top, bottom) for columns in (slice(None, -1), slice(1, None))]
        blocks = torch.cat(corners, dim=2)  # (N, L, 4 B, G - 1, G - 1)
        return _unit(_unit(blocks).clamp(max=_CUT)).flatten(1)


class Histograms(nn.Module):
    """Mean gradient magnitude of each cell by orientation: (N, 1, S, S) -> (N, L B, G, G)."""

    def __init__(self, cell_px: int, orientations: int, smoothing_px: Sequence[float]) -> None:
        super().__init__()
        self.cell_px, self.orientations, self.smoothing_px = cell_px, orientations, tuple(smoothing_px)

    def forward(self, gray: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return torch.cat([self._of_level(_smoothed(gray, sigma)) for sigma in self.smoothing_px], dim=1)

    def _of_level(self, gray: torch.Tensor) -> torch.Tensor:
        padded = functional.pad(gray, (1, 1, 1, 1), mode="replicate")
        across = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
        down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
        magnitude = (across.square() + down.square() + _TINY**2).sqrt()
        # ONNX has no atan2; of unsigned orientations atan tells everything.
        angle = torch.atan(down / torch.where(across.abs() < _TINY, _TINY, across))
        position = (angle / math.pi + 0.5) * self.orientations  # [0, B], both ends are the same orientation
        centres = torch.arange(self.orientations, device=gray.device).view(1, -1, 1, 1) + 0.5
        distance = (position - centres).abs()
        votes = magnitude * (1 - torch.minimum(distance, self.orientations - distance)).relu()
        return functional.avg_pool2d(votes, self.cell_px)


def _smoothed(gray: torch.Tensor, sigma_px: float) -> torch.Tensor:
    if sigma_px == 0:
        return gray
    reach = max(1, math.ceil(_REACH * sigma_px))
    offsets = torch.arange(-reach, reach + 1, dtype=gray.dtype, device=gray.device)
    kernel = torch.exp(-0.5 * (offsets / sigma_px) ** 2)
    kernel = kernel / kernel.sum()
    padded = functional.pad(gray, (reach, reach, reach, reach), mode="replicate")
    rows = functional.conv2d(padded, kernel.view(1, 1, 1, -1))
    return functional.conv2d(rows, kernel.view(1, 1, -1, 1))


def _unit(blocks: torch.Tensor) -> torch.Tensor:
    """Each block scaled to length 1 along its third dimension."""
    return blocks / (blocks.square().sum(dim=2, keepdim=True) + _TINY**2).sqrt()
