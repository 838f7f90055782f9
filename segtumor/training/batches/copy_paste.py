"""Copy-paste: a lesion of one training image on another (Ghiasi et al. 2021), fitted to where it is put.

A radiograph is a shadow picture, and a patch that is cut out with its gray shows by its border. The patch is therefore
brought to the brightness of its new surroundings, blended softly, and put where they are most like its old ones, which
favours bone over soft tissue and background. Not here: augmentation of the whole, which follows as for any image
(``mapper``).
Letters: h, w size of an image; L lesions.
"""

import numpy as np
from numpy.typing import NDArray

from segtumor.arrays import Mask
from segtumor.structures.masks import box_from_mask
from segtumor.system.opencv import cv2
from segtumor.training.batches.mosaic import Tile

#: Places that are looked at.
_PLACES = 16
#: Surroundings of a lesion, as a share of its longer side and at least so many px.
_MARGIN, _LEAST_MARGIN_PX = 0.25, 3


def paste_lesion(onto: Tile, donor: Tile, rng: np.random.Generator) -> Tile:
    """One lesion of ``donor``, mirrored or not, on ``onto``.

    Args:
        onto, donor: pixels (h, w) float32 in [0, 1] and masks (L, h, w) bool, of any two sizes.
        rng: the same state gives the same result.

    Returns:
        pixels, and the masks of all lesions of both: those of ``onto`` without what is now covered, then those of
        ``donor``, all empty but for the pasted one, or for none where it has no room.
    """
    pixels, masks = onto
    drawn = np.flatnonzero(donor[1].any(axis=(1, 2)))
    added = np.zeros((len(donor[1]), *pixels.shape), dtype=bool)
    if not len(drawn):
        return pixels, np.concatenate([masks, added])
    index = int(rng.choice(drawn))
    patch, cover = _patch(donor[0], donor[1][index])
    if rng.random() < 0.5:
        patch, cover = patch[:, ::-1], cover[:, ::-1]
    taken: Mask = np.any(masks, axis=0)
    place = _place(pixels, taken, patch, cover, rng)
    if place is None:
        return pixels, np.concatenate([masks, added])
    window = (slice(place[0], place[0] + cover.shape[0]), slice(place[1], place[1] + cover.shape[1]))
    result = pixels.copy()
    result[window] = _blended(pixels[window], patch, cover)
    added[(index, *window)] = cover
    return result, np.concatenate([masks & ~added[index], added])


def _patch(pixels: NDArray[np.float32], mask: Mask) -> tuple[NDArray[np.float32], Mask]:
    """A lesion with its surroundings: pixels and mask of the part of the image around it."""
    x0, y0, x1, y1 = map(int, box_from_mask(mask) or (0, 0, 1, 1))
    margin = max(_LEAST_MARGIN_PX, round(_MARGIN * max(x1 - x0, y1 - y0)))
    rows, columns = slice(max(0, y0 - margin), y1 + margin), slice(max(0, x0 - margin), x1 + margin)
    return pixels[rows, columns], mask[rows, columns]


def _place(
    pixels: NDArray[np.float32], taken: Mask, patch: NDArray[np.float32], cover: Mask, rng: np.random.Generator
) -> tuple[int, int] | None:
    """Row and column where a patch goes: of some random places without a lesion, that with the most alike
    surroundings; None where there is none."""
    room = [size - side for size, side in zip(pixels.shape, cover.shape, strict=True)]
    if min(room) < 0:
        return None
    around = ~cover
    best, least = None, np.inf
    for row, column in rng.integers(0, np.add(room, 1), size=(_PLACES, 2)).tolist():
        window = (slice(row, row + cover.shape[0]), slice(column, column + cover.shape[1]))
        if (taken[window] & cover).any():
            continue
        change = float(np.abs(pixels[window] - patch)[around].mean()) if around.any() else 0.0
        if change < least:
            best, least = (row, column), change
    return best


def _blended(under: NDArray[np.float32], patch: NDArray[np.float32], cover: Mask) -> NDArray[np.float32]:
    """A patch over the pixels that it covers, brought to their brightness, with a soft border."""
    around = ~cover
    shift = float(under[around].mean() - patch[around].mean()) if around.any() else 0.0
    softness = max(1.0, _MARGIN * float(np.sqrt(cover.sum())) / 2)
    soft = cv2.GaussianBlur(cover.astype(np.float32), (0, 0), softness)
    share = np.maximum(soft, cover)  # the lesion itself is whole
    blended: NDArray[np.float32] = (1 - share) * under + share * (patch + np.float32(shift))
    return blended.clip(0, 1)
