"""Copy-paste: a lesion of one training image on another (Ghiasi et al. 2021), fitted to where it is put.

A radiograph is a shadow picture, and a patch that is cut out with its gray shows by its border. The patch is therefore
brought to the brightness of its new surroundings, blended softly, and put where they are most like its old ones, which
favours bone over soft tissue and background. Not here: augmentation of the whole, which follows as for any image
(``mapper``).
Letters: h, w size of an image; L lesions.
"""

from dataclasses import dataclass
from typing import TypeAlias

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
#: A smaller share of a patch is not seen.
_VISIBLE = 0.02
_Window: TypeAlias = tuple[slice, slice]


def paste_lesion(onto: Tile, donor: Tile, rng: np.random.Generator) -> Tile:
    """One lesion of ``donor``, mirrored or not, on ``onto``, away from the lesions there.

    Args:
        onto, donor: pixels (h, w) float32 in [0, 1] and masks (L, h, w) bool, of any two sizes.
        rng: the same state gives the same result.

    Returns:
        pixels, and the masks of all lesions of both: those of ``onto`` as they were, then those of ``donor``, all empty
        but for the pasted one, or for none where it has no room.
    """
    pixels, masks = onto
    drawn = np.flatnonzero(donor[1].any(axis=(1, 2)))
    added = np.zeros((len(donor[1]), *pixels.shape), dtype=bool)
    if len(drawn):
        index = int(rng.choice(drawn))
        patch = _patch(donor[0], donor[1], index)
        patch = patch.mirrored() if rng.random() < 0.5 else patch
        taken: Mask = np.any(masks, axis=0)
        place = _place(pixels, taken, patch, rng)
        if place is not None:
            pixels = pixels.copy()
            pixels[place] = _blended(pixels[place], patch, patch.around & ~taken[place])
            added[(index, *place)] = patch.cover
    return pixels, np.concatenate([masks, added])


@dataclass(frozen=True)
class _Patch:
    """A lesion with its surroundings.

    Attributes:
        pixels: (h, w) float32.
        cover: (h, w) bool, the lesion.
        share: (h, w) float32 in [0, 1], of the patch in what it is blended with: 1 on the lesion, falling to 0 around
            it, 0 on its neighbours.
        around: (h, w) bool, neither the lesion nor its neighbours.
    """

    pixels: NDArray[np.float32]
    cover: Mask
    share: NDArray[np.float32]
    around: Mask

    def mirrored(self) -> "_Patch":
        return _Patch(self.pixels[:, ::-1], self.cover[:, ::-1], self.share[:, ::-1], self.around[:, ::-1])


def _patch(pixels: NDArray[np.float32], masks: NDArray[np.bool_], index: int) -> _Patch:
    x0, y0, x1, y1 = map(int, box_from_mask(masks[index]) or (0, 0, 1, 1))
    margin = max(_LEAST_MARGIN_PX, round(_MARGIN * max(x1 - x0, y1 - y0)))
    window = (slice(max(0, y0 - margin), y1 + margin), slice(max(0, x0 - margin), x1 + margin))
    cover = masks[(index, *window)]
    neighbours = masks[(slice(None), *window)].any(axis=0) & ~cover
    softness = max(1.0, _MARGIN * float(np.sqrt(cover.sum())) / 2)
    soft = cv2.GaussianBlur(cover.astype(np.float32), (0, 0), softness)
    share = np.where(neighbours, 0, np.maximum(soft, cover)).astype(np.float32)
    return _Patch(pixels[window], cover, share, ~cover & ~neighbours)


def _place(pixels: NDArray[np.float32], taken: Mask, patch: _Patch, rng: np.random.Generator) -> _Window | None:
    """Where a patch goes: of some random places whose lesions it does not touch, that with the most alike
    surroundings; None where there is none."""
    height, width = patch.cover.shape
    room = (pixels.shape[0] - height, pixels.shape[1] - width)
    if min(room) < 0:
        return None
    best, least = None, np.inf
    for row, column in rng.integers(0, np.add(room, 1), size=(_PLACES, 2)).tolist():
        window = (slice(row, row + height), slice(column, column + width))
        if (taken[window] & (patch.share > _VISIBLE)).any():
            continue
        change = np.abs(pixels[window] - patch.pixels)[patch.around & ~taken[window]]
        if float(change.mean() if change.size else 0) < least:
            best, least = window, float(change.mean() if change.size else 0)
    return best


def _blended(under: NDArray[np.float32], patch: _Patch, around: Mask) -> NDArray[np.float32]:
    """A patch over the pixels at its place, brought to their brightness ``around`` it."""
    change = (under - patch.pixels)[around]
    shift = np.float32(change.mean() if change.size else 0)
    blended: NDArray[np.float32] = (1 - patch.share) * under + patch.share * (patch.pixels + shift)
    return blended.clip(0, 1)
