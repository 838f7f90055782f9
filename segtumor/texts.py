"""Numbers in words and tables as text: one form of each, for terminals, reports and Markdown files.

Not here: numbers with the digits of their measure (``segtumor.reporting.words``), and HTML, whose templates escape.
"""

import math
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from segtumor.escaping import printable

UNDEFINED = "undefined"

_GAP = "  "
_NARROWEST = 8
#: Width of a wrapped table where the output is not a terminal, and the least for a terminal.
_DEFAULT_WIDTH, _LEAST_WIDTH = 150, 60


def is_undefined(value: float | None) -> bool:
    """Whether there is no number to show: None, NaN or infinite."""
    return value is None or not math.isfinite(value)


def counted(n: int, plural: str) -> str:
    """ "1 image", "2 images", "1 case"."""
    return f"{n} {plural.removesuffix('s') if n == 1 else plural}"


def some_of(names: Sequence[str], most: int, separator: str = ", ") -> str:
    """The first names, and how many there are beside them: "a, b and 3 more"."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return separator.join(names[:most]) + more


def listing(items: Sequence[Any], plural: str, most: int) -> str:
    """How many items there are, and a line for each of the first: "3 problems:", a, b, "... and 1 more"."""
    rest = [f"... and {len(items) - most} more"] if len(items) > most else []
    return "\n  ".join([f"{counted(len(items), plural)}:", *map(str, items[:most]), *rest])


def percent_text(level: float) -> str:
    """0.95 -> "95%"."""
    return f"{100 * level:.4g}%"


def p_text(p_value: float | None, *, least: str = "< 0.001", undefined: str = UNDEFINED) -> str:
    """A p value with three decimals: "0.034"; ``least`` below 0.001, ``undefined`` where there is none."""
    if p_value is None or is_undefined(p_value):
        return undefined
    return least if p_value < 0.001 else f"{p_value:.3f}"


def aligned_table(rows: Iterable[Sequence[Any]], align: str = "<>", *, rule: bool = False) -> list[str]:
    """Lines of cells in columns, two blanks apart, without blanks at their ends.

    Args:
        rows: cells, the header first; each row has as many.
        align: "<" (left) or ">" (right) for each column; the last one holds for all further columns.
        rule: whether hyphens follow the first row.
    """
    table = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    if rule:
        table.insert(1, ["-" * width for width in widths])
    sides = align + align[-1] * (len(widths) - len(align))
    return [
        _GAP.join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=False)).rstrip()
        for row in table
    ]


def wrapped_table(
    header: Sequence[str], rows: Iterable[Sequence[Any]], *, shares: Sequence[int], width: int | None = None
) -> Iterator[str]:
    """Lines of a table whose long cells are wrapped to the width of the terminal.

    Args:
        header: names of the columns.
        rows: cells.
        shares: relative width of each column; no column is wider than its longest cell needs.
        width: characters of a line; None: the terminal's.
    """
    table = [list(header), *([str(cell) for cell in row] for row in rows)]
    width = width or shutil.get_terminal_size((_DEFAULT_WIDTH, 24)).columns
    widths = _shared_widths(table, shares, max(width, _LEAST_WIDTH) - len(_GAP) * (len(header) - 1))
    for row in table:
        cells = [textwrap.wrap(cell, w) or [""] for cell, w in zip(row, widths, strict=True)]
        for i in range(max(map(len, cells))):
            line = [(cell[i] if i < len(cell) else "").ljust(w) for cell, w in zip(cells, widths, strict=True)]
            yield _GAP.join(line).rstrip()


def _shared_widths(rows: Sequence[Sequence[str]], shares: Sequence[int], room: float) -> list[int]:
    """Characters of each column: what columns do not need goes to those that do, by their shares."""
    needs = [max(len(row[i]) for row in rows) for i in range(len(shares))]
    widths, open_columns = [0] * len(shares), list(range(len(shares)))
    while open_columns:
        unit = room / sum(shares[i] for i in open_columns)
        content = [i for i in open_columns if needs[i] <= unit * shares[i]]
        if not content:
            for i in open_columns:
                widths[i] = max(_NARROWEST, int(unit * shares[i]))
            break
        for i in content:
            widths[i], room = needs[i], room - needs[i]
            open_columns.remove(i)
    return widths


def markdown_text(text: Any) -> str:
    """The text on one line, without HTML, ends of cells, links and pictures, which a viewer would fetch."""
    text = printable(" ".join(str(text).split())).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"\\(?=[|\[\]!\\])|[|\[\]]", r"\\\g<0>", text)


def markdown_table(columns: Sequence[Any], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Lines of a Markdown table; names in cells come from users' tables, and are escaped."""
    lines = ["| " + " | ".join(map(markdown_text, cells)) + " |" for cells in (columns, *rows)]
    return [lines[0], "| --- " * len(columns) + "|", *lines[1:]]
