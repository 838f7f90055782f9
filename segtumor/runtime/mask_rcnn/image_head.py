"""What the image head of a Mask R-CNN sees: every feature map, pooled over the whole image.

Equivalent to the pooling of ``models.detectors.image_head``, on channels-last maps.
"""

from collections.abc import Sequence

import numpy as np

from segtumor.arrays import Floats32


def pooled_maps(features: Sequence[Floats32]) -> Floats32:
    """Mean and maximum of every channel of every map.

    Args:
        features: L maps (N, h, w, C) float32.

    Returns:
        (N, 2 * sum of C) float32: of the first map the means, then the maxima, then of the second, ...
    """
    pooled = [pool(feature, axis=(1, 2)) for feature in features for pool in (np.mean, np.max)]
    return np.concatenate(pooled, axis=1, dtype=np.float32)
