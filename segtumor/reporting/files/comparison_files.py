"""The files of comparisons: ``comparison.csv``, ``comparison.json`` and ``comparison.md``, and the text of their cells.

Not here: the tests (``segtumor.evaluation.comparison.comparison``).
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from segtumor import NOTICE
from segtumor.evaluation.comparison.comparison import Comparison, ComparisonRow
from segtumor.evaluation.readers.reader_study import ReaderStudy
from segtumor.evaluation.study.intervals import PERCENTILE_FEW
from segtumor.reporting.files.outputs import Content, Table, document, write_files
from segtumor.reporting.files.reader_files import READER_FILES, reader_contents, reader_document, reader_lines
from segtumor.reporting.words.estimates import capital
from segtumor.texts import (
    UNDEFINED,
    counted,
    is_undefined,
    markdown_table,
    markdown_text,
    p_text,
    percent_text,
)

_HEADER = ("metric", "{first}", "{second}", "difference ({level} interval)", "p", "p (Holm)", "n", "test")
_LOWER = " (lower is better)"


def write_comparisons(
    comparisons: Sequence[Comparison],
    folder: str | Path,
    *,
    level: float,
    provenance: Mapping[str, Any],
    readers: ReaderStudy | None = None,
) -> list[Path]:
    """Write what was compared.

    Args:
        comparisons: of one set of images, such as a model with each reader.
        level: confidence level of the intervals, for the headings.
        readers: of a model and readers, what they come to together.
    """
    columns = ("first_name", "second_name", *(field.name for field in dataclasses.fields(ComparisonRow)))
    rows = [
        {"first_name": comparison.names[0], "second_name": comparison.names[1], **dataclasses.asdict(row)}
        for comparison in comparisons
        for row in comparison.rows
    ]
    sections = [line for comparison in comparisons for line in _section(comparison, level)]
    together: dict[str, Content] = {}
    if readers is not None:
        together = reader_contents(readers, level=level)
        sections += reader_lines(readers, level)
    contents: dict[str, Content] = {
        **together,
        "comparison.csv": Table(rows, columns),
        "comparison.json": document(
            provenance=provenance,
            level=level,
            comparisons=[_plain(comparison) for comparison in comparisons],
            **({} if readers is None else {"readers": reader_document(readers)}),
        ),
        "comparison.md": "\n".join(["# Paired comparison", "", *sections, NOTICE, ""]),
    }
    return write_files(folder, contents, earlier=READER_FILES)


def table_rows(rows: Iterable[ComparisonRow]) -> list[tuple[str, ...]]:
    """Cells of rows as text, under ``table_header``."""
    return [(row.name + ("" if row.higher_is_better else _LOWER), *_number_cells(row)) for row in rows]


def table_header(comparison: Comparison, level: float) -> tuple[str, ...]:
    """Heads of the columns, with the names of the two."""
    first, second = comparison.names
    return tuple(cell.format(first=first, second=second, level=percent_text(level)) for cell in _HEADER)


def table_notes(comparison: Comparison) -> Iterator[str]:
    """How to read the table, in sentences."""
    first, second = comparison.names
    yield f"The difference is {first} less {second}; where lower is better, a negative one favours {first}."
    if any(row.n_first != row.n_second for row in comparison.rows):
        yield f"n as in 7 / 9: of {first} and of {second}, whose values then rest on different units."
    yield (
        "Interval (bootstrap) and p (permutation, DeLong or McNemar) answer different questions and may disagree; "
        "the tests are the ones adjusted."
    )


def value_text(row: ComparisonRow, value: float) -> str:
    """A value with the digits of its kind; "undefined" for NaN; never "-0.000"."""
    if is_undefined(value):
        return UNDEFINED
    text = f"{value:.1f}" if _coarse(row) else f"{value:.3f}"
    return text.lstrip("-") if float(text) == 0 else text


def difference_text(row: ComparisonRow) -> str:
    """The difference with its sign and its interval."""
    if is_undefined(row.difference):
        return UNDEFINED
    if is_undefined(row.low) or is_undefined(row.high):
        return f"{_signed(row, row.difference)} (no interval)"
    few = ", few cases" if row.method == PERCENTILE_FEW else ""
    return f"{_signed(row, row.difference)} ({_signed(row, row.low)} to {_signed(row, row.high)}{few})"


def _number_cells(row: ComparisonRow) -> tuple[str, ...]:
    values = (value_text(row, row.first), value_text(row, row.second))
    p_values = (p_text(p, least="< .001", undefined="–") for p in (row.p_value, row.p_holm))
    return (*values, difference_text(row), *p_values, _n_text(row), row.test)


def _n_text(row: ComparisonRow) -> str:
    """How many units define the values; of both where they differ, as with matched lesions."""
    if row.n_first == row.n_second:
        return counted(row.n_first, row.unit)
    return f"{row.n_first} / {row.n_second} {row.unit}"


def _signed(row: ComparisonRow, value: float) -> str:
    text = value_text(row, value)
    return text if text.startswith("-") or float(text) == 0 else f"+{text}"


def _coarse(row: ComparisonRow) -> bool:
    return row.in_percent or row.name.endswith(("_px", "_mm"))


def _plain(comparison: Comparison) -> dict[str, Any]:
    return {
        "names": list(comparison.names),
        "n_cases": comparison.n_cases,
        "n_images": comparison.n_images,
        "remarks": list(comparison.remarks),
        "rows": [dataclasses.asdict(row) for row in comparison.rows],
    }


def _section(comparison: Comparison, level: float) -> Iterator[str]:
    """Lines about one comparison: what was paired, and a table for each group of measures."""
    first, second = (markdown_text(name) for name in comparison.names)
    yield from (f"## {first} and {second}", "")
    yield (
        f"{counted(comparison.n_images, 'images')} of {counted(comparison.n_cases, 'cases')}, paired; intervals "
        f"resample cases. p (Holm) is adjusted for {counted(len(comparison.rows), 'measures')} compared. "
        + markdown_text(" ".join(table_notes(comparison)))
    )
    yield ""
    yield from (f"- {markdown_text(remark)}" for remark in comparison.remarks)
    yield from ("",) if comparison.remarks else ()
    for group, rows in itertools.groupby(comparison.rows, key=lambda row: row.group):
        cells = [(_title(row), *_number_cells(row)) for row in rows]
        yield from (f"### {capital(group)}", "", *markdown_table(table_header(comparison, level), cells), "")


def _title(row: ComparisonRow) -> str:
    return f"{row.label}, `{row.name}`{'' if row.higher_is_better else _LOWER}"
