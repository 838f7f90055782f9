"""Tables of one sheet with known columns, and the table of what is known about each image.

Not here: how CSV and Excel are read (``segtumor.annotations.tables.spreadsheets``), and what the columns of one data
set mean.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segtumor.annotations.image_names import IMAGE_COLUMNS, NameIndex, parts_of
from segtumor.annotations.tables.cells import field_of_column, typed_fields
from segtumor.annotations.tables.spreadsheets import cells_of, header_of, read_sheets
from segtumor.errors import DataError
from segtumor.texts import listing

_FAULTS_SHOWN = 10


def read_cells(path: Path | str, needed: Sequence[str] = ()) -> list[dict[str, str]]:
    """Rows of a table as {column: text}; columns in lower case with single blanks, everything trimmed.

    A table is .xlsx (its first sheet) or CSV in UTF-8, divided by commas, semicolons or tabs. Raises DataError for one
    that is unreadable or larger than 256 MB, and for a column that is missing or there twice.
    """
    rows = next(iter(read_sheets(path).values()))
    header = header_of(rows)
    missing = [name for name in needed if name not in header]
    if missing:
        raise DataError(f"columns missing: {', '.join(missing)}", where=path, got=", ".join(header) or "an empty file")
    return cells_of(rows, path)


def refuse_rows(faults: Sequence[DataError], path: Path | str) -> None:
    """Raise one DataError for all faults (``where``: the row), so that a table need not be fixed one run at a time."""
    if len(faults) == 1:
        (one,) = faults
        details = {"got": one.got, "expected": one.expected, "remedy": one.remedy}
        raise DataError(one.what, where=f"{path}: {one.where}", **details)
    if faults:
        bare = [DataError(fault.what, where=fault.where, got=fault.got, expected=fault.expected) for fault in faults]
        what = listing([str(fault).rstrip(".") for fault in bare], "mistakes", _FAULTS_SHOWN)
        remedies = dict.fromkeys(fault.remedy for fault in faults if fault.remedy)
        raise DataError(what, where=path, remedy=". ".join(remedies) or None)


def image_column(cells: Mapping[str, str], path: Path | str) -> str:
    """The column of a row that holds the name of an image; raises DataError if there is none."""
    for name in IMAGE_COLUMNS:
        if name in cells:
            return name
    expected = f"one of {', '.join(IMAGE_COLUMNS)}"
    raise DataError("no column of image names", where=path, got=", ".join(cells), expected=expected)


def read_image_table(path: Path | str, unread: list[tuple[str, str]] | None = None) -> dict[str, dict[str, Any]]:
    """{name of an image as the table has it: fields of the COCO image} of a table with a column of image names.

    The columns of datasets/README.md get their types (age a number, sex M or F, site, region and view lists divided by
    semicolons); others are kept as text. Blank cells say nothing.

    Args:
        unread: list to which (name of the image, what cannot be read) is added for each cell that is not used.

    Raises:
        DataError: as ``read_cells``, no column of image names, or an image is listed twice with different data, or two
            columns contradict each other.
    """
    table: dict[str, dict[str, Any]] = {}
    for cells in read_cells(path):
        name = cells.pop(image_column(cells, path))
        if not name:
            continue
        fields, faults = typed_fields(_texts_of_fields(cells, name, path))
        if unread is not None:
            unread += [(name, fault) for fault in faults]
        if table.setdefault(name, fields) != fields:
            raise DataError(f"image {name} is listed twice with different data", where=path)
    return table


def match_images(
    table: Mapping[str, dict[str, Any]],
    file_names: Sequence[str],
    *,
    where: Path | str | None = None,
    elsewhere: list[tuple[str, str]] | None = None,
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """({file name: fields}, names that are no image), by name below the root, file name, or that without suffix.

    Adds (file name, name in the table) to ``elsewhere`` where only one of the two names a folder. Raises DataError for
    a name of several images, or two rows of one image that differ.
    """
    names, found, unknown = NameIndex(file_names), dict[str, dict[str, Any]](), list[str]()
    for name, fields in table.items():
        fit = names.fit(name)
        fitting = [file_names[index] for index in fit.indices]
        if len(fitting) > 1:
            remedy = "Give the name with its folders, as below the folder of the images"
            raise DataError(f"{name} could be several images: {', '.join(fitting[:5])}", where=where, remedy=remedy)
        if not fitting:
            unknown.append(name)
        elif found.setdefault(fitting[0], fields) != fields:
            raise DataError(f"two rows for image {fitting[0]} have different data", where=where)
        if elsewhere is not None and fitting and fit.shared == 0 and parts_of(name).folders:
            elsewhere.append((fitting[0], name))
    return found, unknown


def _texts_of_fields(cells: Mapping[str, str], name: str, path: Path | str) -> dict[str, str]:
    """{field: text} of one row; raises DataError where two columns give one field, as sex and gender, two values."""
    column_of: dict[str, str] = {}
    for column, text in cells.items():
        if not text:
            continue
        field = "image_label" if column == "label" else field_of_column(column)
        first = column_of.setdefault(field, column)
        if first != column and typed_fields({field: text}) != typed_fields({field: cells[first]}):
            what = f"columns {first} and {column} both say {field} of image {name}, and differ"
            got, remedy = f"{cells[first]} and {text}", "Rename or remove one of the two columns"
            raise DataError(what, where=path, got=got, remedy=remedy)
    return {field: cells[column] for field, column in column_of.items()}
