"""Pascal VOC XML, as LabelImg, Roboflow and CVAT write it: one file per image, beside it or in ``Annotations``.

``annotation`` holds filename, size and, for each lesion, ``object`` with name, pose, truncated, difficult, bndbox and
possibly ``polygon`` (x1, y1, x2, y2, ...; Roboflow). Source: the devkit of the PASCAL VOC Challenge (Everingham et al.,
IJCV 88, 2010) and LabelImg 1.8.

Coordinates are taken as LabelImg and its followers mean them: corners of the drawn box in px from the corner of the
image, so that the width is xmax - xmin. LabelImg cuts them to whole numbers and makes 0 a 1. (The devkit's own files
count pixels from 1 and include the last one; their boxes come out shifted by up to one pixel.)

The image is that with the name of the XML file, as LabelImg looks for it; ``filename``, often stale, comes second.
Parts of a split come from ``ImageSets/Main/{train,val,test}.txt``, else from folders called train, valid, test. Kept as
fields of the COCO annotation: ``difficult``, ``truncated``, ``occluded`` (True where set) and ``pose``.
A turned box (``robndbox`` of roLabelImg, the attribute ``rotation`` of CVAT) is the outline of its four corners. XML
may be in any encoding that it declares. Not supported: the masks of SegmentationObject (see ``masks``).
"""

import math
import posixpath
import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from segtumor.annotations.coco import CocoDataset
from segtumor.annotations.flat_polygons import scale_box, scale_polygon
from segtumor.annotations.image_names import parts_of
from segtumor.annotations.json_input import read_bytes
from segtumor.annotations.remarks import LeftOutError, Remark, remark_if_any
from segtumor.annotations.segmentations import is_number
from segtumor.arrays import BoxXYWH, SizeHW
from segtumor.errors import DataError
from segtumor.files import prepare_output_folder, write_bytes
from segtumor.formats.collection import NOT_ANNOTATED, SHAPE_NOT_USABLE, Collection, Region, SourceImage, scale_noted
from segtumor.formats.shapes.drawn_boxes import CENTER, rotated_box, rotated_box_polygon
from segtumor.formats.shapes.single_outline import BRIDGED, is_compound, keyhole_polygon
from segtumor.formats.shapes.unit_round_trips import end_of, length_between
from segtumor.formats.sources.encodings import read_xml
from segtumor.formats.sources.files import MAX_FILE_BYTES, ascii_head_of, files_below, folder_of
from segtumor.formats.sources.image_folder import ImageFolder, find_image_of
from segtumor.formats.sources.parts import part_of_path
from segtumor.progress import Progress

UNLISTED = NOT_ANNOTATED
KEEPS_CROWDS = False

_ROOT = re.compile(rb"<annotation[\s>]")
_LOOKED_AT, _HEAD_BYTES = 3, 4096
_MAX_COORDINATES = 1_000_000
_FOLDERS = ("annotations", "xml", "xmls", "labels")
_FLAGS = ("truncated", "difficult", "occluded")


def recognises(source: Path) -> bool:
    """Whether the first XML files have ``annotation`` (not ``annotations``, as CVAT) as their outermost element."""
    first = list(islice(files_below(source, (".xml",)), _LOOKED_AT))
    return bool(first) and all(_looks_like_voc(path) for path in first)


def read(source: Path, images: ImageFolder, *, progress: Progress = iter) -> Collection:
    """Read all XML files of a folder; damaged and refused ones (DTD, entities) are in ``left_out``."""
    folder = folder_of(source)
    paths = list(files_below(source, (".xml",)))
    if not paths:
        raise DataError("has no .xml file", where=source, remedy="Check --source")
    collection = Collection(root=images.root)
    part_of = _image_sets(folder, collection.notes)
    for path in progress(paths):
        name = where = path.relative_to(folder).as_posix()
        try:
            root = _parse(path)
            where, unusual = _find_image(root, name, images)
            collection.notes += remark_if_any(where, unusual, _text(root, "filename"))
            collection.images.append(_read_image(root, name, where, images, part_of, collection.notes))
        except LeftOutError as reason:
            collection.left_out.append(reason.remark(where))
        except DataError as error:
            collection.left_out.append(Remark(where, "annotation file cannot be read", str(error)))
    annotated = {path.stem for path in paths}
    collection.left_out += [
        Remark(stem, "listed in ImageSets, but has no annotation file") for stem in part_of if stem not in annotated
    ]
    return collection


def write(dataset: CocoDataset, output: Path, *, progress: Progress = iter) -> list[Remark]:
    """Write ``<name of the image>.xml`` for every image, normal ones without an object; in the images' subfolders.

    An outline is written as ``polygon``; holes and several parts become one outline with bridges of no width, and a
    Remark.
    """
    output, remarks, taken = prepare_output_folder(output), list[Remark](), set[str]()
    for image in progress(dataset.images):
        name, size_hw = image["file_name"], (image["height"], image["width"])
        target = Path(name).with_suffix(".xml").as_posix()
        if target.casefold() in taken:  # x.png beside x.jpg
            target = f"{name}.xml"
        taken.add(target.casefold())
        root = _image_element(image)
        for annotation in dataset.annotations_of(image):
            root.append(_object_element(annotation, dataset.label_of(annotation), size_hw))
            if is_compound(annotation):
                remarks.append(Remark(name, BRIDGED))
        indent(root, "\t")
        write_bytes(output / target, tostring(root, encoding="utf-8") + b"\n")
    return remarks


def _looks_like_voc(path: Path) -> bool:
    return bool(_ROOT.search(ascii_head_of(path, _HEAD_BYTES)))


def _parse(path: Path) -> Element:
    root = read_xml(path, max_bytes=MAX_FILE_BYTES)
    if root.tag != "annotation":
        raise DataError("is not a Pascal VOC file", where=path.name, got=f"<{root.tag:.40}>", expected="<annotation>")
    return root


def _read_image(
    root: Element,
    name: str,
    file_name: str,
    images: ImageFolder,
    part_of: Mapping[str, str | None],
    notes: list[Remark],
) -> SourceImage:
    size_hw = images.size_hw(file_name)
    scale_xy = _scale(root, size_hw, file_name, notes)
    regions = tuple(_region(item, scale_xy) for item in root.findall("object"))
    part = part_of.get(Path(name).stem) or part_of_path(name) or part_of_path(file_name)
    return SourceImage(file_name, size_hw, regions, {"part": part} if part else {})


def _find_image(root: Element, name: str, images: ImageFolder) -> tuple[str, str]:
    """(file name of the image, what is unusual or "")."""
    file_name = _text(root, "filename").replace("\\", "/")
    folder, stated = name.rpartition("/")[0], file_name.rpartition("/")[2]
    paths = (file_name, _text(root, "path"), f"{_text(root, 'folder')}/{stated}")
    stated_path = next((path for path in paths if parts_of(path).folders), "")
    same_stem = Path(stated).stem.casefold() == Path(name).stem.casefold()
    beside = posixpath.join(folder, stated)
    own = beside if same_stem else name  # the stated suffix tells x.png from x.jpg
    try:
        found = find_image_of(own, images, _FOLDERS, stated_path=stated_path)
    except LeftOutError:
        if same_stem or not stated:
            raise
        found = find_image_of(beside, images, _FOLDERS, stated_path=stated_path)
        return found.file_name, "found by the file name in the XML, not by that of the XML"
    return found.file_name, found.unusual if same_stem or not stated else "XML names another image than its own name"


def _scale(root: Element, size_hw: SizeHW, file_name: str, notes: list[Remark]) -> tuple[float, float]:
    """Factors (x, y) to the image's size; LabelImg writes 0 x 0 where it could not read the image."""
    stated = [_text(root, f"size/{key}") for key in ("height", "width")]
    height, width = (int(float(text)) if re.fullmatch(r"\d{1,7}(\.0*)?", text) else 0 for text in stated)
    drawn_hw = (height, width)
    return (1, 1) if 0 in drawn_hw else scale_noted(drawn_hw, size_hw, file_name, notes)


def _region(item: Element, scale_xy: tuple[float, float]) -> Region:
    label = _text(item, "name")
    if not label:
        raise LeftOutError("object without a name")
    box, polygons = item.find("bndbox"), [_polygon(element) for element in item.findall("polygon")]
    turned, extra = _turned_box(item), _extra(item)
    if turned is not None and not polygons:
        polygons, box = [rotated_box_polygon(turned)], None
        extra |= {"rotated_box": turned} if scale_xy == (1, 1) else {}
    if box is None and not polygons:
        raise LeftOutError(SHAPE_NOT_USABLE, f"{label}: neither bndbox nor polygon")
    box_xywh = None if box is None else _box(box)
    if scale_xy != (1, 1):
        polygons = [scale_polygon(polygon, scale_xy) for polygon in polygons]
        box_xywh = box_xywh and scale_box(box_xywh, scale_xy)
    return Region(label, polygons or None, box_xywh, extra)


def _turned_box(item: Element) -> dict[str, Any] | None:
    """The turned box of roLabelImg (radians), or of CVAT, which writes the angle (degrees) as an attribute; or None."""
    turned, box = item.find("robndbox"), item.find("bndbox")
    if turned is not None:
        x, y, width, height, angle = (_number(_text(turned, key), key) for key in ("cx", "cy", "w", "h", "angle"))
        return rotated_box((x - width / 2, y - height / 2, width, height), math.degrees(angle), CENTER)
    values = {_text(a, "name"): _text(a, "value") for a in item.findall("attributes/attribute")}
    degrees = _number(values.get("rotation") or "0", "rotation")
    return None if box is None or degrees % 360 == 0 else rotated_box(_box(box), degrees, CENTER)


def _box(element: Element) -> BoxXYWH:
    x0, y0, x1, y1 = (_number(_text(element, key), key) for key in ("xmin", "ymin", "xmax", "ymax"))
    return x0, y0, length_between(x0, x1), length_between(y0, y1)


def _polygon(element: Element) -> list[float]:
    texts = {child.tag: (child.text or "").strip() for child in element}
    count = len(texts) // 2
    if count > _MAX_COORDINATES or set(texts) != {f"{axis}{n}" for n in range(1, count + 1) for axis in "xy"}:
        raise LeftOutError(SHAPE_NOT_USABLE, f"polygon with {', '.join(texts)[:60] or 'nothing'}")
    return [_number(texts[f"{axis}{n}"], f"{axis}{n}") for n in range(1, count + 1) for axis in "xy"]


def _number(text: str, key: str) -> float:
    try:
        value = int(text) if re.fullmatch(r"-?\d{1,7}", text) else float(text)
    except ValueError:
        value = math.nan
    if not is_number(value):
        raise LeftOutError("coordinate is not a finite number", f"{key}: {text!r:.40}")
    return value


def _extra(item: Element) -> dict[str, Any]:
    extra: dict[str, Any] = {key: True for key in _FLAGS if _text(item, key) == "1"}
    pose = _text(item, "pose")
    return {**extra, "pose": pose} if pose and pose.lower() != "unspecified" else extra


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _image_sets(folder: Path, notes: list[Remark]) -> dict[str, str | None]:
    """{stem: part} of ImageSets/Main; an image in several lists has no part."""
    found: dict[str, list[str]] = {}
    for root in (folder, folder.parent):
        lists = root / "ImageSets" / "Main"
        if lists.is_dir():
            for part in ("train", "val", "test"):
                if (lists / f"{part}.txt").is_file():
                    text = read_bytes(lists / f"{part}.txt", max_bytes=MAX_FILE_BYTES).decode("utf-8", "replace")
                    for stem in {line.split()[0] for line in text.splitlines() if line.strip()}:
                        found.setdefault(stem, []).append(part)
            break
    notes.extend(Remark(stem, "in several lists of ImageSets", ", ".join(p)) for stem, p in found.items() if len(p) > 1)
    return {stem: parts[0] if len(parts) == 1 else None for stem, parts in found.items()}


def _image_element(image: Mapping[str, Any]) -> Element:
    folder, _, name = image["file_name"].rpartition("/")
    root = Element("annotation")
    for key, text in (("folder", folder), ("filename", name), ("path", image["file_name"])):
        SubElement(root, key).text = text
    SubElement(SubElement(root, "source"), "database").text = "Unknown"
    size = SubElement(root, "size")
    for key, value in (("width", image["width"]), ("height", image["height"]), ("depth", 1)):
        SubElement(size, key).text = str(value)
    SubElement(root, "segmented").text = "0"
    return root


def _object_element(annotation: Mapping[str, Any], label: str, size_hw: SizeHW) -> Element:
    item = Element("object")
    SubElement(item, "name").text = label
    SubElement(item, "pose").text = str(annotation.get("pose", "Unspecified"))
    for key in _FLAGS:
        if key != "occluded" or annotation.get(key):
            SubElement(item, key).text = str(int(annotation.get(key) is True))
    x, y, width, height = annotation["bbox"]
    box = SubElement(item, "bndbox")
    corners = (x, y, end_of(x, width), end_of(y, height))
    for key, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True):
        SubElement(box, key).text = _written(value)
    polygon = keyhole_polygon(annotation["segmentation"], size_hw) if annotation.get("segmentation") else []
    if polygon:
        element = SubElement(item, "polygon")
        for index, value in enumerate(polygon):
            SubElement(element, f"{'xy'[index % 2]}{index // 2 + 1}").text = _written(value)
    return item


def _written(value: float) -> str:
    """A number as text: whole ones without a point, others so that they read back exactly."""
    return str(int(value)) if value == int(value) else repr(float(value))
