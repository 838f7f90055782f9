"""What human readers said about radiographs: boxes, or a label for each image or case, from one table.

A table (CSV or .xlsx) has a row for each mark: ``reader``; an image (any column of ``image_names.IMAGE_COLUMNS``) or
a ``case_id``; the corners ``x0, y0, x1, y1`` in px, or ``label`` alone; and, if known, ``confidence`` in [0, 1], the
``seconds`` that the image or case took, and the ``modality``, under which it was read (as: alone, with model). A row
of an image without corners says that the reader saw it and marked nothing; docs/evaluation.md has an example. Not here:
what one row says (``tables.reader_rows``), judging the readers (``segtumor.evaluation.comparison`` and ``.readers``).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segtumor.annotations.tables.image_tables import read_cells, refuse_rows
from segtumor.annotations.tables.reader_rows import (
    BOXES,
    CASE_LABELS,
    IMAGE_LABELS,
    Entry,
    Mark,
    Targets,
    contradictions,
    entry_of,
    kind_of,
    reader_of,
)
from segtumor.errors import DataError
from segtumor.structures.lesions import AnnotatedImage, Finding

__all__ = ["BOXES", "CASE_LABELS", "IMAGE_LABELS", "UNLISTED", "ReaderMarks", "TimedReading", "read_reader_marks"]

REFUSE, NORMAL, LEAVE_OUT = "refuse", "normal", "leave-out"
#: What may be done with images that a reader's rows do not mention.
UNLISTED = (REFUSE, NORMAL, LEAVE_OUT)

_LISTED = 5


@dataclass(frozen=True)
class TimedReading:
    """How long a reader took for an image, or for a case with all its images."""

    image_ids: tuple[int, ...]
    seconds: float


@dataclass(frozen=True)
class ReaderMarks:
    """One reader, under one modality.

    Attributes:
        kind: BOXES, IMAGE_LABELS or CASE_LABELS. With labels alone, an image called tumor has one finding that covers
            it: only metrics of images or of patients mean anything.
        with_classes: whether every mark names a class; without, class metrics mean nothing.
        with_confidence: whether the marks have a confidence; without, all scores are 1 and curves mean nothing.
        unlisted_ids: images that the table does not mention, called normal or left out.
        n_cut: boxes that reached beyond the image and were cut at its edge.
        modality: how the images were read, as the table says; empty where it has no such column.
        times: of the images or cases whose reading time the table gives.
    """

    name: str
    kind: str
    with_classes: bool
    with_confidence: bool
    findings: Mapping[int, tuple[Finding, ...]]
    unlisted_ids: tuple[int, ...] = ()
    n_cut: int = 0
    modality: str = ""
    times: tuple[TimedReading, ...] = ()

    @property
    def full_name(self) -> str:
        """The name, with the modality in brackets if there is one."""
        return f"{self.name} ({self.modality})" if self.modality else self.name


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
    kind = kind_of(columns, path)
    targets = Targets(annotated_images, kind, columns)
    by_reader: dict[tuple[str, str], list[Entry]] = {}
    faults: list[DataError] = []
    for number, cells in rows:
        try:
            who = reader_of(cells, f"row {number}")
            by_reader.setdefault(who, []).append(entry_of(cells, kind, targets, class_names, f"row {number}"))
        except DataError as fault:
            faults.append(fault)
    for entries in by_reader.values():
        faults += contradictions(entries, kind)
    refuse_rows(faults, path)
    return [_reader(who, entries, kind, annotated_images, unlisted, path) for who, entries in by_reader.items()]


def _reader(
    who: tuple[str, str],
    entries: Sequence[Entry],
    kind: str,
    annotated_images: Sequence[AnnotatedImage],
    unlisted: str,
    path: Path | str,
) -> ReaderMarks:
    name, modality = who
    by_image: dict[int, list[tuple[AnnotatedImage, Mark]]] = {}
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
        modality=modality,
        times=_times(entries),
    )


def _times(entries: Sequence[Entry]) -> tuple[TimedReading, ...]:
    """One for each image or case that has a time, however many of its rows give it."""
    timed = {
        mark.target: TimedReading(tuple(i.image_id for i in images), mark.seconds)
        for images, mark in entries
        if mark.seconds is not None
    }
    return tuple(timed.values())


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


def _findings(marks: Sequence[tuple[AnnotatedImage, Mark]]) -> tuple[Finding, ...]:
    found = [_finding(mark, image.size_hw) for image, mark in marks if not mark.normal]
    return tuple(sorted(found, key=lambda finding: -finding.score))


def _finding(mark: Mark, size_hw: tuple[int, int]) -> Finding:
    whole_image = (0.0, 0.0, float(size_hw[1]), float(size_hw[0]))
    score = 1.0 if mark.confidence is None or math.isnan(mark.confidence) else float(mark.confidence)
    return Finding(mark.class_id or 0, score, mark.box_xyxy or whole_image, None)
