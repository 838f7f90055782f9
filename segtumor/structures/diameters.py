"""How long a lesion is: the largest distance between two of its points, in px or, with a spacing, in mm.

What a ruler on the radiograph measures; magnification by the distance of bone and detector is not taken out. Not here:
widths and heights of boxes on pictures (``segtumor.reporting``).
"""

from collections.abc import Sequence

import numpy as np

from segtumor.structures.lesions import Finding, Lesion
from segtumor.structures.masks import crop_from_rle
from segtumor.system.opencv import cv2


def longest_extent(lesion: Lesion | Finding, spacing: Sequence[float] = (1.0, 1.0)) -> float:
    """The longest diameter of a true or found lesion's mask, corners of its pixels included (maximum Feret diameter).

    Of a lesion without mask the longer side of its box: the diagonal of a box is longer than what lies in it.

    Args:
        spacing: (row, column) distance of neighbouring pixels, mm, or (1, 1) for px.
    """
    x0, y0, x1, y1 = lesion.box_xyxy
    sides = (y1 - y0) * spacing[0], (x1 - x0) * spacing[1]
    if lesion.rle is None:
        return float(max(sides))
    mask, _, _ = crop_from_rle(lesion.rle)
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return 0.0
    first, end = mask[rows].argmax(axis=1), mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
    corners = [(rows + down, column) for down in (0, 1) for column in (first, end)]
    points = np.concatenate([np.column_stack(pair) for pair in corners]) * np.asarray(spacing, dtype=np.float64)
    hull = cv2.convexHull(points.astype(np.float32))[:, 0]
    return float(np.linalg.norm(hull[:, None] - hull, axis=2).max())
