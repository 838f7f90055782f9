"""One row of a table of readers: the image or case it is about, and what it says of that; and rows that contradict.

Not here: reading the table, and what all rows of a reader come to (``segtumor.annotations.reader_marks``).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segtumor.annotations.image_names import IMAGE_COLUMNS, NameIndex
from segtumor.annotations.tables.cells import cell_number
from segtumor.arrays import Box
from segtumor.cases import case_of
from segtumor.errors import DataError
from segtumor.structures.lesions import AnnotatedImage

BOXES, IMAGE_LABELS, CASE_LABELS = "boxes", "image labels", "case labels"
MODALITY, SECONDS = "modality", "seconds"

_CORNERS = ("x0", "y0", "x1", "y1")
_NORMAL_LABELS = ("normal", "no finding", "0", "negative")
_TUMOR_LABELS = ("tumor", "tumour", "1", "positive", "lesion")
_ROUNDING_PX = 1  # a mark at the very edge may be rounded outwards
_INSIDE = 0.5  # people drag past the edge, but not by half of the box


@dataclass(frozen=True)
class Mark:
    """A row, checked; ``class_id`` is None where the reader named no class, ``box_xyxy`` where the reader drew no box.

    ``where`` is its row, ``target`` the image or case it is about, ``cut`` whether its box reached beyond the image,
    ``seconds`` how long the reader took for the target, None where the table does not say.
    """

    normal: bool
    box_xyxy: Box | None
    class_id: int | None
    confidence: float | None
    where: str = ""
    target: str = ""
    cut: bool = False
    seconds: float | None = None


#: Images that a row is about, and what it says of them.
Entry = tuple[list[AnnotatedImage], Mark]


class Targets:
    """Finds the images that a row is about."""

    def __init__(self, images: Sequence[AnnotatedImage], kind: str, columns: Mapping[str, str]) -> None:
        self._images, self._kind = images, kind
        self._column = next((name for name in IMAGE_COLUMNS if name in columns), None)
        self._index = NameIndex([image.file_name for image in images])

    def find(self, cells: Mapping[str, str], where: str) -> list[AnnotatedImage]:
        """AnnotatedImages of a row."""
        if self._kind == CASE_LABELS:
            what = case_of(cells)
            found = [image for image in self._images if what and case_of(image.attributes) == what]
        else:
            what = cells[self._column] if self._column else None
            found = [self._images[i] for i in self._index.candidates(what)] if what else []
            if len(found) > 1:
                raise DataError(
                    f"{what} could be {len(found)} images", where=where, remedy="Give the name with folders"
                )
        if not found:
            raise DataError("marks something that is not annotated", where=where, got=what or "an empty cell")
        return found


def entry_of(cells: Mapping[str, str], kind: str, targets: Targets, class_names: Sequence[str], where: str) -> Entry:
    """(AnnotatedImages, Mark) of a row."""
    mark = _mark(cells, kind, class_names, where)
    images = targets.find(cells, where)
    target = case_of(cells) if kind == CASE_LABELS else images[0].file_name
    mark = replace(mark, where=where, target=target or "", seconds=_seconds(cells.get(SECONDS, ""), where))
    return images, _cut_at_edge(mark, mark.box_xyxy, images[0]) if mark.box_xyxy else mark


def reader_of(cells: Mapping[str, str], where: str) -> tuple[str, str]:
    """(reader, modality) of a row; the modality is empty in a table without that column."""
    if not cells["reader"]:
        raise DataError("the reader has no name", where=where)
    if MODALITY in cells and not cells[MODALITY]:
        remedy = "Say how it was read, as alone or with model; or leave the column out"
        raise DataError("the modality has no name", where=where, remedy=remedy)
    return cells["reader"], cells.get(MODALITY, "")


def kind_of(columns: Mapping[str, str], path: Path | str) -> str:
    has_image = any(name in columns for name in IMAGE_COLUMNS)
    if all(name in columns for name in _CORNERS):
        if not has_image:
            raise DataError("boxes without a column of images", where=path, expected=", ".join(IMAGE_COLUMNS))
        return BOXES
    if "label" in columns and (has_image or "case_id" in columns):
        return IMAGE_LABELS if has_image else CASE_LABELS
    expected = f"reader, an image and {', '.join(_CORNERS)}; or reader, an image or case_id, and label"
    raise DataError("not a table of readers", where=path, got=", ".join(columns), expected=expected)


def _mark(cells: Mapping[str, str], kind: str, class_names: Sequence[str], where: str) -> Mark:
    normal, class_id = _label(cells.get("label", ""), class_names, where)
    confidence = cell_number(cells.get("confidence", ""))
    if cells.get("confidence", "") and (confidence is None or not 0 <= confidence <= 1):
        remedy = "Divide it by the top of its scale, such as 100 for percent" if confidence and confidence > 1 else None
        what = "confidence is no probability"
        raise DataError(what, where=where, got=cells["confidence"], expected="0 to 1", remedy=remedy)
    if kind != BOXES:
        if not cells.get("label"):
            raise DataError("no label", where=where, expected=f"normal, tumor or one of {list(class_names)}")
        return Mark(normal, None, class_id, confidence)
    corners = [cells[name] for name in _CORNERS]
    if not any(corners):
        if cells.get("label") and not normal:
            raise DataError("a tumor without a box", where=where, got=cells["label"], expected="x0, y0, x1, y1")
        return Mark(True, None, None, confidence)
    if normal:
        raise DataError("a box on what is called normal", where=where, got=corners)
    return Mark(False, _box(corners, where), class_id, confidence)


def _seconds(text: str, where: str) -> float | None:
    seconds = cell_number(text)
    if text and (seconds is None or seconds < 0):
        raise DataError("reading time is no time", where=where, got=text, expected="seconds, 0 or more")
    return None if seconds is None else float(seconds)


def _box(corners: Sequence[str], where: str) -> Box:
    values = [float(number) for text in corners if (number := cell_number(text)) is not None]
    if len(values) != len(_CORNERS) or not (values[0] < values[2] and values[1] < values[3]):
        raise DataError("malformed box", where=where, got=", ".join(corners), expected="x0 < x1 and y0 < y1, in px")
    return values[0], values[1], values[2], values[3]


def _cut_at_edge(mark: Mark, box_xyxy: Box, image: AnnotatedImage) -> Mark:
    """The mark within its image. Marks made on a larger copy would else be misses, in silence."""
    (height, width), (x0, y0, x1, y1) = image.size_hw, box_xyxy
    box = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
    inside = max(box[2] - box[0], 0) * max(box[3] - box[1], 0)
    if inside < _INSIDE * (x1 - x0) * (y1 - y0):
        raise DataError(
            f"box for the most part outside of {image.file_name}",
            where=mark.where,
            got=f"x0, y0, x1, y1 {x0:g}, {y0:g}, {x1:g}, {y1:g}",
            expected=f"px of the annotated image, {width} wide and {height} high",
            remedy="Scale marks that were made on a copy of another size",
        )
    beyond = max(abs(a - b) for a, b in zip(box, box_xyxy, strict=True))
    return replace(mark, box_xyxy=box, cut=beyond > _ROUNDING_PX)


def _label(text: str, class_names: Sequence[str], where: str) -> tuple[bool, int | None]:
    """(whether it says normal, class_id or None)."""
    label = text.strip().lower()
    names = [name.lower() for name in class_names]
    if label in _NORMAL_LABELS:
        return True, None
    if label in names:
        return False, names.index(label)
    if label and label not in _TUMOR_LABELS:
        raise DataError("unknown label", where=where, got=text, expected=f"normal, tumor or one of {list(class_names)}")
    return False, None


def contradictions(entries: Sequence[Entry], kind: str) -> Iterator[DataError]:
    """DataErrors about an image or case of which a reader says several things."""
    by_target: dict[str, list[Mark]] = {}
    for _, mark in entries:
        by_target.setdefault(mark.target, []).append(mark)
    for target, marks in by_target.items():
        rows = ", ".join(mark.where.removeprefix("row ") for mark in marks)
        if len({mark.normal for mark in marks}) > 1:
            yield DataError(f"{target} is called normal in one row and tumor in another", where=f"rows {rows}")
        elif len({mark.seconds for mark in marks} - {None}) > 1:
            expected = "the time for the whole image or case, in one of its rows or the same in each"
            yield DataError(
                f"{target} has several reading times of one reader", where=f"rows {rows}", expected=expected
            )
        elif kind != BOXES and len(marks) > 1:
            yield DataError(f"{target} has several labels of one reader", where=f"rows {rows}")
