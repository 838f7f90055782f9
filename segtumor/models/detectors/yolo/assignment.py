"""Which cells and anchors learn which lesion, as YOLOv5 assigns them.

A lesion is learnt by every anchor whose width and height differ from its own by less than ``LARGEST_RATIO``, at the
cell that holds its centre and at the two neighbours that are nearest to the centre.
Letters: T lesions of a batch, A anchors of a level, P places.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from segtumor.models.detectors.yolo.anchors import LARGEST_RATIO

#: How far from a cell's border, in cells, a centre makes the neighbour learn too.
_REACH = 0.5


@dataclass(frozen=True)
class Places:
    """Where lesions are learnt on one level; all (P,) int64.

    Attributes:
        images, anchors, rows, columns: place in a map (N, A, H, W).
        lesions: which of the batch's.
    """

    images: torch.Tensor
    anchors: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    lesions: torch.Tensor

    @property
    def index(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """For (N, A, H, W, ...)."""
        return self.images, self.anchors, self.rows, self.columns

    def flat(self, shape: Sequence[int]) -> torch.Tensor:
        """(P,) int64, for a flattened map of shape (N, A, H, W)."""
        _, anchors, height, width = shape
        return ((self.images * anchors + self.anchors) * height + self.rows) * width + self.columns


def assign(
    boxes_xyxy: torch.Tensor,
    image_ids: torch.Tensor,
    anchors_wh: torch.Tensor,
    *,
    stride: int,
    size_hw: tuple[int, int],
) -> Places:
    """Places of the lesions of a batch on one level.

    Args:
        boxes_xyxy: (T, 4) px, with an extent.
        image_ids: (T,) int64.
        anchors_wh: (A, 2) px.
        stride: px per cell.
        size_hw: of the level's map, cells.
    """
    height, width = size_hw
    sizes = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    ratios = sizes[:, None] / anchors_wh
    lesions, anchors = (torch.maximum(ratios, 1 / ratios).amax(dim=2) < LARGEST_RATIO).nonzero(as_tuple=True)
    centres = ((boxes_xyxy[:, 2:] + boxes_xyxy[:, :2]) / (2 * stride))[lesions]
    columns, rows = centres.floor().long().T
    # Border cells too: a centre on the right or lower edge belongs to the last cell.
    columns, rows = columns.clamp(0, width - 1), rows.clamp(0, height - 1)
    right, down = (centres - torch.stack([columns, rows], dim=1)).T
    shifts = [
        (torch.ones_like(right, dtype=torch.bool), 0, 0),
        ((right < _REACH) & (columns > 0), -1, 0),
        ((right > 1 - _REACH) & (columns < width - 1), 1, 0),
        ((down < _REACH) & (rows > 0), 0, -1),
        ((down > 1 - _REACH) & (rows < height - 1), 0, 1),
    ]
    taken = torch.cat([which.nonzero()[:, 0] for which, _, _ in shifts])
    across = torch.cat([columns[which] + step for which, step, _ in shifts])
    along = torch.cat([rows[which] + step for which, _, step in shifts])
    return Places(image_ids[lesions[taken]], anchors[taken], along, across, lesions[taken])
