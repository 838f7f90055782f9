"""What human readers said about radiographs: boxes, or a label for each image or case, from one table.

A table (CSV or .xlsx) has a row for each mark: ``reader``; an image (any column of ``image_names.IMAGE_COLUMNS``) or
a ``case_id``; the corners ``x0, y0, x1, y1`` in px, or ``label`` alone; and, if known, ``confidence`` in [0, 1]. A row
of an image without corners says that the reader saw it and marked nothing; docs/evaluation.md has an example. Not here:
judging the readers (``segtumor.evaluation.comparison.comparison``).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segtumor.annotations.image_names import IMAGE_COLUMNS, NameIndex
from segtumor.annotations.tables.cells import cell_number
from segtumor.annotations.tables.image_tables import read_cells, refuse_rows
from segtumor.arrays import Box
from segtumor.cases import case_of
from segtumor.errors import DataError
from segtumor.structures.lesions import AnnotatedImage, Finding

BOXES, IMAGE_LABELS, CASE_LABELS = "boxes", "image labels", "case labels"
REFUSE, NORMAL, LEAVE_OUT = "refuse", "normal", "leave-out"
#: What may be done with images that a reader's rows do not mention.
UNLISTED = (REFUSE, NORMAL, LEAVE_OUT)

_CORNERS = ("x0", "y0", "x1", "y1")
_NORMAL_LABELS = ("normal", "no finding", "0", "negative")
_TUMOR_LABELS = ("tumor", "tumour", "1", "positive", "lesion")
_LISTED = 5
_ROUNDING_PX = 1  # a mark at the very edge may be rounded outwards
_INSIDE = 0.5  # people drag past the edge, but not by half of the box


@dataclass(frozen=True)
class ReaderMarks:
    """One reader.

    Attributes:
        kind: BOXES, IMAGE_LABELS or CASE_LABELS. With labels alone, an image called tumor has one finding that covers
            it: only metrics of images or of patients mean anything.
        with_classes: whether every mark names a class; without, class metrics mean nothing.
        with_confidence: whether the marks have a confidence; without, all scores are 1 and curves mean nothing.
        unlisted_ids: images that the table does not mention, called normal or left out.
        n_cut: boxes that reached beyond the image and were cut at its edge.
    """

    name: str
    kind: str
    with_classes: bool
    with_confidence: bool
    findings: Mapping[int, tuple[Finding, ...]]
    unlisted_ids: tuple[int, ...] = ()
    n_cut: int = 0


def read_reader_marks(
    path: Path | str, annotated_images: Sequence[AnnotatedImage], class_names: Sequence[str], *, unlisted: str = REFUSE
) -> list[ReaderMarks]:
    """Readers of a table.

    Args:
        path: CSV in UTF-8, divided by commas, semicolons or tabs; or .xlsx.
        class_names: names by ``class_id``; a label is one of them, or tumor (class unknown), or normal.
        unlisted: what an image that a reader does not mention means: ``"refuse"`` raises, ``"normal"`` counts it as
            called normal, ``"leave-out"`` leaves it out of ``findings``.

    Raises:
        DataError: columns missing, an image or case that is not annotated or ambiguous, a box that is malformed or
            for the most part outside of its image, an unknown label, a confidence outside [0, 1], contradicting rows,
            unlisted images that are refused, or left out so that only calls of tumor would be left. Of faulty rows it
            names the first ten and counts them all.
    """
    rows = [(n, cells) for n, cells in enumerate(read_cells(path, needed=("reader",)), start=2) if any(cells.values())]
    if not rows:
        raise DataError("the table has no reader", where=path, expected="a row for each mark")
    columns = rows[0][1]
    kind = _kind(columns, path)
    targets = _Targets(annotated_images, kind, columns)
    by_reader: dict[str, list[_Entry]] = {}
    faults: list[DataError] = []
    for number, cells in rows:
        try:
            entry = _entry(cells, kind, targets, class_names, f"row {number}")
            by_reader.setdefault(cells["reader"], []).append(entry)
        except DataError as fault:
            faults.append(fault)
    for entries in by_reader.values():
        faults += _contradictions(entries, kind)
    refuse_rows(faults, path)
    return [_reader(name, entries, kind, annotated_images, unlisted, path) for name, entries in by_reader.items()]


@dataclass(frozen=True)
class _Mark:
    """A row, checked; ``class_id`` is None where the reader named no class, ``box_xyxy`` where the reader drew no box.

    ``where`` is its row, ``target`` the image or case it is about, ``cut`` whether its box reached beyond the image.
    """

    normal: bool
    box_xyxy: Box | None
    class_id: int | None
    confidence: float | None
    where: str = ""
    target: str = ""
    cut: bool = False


#: Images that a row is about, and what it says of them.
_Entry = tuple[list[AnnotatedImage], _Mark]


class _Targets:
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


def _entry(cells: Mapping[str, str], kind: str, targets: _Targets, class_names: Sequence[str], where: str) -> _Entry:
    """(AnnotatedImages, _Mark) of a row."""
    if not cells["reader"]:
        raise DataError("the reader has no name", where=where)
    mark = _mark(cells, kind, class_names, where)
    images = targets.find(cells, where)
    target = case_of(cells) if kind == CASE_LABELS else images[0].file_name
    mark = replace(mark, where=where, target=target or "")
    return images, _cut_at_edge(mark, mark.box_xyxy, images[0]) if mark.box_xyxy else mark


def _kind(columns: Mapping[str, str], path: Path | str) -> str:
    has_image = any(name in columns for name in IMAGE_COLUMNS)
    if all(name in columns for name in _CORNERS):
        if not has_image:
            raise DataError("boxes without a column of images", where=path, expected=", ".join(IMAGE_COLUMNS))
        return BOXES
    if "label" in columns and (has_image or "case_id" in columns):
        return IMAGE_LABELS if has_image else CASE_LABELS
    expected = f"reader, an image and {', '.join(_CORNERS)}; or reader, an image or case_id, and label"
    raise DataError("not a table of readers", where=path, got=", ".join(columns), expected=expected)


def _mark(cells: Mapping[str, str], kind: str, class_names: Sequence[str], where: str) -> _Mark:
    normal, class_id = _label(cells.get("label", ""), class_names, where)
    confidence = cell_number(cells.get("confidence", ""))
    if cells.get("confidence", "") and (confidence is None or not 0 <= confidence <= 1):
        remedy = "Divide it by the top of its scale, such as 100 for percent" if confidence and confidence > 1 else None
        what = "confidence is no probability"
        raise DataError(what, where=where, got=cells["confidence"], expected="0 to 1", remedy=remedy)
    if kind != BOXES:
        if not cells.get("label"):
            raise DataError("no label", where=where, expected=f"normal, tumor or one of {list(class_names)}")
        return _Mark(normal, None, class_id, confidence)
    corners = [cells[name] for name in _CORNERS]
    if not any(corners):
        if cells.get("label") and not normal:
            raise DataError("a tumor without a box", where=where, got=cells["label"], expected="x0, y0, x1, y1")
        return _Mark(True, None, None, confidence)
    if normal:
        raise DataError("a box on what is called normal", where=where, got=corners)
    return _Mark(False, _box(corners, where), class_id, confidence)


def _box(corners: Sequence[str], where: str) -> Box:
    values = [float(number) for text in corners if (number := cell_number(text)) is not None]
    if len(values) != len(_CORNERS) or not (values[0] < values[2] and values[1] < values[3]):
        raise DataError("malformed box", where=where, got=", ".join(corners), expected="x0 < x1 and y0 < y1, in px")
    return values[0], values[1], values[2], values[3]


def _cut_at_edge(mark: _Mark, box_xyxy: Box, image: AnnotatedImage) -> _Mark:
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


def _contradictions(entries: Sequence[_Entry], kind: str) -> Iterator[DataError]:
    """DataErrors about an image or case of which a reader says several things."""
    by_target: dict[str, list[_Mark]] = {}
    for _, mark in entries:
        by_target.setdefault(mark.target, []).append(mark)
    for target, marks in by_target.items():
        rows = ", ".join(mark.where.removeprefix("row ") for mark in marks)
        if len({mark.normal for mark in marks}) > 1:
            yield DataError(f"{target} is called normal in one row and tumor in another", where=f"rows {rows}")
        elif kind != BOXES and len(marks) > 1:
            yield DataError(f"{target} has several labels of one reader", where=f"rows {rows}")


def _reader(
    name: str,
    entries: Sequence[_Entry],
    kind: str,
    annotated_images: Sequence[AnnotatedImage],
    unlisted: str,
    path: Path | str,
) -> ReaderMarks:
    by_image: dict[int, list[tuple[AnnotatedImage, _Mark]]] = {}
    for images, mark in entries:
        for image in images:
            by_image.setdefault(image.image_id, []).append((image, mark))
    findings = {i: _findings(marks) for i, marks in by_image.items()}
    missing = [image for image in annotated_images if image.image_id not in findings]
    if missing:
        _check_missing(name, missing, findings, kind, unlisted, path)
    if unlisted == NORMAL:
        findings |= {image.image_id: () for image in missing}
    tumors = [mark for _, mark in entries if not mark.normal]
    return ReaderMarks(
        name,
        kind,
        with_classes=all(mark.class_id is not None for mark in tumors),
        with_confidence=all(mark.confidence is not None for mark in tumors),
        findings=findings,
        unlisted_ids=tuple(image.image_id for image in missing),
        n_cut=sum(mark.cut for mark in tumors),
    )


def _check_missing(
    name: str,
    missing: Sequence[AnnotatedImage],
    findings: Mapping[int, tuple[Finding, ...]],
    kind: str,
    unlisted: str,
    path: Path | str,
) -> None:
    if unlisted == REFUSE:
        raise DataError(
            f"reader {name} does not mention {len(missing)} annotated images",
            where=path,
            got=", ".join(image.file_name for image in missing[:_LISTED]),
            remedy="Use --unlisted to say whether they were called normal or not read (leave-out)",
        )
    if unlisted == LEAVE_OUT and all(findings.values()):
        how = "without corners" if kind == BOXES else "with the label normal"
        raise DataError(
            f"all images that reader {name} lists carry a mark: leave-out would compare positive calls only",
            where=path,
            remedy=f"Add a row {how} for each {'case' if kind == CASE_LABELS else 'image'} read as normal",
        )


def _findings(marks: Sequence[tuple[AnnotatedImage, _Mark]]) -> tuple[Finding, ...]:
    found = [_finding(mark, image.size_hw) for image, mark in marks if not mark.normal]
    return tuple(sorted(found, key=lambda finding: -finding.score))


def _finding(mark: _Mark, size_hw: tuple[int, int]) -> Finding:
    whole_image = (0.0, 0.0, float(size_hw[1]), float(size_hw[0]))
    score = 1.0 if mark.confidence is None or math.isnan(mark.confidence) else float(mark.confidence)
    return Finding(mark.class_id or 0, score, mark.box_xyxy or whole_image, None)
