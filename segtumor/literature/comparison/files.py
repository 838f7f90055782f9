"""The files of a comparison with published numbers: ``benchmark.csv``, ``.json``, ``.md`` and one page of HTML.

Not here: the rows (``table``), and what is printed (``segtumor.commands.benchmark.run_output``).
"""

import dataclasses
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from segtumor import NOTICE, __version__
from segtumor.evaluation.study.values import Estimate
from segtumor.literature.comparison.table import ComparedNumber
from segtumor.reporting.files.outputs import Content, Table, document, write_files
from segtumor.reporting.pages.page import environment
from segtumor.reporting.words.estimates import count_text, interval_text, value_cell
from segtumor.texts import is_undefined, markdown_table, markdown_text

_CLEAN = "ours, no shared cases"
_CSV_COLUMNS = (
    *("metric", "label", "value", "low", "high", "method", "n", "successes"),
    *("leak_free_value", "leak_free_low", "leak_free_high", "leak_free_n"),
    *("published", "published_ci", "published_n", "source", "verdict", "why"),
)
_BESIDE = "Our numbers beside the published ones"
_ALONE = "Our numbers without a published one"
_NOTES = "Why not comparable, or what to bear in mind"


def write_benchmark(
    rows: Sequence[ComparedNumber],
    folder: str | Path,
    *,
    title: str,
    sentences: Sequence[str],
    provenance: Mapping[str, Mapping[str, Any]],
) -> list[Path]:
    """Write the rows of a comparison.

    Args:
        sentences: what a reader must know first: data, leak, notes, assumptions.
    """
    table = [_csv_row(row) for row in rows]
    contents: dict[str, Content] = {
        "benchmark.csv": Table(table, _CSV_COLUMNS),
        "benchmark.json": document(
            title=title,
            sentences=list(sentences),
            provenance=provenance,
            rows=[
                {**cells, "reasons": list(row.reasons), "caveats": list(row.caveats)}
                for cells, row in zip(table, rows, strict=True)
            ],
        ),
        "benchmark.md": _markdown(title, sentences, rows),
        "benchmark.html": _page(title, sentences, rows, provenance),
    }
    return write_files(folder, contents)


def estimate_text(estimate: Estimate | None) -> str:
    """Value, interval and count of an estimate, or a dash for None."""
    if estimate is None:
        return "–"
    if is_undefined(estimate.value):
        return value_cell(estimate)
    return f"{value_cell(estimate)} ({interval_text(estimate)}), {count_text(estimate)}"


def numbered_notes(rows: Iterable[ComparedNumber]) -> dict[str, int]:
    """{reason or caveat: its number}, in the order of the rows: most are in many of them."""
    notes = dict.fromkeys(text for row in rows for text in (*row.reasons, *row.caveats))
    return {text: number for number, text in enumerate(notes, start=1)}


def answer_text(row: ComparedNumber, numbers: Mapping[str, int]) -> str:
    """Whether a row may be compared, with the numbers of its notes: "no (1, 3)", "with caveat (2)", "yes"."""
    word = "no" if row.reasons else "with caveat" if row.caveats else "yes"
    named = ", ".join(map(str, sorted(numbers[text] for text in (*row.reasons, *row.caveats))))
    return f"{word} ({named})" if named else word


def _tables(
    rows: Sequence[ComparedNumber],
) -> Iterator[tuple[str, tuple[str, ...], list[tuple[str, str, tuple[str, ...]]]]]:
    """(heading, columns, [(verdict, label, cells)]) of what is beside published numbers, and of what is not."""
    numbers = numbered_notes(rows)
    for heading, alone in ((_BESIDE, False), (_ALONE, True)):
        chosen = [row for row in rows if bool(row.published) != alone]
        if chosen:
            clean = any(row.leak_free is not None for row in chosen)
            columns = ("metric", "ours", *((_CLEAN,) if clean else ()))
            columns += () if alone else ("published", "source", "comparable")
            yield heading, columns, [(row.verdict, row.label, _cells(row, clean, alone, numbers)) for row in chosen]


def _cells(row: ComparedNumber, clean: bool, alone: bool, numbers: Mapping[str, int]) -> tuple[str, ...]:
    cells = (row.metric, estimate_text(row.ours), *((estimate_text(row.leak_free),) if clean else ()))
    if alone:
        return cells
    interval = f" ({row.published_ci})" if row.published_ci else ""
    n = f", {row.published_n}" if row.published_n else ""
    return (*cells, f"{row.published}{interval}{n}", row.source, answer_text(row, numbers))


def _csv_row(row: ComparedNumber) -> dict[str, Any]:
    cells = {name: getattr(row, name) for name in _CSV_COLUMNS if hasattr(row, name)}
    for prefix, estimate in (("", row.ours), ("leak_free_", row.leak_free)):
        values = dataclasses.asdict(estimate) if estimate is not None else {}
        for name in ("value", "low", "high", "method", "n", "successes"):
            if prefix + name in _CSV_COLUMNS:
                value = values.get(name)
                cells[prefix + name] = None if isinstance(value, float) and is_undefined(value) else value
    return cells


def _markdown(title: str, sentences: Iterable[str], rows: Sequence[ComparedNumber]) -> str:
    lines = [f"# {markdown_text(title)}", "", *(f"- {markdown_text(sentence)}" for sentence in sentences), ""]
    for heading, columns, cells in _tables(rows):
        lines += [f"## {heading}", "", *markdown_table(columns, [texts for _, _, texts in cells]), ""]
    notes = numbered_notes(rows)
    if notes:
        lines += [f"## {_NOTES}", "", *(f"{number}. {markdown_text(text)}" for text, number in notes.items()), ""]
    return "\n".join([*lines, NOTICE, ""])


def _page(
    title: str,
    sentences: Sequence[str],
    rows: Sequence[ComparedNumber],
    provenance: Mapping[str, Mapping[str, Any]],
) -> str:
    return (
        environment()
        .get_template("benchmark.html")
        .render(
            title=title,
            notice=NOTICE,
            version=__version__,
            sentences=sentences,
            tables=list(_tables(rows)),
            notes_heading=_NOTES,
            notes=list(numbered_notes(rows)),
            provenance={heading: _plain(content) for heading, content in provenance.items()},
        )
    )


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """Provenance as text: a command as one types it, lists and dicts without their brackets."""
    return {name: _value_text(name, value) for name, value in content.items()}


def _value_text(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return shlex.join(map(str, value)) if name == "command" else ", ".join(map(str, value))
    return value
