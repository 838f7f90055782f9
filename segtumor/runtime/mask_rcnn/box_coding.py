"""Boxes from what a head predicts: offsets relative to a box, clipping, scaling.

Everything is float32, as in the graphs; ``segtumor.structures.boxes`` is for annotations and metrics. Boxes are
(x0, y0, x1, y1) in px; letters: R boxes, B offsets of each (1, or one for each class). Inputs are never modified.
"""

import math
from collections.abc import Sequence

import numpy as np

from segtumor.arrays import Bools, Floats32, SizeHW

#: Offsets of width and height stop where a box of 16 px becomes one of 1,000 px, as in Detectron2: more is noise.
SCALE_LIMIT = math.log(1000 / 16)


def decode_boxes(deltas: Floats32, boxes: Floats32, weights: Sequence[float]) -> Floats32:
    """Apply offsets to boxes (Ren et al. 2015, equation 2); Detectron2's ``Box2BoxTransform.apply_deltas``.

    Args:
        deltas: (R, 4B): shift of the centre in widths and heights, logarithm of the growth in width and height.
        boxes: (R, 4).
        weights: four numbers that the offsets were multiplied by in training.

    Returns:
        (R, 4B) float32; not finite where an offset is not.
    """
    deltas = np.asarray(deltas, dtype=np.float32)
    offsets = deltas.reshape(len(deltas), deltas.shape[1] // 4, 2, 2)
    corners = np.asarray(boxes, dtype=np.float32).reshape(-1, 1, 2, 2)
    sizes = corners[:, :, 1] - corners[:, :, 0]
    centres = corners[:, :, 0] + np.float32(0.5) * sizes
    scaled = offsets / np.asarray(weights, dtype=np.float32).reshape(2, 2)
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is dropped by the caller
        centres = scaled[:, :, 0] * sizes + centres
        halves = np.float32(0.5) * (np.exp(np.minimum(scaled[:, :, 1], np.float32(SCALE_LIMIT))) * sizes)
        return np.concatenate([centres - halves, centres + halves], axis=2).reshape(deltas.shape)


def clip_boxes(boxes: Floats32, size_hw: SizeHW) -> Floats32:
    """(..., 4) float32 cut to an image of ``size_hw``; a box wholly outside ends up empty, on the border."""
    height, width = size_hw
    return np.clip(boxes, np.float32(0), np.array([width, height, width, height], dtype=np.float32))


def scale_boxes(boxes: Floats32, from_hw: SizeHW, to_hw: SizeHW) -> Floats32:
    """(..., 4) float32 from an image of one size to the same image at another size."""
    scale_y, scale_x = to_hw[0] / from_hw[0], to_hw[1] / from_hw[1]
    return boxes * np.array([scale_x, scale_y, scale_x, scale_y], dtype=np.float32)


def longer_than(boxes: Floats32, side_px: float) -> Bools:
    """(R, 4) -> (R,) bool: whether both sides are longer than ``side_px``."""
    widths, heights = (boxes[:, 2:] - boxes[:, :2]).T
    longer: Bools = (widths > np.float32(side_px)) & (heights > np.float32(side_px))
    return longer
