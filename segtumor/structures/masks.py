"""Binary masks, and the COCO run-length encoding (RLE) they are stored in.

A mask is (H, W) bool. An RLE is ``{"size": [H, W], "counts": str}``, the compressed form of the COCO API: a 4,000 px
radiograph with a hundred findings stays in kilobytes. Letters: H, W image height and width; N, M numbers of masks.
Inputs are never modified.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pycocotools import mask as _typed

from segtumor.arrays import Array, Box, Floats, Mask, Rle, SizeHW
from segtumor.errors import DataError
from segtumor.structures.rle import decompressed_runs
from segtumor.system.opencv import cv2

coco_mask: Any = _typed  # its stubs know no RLE that is only read


def rle_from_mask(mask: ArrayLike) -> Rle:
    """(H, W) bool -> RLE."""
    rle = coco_mask.encode(np.asfortranarray(np.asarray(mask, dtype=np.uint8)))
    return {"size": [int(n) for n in rle["size"]], "counts": rle["counts"].decode("ascii")}


def rle_from_crop(crop: Array, top: int, left: int, size_hw: SizeHW) -> Rle:
    """RLE of an image that is empty but for a part of it, without building the image.

    Args:
        crop: (h, w) bool, the part.
        top: row of its first pixel in the image.
        left: column of its first pixel.
        size_hw: (H, W) of the image, which holds the whole part.
    """
    height, width = size_hw
    columns = np.zeros((crop.shape[1], crop.shape[0] + 2), dtype=bool)  # transposed, as an RLE runs down the columns
    columns[:, 1:-1] = np.asarray(crop, dtype=bool).T
    column, row = np.divmod(np.flatnonzero(columns[:, 1:] != columns[:, :-1]), crop.shape[0] + 1)
    changes = (left + column) * height + top + row  # where background and lesion alternate, rising
    # A run that ends at the bottom goes on at the top of the next column: both changes are at one place, and none is.
    joined = np.flatnonzero(changes[1:] == changes[:-1])
    if len(joined):
        changes = np.delete(changes, np.concatenate([joined, joined + 1]))
    runs = np.diff(np.concatenate([[0], changes, [height * width]])).tolist()
    if len(runs) > 1 and runs[-1] == 0:
        runs.pop()
    counts = coco_mask.frPyObjects({"size": [height, width], "counts": runs}, height, width)["counts"]
    return {"size": [int(height), int(width)], "counts": counts.decode("ascii")}


def mask_from_rle(rle: Rle) -> Mask:
    """RLE -> (H, W) bool."""
    mask: Mask = coco_mask.decode(rle).view(bool)  # zeros and ones only; a view spares a pass over the image
    return mask


def crop_from_rle(rle: Rle) -> tuple[Mask, int, int]:
    """The part of a mask that its lesion covers, without building the image; undoes ``rle_from_crop``.

    Returns:
        (crop (h, w) bool, row of its first pixel, column of its first pixel); h and w are 0 for an empty mask.
    """
    height = rle["size"][0]
    ends = np.cumsum(decompressed_runs(rle["counts"]))
    starts, ends = ends[: len(ends) // 2 * 2].reshape(-1, 2).T  # of what is set, pixel numbers down the columns
    starts, ends = starts[starts < ends], ends[starts < ends]
    if not len(starts):
        return np.zeros((0, 0), dtype=bool), 0, 0
    first, last = starts[0] // height, (ends[-1] - 1) // height
    changes = np.zeros((last + 1 - first) * height + 1, dtype=np.int8)
    changes[starts - first * height] = 1
    changes[ends - first * height] -= 1  # where one stretch ends and the next begins, nothing changes
    columns = np.cumsum(changes[:-1], dtype=np.int8).view(bool).reshape(-1, height)
    rows = np.flatnonzero(columns.any(axis=0))
    return np.ascontiguousarray(columns[:, rows[0] : rows[-1] + 1].T), int(rows[0]), int(first)


def rle_from_polygons(polygons: Sequence[Sequence[float]], size_hw: SizeHW) -> Rle:
    """The union of polygons, rasterised as pycocotools does.

    Args:
        polygons: lists [x0, y0, x1, y1, ...] in px, at least three points each.
        size_hw: (H, W) of the image.
    """
    height, width = size_hw
    merged = coco_mask.merge(coco_mask.frPyObjects([list(map(float, p)) for p in polygons], height, width))
    return {"size": [height, width], "counts": merged["counts"].decode("ascii")}


def draw_polygons(polygons: Sequence[ArrayLike], canvas: Mask) -> None:
    """Set the union of polygons in ``canvas``, (H, W) bool, which is changed.

    Only the part around the polygons is encoded and decoded: a lesion is small against its radiograph. The pixels are
    those of ``rle_from_polygons``, but for a tie of its rounding along an edge: one pixel in one of 10,000 polygons.

    Args:
        polygons: (P, 2) arrays of (x, y) in px, or lists [x0, y0, ...]; what lies outside the canvas is left out.
    """
    points = [np.reshape(np.asarray(polygon, dtype=np.float64), (-1, 2)) for polygon in polygons]
    # pycocotools rounds corners to fifths of a pixel; before the origin moves, as the move is not exact. Below zero,
    # where it rounds otherwise, the origin stays.
    points = [np.where(p >= 0, np.floor(p * 5 + 0.5) / 5, p) for p in points]
    low = np.min([p.min(axis=0) for p in points], axis=0)
    high = np.max([p.max(axis=0) for p in points], axis=0)
    # Whole pixels, so that the part is rasterised as it would be in place; one more at the far side.
    x0, y0 = (max(0, int(np.floor(value))) for value in low)
    x1, y1 = (min(limit, int(np.ceil(value)) + 1) for value, limit in zip(high, canvas.shape[::-1], strict=True))
    if x0 < x1 and y0 < y1:
        part = rle_from_polygons([(p - (x0, y0)).ravel().tolist() for p in points], (y1 - y0, x1 - x0))
        canvas[y0:y1, x0:x1] |= mask_from_rle(part)


def rle_from_segmentation(segmentation: Any, size_hw: SizeHW) -> Rle:
    """The ``segmentation`` field of a COCO annotation (polygons, uncompressed or compressed RLE) -> RLE.

    Raises:
        DataError: it is none of the three, or an RLE of another image size.
    """
    height, width = size_hw
    if isinstance(segmentation, list) and segmentation:
        return rle_from_polygons(segmentation, size_hw)
    if not isinstance(segmentation, dict) or "counts" not in segmentation or "size" not in segmentation:
        raise DataError("segmentation is neither polygons nor an RLE", got=f"{segmentation!r:.80}")
    if list(segmentation["size"]) != [height, width]:
        raise DataError("RLE of another image size", got=segmentation["size"], expected=[height, width])
    if isinstance(segmentation["counts"], list):
        segmentation = coco_mask.frPyObjects(segmentation, height, width)
    counts = segmentation["counts"]
    return {"size": [height, width], "counts": counts.decode("ascii") if isinstance(counts, bytes) else counts}


def rle_area(rle: Rle) -> int:
    """Number of pixels set, int."""
    return int(coco_mask.area(rle))


def rle_box(rle: Rle) -> Box:
    """Tight box (x0, y0, x1, y1) of an RLE in px; all 0 for an empty mask."""
    left, top, width, height = coco_mask.toBbox(rle).tolist()
    return left, top, left + width, top + height


def mask_iou(first_rles: Sequence[Rle], second_rles: Sequence[Rle]) -> Floats:
    """Intersection over union of every pair of RLEs of one image; (N, M) float64 in [0, 1], 0 for two empty masks."""
    if not first_rles or not second_rles:
        return np.zeros((len(first_rles), len(second_rles)))
    overlap: Floats = coco_mask.iou(list(first_rles), list(second_rles), [0] * len(second_rles))
    return np.nan_to_num(overlap)


def dice_from_iou(iou: ArrayLike) -> Floats:
    """Dice coefficient 2|A∩B| / (|A|+|B|) = 2 IoU / (1 + IoU), elementwise, in [0, 1]."""
    overlap: Floats = np.asarray(iou, dtype=np.float64)
    dice: Floats = 2 * overlap / (1 + overlap)
    return dice


def box_from_mask(mask: ArrayLike) -> Box | None:
    """Tight box (x0, y0, x1, y1) of a (H, W) bool mask in px, or None if the mask is empty."""
    x0, y0, width, height = cv2.boundingRect(np.ascontiguousarray(mask, dtype=bool).view(np.uint8))
    return (float(x0), float(y0), float(x0 + width), float(y0 + height)) if width else None


def fill_holes(mask: ArrayLike) -> Mask:
    """(H, W) bool -> (H, W) bool with every hole filled, a region of background that no path joins to the outside.

    Paths run along rows and columns, not diagonally; what touches the border is outside. Idempotent.
    """
    background = np.pad(~np.asarray(mask, dtype=bool), 1, constant_values=True)
    _, labels = cv2.connectedComponents(background.astype(np.uint8), connectivity=4)
    filled: Mask = (labels != labels[0, 0])[1:-1, 1:-1]
    return filled


def mask_contours(mask: ArrayLike) -> list[Array]:
    """Outlines of a (H, W) bool mask, holes included: a list of (P, 2) int arrays of (x, y), for drawing."""
    contours, _ = cv2.findContours(np.asarray(mask, dtype=np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return [contour.reshape(-1, 2) for contour in contours]
