"""How well a heat map agrees with a lesion: plain numbers, so that maps are judged and not only looked at.

Letters: H, W of the radiograph.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class HeatScores:
    """Agreement of one map with the lesions of its radiograph.

    Attributes:
        points_inside: whether the hottest pixel is in a lesion (the pointing game, Zhang et al. 2016).
        energy_inside: part of the heat that lies in lesions, [0, 1] (Wang et al. 2020); NaN without heat.
        iou: of the lesions and as many of the hottest pixels as they have, [0, 1].
    """

    points_inside: bool
    energy_inside: float
    iou: float


def score_heat(heat: NDArray[np.floating], lesions: NDArray[np.bool_]) -> HeatScores:
    """Compare a map with what is true.

    Args:
        heat: (H, W), 0 or more.
        lesions: (H, W) bool, the union of the lesions.

    Raises:
        ValueError: the shapes differ, or there is no lesion.
    """
    if heat.shape != lesions.shape or not lesions.any():
        raise ValueError(f"heat of {heat.shape}, lesions of {lesions.shape} with {int(lesions.sum())} px")
    total = float(heat.sum())
    count = int(lesions.sum())
    hottest = np.zeros(heat.size, dtype=bool)
    hottest[np.argsort(-heat, axis=None, kind="stable")[:count]] = True
    both = int((hottest & lesions.ravel()).sum())
    return HeatScores(
        points_inside=bool(lesions.flat[int(heat.argmax())]),
        energy_inside=float(heat[lesions].sum()) / total if total > 0 else float("nan"),
        iou=both / (2 * count - both),
    )
