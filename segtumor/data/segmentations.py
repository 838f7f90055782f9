"""What is wrong with the ``segmentation`` of COCO annotations: polygons, uncompressed and compressed RLE.

Polygons are measured all at once (``measure_polygons``). A compressed RLE is decoded to its runs, not to pixels:
pycocotools reads past the end of a corrupt one. Not here: the other fields (``segtumor.data.validation``).
"""

import numpy as np

from segtumor.data.polygons import clip_polygon, measure_polygons, polygon_area
from segtumor.structures.rle import rle_runs

#: No coordinate of a radiograph comes near it; products of larger ones would overflow.
COORDINATE_LIMIT_PX = 1e6


def is_number(value, limit=COORDINATE_LIMIT_PX):
    """Whether it is an int or float, no bool, finite and of plausible size."""
    return type(value) in (int, float) and -limit <= value <= limit


def segmentation_problems(segmented):
    """Faults of many segmentations.

    Args:
        segmented: tuples (key, annotation, size_hw or None, bbox xywh or None); the last two are None where they are
            themselves wrong, which leaves out the checks that need them.

    Returns:
        list of (key, annotation, what is wrong), in the order given.
    """
    faults, polygons = [], _Polygons()
    for order, (_, annotation, size_hw, box_xywh) in enumerate(segmented):
        segmentation = annotation["segmentation"]
        if isinstance(segmentation, list):
            faults.extend((order, what) for what in polygons.collect(order, segmentation, size_hw, box_xywh))
        elif isinstance(segmentation, dict):
            faults.extend((order, what) for what in _rle_faults(segmentation, size_hw))
        else:
            faults.append((order, "is neither polygons nor an RLE"))
    faults.extend(polygons.faults())
    return [(*segmented[order][:2], what) for order, what in sorted(faults, key=lambda fault: fault[0])]


class _Polygons:
    """The polygons that can be measured, with what they are measured against."""

    def __init__(self):
        self._arrays, self._owners, self._limits = [], [], []

    def collect(self, order, polygons, size_hw, box_xywh):
        """Keep the sound polygons of one annotation; yields the faults of the others."""
        for number, polygon in enumerate(polygons):
            what = _polygon_fault(polygon)
            if what is not None:
                yield f"polygon {number} {what}"
                continue
            height, width = size_hw or (np.inf, np.inf)
            x, y, box_width, box_height = box_xywh or (-np.inf, -np.inf, np.inf, np.inf)
            box_xyxy = (x, y, x + box_width, y + box_height) if box_xywh else (x, y, np.inf, np.inf)
            self._arrays.append(np.array(polygon, dtype=np.float64))
            self._owners.append((order, number))
            self._limits.append((width, height, *box_xyxy))

    def faults(self):
        """(order, what) of polygons without area, outside the image or away from their box."""
        areas, boxes = measure_polygons(self._arrays)
        limits = np.array(self._limits).reshape(-1, 6)
        size_wh, box_low, box_high = limits[:, :2], limits[:, 2:4], limits[:, 4:]
        outside = np.any((boxes[:, 2:] <= 0) | (boxes[:, :2] >= size_wh), axis=1)
        for i in np.flatnonzero(np.any((boxes[:, :2] < 0) | (boxes[:, 2:] > size_wh), axis=1) & ~outside):
            # A concave outline can have its bounding box in the image and itself not.
            outside[i] = polygon_area(clip_polygon(self._arrays[i], size_wh[i, ::-1])) == 0
        apart = np.any((boxes[:, 2:] < box_low) | (boxes[:, :2] > box_high), axis=1)
        flat = areas <= 0
        for wrong, what in (
            (flat, "has no area"),
            (outside & ~flat, "is wholly outside the image"),
            (apart & ~outside & ~flat, "does not touch its bbox (bbox is [x, y, width, height])"),
        ):
            for i in np.flatnonzero(wrong):
                order, number = self._owners[i]
                yield order, f"polygon {number} {what}"


def _polygon_fault(polygon):
    if not isinstance(polygon, list):
        return "is not a list [x0, y0, x1, y1, ...]"
    if not set(map(type, polygon)) <= {int, float} or not _all_plausible(polygon):
        return "holds something that is not a finite number"
    if len(polygon) % 2:
        return f"has an odd number of coordinates ({len(polygon)})"
    if len(polygon) < 6:
        return f"has {len(polygon) // 2} points, fewer than three"
    return None


def _all_plausible(numbers):
    """``all(map(is_number, numbers))`` of ints and floats, three times faster."""
    try:
        return bool(np.all(np.abs(np.array(numbers, dtype=np.float64)) <= COORDINATE_LIMIT_PX))
    except OverflowError:  # an integer beyond float64
        return False


def _rle_faults(rle, size_hw):
    size, counts = rle.get("size"), rle.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not all(type(n) is int and n > 0 for n in size):
        return ["RLE has no size [height, width]"]
    if size_hw is not None and tuple(size) != tuple(size_hw):
        return [f"RLE is of another image size: {size}, the image is {list(size_hw)}"]
    runs = rle_runs(counts)
    if runs is None:
        return ["RLE counts cannot be read"]
    if int(runs.sum()) != size[0] * size[1]:
        return [f"RLE counts add up to {int(runs.sum())} px, the image has {size[0] * size[1]}"]
    return ["RLE marks no pixel"] if runs[1::2].sum() == 0 else []
