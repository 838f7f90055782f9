"""The table of BTXRD (dataset.csv, or dataset.xlsx as the public release ships it) and the table of cases.

Not here: images and outlines, and how a table is read (``segtumor.annotations.tables.image_tables``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtumor.annotations.image_names import stem_of
from segtumor.annotations.tables.cells import cell_number, typed_fields
from segtumor.annotations.tables.image_tables import read_cells
from segtumor.cases import case_of
from segtumor.datasets.splits.official import PART_COLUMNS, listed_in_column
from segtumor.errors import ConfigError, DataError
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
#: Field of the image -> column.
_PERSON = {"age": "age", "sex": "gender", "center": "center"}
TABLE_NAMES = ("dataset.csv", "dataset.xlsx")


@dataclass(frozen=True)
class TableRow:
    """One radiograph of the table.

    Attributes:
        image_id: file name as listed.
        label: normal, benign or malignant; None where the table does not say, or contradicts itself.
        subtypes: the subtypes flagged, in the order of the taxonomy; rightly one for a tumour and none for a normal.
        attributes: age (years), sex, site, region, view, center, as in the COCO image; None or empty where unknown.
        unread: cells of age and sex that cannot be read.
    """

    image_id: str
    label: str | None
    subtypes: tuple[str, ...]
    attributes: Mapping[str, Any]
    unread: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """File name without its suffix, which the table and the folder may give differently."""
        return stem_of(self.image_id)


def find_table(source: str | Path) -> Path:
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


def read_table(path: str | Path) -> list[TableRow]:
    """Rows of the table, in its order; raises DataError if it is unreadable, or a column is missing."""
    needed = ("image_id", "tumor", BENIGN, MALIGNANT, *SUBTYPE_ENTITY)
    return [_row(cells) for cells in read_cells(Path(path), needed) if cells["image_id"]]


def read_cases(path: str | Path) -> dict[str, str]:
    """{stem of the image's file name: case id} of the filled rows; raises DataError for an image with two cases."""
    cases: dict[str, str] = {}
    for cells in read_cells(Path(path), ("image_id", "case_id")):
        stem, case = stem_of(cells["image_id"]), case_of(cells)
        if not stem or not case:
            continue
        if cases.setdefault(stem, case) != case:
            raise DataError(f"image {stem} has two cases", where=path, got=f"{cases[stem]} and {case}")
    return cases


def read_parts(path: str | Path) -> list[tuple[str, str]]:
    """(image name, part) of each row; raises ConfigError without a column of parts, DataError for an unknown part."""
    rows = read_cells(Path(path), ("image_id",))
    column = next((name for name in PART_COLUMNS if rows and name in rows[0]), None)
    if column is None:
        raise ConfigError(
            "the table has no column with the parts",
            where=path,
            expected=", ".join(PART_COLUMNS),
            remedy="Give the authors' lists: --lists train.xlsx val.xlsx",
        )
    return listed_in_column(rows, "image_id", column, path)


def _row(cells: Mapping[str, str]) -> TableRow:
    subtypes = tuple(name for name in SUBTYPE_ENTITY if _flag(cells[name]))
    person, unread = typed_fields({name: cells.get(column, "") for name, column in _PERSON.items()})
    attributes = {"age": person.get("age"), "sex": person.get("sex"), **_flagged(cells), "center": person.get("center")}
    return TableRow(cells["image_id"], _label(cells, subtypes), subtypes, attributes, unread)


def _label(cells: Mapping[str, str], subtypes: Sequence[str]) -> str | None:
    """Label on which tumor, benign, malignant and the subtypes agree; a blank cell agrees with everything."""
    flags = {name: _flag(cells[name]) for name in ("tumor", BENIGN, MALIGNANT)}
    of_subtypes = {SUBTYPE_ENTITY[name] for name in subtypes}
    candidates = []
    for label in (NORMAL, BENIGN, MALIGNANT):
        expected = {"tumor": label != NORMAL, BENIGN: label == BENIGN, MALIGNANT: label == MALIGNANT}
        if of_subtypes <= {label} and all(flags[name] in (None, value) for name, value in expected.items()):
            candidates.append(label)
    return candidates[0] if len(candidates) == 1 else None


def _flagged(cells: Mapping[str, str]) -> dict[str, list[str]]:
    lists = {"site": BONES_AND_JOINTS, "region": REGIONS, "view": VIEWS}
    return {field: [name for name in names if _flag(cells.get(name, ""))] for field, names in lists.items()}


def _flag(text: str) -> bool | None:
    """True, False, or None for a blank or unreadable cell."""
    number = cell_number(text)
    return None if number is None else number != 0
