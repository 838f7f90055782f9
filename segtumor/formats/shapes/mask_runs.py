"""Masks as run lengths row by row, background first, as CVAT has them; and masks fitted to another image size.

COCO counts column by column: that is ``segtumor.structures.masks``.
"""

import numpy as np

from segtumor.annotations.flat_polygons import scale_between, scale_polygon
from segtumor.annotations.remarks import LeftOutError
from segtumor.imaging import MAX_PIXELS
from segtumor.structures.masks import mask_from_rle, rle_from_mask


def mask_from_row_runs(runs, size_hw):
    """Run lengths to a mask.

    Args:
        runs: ints >= 0; the first is background.
        size_hw: (H, W), px.

    Returns:
        (H, W) bool.

    Raises:
        LeftOutError: the runs do not add up to H * W, or the mask is larger than any image that is read.
    """
    height, width = size_hw
    if min(height, width) <= 0 or height * width > MAX_PIXELS:
        raise LeftOutError("mask not readable", f"of {height} x {width} px")
    runs = np.asarray(runs, dtype=np.int64)
    if np.any(runs < 0) or np.any(runs > MAX_PIXELS) or runs.sum() != height * width:
        raise LeftOutError("mask not readable", f"its runs do not add up to {height} x {width} px")
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)


def row_runs_of_mask(mask):
    """(H, W) bool -> list of run lengths, row by row, background first."""
    flat = np.asarray(mask, dtype=bool).ravel()
    changes = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], changes, [len(flat)]])).tolist()
    return [0, *runs] if flat[0] else runs


def resize_mask(mask, size_hw):
    """The mask on an image of another size: each pixel takes the value of the nearest one."""
    rows, columns = (
        np.minimum(((np.arange(new) + 0.5) * old / new).astype(int), old - 1)
        for new, old in zip(size_hw, mask.shape, strict=True)
    )
    return mask[rows][:, columns]


def scale_segmentation(segmentation, drawn_hw, size_hw):
    """Polygons or an RLE drawn on an image of ``drawn_hw``, on one of ``size_hw``; raises LeftOutError if turned."""
    scale_xy = scale_between(drawn_hw, size_hw)
    if isinstance(segmentation, dict):
        return rle_from_mask(resize_mask(mask_from_rle(segmentation), size_hw))
    return segmentation and [scale_polygon(polygon, scale_xy) for polygon in segmentation]
