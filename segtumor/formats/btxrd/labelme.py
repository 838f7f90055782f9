"""LabelMe files of BTXRD to lesions, each once.

Every lesion was drawn twice, as a rectangle and as a polygon, and nothing in the file links the two (``group_id`` is
null). They are paired by geometry. Not here: reading and pairing (``segtumor.formats.labelme.shapes``), what
the labels mean, and the table of the release.
"""

from dataclasses import dataclass

import numpy as np

from segtumor.formats.labelme import shapes as labelme_shapes
from segtumor.formats.labelme.shapes import MIN_PAIR_IOU, POLYGON, RECTANGLE, pair_by_label
from segtumor.structures.polygons import clip_polygon, polygon_area

_DECIMALS = 3  # a thousandth of a pixel; keeps the files short


@dataclass(frozen=True)
class DrawnLesion:
    """A lesion with its outline.

    Attributes:
        label: trimmed, inner blanks single, lower case.
        outline_xy: (P, 2) float64, px, P >= 3.
        drawn_box_xyxy: the annotators' rectangle, px, or None if they drew none.
        mask_from_box: whether only the rectangle was drawn, so that the outline is the rectangle itself.
    """

    label: str
    outline_xy: np.ndarray
    drawn_box_xyxy: tuple[float, float, float, float] | None
    mask_from_box: bool = False


def read_labelme(path):
    """``labelme_shapes.read_labelme`` for BTXRD: rectangles and polygons with normalised labels."""
    return labelme_shapes.read_labelme(path, kinds=(RECTANGLE, POLYGON), clean_label=normalize_label)


def normalize_label(text):
    """A label as in the taxonomy: trimmed, inner blanks single, lower case."""
    return " ".join(str(text).split()).lower()


def pair_shapes(shapes, *, min_iou=MIN_PAIR_IOU):
    """Join rectangles and polygons of the same lesion (``labelme_shapes.pair_by_label``).

    Args:
        shapes: Shapes of one image.
        min_iou: in [0, 1].

    Returns:
        list of DrawnLesion: the polygons in their order, then the rectangles that have no polygon. The latter are real
        lesions whose outline was forgotten (seen in BTXRD: five in four radiographs), so they are kept.
    """
    rectangles, polygons = ([shape for shape in shapes if shape.kind == kind] for kind in (RECTANGLE, POLYGON))
    boxes = [[(shape.label, shape.box_xyxy) for shape in some] for some in (rectangles, polygons)]
    rectangle_of = pair_by_label(*boxes, min_iou=min_iou)
    lesions = []
    for number, shape in enumerate(polygons):
        box = rectangles[rectangle_of[number]].box_xyxy if number in rectangle_of else None
        lesions.append(DrawnLesion(shape.label, shape.points_xy, box))
    paired, labels = set(rectangle_of.values()), [shape.label for shape in shapes]
    lonely = [shape for number, shape in enumerate(rectangles) if number not in paired]
    return lesions + [_lesion_from_rectangle(shape) for shape in sorted(lonely, key=lambda s: labels.index(s.label))]


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


def _lesion_from_rectangle(shape):
    x0, y0, x1, y1 = shape.box_xyxy
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return DrawnLesion(shape.label, corners, shape.box_xyxy, mask_from_box=True)
