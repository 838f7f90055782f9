"""A table whose long cells are wrapped to the width of the terminal.

Not here: tables of short numbers (``segtumor.commands.common.account.print_table``).
"""

import shutil
import textwrap

_GAP = 2
_NARROWEST = 8
#: Width where the output is no terminal.
_DEFAULT_WIDTH = 150


def wrapped_table(header, rows, *, shares, width=None):
    """Lines of text.

    Args:
        header: names of the columns; rows: cells.
        shares: relative width of each column; no column is wider than its longest cell needs.
        width: characters of a line; None: the terminal's.
    """
    rows = [[str(cell) for cell in row] for row in rows]
    width = width or shutil.get_terminal_size((_DEFAULT_WIDTH, 24)).columns
    widths = _widths([header, *rows], shares, max(width, 60) - _GAP * (len(header) - 1))
    for row in (header, *rows):
        cells = [textwrap.wrap(cell, w) or [""] for cell, w in zip(row, widths, strict=True)]
        for i in range(max(map(len, cells))):
            line = [(cell[i] if i < len(cell) else "").ljust(w) for cell, w in zip(cells, widths, strict=True)]
            yield (" " * _GAP).join(line).rstrip()


def _widths(rows, shares, room):
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
