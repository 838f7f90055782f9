"""Masks as CVAT has them: run lengths row by row, background first.

COCO counts column by column: that is ``segtumor.structures.masks``.
"""

from collections.abc import Sequence

import numpy as np

from segtumor.annotations.remarks import LeftOutError
from segtumor.arrays import Ints, Mask, SizeHW
from segtumor.imaging import MAX_PIXELS
from segtumor.structures.rle import flat_from_runs, run_lengths


def mask_from_row_runs(runs: Sequence[int] | Ints, size_hw: SizeHW) -> Mask:
    """Run lengths, the first of background, to an (H, W) mask; raises LeftOutError unless they make that size."""
    height, width = size_hw
    if min(height, width) <= 0 or height * width > MAX_PIXELS:
        raise LeftOutError("mask not readable", f"of {height} x {width} px")
    runs = np.asarray(runs, dtype=np.int64)
    if np.any(runs < 0) or np.any(runs > MAX_PIXELS) or runs.sum() != height * width:
        raise LeftOutError("mask not readable", f"its runs do not add up to {height} x {width} px")
    return flat_from_runs(runs).reshape(height, width)


def row_runs_of_mask(mask: Mask) -> list[int]:
    """(H, W) bool -> list of run lengths, row by row, background first."""
    runs: list[int] = run_lengths(mask.ravel()).tolist()
    return runs
