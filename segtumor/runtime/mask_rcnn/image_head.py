"""What the image head of a Mask R-CNN sees, every feature map, pooled over the whole image; and what it says beside
probabilities.

Equivalent to the pooling of ``models.detectors.image_head``, on channels-last maps.
"""

from collections.abc import Sequence

import numpy as np

from segtumor.arrays import Floats32
from segtumor.structures.readings import UNLIKE_TRAINING, Note


def pooled_maps(features: Sequence[Floats32]) -> Floats32:
    """Mean and maximum of every channel of every map.

    Args:
        features: L maps (N, h, w, C) float32.

    Returns:
        (N, 2 * sum of C) float32: of the first map the means, then the maxima, then of the second, ...
    """
    pooled = [pool(feature, axis=(1, 2)) for feature in features for pool in (np.mean, np.max)]
    return np.concatenate(pooled, axis=1, dtype=np.float32)


def unlike_notes(unlikeness: float) -> tuple[Note, ...]:
    """The note on an image whose unlikeness (``models.detectors.typicality``) is above 1; none on others."""
    text = "The picture is unlike the radiographs that the model was trained on: do not rely on what it says"
    return (Note(UNLIKE_TRAINING, text),) if unlikeness > 1 else ()
