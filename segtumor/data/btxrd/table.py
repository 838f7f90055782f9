"""The table of BTXRD (dataset.csv, or dataset.xlsx as the public release ships it) and the table of cases.

Cells are read as text: some are blank, and a spreadsheet may turn 1 into 1.0. Not here: images and outlines.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from segtumor.errors import DataError
from segtumor.taxonomy import BENIGN, MALIGNANT, NORMAL, SUBTYPE_ENTITY

BONES_AND_JOINTS = (
    "hand",
    "ulna",
    "radius",
    "humerus",
    "foot",
    "tibia",
    "fibula",
    "femur",
    "hip bone",
    "ankle-joint",
    "knee-joint",
    "hip-joint",
    "wrist-joint",
    "elbow-joint",
    "shoulder-joint",
)
REGIONS = ("upper limb", "lower limb", "pelvis")
VIEWS = ("frontal", "lateral", "oblique")
TABLE_NAMES = ("dataset.csv", "dataset.xlsx")


@dataclass(frozen=True)
class TableRow:
    """One radiograph of the table.

    Attributes:
        image_id: file name as listed.
        label: normal, benign or malignant; None where the table does not say, or contradicts itself.
        subtypes: the subtypes flagged, in the order of the taxonomy; rightly one for a tumour and none for a normal.
        attributes: age (years), sex, site, region, view, center, as in the COCO image; None or empty where unknown.
    """

    image_id: str
    label: str | None
    subtypes: tuple[str, ...]
    attributes: dict

    @property
    def stem(self):
        """File name without its suffix, which the table and the folder may give differently."""
        return stem_of(self.image_id)


def stem_of(file_name):
    """``IMG000001`` of ``IMG000001.jpeg``."""
    return PurePosixPath(file_name.strip()).stem


def find_table(source):
    """Path of the table in ``source``; raises DataError if there is none."""
    for name in TABLE_NAMES:
        if (Path(source) / name).is_file():
            return Path(source) / name
    raise DataError(
        "no table of the images",
        where=source,
        expected=" or ".join(TABLE_NAMES),
        remedy="Give the unpacked BTXRD folder, with images, Annotations and the table in it, as --source",
    )


def read_table(path):
    """Rows of the table, in its order.

    Raises:
        DataError: unreadable, or a column is missing that the conversion needs.
    """
    needed = ("image_id", "tumor", BENIGN, MALIGNANT, *SUBTYPE_ENTITY)
    return [_row(cells) for cells in _cells(Path(path), needed) if cells["image_id"]]


def read_cases(path):
    """{stem of the image's file name: case id} of a csv with columns image_id and case_id; blank cases are left out.

    Raises:
        DataError: unreadable, a column is missing, or an image has two cases.
    """
    cases = {}
    for cells in _cells(Path(path), ("image_id", "case_id")):
        stem, case = stem_of(cells["image_id"]), cells["case_id"]
        if not stem or not case:
            continue
        if cases.setdefault(stem, case) != case:
            raise DataError(f"image {stem} has two cases", where=path, got=f"{cases[stem]} and {case}")
    return cases


def _row(cells):
    subtypes = tuple(name for name in SUBTYPE_ENTITY if _flag(cells[name]))
    return TableRow(cells["image_id"], _label(cells, subtypes), subtypes, _attributes(cells))


def _label(cells, subtypes):
    """Label on which tumor, benign, malignant and the subtypes agree; a blank cell agrees with everything."""
    flags = {name: _flag(cells[name]) for name in ("tumor", BENIGN, MALIGNANT)}
    of_subtypes = {SUBTYPE_ENTITY[name] for name in subtypes}
    candidates = []
    for label in (NORMAL, BENIGN, MALIGNANT):
        expected = {"tumor": label != NORMAL, BENIGN: label == BENIGN, MALIGNANT: label == MALIGNANT}
        if of_subtypes <= {label} and all(flags[name] in (None, value) for name, value in expected.items()):
            candidates.append(label)
    return candidates[0] if len(candidates) == 1 else None


def _attributes(cells):
    def flagged(names):
        return [name for name in names if _flag(cells.get(name, ""))]

    center = _number(cells.get("center", ""))
    sex = cells.get("gender", "")[:1].upper()
    return {
        "age": _number(cells.get("age", "")),
        "sex": sex if sex in ("M", "F") else None,
        "site": flagged(BONES_AND_JOINTS),
        "region": flagged(REGIONS),
        "view": flagged(VIEWS),
        "center": cells.get("center") or None if center is None else f"{center:g}",
    }


def _flag(text):
    """True, False, or None for a blank or unreadable cell."""
    number = _number(text)
    return None if number is None else number != 0


def _number(text):
    """Number of a cell, an int where it is whole; None for a blank, text or nan."""
    try:
        value = float(text)
    except ValueError:
        return None
    if value - value != 0:
        return None
    return int(value) if value.is_integer() else value


def _cells(path, needed):
    """Rows as {column: text}, columns in lower case, everything trimmed."""
    rows = _read_xlsx(path) if path.suffix.lower() == ".xlsx" else _read_csv(path)
    header = [" ".join(cell.split()).lower() for cell in rows[0]] if rows else []
    missing = [name for name in needed if name not in header]
    if missing:
        raise DataError(f"columns missing: {', '.join(missing)}", where=path, got=", ".join(header) or "an empty file")
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

    try:
        frame = pandas.read_excel(path, header=None, dtype=str, keep_default_na=False, engine="openpyxl")
    except OSError as error:
        raise DataError(f"table: {error.strerror or error}", where=path) from error
    except Exception as error:  # openpyxl lets zip, XML and key errors of a broken file through
        raise DataError(f"not readable as an Excel table: {error}", where=path) from error
    return [["" if cell != cell else str(cell) for cell in row] for row in frame.itertuples(index=False)]
