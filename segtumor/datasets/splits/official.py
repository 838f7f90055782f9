"""Parts that somebody else has listed: the authors' train.xlsx and val.xlsx, a text file per part, or a column.

The authors of BTXRD publish one Excel file per part (train.xlsx, val.xlsx; column ``image_id``) in the repository of
their article. Not here: judging such a split (``cases_in_several_parts``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segtumor.annotations.image_names import IMAGE_COLUMNS, NameIndex
from segtumor.annotations.tables.spreadsheets import cells_of, header_of, read_sheets
from segtumor.datasets.splits.split import TEST, TRAIN, VAL, slug
from segtumor.datasets.splits.strata import UNKNOWN, attribute_text, check_attribute
from segtumor.errors import ConfigError, DataError
from segtumor.escaping import distinct_parts
from segtumor.files import open_ordinary
from segtumor.texts import some_of

PART_COLUMNS = ("split", "set", "part", "partition", "subset")
_PARTS = {
    **{text: TRAIN for text in ("train", "training")},
    **{text: VAL for text in ("val", "valid", "validation")},
    **{text: TEST for text in ("test", "testing")},
}
_NAMED = 10
#: (name of an image, part).
Listed = tuple[str, str]


@dataclass
class Listing:
    """Which image at hand, by position, is in which part; listed names without an image, images without a list."""

    part_of_index: dict[int, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)


def part_name(text: str) -> str | None:
    """``train``, ``val`` or ``test`` of the ways to write them, in any case; None for anything else."""
    return _PARTS.get(text.strip().lower())


def match(listed: Iterable[Listed], file_names: Sequence[str]) -> Listing:
    """Bring lists and images together; raises DataError if an image is in several parts, or nothing fits."""
    names, result, torn = NameIndex(file_names), Listing(), dict[str, str]()
    for name, part in listed:
        index = names.find(name)
        if index is None:
            result.unknown.append(name)
        elif result.part_of_index.setdefault(index, part) != part:
            torn[file_names[index]] = f"{file_names[index]} ({result.part_of_index[index]} and {part})"
    if torn:
        what = f"{len(torn)} images are in several lists: {some_of(list(torn.values()), _NAMED)}"
        raise DataError(what, where="lists", remedy="Choose one part for each")
    if not result.part_of_index:
        got = ", ".join(result.unknown[:3]) or "empty lists"
        raise DataError("no listed name is an image", where="lists", got=got, expected=", ".join(file_names[:3]))
    result.unlisted = [name for index, name in enumerate(file_names) if index not in result.part_of_index]
    return result


def read_lists(specs: Iterable[str]) -> list[Listed]:
    """Read lists of images.

    Args:
        specs: texts ``FILE`` or ``PART=FILE``. A file is txt (a name a line), CSV or Excel. Without PART, the part is
            named by a column split, set, part, partition or subset, by a sheet named train, val or test, or by the
            file's name.

    Raises:
        ConfigError: nothing says which part a file lists.
        DataError: a file is unreadable, has no column of image names, or an unknown part.
    """
    return [entry for spec in specs for entry in _read_list(*_part_and_path(spec))]


def path_of(spec: str) -> Path:
    """The file of one ``FILE`` or ``PART=FILE``, as Path."""
    return _part_and_path(spec)[1]


def _part_and_path(spec: str) -> tuple[str | None, Path]:
    before, sign, after = spec.partition("=")
    if not sign or Path(spec).is_file():
        return None, Path(spec)
    part = part_name(before)
    if part is None:
        raise ConfigError("not a part", where="--lists", got=before, expected="train=FILE, val=FILE or test=FILE")
    return part, Path(after)


def _read_list(part: str | None, path: Path) -> list[Listed]:
    if path.suffix.lower() in ("", ".txt", ".lst"):
        return [(name, part or _part_of_file(path)) for name in _lines(path)]
    listed: list[Listed] = []
    for sheet, rows in read_sheets(path).items():
        if rows:
            listed += _of_sheet(rows, part or part_name(sheet), path)
    return listed


def _lines(path: Path) -> list[str]:
    try:
        with open_ordinary(path) as file:
            text = file.read().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"list: {error.strerror}", where=path) from error
    except UnicodeDecodeError as error:
        raise DataError(f"not readable as text in UTF-8: {error}", where=path) from error
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _of_sheet(rows: Sequence[Sequence[str]], part: str | None, path: Path) -> list[Listed]:
    header = header_of(rows)
    if len(header) == 1 and header[0] not in IMAGE_COLUMNS:
        names = [row[0].strip() for row in rows[0 if "." in header[0] else 1 :]]  # a file name is no header
        return [(name, part or _part_of_file(path)) for name in names if name]
    column = next((name for name in IMAGE_COLUMNS if name in header), None)
    if column is None:
        expected = f"one of {', '.join(IMAGE_COLUMNS)}"
        raise DataError("no column of image names", where=path, got=", ".join(header), expected=expected)
    cells = [row for row in cells_of(rows, path) if row[column]]
    part_column = next((name for name in PART_COLUMNS if name in header), None)
    if part is None and part_column is not None:
        return listed_in_column(cells, column, part_column, path)
    part = part or _part_of_file(path)
    return [(row[column], part) for row in cells]


def listed_in_column(
    cells: Sequence[Mapping[str, str]], image_column: str, part_column: str, path: Path | str
) -> list[Listed]:
    """(image name, part) of the rows that name a part; raises DataError for another than train, val or test."""
    listed = [(row[image_column], part_name(row[part_column]), row[part_column]) for row in cells if row[part_column]]
    strange = [f"{text} ({name})" for name, part, text in listed if part is None]
    if strange:
        raise DataError(
            f"{len(strange)} rows of column {part_column} name no part",
            where=path,
            got=", ".join(strange[:3]),
            expected="train, val or test",
        )
    return [(name, part) for name, part, _ in listed if part is not None]


def _part_of_file(path: Path) -> str:
    part = part_name(path.stem)
    if part is None:
        raise ConfigError(
            "nothing says which part this file lists",
            where=path,
            expected="a file, sheet or column of that name",
            remedy=f"Write it as train={path.name}, val={path.name} or test={path.name} after --lists",
        )
    return part


def listing_of_attribute(images: Sequence[Mapping[str, Any]], key: str) -> Listing:
    """Listing by a field of the images themselves, as converted YOLO and VOC folders have it (``part``).

    Values other than the ways to write train, val and test become parts of their own name; images without one are
    unlisted. Raises ConfigError if no image has the field.
    """
    check_attribute(images, key, option="--column")
    values = [attribute_text(image, key) for image in images]
    # Two values that are written alike as names, as "A b" and "a-b", are two parts.
    others = distinct_parts((value for value in values if value != UNKNOWN and not part_name(value)), slug)
    return Listing(
        {index: part_name(value) or others[value] for index, value in enumerate(values) if value != UNKNOWN},
        [],
        [image["file_name"] for image, value in zip(images, values, strict=True) if value == UNKNOWN],
    )
