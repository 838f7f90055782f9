"""LabelMe files of BTXRD to lesions, each once.

Every lesion was drawn twice, as a rectangle and as a polygon, and nothing in the file links the two (``group_id`` is
null). They are paired by geometry. Not here: what the labels mean, and the table of the release.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segtumor.data.polygons import clip_polygon, polygon_area, tight_box
from segtumor.data.records import parse_json
from segtumor.data.segmentations import is_number
from segtumor.errors import DataError
from segtumor.structures.boxes import box_iou

RECTANGLE, POLYGON = "rectangle", "polygon"
#: In BTXRD the loosest rectangle of a polygon reaches 0.37 and the tightest one of a neighbour 0.05.
MIN_PAIR_IOU = 0.2
_DECIMALS = 3  # a thousandth of a pixel; keeps the files short


@dataclass(frozen=True)
class Shape:
    """One drawn shape.

    Attributes:
        label: trimmed, inner blanks single, lower case.
        kind: rectangle or polygon.
        points_xy: (P, 2) float64, px; a rectangle has its two opposite corners.
    """

    label: str
    kind: str
    points_xy: np.ndarray


@dataclass(frozen=True)
class DrawnLesion:
    """A lesion with its outline.

    Attributes:
        label: as in Shape.
        outline_xy: (P, 2) float64, px, P >= 3.
        drawn_box_xyxy: the annotators' rectangle, px, or None if they drew none.
        mask_from_box: whether only the rectangle was drawn, so that the outline is the rectangle itself.
    """

    label: str
    outline_xy: np.ndarray
    drawn_box_xyxy: tuple[float, float, float, float] | None
    mask_from_box: bool = False


@dataclass(frozen=True)
class LabelmeFile:
    """What a LabelMe file holds.

    Attributes:
        size_hw: (height, width) of the image it was drawn on, px, or None if not given.
        shapes: the usable shapes, in their order.
        unusable: one sentence for each shape that is not used.
    """

    size_hw: tuple[int, int] | None
    shapes: tuple[Shape, ...]
    unusable: tuple[str, ...]


def read_labelme(path):
    """Read a LabelMe file.

    Returns:
        LabelmeFile; degenerate, repeated and unknown shapes are left out of ``shapes`` and told in ``unusable``.

    Raises:
        DataError: it cannot be read or has no list of shapes.
    """
    path = Path(path)
    try:
        document = parse_json(path.read_bytes(), path)
    except OSError as error:
        raise DataError(f"outlines: {error.strerror}", where=path) from error
    if not isinstance(document, dict) or not isinstance(document.get("shapes"), list):
        raise DataError("not a LabelMe file: it has no list of shapes", where=path)
    shapes, unusable = [], []
    for number, entry in enumerate(document["shapes"]):
        shape, fault = _shape(entry)
        if shape is not None and any(_same(shape, other) for other in shapes):
            shape, fault = None, "repeats an earlier shape point by point"
        if shape is None:
            unusable.append(f"shape {number} {fault}")
        else:
            shapes.append(shape)
    return LabelmeFile(_size_hw(document), tuple(shapes), tuple(unusable))


def normalize_label(text):
    """A label as in the taxonomy: trimmed, inner blanks single, lower case."""
    return " ".join(str(text).split()).lower()


def pair_shapes(shapes, *, min_iou=MIN_PAIR_IOU):
    """Join rectangles and polygons of the same lesion.

    Among shapes of one label the rectangles and the tight boxes of the polygons are matched one to one for the largest
    sum of IoU (Kuhn 1955); pairs below ``min_iou`` are none.

    Args:
        shapes: Shapes of one image.
        min_iou: in [0, 1].

    Returns:
        list of DrawnLesion: the polygons in their order, then the rectangles that have no polygon. The latter are real
        lesions whose outline was forgotten (seen in BTXRD: five in four radiographs), so they are kept.
    """
    lesions, lonely = [], []
    boxes_of_polygons = {}
    for label in dict.fromkeys(shape.label for shape in shapes):
        rectangles = [shape for shape in shapes if (shape.label, shape.kind) == (label, RECTANGLE)]
        polygons = [shape for shape in shapes if (shape.label, shape.kind) == (label, POLYGON)]
        pairs = _pairs(rectangles, polygons, min_iou)
        boxes_of_polygons |= {id(polygons[p]): tight_box(rectangles[r].points_xy) for r, p in pairs.items()}
        lonely += [shape for number, shape in enumerate(rectangles) if number not in pairs]
    for shape in shapes:
        if shape.kind == POLYGON:
            lesions.append(DrawnLesion(shape.label, shape.points_xy, boxes_of_polygons.get(id(shape))))
    return lesions + [_lesion_from_rectangle(shape) for shape in lonely]


def fit_lesion(lesion, scale_xy, size_hw):
    """The lesion on an image of another size: scaled, cut at the border, rounded; None if no area is left.

    Args:
        lesion: DrawnLesion.
        scale_xy: factors of x and y.
        size_hw: (height, width) of the image, px.
    """
    outline = clip_polygon(lesion.outline_xy * np.asarray(scale_xy), size_hw).round(_DECIMALS)
    if polygon_area(outline) <= 0:
        return None
    box = lesion.drawn_box_xyxy
    if box is not None:
        box = tuple((np.asarray(box) * np.tile(scale_xy, 2)).round(_DECIMALS).tolist())
    return DrawnLesion(lesion.label, outline, box, lesion.mask_from_box)


def _shape(entry):
    """(Shape, None), or (None, why not)."""
    if not isinstance(entry, dict) or not isinstance(entry.get("label"), str):
        return None, "has no label"
    kind, points = entry.get("shape_type"), entry.get("points")
    if kind not in (RECTANGLE, POLYGON):
        return None, f"is a {kind}, neither rectangle nor polygon"
    if not isinstance(points, list) or not all(map(_is_point, points)):
        return None, f"({kind}) has a point that is not two finite numbers"
    if len(points) < (2 if kind == RECTANGLE else 3):
        return None, f"({kind}) has {len(points)} points"
    points_xy = np.array(points, dtype=np.float64)
    outline = _corners(points_xy) if kind == RECTANGLE else points_xy
    if polygon_area(outline) <= 0:
        return None, f"({kind}) has no area"
    return Shape(normalize_label(entry["label"]), kind, points_xy), None


def _is_point(point):
    return isinstance(point, list) and len(point) == 2 and all(map(is_number, point))


def _corners(points_xy):
    x0, y0, x1, y1 = tight_box(points_xy)
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def _same(first, second):
    return (first.label, first.kind) == (second.label, second.kind) and np.array_equal(
        first.points_xy, second.points_xy
    )


def _size_hw(document):
    size_hw = (document.get("imageHeight"), document.get("imageWidth"))
    return size_hw if all(type(n) is int and n > 0 for n in size_hw) else None


def _pairs(rectangles, polygons, min_iou):
    """{number of the rectangle: number of its polygon}."""
    from scipy.optimize import linear_sum_assignment  # scipy is slow to import, and --help comes this way

    iou = box_iou(*([tight_box(shape.points_xy) for shape in shapes] for shapes in (rectangles, polygons)))
    rows, columns = linear_sum_assignment(iou, maximize=True)
    return {int(r): int(c) for r, c in zip(rows, columns, strict=True) if iou[r, c] >= min_iou}


def _lesion_from_rectangle(shape):
    outline = _corners(shape.points_xy)
    return DrawnLesion(shape.label, outline, tight_box(shape.points_xy), mask_from_box=True)
