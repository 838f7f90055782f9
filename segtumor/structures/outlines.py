"""From pixels to outlines: polygons that rasterise (pycocotools) to the very mask they were drawn from.

Not here: the way back (``segtumor.structures.masks.rle_from_polygons``), and one polygon for a mask with holes
(``segtumor.formats.shapes.single_outline``).
"""

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import FlatPolygon
from segtumor.structures.masks import fill_holes
from segtumor.system.opencv import cv2


def polygons_from_mask(mask: ArrayLike) -> list[FlatPolygon]:
    """Outer outlines of a (H, W) bool mask without holes, as COCO polygons in px, one for each 8-connected part.

    Drawn on the threefold enlarged mask, whose outermost sample points lie 1/6 px inside the pixels' edges: unlike
    the outline through pixel centres, it rasterises (pycocotools) to the very mask it came from.
    """
    mask = np.asarray(mask, dtype=np.uint8)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return []
    # Only the part that holds the lesion is enlarged: nine times a radiograph is much.
    tight = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    enlarged = tight.repeat(3, axis=0).repeat(3, axis=1)
    contours, _ = cv2.findContours(enlarged, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    first = 3 * np.array([columns[0], rows[0]])
    return [np.round(((contour.reshape(-1, 2) + first).reshape(-1) + 0.5) / 3, 2).tolist() for contour in contours]


def outlines_from_mask(mask: ArrayLike) -> list[FlatPolygon]:
    """All outlines of a (H, W) bool mask: of its parts, of their holes, of islands in the holes, and so on.

    The mask is the exclusive or of the rasterised outlines, each exact to the pixel.

    Returns:
        list of flat polygons, px; outlines of parts and islands run clockwise as seen (y down), those of holes counter-
        clockwise, so that areas and holes add up with their signs.
    """
    remaining, outlines, clockwise = np.asarray(mask, dtype=bool), [], True
    while remaining.any():
        outlines += [turned(polygon, clockwise=clockwise) for polygon in polygons_from_mask(remaining)]
        remaining = fill_holes(remaining) & ~remaining
        clockwise = not clockwise
    return outlines


def turned(polygon: ArrayLike, *, clockwise: bool) -> FlatPolygon:
    """A flat polygon in the wanted sense of rotation as seen (y down), its first point first."""
    points = np.reshape(polygon, (-1, 2))
    x, y = (points - points[0]).T
    signed_area = np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))
    if (signed_area >= 0) != clockwise:
        points = np.concatenate([points[:1], points[:0:-1]])
    return points.ravel().tolist()
