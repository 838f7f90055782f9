"""Which map of the pyramid a box is pooled from, and the boxes of each map in the form that pooling takes.

Letters: R boxes, L maps. Boxes are float32, px of the image that the model sees.
"""

import math
from collections.abc import Sequence

import numpy as np

from segtumor.arrays import Floats32, Ints


def box_levels(boxes: Floats32, *, strides_px: Sequence[int], canonical_box_px: float, canonical_level: int) -> Ints:
    """Index of the map that each box belongs to (Lin et al. 2017, equation 1); (R,) int.

    Detectron2's ``assign_boxes_to_levels``: small boxes go to fine maps.

    Args:
        boxes: (R, 4).
        strides_px: of the L maps, finest first, each twice the one before and a power of two.
        canonical_box_px: square root of the area of a box that belongs to ``canonical_level``.
        canonical_level: base-2 logarithm of a stride.
    """
    lowest, highest = (math.log2(strides_px[index]) for index in (0, -1))
    sides = boxes[:, 2:] - boxes[:, :2]
    sizes = np.sqrt(sides[:, 0] * sides[:, 1])
    levels = np.floor(canonical_level + np.log2(sizes / np.float32(canonical_box_px) + np.float32(1e-8)))
    chosen: Ints = (np.clip(levels, lowest, highest) - lowest).astype(np.intp)
    return chosen


def regions_by_level(boxes: Floats32, images: Ints, levels: Ints, num_levels: int) -> tuple[tuple[Floats32, ...], Ints]:
    """Boxes sorted to their maps.

    Args:
        boxes: (R, 4).
        images: (R,) index of each box's image in the batch.
        levels: (R,) of ``box_levels``.
        num_levels: L.

    Returns:
        (regions, rows): for each map (n, 5) float32, image index and corners; and (R,) int, the row of each box in
        what a head returns for the concatenated regions.
    """
    regions = np.column_stack([images, boxes]).astype(np.float32)
    parts, rows, start = [], np.empty(len(boxes), dtype=np.intp), 0
    for level in range(num_levels):
        members = np.flatnonzero(levels == level)
        parts.append(regions[members])
        rows[members] = start + np.arange(len(members))
        start += len(parts[-1])
    return tuple(parts), rows
