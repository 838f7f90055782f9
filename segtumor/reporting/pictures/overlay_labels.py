"""Where labels go in a picture: pure geometry, px of the picture, x to the right, y down.

Not here: what labels say and how they are drawn (``overlay``). Inputs are never modified.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from segtumor.arrays import Box, Floats


def place_labels(
    anchors_xyxy: Sequence[NDArray[np.float64]],
    sizes_wh: Sequence[tuple[float, float]],
    picture_wh: tuple[int, int],
) -> list[Box | None]:
    """Where to write labels: each near its anchor, inside the picture, none over another, off the anchors if possible.

    Args:
        anchors_xyxy: (N, 4) boxes that the labels belong to, px; served in this order.
        sizes_wh: (N, 2) widths and heights of the labels, px.
        picture_wh: width and height of the picture, px.

    Returns:
        list of N (x0, y0, x1, y1), or None where there is no room left.
    """
    anchors = np.asarray(anchors_xyxy, dtype=np.float64).reshape(-1, 4)
    placed: list[Box | None] = []
    for anchor, size_wh in zip(anchors, sizes_wh, strict=True):
        boxes = _candidates(anchor, np.asarray(size_wh, dtype=np.float64), np.asarray(picture_wh, dtype=np.float64))
        taken = np.array([box for box in placed if box is not None]).reshape(-1, 4)
        boxes = boxes[_intersections(boxes, taken).sum(axis=1) == 0]
        if len(boxes) == 0:
            placed.append(None)
            continue
        # Covering a lesion is worse than any distance, which is at most 1 here.
        covering = _intersections(boxes, anchors).sum(axis=1) / np.prod(size_wh)
        cost = 2 * covering + _gaps(boxes, anchor) / math.hypot(*picture_wh)
        x0, y0, x1, y1 = map(float, boxes[int(np.argmin(cost))])
        placed.append((x0, y0, x1, y1))
    return placed


def leader_line(box: Box, anchor: NDArray[np.float64]) -> Box:
    """End points (x0, y0, x1, y1) of the shortest line between two boxes."""
    near = [np.clip((max(box[i], anchor[i]) + min(box[i + 2], anchor[i + 2])) / 2, box[i], box[i + 2]) for i in (0, 1)]
    return (*near, *(np.clip(near[i], anchor[i], anchor[i + 2]) for i in (0, 1)))


def _candidates(
    anchor: NDArray[np.float64], size_wh: NDArray[np.float64], picture_wh: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(C, 4) places for a label inside the picture, the usual ones first: above, below, right, left, then a grid."""
    room = picture_wh - size_wh
    if np.any(room < 0):
        return np.zeros((0, 4))
    (x0, y0, x1, y1), (width, height), gap = anchor, size_wh, size_wh[1] / 6
    near = [(x, y) for y in (y0 - height - gap, y1 + gap) for x in (x0, x1 - width, (x0 + x1 - width) / 2)]
    near += [(x, y) for x in (x1 + gap, x0 - width - gap) for y in (y0, (y0 + y1 - height) / 2, y1 - height)]
    columns = np.linspace(0, room[0], 2 + int(4 * room[0] / width))
    rows = np.linspace(0, room[1], 2 + int(2 * room[1] / height))
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    corners = np.floor(np.clip(np.concatenate([near, grid]), 0, room))
    return np.concatenate([corners, corners + size_wh], axis=1)


def _intersections(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 4), (M, 4) -> (N, M) areas that the boxes share, px^2."""
    sides = np.minimum(first[:, None, 2:], second[None, :, 2:]) - np.maximum(first[:, None, :2], second[None, :, :2])
    areas: Floats = np.prod(np.clip(sides, 0, None), axis=-1)
    return areas


def _gaps(boxes: NDArray[np.float64], anchor: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 4), (4,) -> (N,) distance between box and anchor, px; 0 where they touch."""
    sides = np.maximum(boxes[:, :2] - anchor[2:], anchor[:2] - boxes[:, 2:])
    gaps: Floats = np.hypot(*np.clip(sides, 0, None).T)
    return gaps
