"""Mixup: two training images that shine through one another (Zhang et al. 2018), as detectors use it: the lesions of
both are there, and both bones must be read through the other's shadow (Zhang et al. 2019, "Bag of freebies", section
3.1). Not here: augmentation of the whole, which follows as for any image (``mapper``).

Letters: h, w size of an image; L lesions.
"""

import numpy as np

from segtumor.training.batches.mosaic import Tile

#: Both parameters of the beta distribution that shares are drawn from, as Zhang et al. 2019 have it.
_ALPHA = 1.5
#: Neither image has a smaller share: its lesions, which count in full, would hardly be seen.
_LEAST_SHARE = 0.25


def mixup(onto: Tile, other: Tile, rng: np.random.Generator) -> Tile:
    """The weighted mean of two images, from their upper left corner on, at the size of the first.

    Args:
        onto, other: pixels (h, w) float32 in [0, 1] and masks (L, h, w) bool, of any two sizes.
        rng: the same state gives the same result.

    Returns:
        pixels, where the second does not reach mixed with black, and the masks of all lesions of both, those of
        ``onto`` first; one that is cut off has an empty mask.
    """
    share = np.float32(np.clip(rng.beta(_ALPHA, _ALPHA), _LEAST_SHARE, 1 - _LEAST_SHARE))
    height, width = (min(sides) for sides in zip(onto[0].shape, other[0].shape, strict=True))
    pixels = share * onto[0]
    pixels[:height, :width] += (1 - share) * other[0][:height, :width]
    masks = np.zeros((len(other[1]), *pixels.shape), dtype=bool)
    masks[:, :height, :width] = other[1][:, :height, :width]
    return pixels, np.concatenate([onto[1], masks])
