"""Tables of measured figures: as aligned text for a terminal and as Markdown for documents.

Numbers are formatted where they are measured; here are only cells.
"""

import math
import textwrap
from dataclasses import dataclass, field

from segtumor.texts import aligned_table, markdown_table, markdown_text

_WIDTH = 116


@dataclass(frozen=True)
class Table:
    """Attributes: title, columns (texts), rows (lists of texts), notes (sentences below it)."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """What one part of the benchmark found.

    Attributes:
        tables: for people.
        raw: plain values for JSON, times in seconds and memory in MiB.
        problems: sentences, one for each result that differs from what it must equal; empty if all is well.
    """

    tables: tuple[Table, ...]
    raw: dict = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def text_of(table):
    """The table as aligned lines."""
    notes = [textwrap.fill(note, _WIDTH, initial_indent="  ", subsequent_indent="  ") for note in table.notes]
    return "\n".join([table.title, "", *aligned_table([table.columns, *table.rows], rule=True), *notes])


def markdown_of(table):
    """The table as lines of Markdown, with a heading."""
    notes = [f"- {markdown_text(note)}" for note in table.notes]
    return "\n".join(
        [f"## {table.title}", "", *markdown_table(table.columns, table.rows), *([""] if notes else []), *notes]
    )


def milliseconds(seconds):
    """Text of a time: "12.3", "1,234"; "-" for NaN."""
    return "-" if math.isnan(seconds) else f"{1000 * seconds:,.{0 if seconds >= 0.1 else 1}f}"


def ratio(value):
    """Text of a ratio: "2.31 x"; "-" for NaN."""
    return "-" if math.isnan(value) else f"{value:.2f} x"
