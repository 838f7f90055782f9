"""Anchors fitted to the lesions of a training set.

A box and an anchor go together as far as their widths and heights agree as ratios, so they are clustered by the
logarithms of both (k-means, in which distances are ratios). YOLOv5 clusters widths and heights themselves and mends the
result by random changes, for the same measure: the share of boxes within the ratio that training allows.
Letters: B boxes, A anchors.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.cluster.vq import kmeans2

from segtumor.arrays import Floats

#: A box is learnt by anchors whose width and height are less than so many times smaller or larger.
LARGEST_RATIO = 4.0
_ROUNDS = 30


def fit_anchors(sizes_wh: ArrayLike, known_wh: ArrayLike, *, seed: int) -> Floats:
    """Anchors for boxes of these sizes, as many as there are known ones, smallest area first.

    Args:
        sizes_wh: (B, 2), width and height of training boxes, px at the model's size, above 0.
        known_wh: (A, 2), anchors made for other boxes. With fewer than A different boxes, nothing can be fitted: the
            known ones come back, scaled so that their middle lies at that of the boxes, or as they are without any.
        seed: of the clusters' first places.

    Returns:
        (A, 2) float64, px.
    """
    sizes, known = np.asarray(sizes_wh, dtype=float).reshape(-1, 2), np.asarray(known_wh, dtype=float).reshape(-1, 2)
    logs = np.log(sizes)
    if len(np.unique(logs, axis=0)) < len(known):
        scale = np.exp(np.median(logs.mean(axis=1)) - np.median(np.log(known).mean(axis=1))) if len(sizes) else 1.0
        found = known * scale
    else:
        centres, _ = kmeans2(logs, len(known), iter=_ROUNDS, minit="++", rng=np.random.default_rng(seed))
        found = np.exp(centres)
    return found[np.argsort(found.prod(axis=1), kind="stable")]


def covered_share(sizes_wh: ArrayLike, anchors_wh: ArrayLike) -> float:
    """Share of boxes that some anchor can learn, [0, 1]; NaN without boxes."""
    sizes, anchors = np.asarray(sizes_wh, dtype=float).reshape(-1, 2), np.asarray(anchors_wh, dtype=float)
    if not len(sizes):
        return float("nan")
    ratios = sizes[:, None] / anchors.reshape(-1, 2)
    worst = np.maximum(ratios, 1 / ratios).max(axis=2)
    return float((worst.min(axis=1) < LARGEST_RATIO).mean())


def by_level(anchors_wh: Floats, levels: int) -> list[list[float]]:
    """(A, 2) -> for each level [w, h, w, h, ...], finest first, as the configuration has them."""
    return [[round(float(value), 1) for value in part.ravel()] for part in np.split(anchors_wh, levels)]


def of_levels(levels: Sequence[Sequence[float]]) -> Floats:
    """What ``by_level`` gave -> (A, 2)."""
    return np.concatenate([np.reshape(np.asarray(level, dtype=float), (-1, 2)) for level in levels])
