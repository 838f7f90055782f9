"""Every sheet of a table, CSV or Excel, as rows of texts.

Cells are read as text: some are blank, and a spreadsheet may turn 1 into 1.0. Not here: tables of one sheet with
known columns (``segtumor.data.tables``).
"""

import csv
import io
from pathlib import Path

from segtumor.errors import DataError

_MAX_BYTES = 256 * 2**20


def read_sheets(path):
    """{sheet name: rows of texts}; a CSV is one sheet without a name. Raises DataError if it is unreadable."""
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DataError("table is too large", where=path, expected="at most 256 MB")
    except OSError as error:
        raise DataError(f"table: {error.strerror}", where=path) from error
    return _read_xlsx(path) if path.suffix.lower() == ".xlsx" else {"": _read_csv(path)}


def header_of(rows):
    """Column names of a sheet: its first row, in lower case, spaces single."""
    return [" ".join(cell.split()).lower() for cell in rows[0]] if rows else []


def cells_of(rows):
    """Rows below the header as {column: text}."""
    header = header_of(rows)
    filled = ([*row, *[""] * (len(header) - len(row))] for row in rows[1:])
    return [dict(zip(header, (cell.strip() for cell in row), strict=False)) for row in filled]


def _read_csv(path):
    try:
        text = path.read_bytes().decode("utf-8-sig")  # spreadsheets put a byte-order mark in front
        return list(csv.reader(io.StringIO(text, newline="")))
    except OSError as error:
        raise DataError(f"table: {error.strerror}", where=path) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"not readable as CSV in UTF-8: {error}", where=path) from error


def _read_xlsx(path):
    import pandas  # slow to import, and only this needs it

    options = {"header": None, "dtype": str, "keep_default_na": False, "engine": "openpyxl", "sheet_name": None}
    try:
        frames = pandas.read_excel(path, **options)
    except OSError as error:
        raise DataError(f"table: {error.strerror or error}", where=path) from error
    except Exception as error:  # openpyxl lets zip, XML and key errors of a broken file through
        raise DataError(f"not readable as an Excel table: {error}", where=path) from error
    return {
        str(name): [["" if cell != cell else str(cell) for cell in row] for row in frame.itertuples(index=False)]
        for name, frame in frames.items()
    }
