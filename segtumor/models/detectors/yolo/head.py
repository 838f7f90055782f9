"""What each place of a map says: a box, whether a lesion is there, of which class, and with which mask.

Masks are sums of prototypes, maps of the whole image that all lesions share (YOLACT, Bolya et al. 2019).
Letters: N images, A anchors of a level, K classes, M prototypes, 0 for a detector of boxes alone; H, W size of a map.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn

from segtumor.models.backbones.csp import ConvUnit

#: Columns of a place's numbers: x, y, width, height, then whether a lesion is there, then the classes.
BOX, OBJECT = slice(0, 4), 4
_BOX_AND_OBJECT = 5
#: Lesions per image of ``_PRIOR_PX`` that an untrained model expects, as YOLOv5.
_PRIOR_OBJECTS, _PRIOR_PX, _PRIOR_CLASS = 8, 640, 0.6


class Head(nn.Module):
    """A 1 x 1 convolution of each map.

    Args:
        channels: of the maps, finest first.
        strides: px per cell of each.
        anchors_wh: for each map (A, 2) px, as nested lists.
        num_classes: K.
        num_prototypes: M.
    """

    anchors: torch.Tensor

    def __init__(
        self,
        *,
        channels: Sequence[int],
        strides: Sequence[int],
        anchors_wh: Sequence[Sequence[Sequence[float]]],
        num_classes: int,
        num_prototypes: int,
    ) -> None:
        super().__init__()
        self.strides, self.num_classes, self.num_prototypes = tuple(strides), num_classes, num_prototypes
        # (levels, A, 2). The configuration has them, not the weights.
        self.register_buffer("anchors", torch.tensor(anchors_wh, dtype=torch.float32), persistent=False)
        self.width = _BOX_AND_OBJECT + num_classes + num_prototypes
        count = self.anchors.shape[1]
        layers = [nn.Conv2d(inputs, count * self.width, 1) for inputs in channels]
        self._start_at_priors([layer.bias for layer in layers if layer.bias is not None])
        self.layers = nn.ModuleList(layers)

    def _start_at_priors(self, biases: Sequence[torch.Tensor]) -> None:
        """Let an untrained model find few lesions (RetinaNet, Lin et al. 2017, section 4.1); changes the biases."""
        for of_level, stride in zip(biases, self.strides, strict=True):
            bias = of_level.detach().view(-1, self.width)
            bias[:, OBJECT] = math.log(_PRIOR_OBJECTS / (_PRIOR_PX / stride) ** 2)
            bias[:, _BOX_AND_OBJECT : _BOX_AND_OBJECT + self.num_classes] = _logit(_PRIOR_CLASS / self.num_classes)

    def forward(self, maps: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Maps (N, channels, H, W) -> for each (N, A, H, W, 5 + K + M) logits and offsets."""
        found = []
        for layer, x in zip(self.layers, maps, strict=True):
            n, _, height, width = x.shape
            found.append(layer(x).view(n, -1, self.width, height, width).permute(0, 1, 3, 4, 2))
        return found

    def rows(self, outputs: Sequence[torch.Tensor], size_hw: Sequence[int]) -> torch.Tensor:
        """What ``forward`` returns -> (N, places, 4 + K + M): x0, y0, x1, y1 as fractions of the padded image's width
        and height, the probability that a lesion of each class is there, and the prototypes' coefficients."""
        rows = []
        for level, output in enumerate(outputs):
            boxes = self.boxes(output[..., BOX], _cells(output), level)
            x0, y0, x1, y1 = boxes.unbind(-1)
            # One by one: a tensor of the sizes would be a constant in a traced graph.
            height, width = size_hw
            boxes = torch.stack([x0 / width, y0 / height, x1 / width, y1 / height], dim=-1)
            there = output[..., OBJECT : OBJECT + 1].sigmoid()
            classes = output[..., _BOX_AND_OBJECT : _BOX_AND_OBJECT + self.num_classes].sigmoid() * there
            coefficients = output[..., _BOX_AND_OBJECT + self.num_classes :]
            rows.append(torch.cat([boxes, classes, coefficients], dim=-1).flatten(1, 3))
        return torch.cat(rows, dim=1)

    def boxes(
        self, offsets: torch.Tensor, cells: torch.Tensor, level: int, anchors: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Offsets (..., 4) at cells (..., 2) (column, row) -> (..., 4) x0, y0, x1, y1, px.

        A centre lies up to half a cell outside its cell, and a side is up to four times the anchor's, as YOLOv5 has it.

        Args:
            level: index of the map.
            anchors: (..., 2) px; those of the level for offsets (N, A, H, W, 4) if None.
        """
        sizes_of = self.anchors[level][:, None, None] if anchors is None else anchors
        places = offsets.sigmoid() * 2
        centres = (places[..., :2] - 0.5 + cells) * self.strides[level]
        halves = places[..., 2:] ** 2 * sizes_of / 2
        return torch.cat([centres - halves, centres + halves], dim=-1)

    def class_logits(self, outputs: torch.Tensor) -> torch.Tensor:
        """(P, 5 + K + M) -> (P, K)."""
        return outputs[:, _BOX_AND_OBJECT : _BOX_AND_OBJECT + self.num_classes]

    def coefficients(self, outputs: torch.Tensor) -> torch.Tensor:
        """(P, 5 + K + M) -> (P, M)."""
        return outputs[:, _BOX_AND_OBJECT + self.num_classes :]


class Prototypes(nn.Sequential):
    """The finest map (N, C, H, W) -> (N, M, 2H, 2W)."""

    def __init__(self, channels: int, count: int) -> None:
        super().__init__(
            ConvUnit(channels, channels, 3),
            nn.Upsample(scale_factor=2.0, mode="nearest"),
            ConvUnit(channels, channels, 3),
            ConvUnit(channels, count),
        )


def _cells(output: torch.Tensor) -> torch.Tensor:
    """(N, A, H, W, ...) -> (H, W, 2), column and row of each cell."""
    height, width = output.shape[2:4]
    rows = torch.arange(height, device=output.device, dtype=output.dtype)
    columns = torch.arange(width, device=output.device, dtype=output.dtype)
    return torch.stack([columns[None].expand(height, width), rows[:, None].expand(height, width)], dim=-1)


def _logit(share: float) -> float:
    return math.log(share / (1 - share))
