"""Anchors: the boxes of fixed size and shape that proposals start from (Ren et al. 2015, section 3.1.1).

The same boxes in the same order as Detectron2's ``DefaultAnchorGenerator``. As only the best few hundred of up to a
quarter of a million anchors are ever needed, they are made where they are needed and not kept as a grid.

Letters: A anchors of a cell, h, w height and width of a map, P positions. Boxes are (x0, y0, x1, y1), float32, px of
the image that the model sees.
"""

import itertools
import math
from collections.abc import Sequence

import numpy as np

from segtumor.arrays import Floats32, Ints


def cell_anchors(sizes_px: Sequence[float], aspect_ratios: Sequence[float]) -> Floats32:
    """Anchors of one cell, around the origin; (A, 4) with all ratios of the first size first.

    Args:
        sizes_px: square roots of the areas.
        aspect_ratios: height / width.
    """
    boxes = []
    for size_px, ratio in itertools.product(sizes_px, aspect_ratios):
        width = math.sqrt(size_px**2 / ratio)
        height = ratio * width
        boxes.append((-width / 2, -height / 2, width / 2, height / 2))
    return np.array(boxes, dtype=np.float32).reshape(-1, 4)


def anchors_at(positions: Ints, *, cell: Floats32, map_width: int, stride_px: int, offset: float) -> Floats32:
    """Anchors (P, 4) at some positions of a map.

    Args:
        positions: (P,) int; of the map's anchors, counted by row, then column, then place in the cell.
        cell: (A, 4), of ``cell_anchors``.
        map_width: w.
        stride_px: px of the image per step on the map.
        offset: where in its cell an anchor's centre lies, in strides, [0, 1).
    """
    cells, kinds = np.divmod(positions, len(cell))
    rows, columns = np.divmod(cells, map_width)
    centres = (np.stack([columns, rows], axis=1) + offset) * stride_px
    return np.tile(centres.astype(np.float32), 2) + cell[kinds]
