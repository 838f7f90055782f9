"""CSV text to rows of cells, whichever way a spreadsheet divided it. Not here: what the columns mean."""

import csv

from segtumor.annotations.json_input import read_bytes
from segtumor.annotations.tables.spreadsheets import delimiter_of, short_lines, with_point
from segtumor.errors import DataError
from segtumor.escaping import text_of_cell
from segtumor.files import open_ordinary

_MAX_BYTES = 256 * 2**20
_HEAD_BYTES = 65_536


def read_rows(path):
    """Rows of a CSV file that are not blank: list of (line number, list of cells).

    Comma, semicolon or tab divide, whichever the first line has most of; where the comma does not, it is a decimal
    point.

    Raises:
        DataError: not readable, not UTF-8, not CSV, larger than 256 MB or without any row.
    """
    return _rows(read_bytes(path, max_bytes=_MAX_BYTES), path)


def first_cells(path):
    """Cells of the first row; raises as ``read_rows``, and reads no more than the start of the file."""
    try:
        with open_ordinary(path) as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise DataError(f"table: {error.strerror}", where=path) from error
    return _rows(head.lstrip(b"\r\n").splitlines()[0] if head.strip() else b"", path)[0][1]


def _rows(data, path):
    try:
        text = data.decode("utf-8-sig")  # spreadsheets put a byte-order mark in front
        delimiter = delimiter_of(text)
        reader = csv.reader(short_lines(text, path), delimiter=delimiter, strict=True)
        rows = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except UnicodeDecodeError as error:
        remedy = 'Save it as "CSV UTF-8"; another encoding would be a guess'
        raise DataError("not UTF-8", where=path, remedy=remedy) from error
    except csv.Error as error:
        raise DataError(f"not readable as CSV: {error}", where=path) from error
    if not rows:
        raise DataError("the table is empty", where=path)
    plain = text_of_cell if delimiter == "," else lambda cell: with_point(text_of_cell(cell))
    return [(number, list(map(plain, cells))) for number, cells in rows]
