"""CSV of boxes: one row for each box (RetinaNet, TensorFlow, VinDr, Open Images in px, and tables made by hand).

Read: UTF-8 (other encodings are refused: guessing would spoil names), divided by comma, semicolon or tab, with decimal
commas where the comma does not divide; columns by their usual names in any case (``csv_layout``). A row without box and
label, or labelled normal or "no finding", is a normal image. Further columns become fields of the image where all its
rows agree; a column split or part becomes ``part``. From a folder with several files each image gets its file's or
folder's name as ``part``. Not supported: coordinates from 0 to 1, which are refused. Not kept by ``write``: outlines,
and all fields but the case.
"""

from decimal import Decimal
from pathlib import Path

from segtumor.annotations.flat_polygons import box_corners, box_from_corners, scale_between, scale_polygon
from segtumor.annotations.remarks import LeftOutError, Remark
from segtumor.annotations.tables.csv_rows import filled_rows, first_cells
from segtumor.cases import case_of
from segtumor.datasets.image_placement import leads_out
from segtumor.errors import DataError
from segtumor.files import prepare_output_folder, write_csv
from segtumor.formats.collection import NOT_ANNOTATED, Collection, Region, SourceImage
from segtumor.formats.csv_boxes.layout import layout_of, parse_row
from segtumor.formats.sources.files import find_from, part_named

SUMMARY = "CSV: a table with one row for each box, or a folder of them"
#: Tables of boxes list normal images with empty cells; one that they do not list was not looked at.
UNLISTED = NOT_ANNOTATED

_SUFFIXES = (".csv", ".tsv")
_COLUMNS = ("image", "label", "xmin", "ymin", "xmax", "ymax", "width", "height")


def recognises(source):
    """Whether it is a CSV file whose header, or first row, has an image, a label and a box; or a folder with one."""
    return bool(_csv_files(Path(source)))


def read(source, images, *, progress=iter):
    """Read a table of boxes, or those of a folder.

    Args:
        source: file, or folder with the files in it or in its subfolders.
        images: ``ImageFolder``.
        progress: wraps the images of a file, as tqdm does.

    Returns:
        Collection.

    Raises:
        DataError: a table has not the columns, is not readable as CSV in UTF-8, or its coordinates are from 0 to 1.
    """
    source = Path(source)
    paths = _csv_files(source) if source.is_dir() else [source]
    if not paths:
        raise DataError("no table of boxes in this folder", where=source, remedy="Check --source")
    collection = Collection(images.root)
    for path in paths:
        part = {"part": _part_of(path, source)} if len(paths) > 1 else {}
        _read_file(path, source, part, images, collection, progress)
    unusable = {remark.image for remark in collection.left_out}
    collection.images = [image for image in collection.images if image.file_name not in unusable]
    return collection


def write(dataset, output, *, progress=iter):
    """Write ``boxes.csv``, or ``output`` itself if it is called *.csv; a normal image is a row without box and label.

    Args:
        dataset: ``segtumor.annotations.coco.CocoDataset``.
        output: folder, made if needed, or CSV file.
        progress: wraps the images, as tqdm does.

    Returns:
        list of Remark on the outlines left out, by image.

    Raises:
        OutputError: the file cannot be written.
    """
    output = Path(output)
    path = output if output.suffix.lower() == ".csv" else prepare_output_folder(output) / "boxes.csv"
    with_case = any(case_of(image) is not None for image in dataset.images)
    rows, lost = [], []
    for image in progress(dataset.images):
        common = {"image": image["file_name"], "width": image["width"], "height": image["height"]}
        if with_case:
            common["case_id"] = case_of(image)
        annotations = dataset.annotations_of_image.get(image["id"], [])
        for annotation in annotations:
            label = dataset.taxonomy.names[dataset.class_of_category_id[annotation["category_id"]]]
            rows.append({**common, "label": label, **_corner_texts(annotation["bbox"])})
        if not annotations:
            rows.append(common)
        outlines = sum(bool(annotation.get("segmentation")) for annotation in annotations)
        if outlines:
            lost.append(Remark(image["file_name"], "outline left out, the format holds boxes only", str(outlines)))
    write_csv(path, rows, (*_COLUMNS, "case_id") if with_case else _COLUMNS)
    return lost


def _corner_texts(box_xywh):
    """Corners with as many digits as bring the same width and height back."""
    x0, y0, x1, y1 = box_corners(box_xywh)
    texts = {"xmin": repr(x0), "ymin": repr(y0), "xmax": repr(x1), "ymax": repr(y1)}
    read = box_from_corners(map(Decimal, texts.values()))
    for name, low, number in (("xmax", x0, 2), ("ymax", y0, 3)):
        if read[number] != box_xywh[number]:
            texts[name] = f"{Decimal(repr(low)) + Decimal(repr(float(box_xywh[number]))):.20f}"
    return {name: text.removesuffix(".0") for name, text in texts.items()}


def _csv_files(source):
    if not source.is_dir():
        is_table = source.suffix.lower() in _SUFFIXES and source.is_file() and _is_table_of_boxes(source)
        return [source] if is_table else []
    paths = [path for pattern in ("*", "*/*") for path in sorted(source.glob(pattern))]
    paths = [path for path in paths if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")]
    return [path for path in paths if path.is_file() and not leads_out(path, source) and _is_table_of_boxes(path)]


def _is_table_of_boxes(path) -> bool:
    try:
        layout_of(first_cells(path), path)
    except DataError:
        return False
    return True


def _part_of(path, source):
    """train/_annotations.csv and train.csv are both of the part train."""
    name = path.stem if path.parent == source else path.parent.name
    return part_named(name) or name


def _read_file(path, source, part, images, collection, progress) -> None:
    rows = filled_rows(path)
    layout = layout_of(rows[0][1], path)
    width = len(rows[0][1])
    parsed = [parse_row(number, cells, layout, width) for number, cells in rows[layout.has_header :]]
    _refuse_shares(parsed, path)
    if layout.not_kept:
        collection.notes.append(Remark(path.name, "columns not kept", ", ".join(layout.not_kept)))
    folder = path.parent.relative_to(source if source.is_dir() else source.parent).as_posix()
    for name, same in progress(_by_image(parsed, images, path, folder, collection).items()):
        try:
            collection.images.append(_source_image(name, same, images, part, collection.notes))
        except LeftOutError as reason:
            collection.left_out.append(reason.remark(name))


def _refuse_shares(rows, path):
    """Raise DataError if every coordinate of the table lies between 0 and 1."""
    boxes = [row.box_xywh for row in rows if row.box_xywh is not None]
    if boxes and max(max(x + width, y + height) for x, y, width, height in boxes) <= 1:
        raise DataError(
            "coordinates are all between 0 and 1, which looks like shares of the image's size",
            where=path,
            expected="px",
            remedy="Multiply x by the image's width and y by its height",
        )


def _by_image(rows, images, path, folder, collection):
    """{file name of an image: its rows}; rows of one image may spell its name differently."""
    by_name, by_image = {}, {}
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
        if found.unusual:
            collection.notes.append(Remark(found.file_name, found.unusual, name))
        by_image.setdefault(found.file_name, []).extend(same)
    return by_image


def _source_image(name, rows, images, part, notes):
    size_hw = images.size_hw(name)
    boxes = _boxes(name, rows, notes)
    stated = {row.size_hw for row in rows if row.size_hw is not None}
    if len(stated) > 1:
        raise LeftOutError("rows disagree on the size of the image", ", ".join(map(str, sorted(stated))))
    drawn_hw = stated.pop() if stated else size_hw
    scale_xy = scale_between(drawn_hw, size_hw)
    regions = [Region(row.label, None, row.box_xywh) for row in boxes]
    if scale_xy != (1.0, 1.0):
        detail = f"{drawn_hw} to {size_hw} (height, width)"
        notes.append(Remark(name, "outlines scaled to the size of the image", detail))
        regions = [Region(row.label, None, tuple(scale_polygon(row.box_xywh, scale_xy))) for row in boxes]
    return SourceImage(name, size_hw, tuple(regions), {**_attributes(name, rows, notes), **part})


def _boxes(name, rows, notes):
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


def _attributes(name, rows, notes):
    """The further columns in which all rows of the image agree; blank cells say nothing."""
    attributes, differing = {}, []
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
