"""Non-maximum suppression: of boxes that overlap much, only the one with the highest score stays.

Equivalent to torchvision's ``nms`` and ``batched_nms``, overlaps in float32 too, so that boxes whose overlap lies at
the threshold are decided alike. (For up to 1,000 boxes torchvision moves the groups apart instead of taking them one
by one, which rounds corners: there, a pair whose overlap is all but at the threshold may be decided otherwise.)

Letters: N, M boxes (x0, y0, x1, y1). Inputs are never modified.
"""

import numpy as np

from segtumor.arrays import Bools, Floats32, Ints

#: Boxes compared at once: large enough that NumPy's calls cost little, small enough to stop soon.
_BATCH = 64


def suppress(
    boxes: Floats32,
    scores: Floats32,
    *,
    iou_threshold: float,
    groups: Ints | None = None,
    limit: int | None = None,
) -> Ints:
    """Greedily by score: keep a box unless it overlaps a kept one of its group by more than the threshold.

    It stops as soon as ``limit`` boxes are kept, so that time goes by what is kept and not by N.

    Args:
        boxes: (N, 4) float32, finite.
        scores: (N,) finite; of equal scores, the first comes first.
        iou_threshold: a box goes if its intersection over union with a kept one is above it.
        groups: (N,) int, level or class; boxes of different groups do not compete. None: all are of one group.
        limit: number of boxes to keep at most; None for all.

    Returns:
        indices of the kept boxes, (n,) int, highest score first.
    """
    by_score = np.argsort(-np.asarray(scores), kind="stable")
    boxes = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)[by_score]
    group_of = np.zeros(len(boxes), dtype=np.intp) if groups is None else np.asarray(groups)[by_score]
    limit = len(boxes) if limit is None else limit
    threshold = _at_most(iou_threshold)

    def compete(first: Ints, second: Ints) -> Bools:
        same: Bools = group_of[first, None] == group_of[second]
        return same & (box_overlaps(boxes[first], boxes[second]) > threshold)

    kept = np.empty(0, dtype=np.intp)
    for start in range(0, len(boxes), _BATCH):
        if len(kept) >= limit:
            break
        batch = np.arange(start, min(start + _BATCH, len(boxes)))
        batch = batch[~compete(batch, kept).any(axis=1)]
        kept = np.append(kept, batch[_winners(compete(batch, batch))])
    return by_score[kept[:limit]]


def box_overlaps(first: Floats32, second: Floats32) -> Floats32:
    """(N, 4), (M, 4) float32 -> (N, M) float32, intersection over union; NaN for two boxes without area."""
    corners, others = first.T[:, :, None], np.ascontiguousarray(second.T)[:, None]  # (4, N, 1), (4, 1, M)
    sides = np.minimum(corners[2:], others[2:])
    sides -= np.maximum(corners[:2], others[:2])
    np.maximum(sides, 0, out=sides)
    shared: Floats32 = sides[0]
    shared *= sides[1]
    union = _areas(first)[:, None] + _areas(second)
    union -= shared
    with np.errstate(invalid="ignore"):
        shared /= union
    return shared


def _areas(boxes: Floats32) -> Floats32:
    areas: Floats32 = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas


def _winners(compete: Bools) -> Bools:
    """(N, N) bool, who cannot stay with whom, best first -> (N,) bool, who stays."""
    stays = np.ones(len(compete), dtype=bool)
    for index, rivals in enumerate(compete):
        if stays[index]:
            stays[index + 1 :] &= ~rivals[index + 1 :]
    return stays


def _at_most(number: float) -> np.float32:
    """The largest float32 not above a number: a float32 is above the one if and only if it is above the other."""
    rounded = np.float32(number)
    return rounded if float(rounded) <= number else np.nextafter(rounded, np.float32(-np.inf))
