"""Every sheet of a table, CSV or Excel, as rows of texts.

Cells are read as text: some are blank, and a spreadsheet may turn 1 into 1.0. Not here: how a CSV is divided
(``csv_rows``), what cells mean (``cells``), and tables of one sheet with known columns (``image_tables``).
"""

import contextlib
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from segtumor.annotations.tables.csv_rows import MAX_BYTES, csv_rows
from segtumor.errors import DataError
from segtumor.escaping import text_of_cell
from segtumor.files import open_ordinary, read_ordinary

#: Suffixes, lower case, of what ``read_sheets`` reads.
SHEET_SUFFIXES = (".csv", ".tsv", ".xlsx")
#: What an Excel file may hold unpacked: a table of a million rows does.
_MOST_INFLATED = 400 * 2**20
_MOST_BLANK = 10_000
_OTHER_TABLES = (".xls", ".xlsb", ".ods", ".numbers", ".parquet", ".sav", ".mdb")
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_SHOWN = 200  # characters of a header

Rows = list[list[str]]


def read_sheets(path: Path | str) -> dict[str, Rows]:
    """{sheet name: rows of texts}; a CSV is one sheet without a name. Raises DataError if it is unreadable.

    Rows are cut at the last column with a heading: spreadsheets keep stray blanks far to the right and below.
    """
    path = Path(path)
    try:
        with open_ordinary(path) as file:
            size, start = os.fstat(file.fileno()).st_size, file.read(8)
    except OSError as error:
        raise DataError(f"table: {error.strerror}", where=path) from error
    if size > MAX_BYTES:
        raise DataError("table is too large", where=path, expected="at most 256 MB")
    suffix = path.suffix.lower()
    if suffix in _OTHER_TABLES or start.startswith(_OLD_EXCEL):
        kind = "an old Excel file" if start.startswith(_OLD_EXCEL) else suffix
        raise DataError(
            "this kind of table is not supported", where=path, got=kind, remedy="Save it as .xlsx or as CSV"
        )
    is_excel = suffix in (".xlsx", ".xlsm") or start.startswith(b"PK\x03\x04")
    return _read_xlsx(path) if is_excel else {"": _read_csv(path)}


def header_of(rows: Sequence[Sequence[str]]) -> list[str]:
    """Column names of a sheet: its first row, in lower case, spaces single."""
    return [" ".join(cell.split()).lower() for cell in rows[0]] if rows else []


def refuse_repeated(columns: Sequence[str], path: Path | str) -> None:
    """Raise DataError for two columns of one name, of which one would win in silence; blank names do not count."""
    repeated = sorted({name for name in columns if name and columns.count(name) > 1})
    if repeated:
        what, remedy = f"duplicate columns: {', '.join(repeated)}", "Rename or remove all but one of them"
        raise DataError(what, where=path, got=", ".join(columns)[:_SHOWN], remedy=remedy)


def cells_of(rows: Sequence[Sequence[str]], path: Path | str) -> list[dict[str, str]]:
    """Rows below the header as {column: text}; raises DataError, naming ``path``, for two columns of one name."""
    header = header_of(rows)
    refuse_repeated(header, path)
    filled = ([*row, *[""] * (len(header) - len(row))] for row in rows[1:])
    return [dict(zip(header, (cell.strip() for cell in row), strict=False)) for row in filled]


def _read_csv(path: Path) -> Rows:
    try:
        data = read_ordinary(path)
    except OSError as error:
        raise DataError(f"table: {error.strerror}", where=path) from error
    return _cut(row.cells for row in csv_rows(data, path))


def _cut(rows: Iterable[list[str]]) -> Rows:
    """Rows of texts as a list, cut at the last filled cell of the first that is not blank; none blank at the end.

    Blank rows between others are kept, with one blank cell, so that rows can be counted, but for the gaps of thousands
    that a stray cell makes.
    """
    found: Rows = []
    width, blank = None, 0
    for row in rows:
        filled = [number for number, cell in enumerate(row[:width], start=1) if cell and not cell.isspace()]
        if not filled:
            blank += width is not None
            continue
        found += [[""]] * min(blank, _MOST_BLANK)
        width, blank = width or filled[-1], 0
        found.append(row[:width])
    return found


def _read_xlsx(path: Path) -> dict[str, Rows]:
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


def _texts(sheet: Any) -> Iterator[list[str]]:
    """Rows of texts, one at a time; the range that the sheet claims to have is not believed."""
    sheet.reset_dimensions()
    for row in sheet.iter_rows():
        yield [text_of_cell(_text(cell)) for cell in row]


def _text(cell: Any) -> str:
    value = None if cell.data_type == "e" else cell.value  # an error, such as #N/A, says nothing
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value)
