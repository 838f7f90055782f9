"""Axis-aligned boxes as NumPy arrays.

Frame: pixels, x to the right, y down; pixel (row, column) covers [column, column + 1) x [row, row + 1), as in COCO.
Letters: N, M numbers of boxes. Inputs are never modified.
"""

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Boxes, Floats, SizeHW


def box_xyxy_to_xywh(boxes_xyxy: ArrayLike) -> Boxes:
    """(..., 4) corners to (..., 4) left, top, width, height; float64, px."""
    boxes = np.asarray(boxes_xyxy, dtype=np.float64)
    return np.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], axis=-1)


def box_xywh_to_xyxy(boxes_xywh: ArrayLike) -> Boxes:
    """(..., 4) left, top, width, height to (..., 4) corners; float64, px."""
    boxes = np.asarray(boxes_xywh, dtype=np.float64)
    return np.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], axis=-1)


def clip_boxes(boxes_xyxy: ArrayLike, size_hw: SizeHW) -> Boxes:
    """Boxes cut to the image; (..., 4), px. A box wholly outside becomes one of zero area on the border."""
    height, width = size_hw
    return np.clip(np.asarray(boxes_xyxy, dtype=np.float64), 0, [width, height, width, height])


def box_areas(boxes_xyxy: ArrayLike) -> Floats:
    """(..., 4) -> (...,) areas in px^2; 0 where a box has no extent."""
    boxes = np.asarray(boxes_xyxy, dtype=np.float64)
    areas: Floats = np.prod(np.clip(boxes[..., 2:] - boxes[..., :2], 0, None), axis=-1)
    return areas


def box_iou(first_xyxy: ArrayLike, second_xyxy: ArrayLike) -> Floats:
    """Intersection over union of every pair.

    Args:
        first_xyxy: (N, 4).
        second_xyxy: (M, 4).

    Returns:
        (N, M) float64 in [0, 1]; 0 where the union has no area.
    """
    first = np.asarray(first_xyxy, dtype=np.float64).reshape(-1, 1, 4)
    second = np.asarray(second_xyxy, dtype=np.float64).reshape(1, -1, 4)
    top_left = np.maximum(first[..., :2], second[..., :2])
    bottom_right = np.minimum(first[..., 2:], second[..., 2:])
    intersection: Floats = np.prod(np.clip(bottom_right - top_left, 0, None), axis=-1)
    union = box_areas(first) + box_areas(second) - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)
