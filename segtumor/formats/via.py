"""VGG Image Annotator (VIA, versions 1 and 2): the JSON or CSV of its annotations, or the saved project; read only.

Source: robots.ox.ac.uk/~vgg/software/via and its code. Read: polygons, closed polylines, rectangles, circles, and
ellipses turned about their centre (``theta``, radians). The class is the region attribute called label, class, type or
the like, else the only one that is filled in; a text, or of check boxes the one that is ticked. Where no region has
any, as in the balloons of tutorials, they are called ``lesion``, and reported. Other attributes are kept as
``attributes``; attributes of the file called normal, benign and so on are the ``image_label``, and the part is that
of a folder train, val or test with its own file. VIA lists every image that was loaded: one without regions was perhaps
not looked at, and counts as not annotated. Not supported: points and open lines, which have no area, and VIA 3 (refused
by name).
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from segtumor.annotations.flat_polygons import ellipse_polygon
from segtumor.annotations.json_input import parse_json, read_bytes
from segtumor.annotations.remarks import LeftOutError, Remark, remark_if_any
from segtumor.annotations.segmentations import is_number
from segtumor.annotations.tables.csv_rows import csv_rows
from segtumor.arrays import BoxXYWH
from segtumor.errors import DataError
from segtumor.formats.collection import NOT_ANNOTATED, SHAPE_NOT_USABLE, Collection, Region, SourceImage
from segtumor.formats.labels import IMAGE_LABELS, image_label_and_rest
from segtumor.formats.sources.encodings import read_json, utf8_of
from segtumor.formats.sources.files import MAX_FILE_BYTES, ascii_head_of, files_below, folder_of
from segtumor.formats.sources.image_folder import ImageFolder, find_from
from segtumor.formats.sources.parts import part_of_path
from segtumor.progress import Progress

UNLISTED = NOT_ANNOTATED

_LOOKED_AT = 5
_JSON = re.compile(rb'"(regions|_via_img_metadata|_via_settings)"\s*:')
_JSON_TOO = re.compile(rb'"(filename|region_attributes|shape_attributes|_via_\w+)"\s*:')
_CSV = (b"region_shape_attributes", b"region_attributes")
_CLASS_NAMES = (
    *("label", "class", "classname", "class_name", "category", "type", "name", "lesion", "tumor", "tumour"),
    *("diagnosis", "entity", "object"),
)
_LESION = "lesion"

#: The outline of a shape, or its box.
_Drawn = tuple[list[list[float]] | None, BoxXYWH | None]
#: A region -> (its class, its other attributes).
_Choose = Callable[[Mapping[str, Any]], tuple[str, dict[str, Any]]]


def recognises(source: Path) -> bool:
    """Whether it is a file of VIA, or a folder with one among its first."""
    return any(map(_begins_as_via, islice(_files(source), _LOOKED_AT)))


def read(source: Path, images: ImageFolder, *, progress: Progress = iter) -> Collection:
    """Read one file, or those of a folder and its subfolders; raises DataError for an unreadable one or VIA 3."""
    paths = [path for path in _files(source) if path == source or _begins_as_via(path)]
    if not paths:
        raise DataError("no file of VIA", where=source, expected="its JSON or CSV", remedy="Check --source")
    collection, entries = Collection(images.root), list[tuple[str, dict[str, Any]]]()
    for path in paths:
        folder = path.parent.relative_to(folder_of(source)).as_posix()
        entries += [(folder, entry) for entry in _entries(path)]
    choose = _chooser([region for _, entry in entries for region in entry["regions"]], collection.notes)
    for folder, entry in progress(entries):
        _add(folder, entry, choose, images, collection)
    return collection


def _files(source: Path) -> Iterator[Path]:
    return files_below(source, (".json", ".csv"))


def _begins_as_via(path: Path) -> bool:
    head = ascii_head_of(path)
    if path.suffix.lower() == ".csv":
        return all(name in head.partition(b"\n")[0] for name in _CSV)
    return bool(_JSON.search(head) and _JSON_TOO.search(head)) and b'"shapes"' not in head


def _entries(path: Path) -> list[dict[str, Any]]:
    """Images of a file: dicts with filename, regions (each shape_attributes, region_attributes) and file_attributes."""
    if path.suffix.lower() == ".csv":
        return _entries_of_csv(path)
    document, options = read_json(path, max_bytes=MAX_FILE_BYTES), dict[str, dict[str, str]]()
    if isinstance(document, dict):
        options = _options(document)
        document = document.get("_via_img_metadata", document)
    entries = list(document.values()) if isinstance(document, dict) else document
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "filename" in entry for entry in entries):
        third = isinstance(document, dict) and {"file", "metadata", "view"} <= set(document)
        remedy = "Export the annotations as CSV or JSON from VIA 2" if third else None
        raise DataError("VIA 3 is not read" if third else "is not a file of VIA", where=path, remedy=remedy)
    return [
        {**entry, "regions": [_described(region, options) for region in _regions_of(entry.get("regions"), path)]}
        for entry in entries
    ]


def _options(project: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """{attribute: {number of an option: its description}} of the region attributes of a saved project."""
    try:
        found = {name: attribute.get("options") for name, attribute in project["_via_attributes"]["region"].items()}
    except (KeyError, TypeError, AttributeError):  # no project, or not as VIA writes it
        return {}
    numbered = {name: options for name, options in found.items() if isinstance(options, dict)}
    return {
        name: {key: text for key, text in options.items() if key.isdigit() and text and isinstance(text, str)}
        for name, options in numbered.items()
    }


def _described(region: dict[str, Any], options: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """A region whose attributes hold the descriptions of options that a project only numbers: benign instead of 0."""
    attributes = region.get("region_attributes")
    if not options or not isinstance(attributes, dict):
        return region
    described = {
        name: {options.get(name, {}).get(key, key): is_set for key, is_set in value.items()}
        if isinstance(value, dict)
        else options.get(name, {}).get(str(value), value)
        for name, value in attributes.items()
    }
    return {**region, "region_attributes": described}


def _regions_of(regions: Any, path: Path) -> list[dict[str, Any]]:
    """The regions of an image: a list, in VIA 1 a dict by number."""
    found = list(regions.values()) if isinstance(regions, dict) else regions or []
    if not isinstance(found, list) or not all(isinstance(region, dict) for region in found):
        raise DataError("is not a file of VIA: regions is not a list", where=path)
    return found


def _entries_of_csv(path: Path) -> list[dict[str, Any]]:
    data = utf8_of(read_bytes(path, max_bytes=MAX_FILE_BYTES), path)
    header, *rows = [row.cells for row in csv_rows(data, path) if row.cells] or [[]]
    entries: dict[str, dict[str, Any]] = {}
    for number, cells in enumerate(rows, start=2):
        row = dict(zip(header, cells, strict=False))
        name = row.get("filename") or row.get("#filename") or ""
        where = f"{path}: row {number}"
        entry = entries.setdefault(name, {"filename": name, "regions": [], "file_attributes": {}})
        entry["file_attributes"] |= _cell(row.get("file_attributes"), where)
        shape = _cell(row.get("region_shape_attributes"), where)
        if shape:
            attributes = _cell(row.get("region_attributes"), where)
            entry["regions"].append({"shape_attributes": shape, "region_attributes": attributes})
    return list(entries.values())


def _cell(text: str | None, where: str) -> dict[str, Any]:
    value = parse_json(text, where) if text and text.strip() else {}
    if not isinstance(value, dict):
        raise DataError("a cell is not a JSON object", where=where, got=f"{text:.40}")
    return value


def _chooser(regions: Sequence[Mapping[str, Any]], notes: list[Remark]) -> _Choose:
    """What finds the class of a region, by the attributes of all."""
    filled = [attributes for region in regions if (attributes := _filled(region))]
    names = list(dict.fromkeys(name for attributes in filled for name in attributes))
    usual = [name for wanted in _CLASS_NAMES for name in names if name.strip().casefold() == wanted]
    chosen = usual[:1] or (names if len(names) == 1 else [])
    if regions and not names:
        notes.append(Remark("", f"regions without attributes, called {_LESION}", str(len(regions))))

    def choose(region: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        if not names:
            return _LESION, {}
        if not chosen:
            raise LeftOutError("which attribute is the class?", f"{', '.join(names)}; call it label")
        attributes = _filled(region)
        return _text(attributes.get(chosen[0])), {key: v for key, v in attributes.items() if key != chosen[0]}

    return choose


def _filled(region: Mapping[str, Any]) -> dict[str, Any]:
    attributes = region.get("region_attributes")
    return {key: value for key, value in attributes.items() if value} if isinstance(attributes, dict) else {}


def _text(value: Any) -> str:
    """A class: text, or the one that is ticked."""
    if isinstance(value, dict):
        ticked = [name for name, is_set in value.items() if is_set in (True, "true", 1)]
        if len(ticked) > 1:
            raise LeftOutError("several classes of one region", ", ".join(ticked))
        value = ticked[0] if ticked else ""
    return str(value or "").strip()


def _add(folder: str, entry: Mapping[str, Any], choose: _Choose, images: ImageFolder, collection: Collection) -> None:
    name = str(entry.get("filename"))
    try:
        found = find_from(folder, name, images)
        name, notes = found.file_name, remark_if_any(found.file_name, found.unusual, name)
        size_hw = images.size_hw(name)
        regions = _regions(name, entry["regions"], choose, notes)
        words = _words(entry.get("file_attributes"))
        label, _ = image_label_and_rest(words, bool(regions))
        if not regions and label is None:
            return  # as an image that is not listed
        part = part_of_path(f"{folder}/x") or part_of_path(name)
        attributes = {key: value for key, value in (("image_label", label), ("part", part)) if value}
        collection.images.append(SourceImage(name, size_hw, tuple(regions), attributes))
        collection.notes += notes
    except LeftOutError as reason:
        collection.left_out.append(reason.remark(name))


def _words(attributes: Any) -> list[str]:
    values = attributes.values() if isinstance(attributes, dict) else ()
    texts = [_text(value) for value in values if isinstance(value, (str, dict))]
    return [text for text in texts if text.casefold() in IMAGE_LABELS]


def _regions(name: str, listed: Iterable[Mapping[str, Any]], choose: _Choose, notes: list[Remark]) -> list[Region]:
    regions, unusable = list[Region](), list[str]()
    for region in listed:
        shape = region.get("shape_attributes")
        shape = shape if isinstance(shape, dict) else {}
        kind = str(shape.get("name"))
        if kind not in _SHAPES or (kind == "polyline" and not _is_closed(shape)):
            unusable.append(kind[:20])
            continue
        segmentation, box = _SHAPES[kind](shape)
        label, attributes = choose(region)
        regions.append(Region(label, segmentation, box, {"attributes": attributes} if attributes else {}))
    if unusable and not regions:
        raise LeftOutError(SHAPE_NOT_USABLE, ", ".join(unusable))
    if unusable:
        notes.append(Remark(name, SHAPE_NOT_USABLE, ", ".join(unusable)))
    return regions


def _numbers(shape: Mapping[str, Any], *keys: str) -> list[float]:
    numbers: list[Any] = [shape.get(key) for key in keys]
    if not all(map(is_number, numbers)):
        raise LeftOutError("number not readable", f"{', '.join(keys)}: {numbers!r:.60}")
    return numbers


def _flat_points(shape: Mapping[str, Any]) -> list[float]:
    lists = [shape.get(key) for key in ("all_points_x", "all_points_y")]
    sound = [some for some in lists if isinstance(some, list) and all(map(is_number, some))]
    if len(sound) < 2 or len(sound[0]) != len(sound[1]):
        raise LeftOutError("polygon not readable", f"{lists!r:.60}")
    return [float(value) for pair in zip(*sound, strict=True) for value in pair]


def _polygon(shape: Mapping[str, Any]) -> _Drawn:
    return [_flat_points(shape)], None


def _is_closed(polyline: Mapping[str, Any]) -> bool:
    points = _flat_points(polyline)
    return len(points) >= 8 and points[:2] == points[-2:]


def _polyline(shape: Mapping[str, Any]) -> _Drawn:
    return [_flat_points(shape)[:-2]], None


def _rect(shape: Mapping[str, Any]) -> _Drawn:
    x, y, width, height = map(float, _numbers(shape, "x", "y", "width", "height"))
    return None, (x, y, width, height)


def _circle(shape: Mapping[str, Any]) -> _Drawn:
    x, y, radius = _numbers(shape, "cx", "cy", "r")
    return [ellipse_polygon((x, y), (radius, radius))], None


def _ellipse(shape: Mapping[str, Any]) -> _Drawn:
    x, y, radius_x, radius_y = _numbers(shape, "cx", "cy", "rx", "ry")
    (theta,) = _numbers({"theta": 0, **shape}, "theta")
    return [ellipse_polygon((x, y), (radius_x, radius_y), math.degrees(theta))], None


#: Name of a shape -> shape_attributes -> (segmentation, box).
_SHAPES: Mapping[str, Callable[[Mapping[str, Any]], _Drawn]] = {
    "polygon": _polygon,
    "polyline": _polyline,
    "rect": _rect,
    "circle": _circle,
    "ellipse": _ellipse,
}
