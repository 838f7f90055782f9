"""The shapes of one LabelMe file, and which rectangle belongs to which outline.

Follows LabelMe 5 (``labelme/label_file.py``, ``labelme/shape.py``). Nothing is joined or scaled here: ``regions`` does
that for the converter, ``segtumor.formats.btxrd.drawn_lesions`` for BTXRD.
"""

import base64
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from segtumor.annotations.segmentations import are_numbers
from segtumor.arrays import Box, Mask, SizeHW
from segtumor.errors import BadImageError, DataError
from segtumor.formats.sources.encodings import read_json
from segtumor.formats.sources.files import MAX_FILE_BYTES
from segtumor.imaging.failures import decoder_errors
from segtumor.imaging.radiograph import MAX_PIXELS, check_size
from segtumor.structures.boxes import box_iou
from segtumor.structures.polygons import polygon_area, tight_box

POLYGON, RECTANGLE, CIRCLE, MASK = KINDS = ("polygon", "rectangle", "circle", "mask")
#: In BTXRD the loosest rectangle of a polygon reaches 0.37 and the tightest one of a neighbour 0.05.
MIN_PAIR_IOU = 0.2
#: The turned box of X-AnyLabeling, given by its corners.
_TURNED = "rotation"
_FEWEST_POINTS = {POLYGON: 3, RECTANGLE: 2, CIRCLE: 2, MASK: 2}
_MASK_MODES = ("1", "L")
_FIELD_TYPES = {"description": str, "flags": dict, "attributes": dict}


class OtherFileError(DataError):
    """Sound JSON, but of something else: a report, a configuration."""


@dataclass(frozen=True, eq=False)
class Shape:
    """One drawn shape.

    Attributes:
        label: cleaned as ``read_labelme`` was asked to.
        kind: one of KINDS.
        points_xy: (P, 2) float64, px; a rectangle has opposite corners, a circle its centre and a point on it, a mask
            its first and last pixel.
        group: number that joins several shapes, or None.
        fields: further fields that were filled in: description, flags, attributes.
        mask: (h, w) bool, the pixels of a mask from its first to its last, else None.
    """

    label: str
    kind: str
    points_xy: NDArray[np.float64]
    group: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    mask: Mask | None = None

    @property
    def box_xyxy(self) -> Box:
        """Tight box (x0, y0, x1, y1), px."""
        if self.kind == CIRCLE:
            (x, y), radius = self.points_xy[0].tolist(), self.radius_px
            return x - radius, y - radius, x + radius, y + radius
        x0, y0, x1, y1 = tight_box(self.points_xy)
        return (x0, y0, x1 + 1, y1 + 1) if self.kind == MASK else (x0, y0, x1, y1)

    @property
    def radius_px(self) -> float:
        """Radius of a circle."""
        return float(np.hypot(*(self.points_xy[1] - self.points_xy[0])))


@dataclass(frozen=True)
class LabelmeFile:
    """What a LabelMe file holds.

    Attributes:
        size_hw: (height, width) of the image it was drawn on, px, or None if not given.
        unusable: one sentence for each shape that is not used.
        image_data: the embedded image in base64, or "".
        fields: further fields that were filled in: flags, attributes.
    """

    size_hw: SizeHW | None
    shapes: tuple[Shape, ...]
    unusable: tuple[str, ...]
    image_path: str = ""
    image_data: str = field(default="", repr=False)
    fields: Mapping[str, Any] = field(default_factory=dict)


def read_labelme(
    path: str | Path, *, kinds: Collection[str] = KINDS, clean_label: Callable[[str], str] = str.strip
) -> LabelmeFile:
    """Read a LabelMe file; unknown, degenerate and repeated shapes are named in ``unusable``.

    ``clean_label`` makes labels of texts; two shapes of one label and the same points are one. Raises DataError for a
    file without a list of shapes, OtherFileError if nothing in it is of LabelMe.
    """
    path = Path(path)
    document = read_json(path, max_bytes=MAX_FILE_BYTES)
    if not isinstance(document, dict) or not {"shapes", "imagePath"} & document.keys():
        raise OtherFileError("not a LabelMe file: it has neither shapes nor imagePath", where=path)
    if not isinstance(document.get("shapes"), list):
        raise DataError("not a LabelMe file: it has no list of shapes", where=path)
    shapes, unusable, seen = list[Shape](), list[str](), set[tuple[str, str, bytes, bytes]]()
    for number, entry in enumerate(document["shapes"]):
        shape, fault = _shape(entry, kinds, clean_label)
        if shape is not None and _drawn(shape) in seen:
            shape, fault = None, "repeats an earlier shape point by point"
        if shape is None:
            unusable.append(f"shape {number} {fault}")
        else:
            shapes.append(shape)
            seen.add(_drawn(shape))
    texts = [document.get(key) for key in ("imagePath", "imageData")]
    image_path, image_data = (text if isinstance(text, str) else "" for text in texts)
    fields = _filled(document, ("flags", "attributes"))
    return LabelmeFile(_size_hw(document), tuple(shapes), tuple(unusable), image_path, image_data, fields)


def pair_by_label(
    rectangles: Sequence[tuple[str, Box]], outlines: Sequence[tuple[str, Box]], *, min_iou: float = MIN_PAIR_IOU
) -> dict[int, int]:
    """{number of an outline: number of the rectangle drawn around it}, of (label, box_xyxy) each, px.

    Among those of one label, rectangles and tight boxes of outlines are matched one to one for the largest sum of IoU
    (Kuhn 1955); pairs below ``min_iou`` do not count.
    """
    from scipy.optimize import linear_sum_assignment  # scipy is slow to import, and --help comes this way

    pairs: dict[int, int] = {}
    for label in {label for label, _ in rectangles}:
        first = [number for number, (other, _) in enumerate(rectangles) if other == label]
        second = [number for number, (other, _) in enumerate(outlines) if other == label]
        iou = box_iou([rectangles[n][1] for n in first], [outlines[n][1] for n in second])
        found = zip(*linear_sum_assignment(iou, maximize=True), strict=True)
        pairs |= {second[column]: first[row] for row, column in found if iou[row, column] >= min_iou}
    return pairs


def _shape(
    entry: Any, kinds: Collection[str], clean_label: Callable[[str], str]
) -> tuple[Shape, None] | tuple[None, str]:
    """The shape, or why it is not used."""
    if not isinstance(entry, dict) or not isinstance(entry.get("label"), str):
        return None, "has no label"
    kind, points = entry.get("shape_type", POLYGON), entry.get("points")  # LabelMe 3 knew polygons only
    if kind == _TURNED and isinstance(points, list) and len(points) == 4:
        kind = POLYGON
    if kind not in kinds:
        what = "has null as its shape_type" if kind is None else f"is a {kind!s:.30}"
        return None, f"{what}, none of: {', '.join(kinds)}"
    if not isinstance(points, list) or not all(are_numbers(point, 2) for point in points):
        return None, f"({kind}) has a point that is not two finite numbers"
    if len(points) < _FEWEST_POINTS[kind] or (kind in (CIRCLE, MASK) and len(points) > 2):
        return None, f"({kind}) has {len(points)} points"
    mask, fault = _mask(entry.get("mask"), points) if kind == MASK else (None, None)
    if fault is not None:
        return None, f"({kind}) {fault}"
    group, fields = entry.get("group_id"), _filled(entry, ("description", "flags", "attributes"))
    points_xy, label = np.array(points, dtype=np.float64), clean_label(entry["label"])
    shape = Shape(label, kind, points_xy, group if type(group) is int else None, fields, mask)
    return (shape, None) if _has_area(shape) else (None, f"({kind}) has no area")


def _has_area(shape: Shape) -> bool:
    if shape.mask is not None:
        return bool(shape.mask.any())
    if shape.kind == POLYGON:
        return polygon_area(shape.points_xy) > 0
    x0, y0, x1, y1 = shape.box_xyxy
    return x1 > x0 and y1 > y0


def _mask(text: Any, points: Sequence[Sequence[float]]) -> tuple[Mask, None] | tuple[None, str]:
    """(pixels, None) of a mask in base64, which must be as large as its corners say, or (None, why not)."""
    from PIL.PngImagePlugin import PngImageFile

    (x0, y0), (x1, y1) = [[int(value) for value in point] for point in points]
    try:
        with decoder_errors("mask", kind="PNG"):
            image = PngImageFile(io.BytesIO(decoded(text)))
            check_size(image.size, MAX_PIXELS, "mask")
            if image.size != (x1 - x0 + 1, y1 - y0 + 1) or image.mode not in _MASK_MODES:
                return None, f"is {image.size[0]} x {image.size[1]} px, not as its corners say, or not gray"
            return np.asarray(image) > 0, None
    except BadImageError as error:
        return None, f"cannot be decoded: {error}"


def decoded(text: Any) -> bytes:
    """Bytes of base64 text; raises BadImageError if it is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, TypeError) as error:
        raise BadImageError("not base64 text", where="embedded image") from error


def _filled(entry: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: entry[key] for key in keys if isinstance(entry.get(key), _FIELD_TYPES[key]) and entry[key]}


def _drawn(shape: Shape) -> tuple[str, str, bytes, bytes]:
    """What a repeated shape has in common with the first: label, kind, points and pixels."""
    pixels = b"" if shape.mask is None else shape.mask.tobytes()
    return shape.label, shape.kind, (shape.points_xy + 0.0).tobytes(), pixels  # + 0.0: -0.0 becomes 0.0


def _size_hw(document: Mapping[str, Any]) -> SizeHW | None:
    height, width = document.get("imageHeight"), document.get("imageWidth")
    return (height, width) if _is_length(height) and _is_length(width) else None


def _is_length(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 < value <= 1_000_000
