"""A multi-reader multi-case study as the workbook that RJafroc reads (``DfReadDataFile``, its format of six columns).

Three sheets: TP (ReaderID, ModalityID, CaseID, LesionID, TP_Rating), FP (..., FP_Rating) and TRUTH (CaseID, LesionID,
Weight, ReaderID, ModalityID, Paradigm). Cases are numbers, which ``rjafroc_cases.csv`` explains; another sheet would be
taken for data. Marks give the paradigm FROC, with equal weights of a case's lesions; without boxes the scores of the
patients give ROC. Not here: an analysis (``segtumor.evaluation.readers.crossed``).
"""

import io
from collections.abc import Iterator

import numpy as np

from segtumor.errors import DataError
from segtumor.evaluation.readers.crossed import CrossedStudy
from segtumor.reporting.files.outputs import Content, Table

WORKBOOK, CASES = "rjafroc.xlsx", "rjafroc_cases.csv"
_TP = ("ReaderID", "ModalityID", "CaseID", "LesionID", "TP_Rating")
_FP = ("ReaderID", "ModalityID", "CaseID", "FP_Rating")
_TRUTH = ("CaseID", "LesionID", "Weight", "ReaderID", "ModalityID", "Paradigm")
_Row = tuple[object, ...]


def rjafroc_contents(study: CrossedStudy) -> dict[str, Content]:
    """{name: content} of the workbook and of the table of its cases.

    Raises:
        DataError: a reader or modality with a comma in its name, which divides names there; no false or no true mark.
    """
    from openpyxl import Workbook

    for name in (*study.modalities, *study.readers):
        if "," in name:
            raise DataError("RJafroc divides names at commas", got=name, remedy="Rename it in the table of readers")
    free = study.marks is not None
    true, false = _marked(study) if free else _scored(study)
    if not true or not false:
        raise DataError("RJafroc needs true and false ratings", got=f"{len(true)} and {len(false)}")
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, head, rows in (("TP", _TP, true), ("FP", _FP, false), ("TRUTH", _TRUTH, list(_truth(study)))):
        sheet = book.create_sheet(title)
        for row in (head, *rows):
            sheet.append(list(row))
    buffer = io.BytesIO()
    book.save(buffer)
    cases = [{"CaseID": number, "case_id": name} for number, name in enumerate(study.case_ids, start=1)]
    return {WORKBOOK: buffer.getvalue(), CASES: Table(cases, ("CaseID", "case_id"))}


def _truth(study: CrossedStudy) -> Iterator[_Row]:
    """Normal cases first; of each other case its lesions from 1."""
    calls = next(iter(study.calls.values()))
    names = ",".join(study.readers), ",".join(study.modalities)
    rows: list[_Row] = [(int(case) + 1, 0, 0, *names) for case in np.flatnonzero(~calls.tumor)]
    counts = calls.tumor.astype(np.int64) if study.marks is None else _n_lesions(study)
    rows += [
        (int(case) + 1, lesion, 1 / int(counts[case]), *names)
        for case in np.flatnonzero(counts)
        for lesion in range(1, int(counts[case]) + 1)
    ]
    paradigm = ["ROC" if study.marks is None else "FROC", "FCTRL"]
    for number, row in enumerate(rows):
        yield (*row, paradigm[number] if number < len(paradigm) else None)


def _n_lesions(study: CrossedStudy) -> np.ndarray:
    marks = next(iter((study.marks or {}).values()))
    return np.bincount(marks.lesion_case, minlength=len(marks.normal))


def _marked(study: CrossedStudy) -> tuple[list[_Row], list[_Row]]:
    """Rows of true and of false marks; false ones on cases whose tumour nobody outlined have no place in TRUTH."""
    true: list[_Row] = []
    false: list[_Row] = []
    for (modality, reader), marks in (study.marks or {}).items():
        listed = marks.normal | (_n_lesions(study) > 0)
        seen: dict[int, int] = {}
        for case, rating in zip(marks.lesion_case.tolist(), marks.lesion_rating.tolist(), strict=True):
            seen[case] = seen.get(case, 0) + 1
            if not np.isnan(rating):
                true.append((reader, modality, case + 1, seen[case], rating))
        false += [
            (reader, modality, case + 1, rating)
            for case, rating in zip(marks.false_case.tolist(), marks.false_rating.tolist(), strict=True)
            if listed[case]
        ]
    return true, false


def _scored(study: CrossedStudy) -> tuple[list[_Row], list[_Row]]:
    """Rows of the scores of patients with and without tumour."""
    true: list[_Row] = []
    false: list[_Row] = []
    for (modality, reader), calls in study.calls.items():
        for case, (score, tumor) in enumerate(zip(calls.score.tolist(), calls.tumor.tolist(), strict=True), start=1):
            if tumor:
                true.append((reader, modality, case, 1, score))
            else:
                false.append((reader, modality, case, score))
    return true, false
