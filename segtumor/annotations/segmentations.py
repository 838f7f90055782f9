"""What is wrong with the ``segmentation`` of COCO annotations: polygons, uncompressed and compressed RLE.

Polygons are measured many at once (``measure_polygons``). A compressed RLE is decoded to its runs, not to pixels:
pycocotools reads past the end of a corrupt one. Not here: the other fields (``segtumor.annotations.validation``).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from segtumor.annotations.problems import LONGEST_OUTLINE_PX, ProblemKind
from segtumor.arrays import Floats, SizeHW
from segtumor.structures.polygons import clip_polygon, measure_polygons, polygon_area, polygon_lengths
from segtumor.structures.rle import rle_runs

#: No coordinate of a radiograph comes near it; products of larger ones would overflow.
COORDINATE_LIMIT_PX = 1e6
#: A box is taken for corners [x0, y0, x1, y1] if it fits the outline this well as corners, and this badly as it is.
FITS_AS_CORNERS_IOU, FITS_BADLY_IOU = 0.9, 0.5
_CHUNK = 1 << 20  # coordinates measured at once: a few dozen MB

Bools = NDArray[np.bool_]
#: (key, annotation, size_hw or None, bbox xywh or None); the last two are None where they are themselves wrong, which
#: leaves out the checks that need them.
Segmented = tuple[Any, Mapping[str, Any], SizeHW | None, Sequence[float] | None]
#: What is wrong with one polygon or RLE, and which.
_Reason = tuple[ProblemKind, str]


class Fault(NamedTuple):
    """Something wrong with the outline of one annotation: its place in the list given, the field, what, and which."""

    order: int
    field: str
    kind: ProblemKind
    got: str = ""


class Outlines(NamedTuple):
    """The outlines of N annotations: areas (N,) and tight boxes (N, 4), float64, px, NaN where there is no sound one.

    An area is the sum of the polygons' areas, or the number of pixels.
    """

    faults: list[Fault]
    areas_px: Floats
    boxes_xyxy: Floats


def is_number(value: Any, limit: float = COORDINATE_LIMIT_PX) -> bool:
    """Whether it is an int or float, no bool, finite and of plausible size."""
    return type(value) in (int, float) and -limit <= value <= limit


def are_numbers(value: Any, count: int | None = None) -> TypeGuard[list[float]]:
    """Whether it is a list of such numbers, ``count`` of them."""
    return isinstance(value, list) and count in (None, len(value)) and all(map(is_number, value))


def nested_polygons(segmentation: Any) -> list[list[float]] | None:
    """The list of polygons that a list of another nesting can only mean; None if it is one, or nobody knows.

    Known are one flat polygon [x0, y0, ...], points [[x0, y0], ...] and polygons of points [[[x0, y0], ...], ...].
    """
    if not isinstance(segmentation, list) or not segmentation:
        return None
    if len(segmentation) >= 6 and len(segmentation) % 2 == 0 and are_numbers(segmentation):
        return [segmentation]
    if len(segmentation) >= 3 and all(are_numbers(point, 2) for point in segmentation):
        return [[value for point in segmentation for value in point]]
    if all(_is_list_of_points(polygon) for polygon in segmentation):
        return [[value for point in polygon for value in point] for polygon in segmentation]
    return None


def _is_list_of_points(polygon: Any) -> bool:
    return isinstance(polygon, list) and bool(polygon) and all(are_numbers(point, 2) for point in polygon)


def _is_flat(segmentation: Any) -> bool:
    """Whether a list holds numbers, not polygons."""
    return bool(segmentation) and are_numbers(segmentation)


def _nesting(segmentation: Sequence[Any]) -> str:
    return f"one flat list of {len(segmentation)}" if _is_flat(segmentation) else "points [x, y]"


def check_outlines(segmented: Sequence[Segmented]) -> Outlines:
    """Check and measure many segmentations."""
    faults: list[Fault] = []
    polygons = _Polygons(len(segmented))
    for order, (_, annotation, size_hw, box_xywh) in enumerate(segmented):
        segmentation = annotation["segmentation"]
        if _is_flat(segmentation) or nested_polygons(segmentation) is not None:
            reasons: Iterable[_Reason] = [(ProblemKind.NOT_NESTED, _nesting(segmentation))]
        elif isinstance(segmentation, list):
            reasons = polygons.add(order, segmentation, size_hw, box_xywh)
        elif isinstance(segmentation, dict):
            reason = _check_rle(order, segmentation, size_hw, box_xywh, polygons.areas_px, polygons.boxes_xyxy)
            reasons = [reason] if reason else []
        else:
            reasons = [(ProblemKind.NO_OUTLINE, "")]
        faults.extend(Fault(order, "segmentation", *reason) for reason in reasons)
    polygons.measure()
    faults.extend(Fault(order, "segmentation", kind, got) for order, kind, got in polygons.faults)
    outlines = Outlines(faults, polygons.areas_px, np.where(np.isinf(polygons.boxes_xyxy), np.nan, polygons.boxes_xyxy))
    faults.extend(_boxes_as_corners(segmented, outlines.boxes_xyxy))
    faults.sort(key=lambda fault: fault.order)
    return outlines


def paired_iou(first_xyxy: Floats, second_xyxy: Floats) -> Floats:
    """IoU of boxes pair by pair: (N, 4) and (N, 4) -> (N,), 0 where the union has no area; NaN stays NaN."""
    low = np.maximum(first_xyxy[:, :2], second_xyxy[:, :2])
    high = np.minimum(first_xyxy[:, 2:], second_xyxy[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    first, second = (np.prod(np.clip(b[:, 2:] - b[:, :2], 0, None), axis=1) for b in (first_xyxy, second_xyxy))
    union = first + second - shared
    iou: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union != 0)
    return iou


def _boxes_as_corners(segmented: Sequence[Segmented], tight_xyxy: Floats) -> Iterator[Fault]:
    """Faults of boxes that were written as corners, which would train on boxes twice as large."""
    if not segmented:
        return
    unknown = (np.nan,) * 4
    given = np.array([box or unknown for *_, box in segmented], dtype=np.float64)
    as_is = paired_iou(np.concatenate([given[:, :2], given[:, :2] + given[:, 2:]], axis=1), tight_xyxy)
    corners = paired_iou(given, tight_xyxy) >= FITS_AS_CORNERS_IOU
    for order in np.flatnonzero(corners & (as_is < FITS_BADLY_IOU)).tolist():
        yield Fault(order, "bbox", ProblemKind.CORNERS, str(segmented[order][3]))


class _Polygons:
    """Polygons on their way to being measured, with what they are measured against."""

    def __init__(self, n: int) -> None:
        self.faults: list[tuple[int, ProblemKind, str]] = []
        self.areas_px = np.full(n, np.nan)
        self.boxes_xyxy = np.tile([np.inf, np.inf, -np.inf, -np.inf], (n, 1))
        self._waiting: list[tuple[int, int, Floats, tuple[float, ...]]] = []
        self._n_coordinates = 0

    def add(
        self, order: int, polygons: Sequence[Any], size_hw: SizeHW | None, box_xywh: Sequence[float] | None
    ) -> Iterator[_Reason]:
        """Keep the polygons of one annotation; yields the faults of those that cannot be measured."""
        height, width = size_hw or (np.inf, np.inf)
        limits: tuple[float, ...] = (width, height, -np.inf, -np.inf, np.inf, np.inf)
        if box_xywh:
            limits = (width, height, *box_xywh[:2], box_xywh[0] + box_xywh[2], box_xywh[1] + box_xywh[3])
        for number, polygon in enumerate(polygons):
            fault = _shape_fault(polygon)
            if fault is None:
                self._waiting.append((order, number, np.array(polygon, dtype=np.float64), limits))
                self._n_coordinates += len(polygon)
            else:
                yield fault[0], f"polygon {number}{fault[1]}"
        if self._n_coordinates > _CHUNK:
            self.measure()

    def measure(self) -> None:
        """Measure what waits; adds to ``faults``, ``areas_px`` and ``boxes_xyxy``."""
        if not self._waiting:
            return
        orders, numbers, arrays, limits = zip(*self._waiting, strict=True)
        self._waiting, self._n_coordinates = [], 0
        sound = _plausible(arrays)
        measured = [array if good else np.zeros(6) for array, good in zip(arrays, sound, strict=True)]
        areas, boxes = measure_polygons(measured)
        found = [(kind, wrong & sound) for kind, wrong in _measured_faults(measured, areas, boxes, np.array(limits))]
        for kind, wrong in [(ProblemKind.POLYGON_NO_NUMBERS, ~sound), *found]:
            self.faults += [(orders[i], kind, f"polygon {numbers[i]}") for i in np.flatnonzero(wrong)]
        of = np.array(orders)
        self.areas_px[of] = np.nan_to_num(self.areas_px[of])
        np.add.at(self.areas_px, of, areas)
        np.minimum.at(self.boxes_xyxy[:, :2], of, boxes[:, :2])
        np.maximum.at(self.boxes_xyxy[:, 2:], of, boxes[:, 2:])


def _shape_fault(polygon: Any) -> _Reason | None:
    """(what, detail) if it is no list of numbers (x, y, ...) of three points or more, else None."""
    if not isinstance(polygon, list):
        return ProblemKind.POLYGON_NO_LIST, ""
    if not set(map(type, polygon)) <= {int, float} or (int in map(type, polygon) and not _fits_float(polygon)):
        return ProblemKind.POLYGON_NO_NUMBERS, ""
    if len(polygon) % 2:
        return ProblemKind.POLYGON_ODD, f" of {len(polygon)}"
    if len(polygon) < 6:
        return ProblemKind.POLYGON_TOO_SHORT, f" of {len(polygon) // 2}"
    return None


def _fits_float(numbers: Sequence[float]) -> bool:
    """Whether no integer is too large to become a float."""
    return all(type(number) is float or -COORDINATE_LIMIT_PX <= number <= COORDINATE_LIMIT_PX for number in numbers)


def _plausible(arrays: Sequence[Floats]) -> Bools:
    """(N,) bool: whether all coordinates of each polygon are finite and of plausible size."""
    starts = np.concatenate([[0], np.cumsum([len(array) for array in arrays])[:-1]])
    within: Bools = np.logical_and.reduceat(np.abs(np.concatenate(arrays)) <= COORDINATE_LIMIT_PX, starts)
    return within


def _measured_faults(
    arrays: Sequence[Floats], areas: Floats, boxes: Floats, limits: Floats
) -> list[tuple[ProblemKind, Bools]]:
    """(kind, (N,) bool) of polygons without area, outside the image, away from their box or endless."""
    size_wh, box_low, box_high = limits[:, :2], limits[:, 2:4], limits[:, 4:]
    outside = np.any((boxes[:, 2:] <= 0) | (boxes[:, :2] >= size_wh), axis=1)
    for i in np.flatnonzero(np.any((boxes[:, :2] < 0) | (boxes[:, 2:] > size_wh), axis=1) & ~outside).tolist():
        # A concave outline can have its bounding box in the image and itself not.
        outside[i] = polygon_area(clip_polygon(arrays[i], _size_hw(size_wh[i]))) == 0
    apart = np.any((boxes[:, 2:] < box_low) | (boxes[:, :2] > box_high), axis=1)
    flat = ~(areas > 0)
    return [
        (ProblemKind.POLYGON_FLAT, flat),
        (ProblemKind.POLYGON_OUTSIDE, outside & ~flat),
        (ProblemKind.POLYGON_APART, apart & ~outside & ~flat),
        (ProblemKind.POLYGON_TOO_LONG, polygon_lengths(arrays) > LONGEST_OUTLINE_PX),
    ]


def _size_hw(size_wh: Floats) -> tuple[float, float]:
    return float(size_wh[1]), float(size_wh[0])


def _check_rle(
    order: int,
    rle: Mapping[str, Any],
    size_hw: SizeHW | None,
    box_xywh: Sequence[float] | None,
    areas_px: Floats,
    boxes_xyxy: Floats,
) -> _Reason | None:
    """What is wrong with an RLE, or None for a sound one, whose area and tight box are then noted."""
    size, counts = rle.get("size"), rle.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not all(type(n) is int and n > 0 for n in size):
        return ProblemKind.RLE_NO_SIZE, ""
    if size_hw is not None and tuple(size) != tuple(size_hw):
        return ProblemKind.RLE_OTHER_SIZE, f"{size}, the image is {list(size_hw)}"
    runs, n_pixels = rle_runs(counts), size[0] * size[1]
    if runs is None or runs.max() > n_pixels:
        return ProblemKind.RLE_UNREADABLE, ""
    if int(runs.sum()) != n_pixels:
        return ProblemKind.RLE_WRONG_SUM, f"{int(runs.sum())} px of {n_pixels}"
    marked = int(runs[1::2].sum())
    if marked == 0:
        return ProblemKind.RLE_EMPTY, ""
    areas_px[order], boxes_xyxy[order] = marked, _runs_box(runs, size[0])
    x0, y0, x1, y1 = boxes_xyxy[order]
    if box_xywh and (
        x1 < box_xywh[0] or y1 < box_xywh[1] or x0 > box_xywh[0] + box_xywh[2] or y0 > box_xywh[1] + box_xywh[3]
    ):
        return ProblemKind.RLE_APART, f"bbox {box_xywh}"
    return None


def _runs_box(runs: NDArray[np.int64], height: int) -> tuple[int, int, int, int]:
    """Tight box (x0, y0, x1, y1) of runs down the columns, at least one of them set."""
    ends = np.cumsum(runs)[1::2]
    starts = ends - runs[1::2]
    filled = ends > starts
    first, last = starts[filled], ends[filled] - 1
    if np.any(first // height != last // height):  # one that goes on in the next column touches both edges
        y0, y1 = 0, height
    else:
        y0, y1 = (first % height).min(), (last % height).max() + 1
    return first[0] // height, y0, last[-1] // height + 1, y1
