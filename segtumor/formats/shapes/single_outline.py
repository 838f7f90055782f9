"""One polygon for a lesion of several parts or with holes, for formats that hold a single outline per lesion.

The outlines are joined by bridges of no width, there and back on the same line (a keyhole). A rasteriser with the
even-odd rule, such as that of pycocotools, crosses a bridge twice and thus paints the same pixels. One that also draws
the line of the outline (OpenCV) paints the bridges, which are therefore short. Not here: finding outlines
(``segtumor.structures.outlines``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtumor.arrays import SizeHW
from segtumor.formats.collection import Segmentation
from segtumor.structures.masks import mask_from_rle, rle_from_polygons, rle_from_segmentation
from segtumor.structures.outlines import outlines_from_mask, turned

#: Kind of the Remark on an outline that was joined.
BRIDGED = "holes or parts written as one outline with bridges"
_MANY = 200


def is_compound(annotation: Mapping[str, Any]) -> bool:
    """Whether the lesion of a COCO annotation has several outlines, or holes, so that its one polygon has bridges."""
    segmentation = annotation.get("segmentation")
    return isinstance(segmentation, Mapping) or len(segmentation or ()) > 1


def keyhole_polygon(segmentation: Segmentation, size_hw: SizeHW) -> list[float]:
    """A sound COCO segmentation as one flat polygon, px, that rasterises (pycocotools) to the same mask.

    A single polygon is returned as it is; several keep their corners if they do not overlap; overlapping ones and an
    RLE are outlined again, along the pixels. Empty if no pixel is marked.
    """
    polygons = [] if isinstance(segmentation, Mapping) else segmentation
    if len(polygons) == 1:
        return list(polygons[0])
    wanted = rle_from_segmentation(segmentation, size_hw)
    if polygons:
        joined = join_outlines([turned(polygon, clockwise=True) for polygon in polygons])
        if rle_from_polygons([joined], size_hw) == wanted:
            return joined
    return join_outlines(outlines_from_mask(mask_from_rle(wanted)))


def join_outlines(outlines: Sequence[Sequence[float]]) -> list[float]:
    """Flat polygons joined to one, each bridged from its nearest corner to the nearest one of those before it.

    More than 200 (noise, not a lesion) are all bridged to the first corner, which takes no search.
    """
    if not outlines:
        return []
    joined, *others = (np.reshape(outline, (-1, 2)) for outline in outlines)
    if len(others) > _MANY:
        start = joined[:1]
        loops = [part for points in others for part in (points, points[:1], start)]
        return np.concatenate([joined, start, *loops]).ravel().tolist()
    for points in others:
        here, there = _nearest_corners(joined, points)
        around = np.concatenate([points[there:], points[: there + 1]])
        joined = np.concatenate([joined[: here + 1], around, joined[here:]])
    return joined.ravel().tolist()


def _nearest_corners(joined: NDArray[np.float64], points: NDArray[np.float64]) -> SizeHW:
    """Indices into the two (P, 2) arrays of the two corners that are closest to each other."""
    from scipy.spatial import KDTree

    distances, nearest = KDTree(joined).query(points)
    there = int(np.argmin(distances))
    return int(np.atleast_1d(nearest)[there]), there
