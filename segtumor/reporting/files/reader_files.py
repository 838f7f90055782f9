"""The files of a model and readers together: agreement, confusion matrices, errors, cases, reading times.

Not here: the files of one comparison (``comparison_files``), and the counting (``segtumor.evaluation.readers``).
"""

import dataclasses
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from segtumor.evaluation.readers.reader_study import CLASS, TUMOR, ErrorOverlap, RaterConfusion, ReaderStudy
from segtumor.reporting.files.outputs import Content, Table
from segtumor.statistics.proportions import wilson
from segtumor.taxonomy import NORMAL
from segtumor.texts import UNDEFINED, counted, is_undefined, markdown_table, markdown_text, p_text, percent_text

_AGREEMENT, _CONFUSIONS, _ERRORS, _CASES, _TIMES, _FIGURE = READER_FILES = (
    "reader_agreement.csv",
    "reader_confusions.csv",
    "reader_errors.csv",
    "reader_cases.csv",
    "reading_times.csv",
    "reader_confusions.png",
)
#: Of the four counts of an ErrorOverlap, those that have an interval.
_SHARES = ("both", "first_only", "second_only")


def reader_contents(study: ReaderStudy, *, level: float) -> dict[str, Content]:
    """{name: content} of the files of a ReaderStudy; no table of times where nobody gave any."""
    from segtumor.reporting.figures.canvas import png_bytes
    from segtumor.reporting.figures.confusion import confusions_figure

    tables = [(table.rater, table.names, table.counts) for table in drawn_confusions(study)]
    contents: dict[str, Content] = {
        _AGREEMENT: _agreement_table(study),
        _CONFUSIONS: _confusion_table(study.confusions),
        _ERRORS: _error_table(study, level),
        _CASES: _case_table(study),
        _FIGURE: png_bytes(partial(confusions_figure, tables, unit="patients")),
    }
    if study.times:
        rows = [vars(time) for time in study.times]
        contents[_TIMES] = Table(rows, [*rows[0]])
    return contents


def reader_document(study: ReaderStudy) -> dict[str, Any]:
    """Agreement, errors and times as plain values; the tables have the rest."""
    return {
        "raters": list(study.raters),
        "n_common_images": study.n_common_images,
        "agreement": [dataclasses.asdict(row) for row in study.agreement],
        "errors": [dataclasses.asdict(row) for row in study.errors],
        "times": [dataclasses.asdict(row) for row in study.times],
    }


def drawn_confusions(study: ReaderStudy) -> list[RaterConfusion]:
    """One matrix for each rater: of the classes if everybody names them, else of tumour or not."""
    of_classes = [table for table in study.confusions if table.of == CLASS]
    if len(of_classes) == len(study.raters):
        return of_classes
    return [table for table in study.confusions if table.of == TUMOR]


def reader_lines(study: ReaderStudy, level: float) -> Iterator[str]:
    """Lines of Markdown."""
    yield from ("## Readers together", "")
    yield (
        f"{markdown_text(', '.join(study.raters))}; {counted(study.n_common_images, 'images')} read by all. All counts "
        "are patients. Each pair is compared on the images that both read."
    )
    yield from ("", "### Agreement", "")
    yield from (*markdown_table(agreement_header(level), agreement_cells(study)), "")
    yield from ("### Errors", "")
    yield from (*markdown_table(error_header(level), error_cells(study, level)), "")
    if study.times:
        yield from ("### Reading time", "")
        yield from (*markdown_table(TIME_HEADER, time_cells(study)), "")
    yield from (f"Confusion matrices: {_CONFUSIONS}, {_FIGURE}; who erred on which case: {_CASES}.", "")


def agreement_header(level: float) -> tuple[str, ...]:
    """Heads of ``agreement_cells``."""
    return ("of", "raters", "equal calls", f"kappa ({percent_text(level)} interval)", "n")


def error_header(level: float) -> tuple[str, ...]:
    """Heads of ``error_cells``."""
    shares = (f"{name} (share, {percent_text(level)} interval)" for name in ("both", "first only", "second only"))
    return ("errors", "first, second", *shares, "neither", "n", "p (McNemar)")


def agreement_cells(study: ReaderStudy) -> list[tuple[str, ...]]:
    """Rows of text under ``agreement_header``."""
    return [
        (
            "tumour or not" if row.of == TUMOR else "class, linear weights",
            f"{row.first}, {row.second}",
            f"{row.observed:.3f}",
            UNDEFINED
            if is_undefined(row.kappa)
            else f"{row.kappa:.3f} ({_range(row.interval.low, row.interval.high)})",
            str(row.n),
        )
        for row in study.agreement
    ]


def error_cells(study: ReaderStudy, level: float) -> list[tuple[str, ...]]:
    """Rows of text under ``error_header``."""
    return [
        (
            row.what,
            f"{row.first}, {row.second}",
            *(_share(getattr(row, name), row.n, level) for name in _SHARES),
            str(row.neither),
            str(row.n),
            p_text(row.test.p_value, undefined="–"),
        )
        for row in study.errors
    ]


TIME_HEADER = ("rater", "per", "median (quartiles), s", "total, s", "n")


def time_cells(study: ReaderStudy) -> list[tuple[str, ...]]:
    """Rows of text under TIME_HEADER."""
    return [
        (
            time.rater,
            time.unit.removesuffix("s"),
            f"{time.median:.3g} ({time.lower_quartile:.3g} to {time.upper_quartile:.3g})",
            f"{time.total:.4g}",
            str(time.n),
        )
        for time in study.times
    ]


def _agreement_table(study: ReaderStudy) -> Table:
    columns = ("of", "first", "second", "n", "observed", "kappa", "low", "high", "method")
    rows = [{**vars(row), **vars(row.interval)} for row in study.agreement]
    return Table([{name: row[name] for name in columns} for row in rows], columns)


def _confusion_table(confusions: Iterable[RaterConfusion]) -> Table:
    rows = [
        {"rater": table.rater, "of": table.of, "true": true, "called": called, "n": int(table.counts[i, j])}
        for table in confusions
        for i, true in enumerate(table.names)
        for j, called in enumerate(table.names)
    ]
    return Table(rows, ("rater", "of", "true", "called", "n"))


def _error_table(study: ReaderStudy, level: float) -> Table:
    rows = [_error_row(row, level) for row in study.errors]
    shares = [name + ending for name in _SHARES for ending in ("", "_share", "_low", "_high")]
    return Table(rows, ("what", "first", "second", "n", *shares, "neither", "p_value", "test"))


def _error_row(row: ErrorOverlap, level: float) -> dict[str, Any]:
    cells: dict[str, Any] = {name: getattr(row, name) for name in ("what", "first", "second", "n", "neither")}
    for name in _SHARES:
        count = getattr(row, name)
        interval = wilson(count, row.n, level=level)
        cells |= {name: count, f"{name}_share": count / row.n if row.n else float("nan")}
        cells |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
    return {**cells, "p_value": row.test.p_value, "test": "; ".join(filter(None, (row.test.name, row.test.note)))}


def _case_table(study: ReaderStudy) -> Table:
    words = {True: TUMOR, False: NORMAL}
    columns = ["case_id", "true", *(f"call of {name}" for name in study.raters), "missed_by", "false_alarm_by"]
    rows = [
        {
            "case_id": case["case_id"],
            "true": words[case["tumor"]],
            **{f"call of {name}": words[positive] for name, positive in case["called"].items()},
            "missed_by": case["missed_by"],
            "false_alarm_by": case["false_alarm_by"],
        }
        for case in study.cases
    ]
    return Table([{name: row.get(name, "") for name in columns} for row in rows], columns)


def _share(count: int, n: int, level: float) -> str:
    if not n:
        return UNDEFINED
    interval = wilson(count, n, level=level)
    return f"{count} ({count / n:.3f}, {_range(interval.low, interval.high)})"


def _range(low: float, high: float) -> str:
    return f"{low:.3f} to {high:.3f}"
