"""Which columns of a table of boxes mean what, decided by their names alone; and one row read by it.

The numbers do not show whether they are corners or width and height: [x, y, width, height] may be two corners as well.
Not here: what the rows say together about an image (``reader``).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from segtumor.annotations.flat_polygons import box_from_corners
from segtumor.annotations.segmentations import is_number
from segtumor.annotations.tables.cells import FIELD_OF_COLUMN, cell_number, typed_fields
from segtumor.annotations.tables.spreadsheets import refuse_repeated
from segtumor.arrays import BoxXYWH, SizeHW
from segtumor.errors import DataError

CORNERS, EXTENT = "corners", "extent"

_IMAGE = (
    *("file_name", "filename", "image", "image_name", "image_path", "file_path", "filepath", "img", "path", "file"),
    *("image_index", "image_id", "imageid"),
)
_LABEL = ("label", "class", "class_name", "category", "category_name", "name", "finding_label", "labelname")
_BOXES = (
    (CORNERS, ("xmin", "ymin", "xmax", "ymax")),
    (CORNERS, ("x_min", "y_min", "x_max", "y_max")),
    (CORNERS, ("x1", "y1", "x2", "y2")),
    (CORNERS, ("left", "top", "right", "bottom")),
    (CORNERS, ("bbox_xyxy",)),
    (EXTENT, ("x", "y", "w", "h")),
    (EXTENT, ("x", "y", "width", "height")),
    (EXTENT, ("left", "top", "width", "height")),
    (EXTENT, ("bbox_x", "bbox_y", "bbox_w", "bbox_h")),
    (EXTENT, ("bbox_x", "bbox_y", "bbox_width", "bbox_height")),
    (EXTENT, ("bbox_x", "y", "w", "h")),  # "Bbox [x", "y", "w", "h]" of NIH ChestX-ray
    (EXTENT, ("bbox",)),
    (EXTENT, ("bbox_xywh",)),
)
_ANGLES = ("angle", "rotation", "theta", "rotation_angle", "bbox_angle", "bbox_rotation")
_SIZES = (("image_width", "image_height"), ("img_width", "img_height"), ("width", "height"))
_EXPECTED = (
    "a column image or file_name, a column label or class, and xmin, ymin, xmax, ymax or x1, y1, x2, y2 or "
    "x, y, width, height or bbox with [x, y, w, h]"
)
_NORMAL = ("", "normal", "no finding", "no_finding")
_ALIASES = {**FIELD_OF_COLUMN, "split": "part"}
#: Columns that would overwrite what an image is known by.
_RESERVED = {"id", "image_id", "file_name", "width", "height", "spacing_mm", "spacing_source", "image_label"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Layout:
    """Positions of the columns.

    Attributes:
        image, label: of the image's name and the class.
        kind: CORNERS or EXTENT.
        size: of the image's width and height, or empty.
        others: {position: field} of the further columns that are kept.
        has_header: whether the first row is a header.
    """

    image: int
    label: int
    box: tuple[int, ...]
    kind: str
    size: tuple[int, ...] = ()
    others: Mapping[int, str] = field(default_factory=dict)
    not_kept: tuple[str, ...] = ()
    has_header: bool = True
    angle: int | None = None


class Row(NamedTuple):
    """What one row says.

    Attributes:
        image, label: trimmed.
        box_xywh: px; None for a normal image.
        size_hw: (height, width) of the image as stated, or None.
        fault: why it cannot be used, or "".
    """

    line: int
    image: str
    label: str
    box_xywh: BoxXYWH | None
    size_hw: SizeHW | None
    others: Mapping[str, Any]
    unread: tuple[str, ...]
    fault: str


def layout_of(first_row: Sequence[str], where: Path) -> Layout:
    """Layout by the first row: a header, or path,x1,y1,x2,y2,class as of keras-retinanet; else raises DataError."""
    if _is_retinanet_row(first_row):
        return Layout(0, 5, (1, 2, 3, 4), CORNERS, has_header=False)
    names = [_column(cell) for cell in first_row]
    got = ", ".join(first_row)[:200]
    refuse_repeated(names, where)
    image, label = (next((names.index(n) for n in wanted if n in names), None) for wanted in (_IMAGE, _LABEL))
    boxes = [(kind, columns) for kind, columns in _BOXES if set(columns) <= set(names)]
    if boxes and boxes[0][1] == ("x", "y", "w", "h"):  # width and height are then the image's
        boxes = [boxes[0], *(b for b in boxes[1:] if b[1][:2] != ("x", "y"))]
    if image is None or label is None or not boxes:
        raise DataError("not a table of boxes", where=where, got=got, expected=_EXPECTED)
    if len(boxes) > 1:
        what = "duplicate boxes: " + " and ".join(", ".join(columns) for _, columns in boxes)
        raise DataError(what, where=where, remedy="Remove one of the two")
    kind, columns = boxes[0]
    given = set(names) - set(columns)
    size: tuple[str, ...] = next((pair for pair in _SIZES if set(pair) <= given), ())
    used = {names[image], names[label], *columns, *size}
    further = {i: _ALIASES.get(name, name) for i, name in enumerate(names) if name and name not in used}
    others = {i: name for i, name in further.items() if name not in _RESERVED}
    not_kept = tuple(name for name in further.values() if name in _RESERVED)
    angle = next((names.index(name) for name in _ANGLES if name in names), None)
    box, sides = tuple(map(names.index, columns)), tuple(map(names.index, size))
    return Layout(image, label, box, kind, sides, others, not_kept, angle=angle)


def parse_row(line: int, cells: Sequence[str], layout: Layout, width: int) -> Row:
    """What the cells of a line say; ``width`` is the number of columns, and missing cells at the end are blank."""
    box: BoxXYWH | None = None
    fault = f"has {len(cells)} cells, the first row {width}"
    cells = [cell.strip() for cell in cells] + [""] * (width - len(cells))
    image, label = cells[layout.image], cells[layout.label]
    if len(cells) == width:
        box, fault = _box(cells, layout)
    if not fault and (box is None) != (label.lower() in _NORMAL):
        fault = "has a label but no box" if box is None else "has a box but no label of a lesion"
    angle = "" if layout.angle is None else cells[layout.angle]
    if box is not None and not fault and cell_number(angle) not in (None, 0):
        box, fault = None, f"has a box turned by {angle:.20}, about a point and in a unit that are not known"
    others, unread = typed_fields({name: cells[column] for column, name in layout.others.items()})
    return Row(line, image, label, box, _size_hw(cells, layout), others, unread, fault)


def _size_hw(cells: Sequence[str], layout: Layout) -> SizeHW | None:
    sizes = [number for column in layout.size if type(number := cell_number(cells[column])) is int and number > 0]
    return (sizes[1], sizes[0]) if len(sizes) == 2 else None


def _box(cells: Sequence[str], layout: Layout) -> tuple[BoxXYWH | None, str]:
    """(box_xywh or None, what is wrong with it or "")."""
    texts = [cells[column] for column in layout.box]
    if len(texts) == 1 and texts[0]:
        texts = re.split(r"[\s,]+", texts[0].strip("[]() "))
    if not any(texts):
        return None, ""
    if len(texts) != 4 or not all(map(_NUMBER.fullmatch, texts)) or not all(is_number(float(t)) for t in texts):
        return None, f"has a box that is not four numbers: {', '.join(texts):.60}"
    x, y, width, height = map(float, texts)
    box = box_from_corners(map(Decimal, texts)) if layout.kind == CORNERS else (x, y, width, height)
    return (box, "") if box[2] > 0 and box[3] > 0 else (None, f"has a box without extent: {', '.join(texts):.60}")


def _column(text: str) -> str:
    """``Bbox [x`` -> bbox_x; ``Image-Index`` -> image_index; ``XMin`` -> xmin."""
    return re.sub(r"[\s_-]+", "_", re.sub(r"[\[\]]", "", text).strip().lower())


def _is_retinanet_row(row: Sequence[str]) -> bool:
    cells = [cell.strip() for cell in row]
    if len(cells) != 6 or not cells[0]:
        return False
    return all(map(_NUMBER.fullmatch, cells[1:5])) or not any(cells[1:])
