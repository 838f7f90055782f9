"""Outlines as COCO stores them: area, extent and clipping, for one polygon or for a whole file at once.

A polygon is a flat list [x0, y0, x1, y1, ...] in px (``polygon_xy``) or a (P, 2) float64 array (``points_xy``);
P is the number of points. Not here: rasterising (``segtumor.structures.masks``).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Box, Boxes, Floats, Ints, SizeHW


def polygon_area(points_xy: ArrayLike) -> float:
    """Area enclosed by (P, 2) points, px^2 (the shoelace formula); 0 for fewer than three points."""
    points = np.asarray(points_xy, dtype=np.float64).reshape(-1, 2)
    if len(points) < 3:
        return 0.0
    x, y = (points - points[0]).T  # relative to a corner, so that large coordinates do not cancel
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def tight_box(points_xy: ArrayLike) -> Box:
    """(x0, y0, x1, y1) of (P, 2) points, px, P >= 1."""
    points = np.asarray(points_xy, dtype=np.float64)
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return x0, y0, x1, y1


def clip_polygon(points_xy: ArrayLike, size_hw: tuple[float, float]) -> Floats:
    """The part of a polygon inside the image (Sutherland and Hodgman, Commun. ACM 17(1), 1974).

    Args:
        points_xy: (P, 2), px.
        size_hw: (height, width) of the image, px.

    Returns:
        (Q, 2) float64; Q is 0 if nothing of it is inside. A concave outline that leaves the image and returns keeps its
        parts joined by an edge along the border, which encloses no area.
    """
    height, width = size_hw
    points = np.asarray(points_xy, dtype=np.float64).reshape(-1, 2)
    for axis, limit, sign in ((0, 0, 1), (0, width, -1), (1, 0, 1), (1, height, -1)):
        points = _clip_half_plane(points, axis, limit, sign)
    return points


def _clip_half_plane(points: Floats, axis: int, limit: float, sign: int) -> Floats:
    kept = []
    for previous, current in zip(np.roll(points, 1, axis=0), points, strict=True):
        before, now = sign * (previous[axis] - limit), sign * (current[axis] - limit)
        if (before < 0) != (now < 0):
            crossing = previous + (current - previous) * (before / (before - now))
            crossing[axis] = limit  # exactly on the border, whatever the rounding
            kept.append(crossing)
        if now >= 0:
            kept.append(current)
    return np.array(kept, dtype=np.float64).reshape(-1, 2)


def outside_image(polygon_xy: Sequence[float], size_hw: SizeHW) -> bool:
    """Whether any point of a flat polygon lies beyond the image."""
    height, width = size_hw
    x, y = polygon_xy[0::2], polygon_xy[1::2]
    return min(x) < 0 or min(y) < 0 or max(x) > width or max(y) > height


def measure_polygons(polygons: Sequence[Floats]) -> tuple[Floats, Boxes]:
    """Area and tight box of many polygons in a few array operations; one file may hold hundreds of thousands.

    Args:
        polygons: N float64 arrays, flat, of even length >= 2, finite.

    Returns:
        (N,) areas in px^2 and (N, 4) boxes (x0, y0, x1, y1) in px.
    """
    if not polygons:
        return np.zeros(0), np.zeros((0, 4))
    points, following, starts = _joined(polygons)
    x, y = (points - np.repeat(points[starts], np.diff(starts, append=len(points)), axis=0)).T
    areas = np.abs(np.add.reduceat(x * y[following] - y * x[following], starts)) / 2
    low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
    return areas, np.concatenate([low, high], axis=1)


def polygon_lengths(polygons: Sequence[Floats]) -> Floats:
    """(N,) lengths of the closed outlines of N flat float64 polygons, in px and chessboard steps."""
    if not polygons:
        return np.zeros(0)
    points, following, starts = _joined(polygons)
    return np.add.reduceat(np.abs(points[following] - points).max(axis=1), starts)


def _joined(polygons: Sequence[Floats]) -> tuple[Floats, Ints, Ints]:
    """The points of all polygons, (P, 2), the index of the point that follows each, and where each polygon starts."""
    counts = np.array([len(polygon) // 2 for polygon in polygons])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    points = np.concatenate(polygons).reshape(-1, 2)
    following = np.arange(1, len(points) + 1)
    following[starts + counts - 1] = starts  # the last point of each polygon joins its first
    return points, following, starts
