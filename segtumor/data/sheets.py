"""Every sheet of a table, CSV or Excel, as rows of texts.

Cells are read as text: some are blank, and a spreadsheet may turn 1 into 1.0. CSV may be divided by commas, semicolons
or tabs, as spreadsheets of different countries write it. Not here: tables of one sheet with
known columns (``segtumor.data.tables``).
"""

import csv
import io
import os
import re
from pathlib import Path

from segtumor.errors import DataError
from segtumor.files import open_ordinary
from segtumor.names import text_of_cell

#: Suffixes, lower case, of what ``read_sheets`` reads.
SHEET_SUFFIXES = (".csv", ".tsv", ".xlsx")
_MAX_BYTES = 256 * 2**20
_DELIMITERS = (",", ";", "\t")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*", re.ASCII)


def read_sheets(path):
    """{sheet name: rows of texts}; a CSV is one sheet without a name. Raises DataError if it is unreadable."""
    path = Path(path)
    try:
        with open_ordinary(path) as file:  # a pipe would be waited for
            size = os.fstat(file.fileno()).st_size
        if size > _MAX_BYTES:
            raise DataError("table is too large", where=path, expected="at most 256 MB")
    except OSError as error:
        raise DataError(f"table: {error.strerror}", where=path) from error
    sheets = _read_xlsx(path) if path.suffix.lower() == ".xlsx" else {"": _read_csv(path)}
    return {name: [list(map(text_of_cell, row)) for row in rows] for name, rows in sheets.items()}


def header_of(rows):
    """Column names of a sheet: its first row, in lower case, spaces single."""
    return [" ".join(cell.split()).lower() for cell in rows[0]] if rows else []


def cells_of(rows):
    """Rows below the header as {column: text}."""
    header = header_of(rows)
    filled = ([*row, *[""] * (len(header) - len(row))] for row in rows[1:])
    return [dict(zip(header, (cell.strip() for cell in row), strict=False)) for row in filled]


def delimiter_of(text):
    """Comma, semicolon or tab: whichever the first line of a CSV has most of, outside quotes."""
    first_line = re.sub(r'"[^"]*"', "", text.lstrip("\r\n").partition("\n")[0])
    return max(_DELIMITERS, key=first_line.count)


def with_point(cell):
    """A number with a decimal comma, as spreadsheets write it where the comma does not divide, with a point."""
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell


def _read_csv(path):
    try:
        with open_ordinary(path) as file:
            text = file.read().decode("utf-8-sig")  # spreadsheets put a byte-order mark in front
        delimiter = delimiter_of(text)
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        return rows if delimiter == "," else [[with_point(cell) for cell in row] for row in rows]
    except OSError as error:
        raise DataError(f"table: {error.strerror}", where=path) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"not readable as CSV in UTF-8: {error}", where=path) from error


def _read_xlsx(path):
    import pandas  # slow to import, and only this needs it

    options = {"header": None, "dtype": str, "keep_default_na": False, "engine": "openpyxl", "sheet_name": None}
    try:
        open_ordinary(path).close()  # a pipe would be waited for
        frames = pandas.read_excel(path, **options)
    except OSError as error:
        raise DataError(f"table: {error.strerror or error}", where=path) from error
    except Exception as error:  # openpyxl lets zip, XML and key errors of a broken file through
        raise DataError(f"not readable as an Excel table: {error}", where=path) from error
    return {
        str(name): [["" if cell != cell else str(cell) for cell in row] for row in frame.itertuples(index=False)]
        for name, frame in frames.items()
    }
