"""Mosaics: training images put together of parts of four (YOLOv4, Bochkovskiy et al. 2020, section 3.3).

Every lesion is then seen at other places, cut by other borders and beside other bones, and more of them in a batch.
Not here: augmentation of the whole, which follows as for any image (``mapper``).
Letters: h, w size of the mosaic; L lesions.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Where the four meet, as a share of height and width.
_MEETING = (0.25, 0.75)

#: Pixels (h, w) float32, and the masks of the lesions on them, (L, h, w) bool.
Tile = tuple[NDArray[np.float32], NDArray[np.bool_]]


def mosaic(tiles: Sequence[Tile], rng: np.random.Generator) -> Tile:
    """Four images around a random point, each with the corner that lies there, cut to the size of the first.

    Args:
        tiles: upper left, upper right, lower left, lower right, of any sizes.
        rng: the same state gives the same result.

    Returns:
        pixels, black where no image reaches, and the masks of all lesions in the order of the tiles; one that is cut
        off has an empty mask.
    """
    height, width = tiles[0][0].shape
    row, column = (int(side * rng.uniform(*_MEETING)) for side in (height, width))
    pixels = np.zeros((height, width), dtype=np.float32)
    masks = np.zeros((sum(len(tile_masks) for _, tile_masks in tiles), height, width), dtype=bool)
    first = 0
    for index, (tile, tile_masks) in enumerate(tiles):
        rows, tile_rows = _along(row, height, tile.shape[0], before=index < 2)
        columns, tile_columns = _along(column, width, tile.shape[1], before=index % 2 == 0)
        pixels[rows, columns] = tile[tile_rows, tile_columns]
        masks[first : first + len(tile_masks), rows, columns] = tile_masks[:, tile_rows, tile_columns]
        first += len(tile_masks)
    return pixels, masks


def _along(meeting: int, side: int, tile_side: int, *, before: bool) -> tuple[slice, slice]:
    """On one axis, the part of the mosaic that a tile before or after the meeting point fills, and its own part."""
    if before:
        length = min(meeting, tile_side)
        return slice(meeting - length, meeting), slice(tile_side - length, tile_side)
    length = min(side - meeting, tile_side)
    return slice(meeting, meeting + length), slice(0, length)
