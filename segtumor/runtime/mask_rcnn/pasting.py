"""A mask of fixed size, drawn into its box on the radiograph (He et al. 2017, section 3).

Equivalent to Detectron2's ``paste_masks_in_image``, without images the size of the radiograph: a lesion is small, and
outside its box a mask is empty. Letters: M mask size, H, W image size, h, w size of the part around the box.
"""

import math

import numpy as np

from segtumor.arrays import Floats32, Mask, SizeHW


def paste_mask(
    probabilities: Floats32, box: Floats32, size_hw: SizeHW, *, threshold: float = 0.5
) -> tuple[Mask, int, int]:
    """Pixels of an image that a mask covers: those whose interpolated probability reaches the threshold.

    Interpolation is bilinear, at the centres of the image's pixels, with 0 beyond the mask's outermost values, as
    ``grid_sample`` does without aligned corners. It is separable: a matrix along the rows and one along the columns. A
    pixel is set at the threshold and above; for probabilities within 1e-6 of it, rounding decides.

    Args:
        probabilities: (M, M) float32 in [0, 1], the mask over its box.
        box: (x0, y0, x1, y1), px of the image; may lie partly outside.
        size_hw: (H, W).
        threshold: in [0.5, 1]; below 0.5 a mask would reach beyond its box.

    Returns:
        (crop, top, left): (h, w) bool and where its first pixel lies; h or w is 0 for a box outside the image.
    """
    height, width = size_hw
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # a box without extent: no pixel is set
        left, columns = _weights(box[0], box[2], width, probabilities.shape[1])
        top, rows = _weights(box[1], box[3], height, probabilities.shape[0])
        # Computed transposed, as the columns of a mask are what is read next (``structures.masks.rle_from_crop``).
        covered: Mask = ((columns @ probabilities.T) @ rows.T >= np.float32(threshold)).T
        return covered, top, left


def _weights(low: float, high: float, length: int, size: int) -> tuple[int, Floats32]:
    """First pixel of [low, high] on an axis of ``length`` px, and (pixels, size): each mask value's weight in each."""
    begin, end = np.float32(low), np.float32(high)
    first, last = max(0, math.floor(begin)), min(length, math.ceil(end))
    place = np.arange(first, max(first, last), dtype=np.float32) + np.float32(0.5)
    # In Detectron2's steps, through [-1, 1], so that even the rounding agrees.
    place = (place - begin) / (end - begin) * 2 - 1
    place = (place + 1) * np.float32(size / 2) - np.float32(0.5)
    weights = np.subtract.outer(place, np.arange(size, dtype=np.float32))
    np.abs(weights, out=weights)
    np.subtract(1, weights, out=weights)
    return first, np.maximum(weights, 0, out=weights)
