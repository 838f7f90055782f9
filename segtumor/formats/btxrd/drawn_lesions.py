"""LabelMe files of BTXRD to lesions, each once.

Every lesion was drawn twice, as a rectangle and as a polygon, and nothing in the file links the two (``group_id`` is
null). They are paired by geometry. Not here: reading and pairing (``segtumor.formats.labelme.shapes``), what the labels
mean, and the table of the release.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segtumor.annotations.flat_polygons import scale_box
from segtumor.arrays import Box, SizeHW
from segtumor.formats.labelme import shapes as labelme_shapes
from segtumor.formats.labelme.shapes import MIN_PAIR_IOU, POLYGON, RECTANGLE, LabelmeFile, Shape, pair_by_label
from segtumor.formats.labels import label_key
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
    outline_xy: NDArray[np.float64]
    drawn_box_xyxy: Box | None
    mask_from_box: bool = False


def read_labelme(path: str | Path) -> LabelmeFile:
    """``labelme_shapes.read_labelme`` for BTXRD: rectangles and polygons with normalised labels."""
    return labelme_shapes.read_labelme(path, kinds=(RECTANGLE, POLYGON), clean_label=label_key)


def pair_shapes(shapes: Sequence[Shape], *, min_iou: float = MIN_PAIR_IOU) -> list[DrawnLesion]:
    """The polygons in their order, with their rectangles (``pair_by_label``), then the rectangles that have no polygon.

    The latter are real lesions whose outline was forgotten (seen in BTXRD: five in four radiographs), so they are kept.
    """
    rectangles, polygons = ([shape for shape in shapes if shape.kind == kind] for kind in (RECTANGLE, POLYGON))
    boxes = [[(shape.label, shape.box_xyxy) for shape in some] for some in (rectangles, polygons)]
    rectangle_of = pair_by_label(boxes[0], boxes[1], min_iou=min_iou)
    lesions = []
    for number, shape in enumerate(polygons):
        box = rectangles[rectangle_of[number]].box_xyxy if number in rectangle_of else None
        lesions.append(DrawnLesion(shape.label, shape.points_xy, box))
    paired, labels = set(rectangle_of.values()), [shape.label for shape in shapes]
    lonely = [shape for number, shape in enumerate(rectangles) if number not in paired]
    return lesions + [_lesion_from_rectangle(shape) for shape in sorted(lonely, key=lambda s: labels.index(s.label))]


def fit_lesion(lesion: DrawnLesion, scale_xy: tuple[float, float], size_hw: SizeHW) -> DrawnLesion | None:
    """The lesion on an image of another size: scaled, cut at the border, rounded; None if no area is left."""
    outline = clip_polygon(lesion.outline_xy * np.asarray(scale_xy), size_hw).round(_DECIMALS)
    if polygon_area(outline) <= 0:
        return None
    box = lesion.drawn_box_xyxy
    if box is not None:
        x0, y0, x1, y1 = np.round(scale_box(box, scale_xy), _DECIMALS).tolist()
        box = (x0, y0, x1, y1)
    return DrawnLesion(lesion.label, outline, box, lesion.mask_from_box)


def _lesion_from_rectangle(shape: Shape) -> DrawnLesion:
    x0, y0, x1, y1 = shape.box_xyxy
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return DrawnLesion(shape.label, corners, shape.box_xyxy, mask_from_box=True)
