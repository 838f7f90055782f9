"""CSV text to rows of cells, whichever way a spreadsheet divided it. Not here: what the columns mean."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from segtumor.annotations.json_input import read_bytes
from segtumor.errors import DataError
from segtumor.escaping import text_of_cell
from segtumor.files import open_ordinary

MAX_BYTES = 256 * 2**20
_HEAD_BYTES = 65_536
_LONGEST_LINE = 4 * 2**20
_DELIMITERS = (",", ";", "\t")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*", re.ASCII)


class CsvRow(NamedTuple):
    """The number of a row's last line, from 1, and its cells."""

    line: int
    cells: list[str]


def csv_rows(data: bytes, path: Path) -> Iterator[CsvRow]:
    """Every row of a CSV in UTF-8, blank ones included; raises DataError, naming ``path``, for anything else.

    Comma, semicolon or tab divide, whichever the first line has most of outside quotes; where the comma does not, it is
    a decimal point.
    """
    try:
        text = data.decode("utf-8-sig")  # spreadsheets put a byte-order mark in front
        delimiter = _delimiter_of(text)
        reader = csv.reader(_lines(text, path), delimiter=delimiter, strict=True)
        for cells in reader:
            plain = map(text_of_cell, cells)
            yield CsvRow(reader.line_num, list(plain if delimiter == "," else map(_with_point, plain)))
    except UnicodeDecodeError as error:
        remedy = 'Save it as "CSV UTF-8"; another encoding would be a guess'
        raise DataError("not readable as CSV: it is not UTF-8", where=path, remedy=remedy) from error
    except csv.Error as error:
        raise DataError(f"not readable as CSV: {error}", where=path) from error


def filled_rows(path: Path) -> list[CsvRow]:
    """The rows that are not blank; raises DataError for an unreadable file, one of more than 256 MB, or none."""
    return _filled(read_bytes(path, max_bytes=MAX_BYTES), path)


def first_cells(path: Path) -> list[str]:
    """Cells of the first row; raises as ``filled_rows``, and reads no more than the start of the file."""
    try:
        with open_ordinary(path) as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise DataError(f"table: {error.strerror}", where=path) from error
    return _filled(head.lstrip(b"\r\n").splitlines()[0] if head.strip() else b"", path)[0].cells


def _filled(data: bytes, path: Path) -> list[CsvRow]:
    rows = [row for row in csv_rows(data, path) if any(cell.strip() for cell in row.cells)]
    if not rows:
        raise DataError("the table is empty", where=path)
    return rows


def _delimiter_of(text: str) -> str:
    first_line = re.sub(r'"[^"]*"', "", text.lstrip("\r\n").partition("\n")[0])
    return max(_DELIMITERS, key=first_line.count)


def _with_point(cell: str) -> str:
    """A number with a decimal comma, with a point."""
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell


def _lines(text: str, path: Path) -> Iterator[str]:
    for line in io.StringIO(text, newline=""):
        if len(line) > _LONGEST_LINE:
            raise DataError("a line is too long", where=path, expected=f"{_LONGEST_LINE} characters at most")
        yield line
