"""Every sheet of a table, CSV or Excel, as rows of texts.

Cells are read as text: some are blank, and a spreadsheet may turn 1 into 1.0. CSV may be divided by commas, semicolons
or tabs, as spreadsheets of different countries write it. Not here: tables of one sheet with
known columns (``segtumor.annotations.tables.image_tables``).
"""

import contextlib
import csv
import io
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from segtumor.errors import DataError
from segtumor.escaping import text_of_cell
from segtumor.files import open_ordinary

#: Suffixes, lower case, of what ``read_sheets`` reads.
SHEET_SUFFIXES = (".csv", ".tsv", ".xlsx")
_MAX_BYTES = 256 * 2**20
#: What an Excel file may hold unpacked: a table of a million rows does.
_MOST_INFLATED = 400 * 2**20
_LONGEST_LINE = 4 * 2**20
_MOST_BLANK = 10_000
_OTHER_TABLES = (".xls", ".xlsb", ".ods", ".numbers", ".parquet", ".sav", ".mdb")
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_DELIMITERS = (",", ";", "\t")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*", re.ASCII)


def read_sheets(path):
    """{sheet name: rows of texts}; a CSV is one sheet without a name. Raises DataError if it is unreadable.

    Rows are cut at the last column with a heading: spreadsheets keep stray blanks far to the right and below.
    """
    path = Path(path)
    try:
        with open_ordinary(path) as file:
            size, start = os.fstat(file.fileno()).st_size, file.read(8)
    except OSError as error:
        raise DataError(f"table: {error.strerror}", where=path) from error
    if size > _MAX_BYTES:
        raise DataError("table is too large", where=path, expected="at most 256 MB")
    suffix = path.suffix.lower()
    if suffix in _OTHER_TABLES or start.startswith(_OLD_EXCEL):
        kind = "an old Excel file" if start.startswith(_OLD_EXCEL) else suffix
        raise DataError("table of a kind that is not read", where=path, got=kind, remedy="Save it as .xlsx or as CSV")
    is_excel = suffix in (".xlsx", ".xlsm") or start.startswith(b"PK\x03\x04")
    sheets = _read_xlsx(path) if is_excel else {"": _read_csv(path)}
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


def short_lines(text: str, path: Path) -> Iterator[str]:
    """The lines of a CSV for its reader; raises DataError for one so long that no table has it."""
    for line in io.StringIO(text, newline=""):
        if len(line) > _LONGEST_LINE:
            raise DataError("a line is too long", where=path, expected=f"{_LONGEST_LINE} characters at most")
        yield line


def _read_csv(path):
    try:
        with open_ordinary(path) as file:
            text = file.read().decode("utf-8-sig")  # spreadsheets put a byte-order mark in front
        delimiter = delimiter_of(text)
        rows = _cut(csv.reader(short_lines(text, path), delimiter=delimiter))
        return rows if delimiter == "," else [[with_point(cell) for cell in row] for row in rows]
    except OSError as error:
        raise DataError(f"table: {error.strerror}", where=path) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"not readable as CSV in UTF-8: {error}", where=path) from error


def _cut(rows):
    """Rows of texts as a list, cut at the last filled cell of the first that is not blank; none blank at the end.

    Blank rows between others are kept, with one blank cell, so that rows can be counted, but for the gaps of thousands
    that a stray cell makes.
    """
    found, width, blank = [], None, 0
    for row in rows:
        filled = [number for number, cell in enumerate(row[:width], start=1) if cell and not cell.isspace()]
        if not filled:
            blank += width is not None
            continue
        found += [[""]] * min(blank, _MOST_BLANK)
        width, blank = width or filled[-1], 0
        found.append(row[:width])
    return found


def _read_xlsx(path):
    import openpyxl  # slow to import, and only this needs it

    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > _MOST_INFLATED:
            got, expected = f"{size / 2**20:.0f} MB unpacked", f"at most {_MOST_INFLATED / 2**20:.0f} MB"
            raise DataError("table is too large", where=path, got=got, expected=expected)
        book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
        with contextlib.closing(book):
            return {sheet.title: _cut(_texts(sheet)) for sheet in book.worksheets}
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"table: {error.strerror or error}", where=path) from error
    except Exception as error:  # openpyxl lets zip, XML and key errors of a broken file through
        what = f"not readable as an Excel table: {str(error) or type(error).__name__}"
        raise DataError(what, where=path) from error


def _texts(sheet):
    """Rows of texts, one at a time; the range that the sheet claims to have is not believed."""
    sheet.reset_dimensions()
    for row in sheet.iter_rows():
        yield [_text(cell) for cell in row]


def _text(cell):
    value = None if cell.data_type == "e" else cell.value  # an error, such as #N/A, says nothing
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value)
