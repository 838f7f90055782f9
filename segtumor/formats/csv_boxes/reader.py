"""Tables of boxes to images with regions."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from segtumor.annotations.flat_polygons import scale_box
from segtumor.annotations.remarks import LeftOutError, Remark, remark_if_any
from segtumor.annotations.tables.csv_rows import filled_rows, first_cells
from segtumor.errors import DataError
from segtumor.files import is_inside
from segtumor.formats.collection import Collection, Region, SourceImage, scale_noted
from segtumor.formats.csv_boxes.layout import Row, layout_of, parse_row
from segtumor.formats.sources.files import folder_of
from segtumor.formats.sources.image_folder import ImageFolder, find_from
from segtumor.formats.sources.parts import part_named
from segtumor.progress import Progress

_SUFFIXES = (".csv", ".tsv")


def recognises(source: Path) -> bool:
    """Whether it is a CSV file whose header, or first row, has an image, a label and a box; or a folder with one."""
    return bool(_csv_files(source))


def read(source: Path, images: ImageFolder, *, progress: Progress = iter) -> Collection:
    """Read a table of boxes, or those of a folder and its subfolders.

    Raises DataError for a table without the columns, not in UTF-8, or with coordinates from 0 to 1.
    """
    paths = _csv_files(source) if source.is_dir() else [source]
    if not paths:
        raise DataError("no table of boxes in this folder", where=source, remedy="Check --source")
    collection = Collection(images.root)
    for path in paths:
        part = {"part": _part_of(path, source)} if len(paths) > 1 else dict[str, str]()
        _read_file(path, source, part, images, collection, progress)
    collection.drop_doubtful()
    return collection


def _csv_files(source: Path) -> list[Path]:
    if not source.is_dir():
        is_table = source.suffix.lower() in _SUFFIXES and source.is_file() and _is_table_of_boxes(source)
        return [source] if is_table else []
    paths = [path for pattern in ("*", "*/*") for path in sorted(source.glob(pattern))]
    paths = [path for path in paths if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")]
    return [path for path in paths if path.is_file() and is_inside(path, source) and _is_table_of_boxes(path)]


def _is_table_of_boxes(path: Path) -> bool:
    try:
        layout_of(first_cells(path), path)
    except DataError:
        return False
    return True


def _part_of(path: Path, source: Path) -> str:
    """train/_annotations.csv and train.csv are both of the part train."""
    name = path.stem if path.parent == source else path.parent.name
    return part_named(name) or name


def _read_file(
    path: Path, source: Path, part: Mapping[str, str], images: ImageFolder, collection: Collection, progress: Progress
) -> None:
    rows = filled_rows(path)
    layout = layout_of(rows[0][1], path)
    width = len(rows[0][1])
    parsed = [parse_row(number, cells, layout, width) for number, cells in rows[layout.has_header :]]
    _refuse_shares(parsed, path)
    if layout.not_kept:
        collection.notes.append(Remark(path.name, "columns not kept", ", ".join(layout.not_kept)))
    folder = path.parent.relative_to(folder_of(source)).as_posix()
    for name, same in progress(_by_image(parsed, images, path, folder, collection).items()):
        try:
            collection.images.append(_source_image(name, same, images, part, collection.notes))
        except LeftOutError as reason:
            collection.left_out.append(reason.remark(name))


def _refuse_shares(rows: Iterable[Row], path: Path) -> None:
    """Raise DataError if every coordinate of the table lies between 0 and 1."""
    boxes = [row.box_xywh for row in rows if row.box_xywh is not None]
    if boxes and max(max(x + width, y + height) for x, y, width, height in boxes) <= 1:
        raise DataError(
            "coordinates are all between 0 and 1, which looks like shares of the image's size",
            where=path,
            expected="px",
            remedy="Multiply x by the image's width and y by its height",
        )


def _by_image(
    rows: Iterable[Row], images: ImageFolder, path: Path, folder: str, collection: Collection
) -> dict[str, list[Row]]:
    """{file name of an image: its rows}; rows of one image may spell its name differently."""
    by_name: dict[str, list[Row]] = {}
    by_image: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(row.image, []).append(row)
    for name, same in by_name.items():
        try:
            if not name:
                raise LeftOutError("row without an image", f"line {same[0].line}")
            found = find_from(folder, name, images)
        except LeftOutError as reason:
            collection.left_out.append(reason.remark(name or path.name))
            continue
        collection.notes += remark_if_any(found.file_name, found.unusual, name)
        by_image.setdefault(found.file_name, []).extend(same)
    return by_image


def _source_image(
    name: str, rows: Sequence[Row], images: ImageFolder, part: Mapping[str, str], notes: list[Remark]
) -> SourceImage:
    size_hw = images.size_hw(name)
    boxes = _boxes(name, rows, notes)
    stated = {row.size_hw for row in rows if row.size_hw is not None}
    if len(stated) > 1:
        raise LeftOutError("rows disagree on the size of the image", ", ".join(map(str, sorted(stated))))
    drawn_hw = stated.pop() if stated else size_hw
    scale_xy = scale_noted(drawn_hw, size_hw, name, notes)
    regions = tuple(Region(row.label, None, row.box_xywh and scale_box(row.box_xywh, scale_xy)) for row in boxes)
    return SourceImage(name, size_hw, regions, {**_attributes(name, rows, notes), **part})


def _boxes(name: str, rows: Sequence[Row], notes: list[Remark]) -> list[Row]:
    """The rows of an image that are boxes, each once; raises LeftOutError where the truth cannot be known."""
    faults = [f"line {row.line} {row.fault}" for row in rows if row.fault]
    sound = [row for row in rows if not row.fault]
    boxes = [row for row in sound if row.box_xywh is not None]
    if faults and not boxes:
        raise LeftOutError("no usable row", "; ".join(faults))
    if boxes and len(boxes) < len(sound):
        raise LeftOutError("rows say both normal and a box", f"{len(boxes)} of {len(sound)} rows have a box")
    notes.extend(Remark(name, "row not usable", fault) for fault in faults)
    distinct = {(row.label, row.box_xywh): row for row in reversed(boxes)}
    if len(distinct) < len(boxes):
        notes.append(Remark(name, "row repeats an earlier box", f"{len(boxes) - len(distinct)} of {len(boxes)}"))
    return list(reversed(distinct.values()))


def _attributes(name: str, rows: Sequence[Row], notes: list[Remark]) -> dict[str, Any]:
    """The further columns in which all rows of the image agree; blank cells say nothing."""
    attributes, differing = dict[str, Any](), list[str]()
    for fault in dict.fromkeys(fault for row in rows for fault in row.unread):
        notes.append(Remark(name, "cell of the table that cannot be read, left blank", fault))
    for column in dict.fromkeys(column for row in rows for column in row.others):
        values = [row.others[column] for row in rows if column in row.others]
        if all(value == values[0] for value in values):
            attributes[column] = (part_named(values[0]) or values[0]) if column == "part" else values[0]
        else:
            differing.append(column)
    if differing:
        notes.append(Remark(name, "columns differ between the rows of the image, not kept", ", ".join(differing)))
    return attributes
