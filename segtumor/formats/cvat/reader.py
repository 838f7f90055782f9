"""CVAT's XML to images with regions, an element at a time."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtumor.annotations.json_input import read_bytes
from segtumor.annotations.remarks import LeftOutError, Remark
from segtumor.arrays import SizeHW
from segtumor.errors import DataError
from segtumor.formats.collection import OUTLINES_SCALED, SHAPE_NOT_USABLE, Collection, Region, SourceImage
from segtumor.formats.cvat.shapes import SHAPES, UNUSABLE_SHAPES, join_groups, scale_region
from segtumor.formats.labels import image_label_and_rest
from segtumor.formats.sources.encodings import xml_fault, xml_file, xml_of
from segtumor.formats.sources.files import MAX_FILE_BYTES, ascii_head_of, check_size, files_in
from segtumor.formats.sources.image_folder import Found, ImageFolder
from segtumor.formats.sources.parts import part_named
from segtumor.progress import Progress
from segtumor.taxonomy import NORMAL

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_ROOT = re.compile(rb"<annotations[\s>]")
#: What a project of CVAT calls the subset of an image that is in none.
_NO_SUBSET = "default"


def recognises(source: Path) -> bool:
    """Whether it is an XML file that begins as CVAT's do, or a folder with one."""
    return any(_begins_as_cvat(path) for path in files_in(source, ".xml", at_most=3))


def read(source: Path, images: ImageFolder, *, progress: Progress = iter) -> Collection:
    """Read one XML file, or those of a folder; raises DataError for a single one that is unreadable or of a video."""
    paths = [path for path in files_in(source, ".xml") if path == source or _begins_as_cvat(path)]
    if not paths:
        raise DataError("no annotation file of CVAT", where=source, expected="annotations.xml", remedy="Check --source")
    collection, labels = Collection(root=images.root), dict[str, None]()
    for path in paths:
        try:
            part = _read_file(path, images, progress)
        except DataError as error:
            if len(paths) == 1:
                raise
            collection.left_out.append(Remark(path.name, "annotation file not readable", str(error)))
            continue
        collection.images += part.images
        collection.left_out += part.left_out
        collection.notes += part.notes
        labels.update(dict.fromkeys(part.labels))
    collection.labels = tuple(labels)
    return collection


def _begins_as_cvat(path: Path) -> bool:
    return bool(_ROOT.search(ascii_head_of(path)))


def _read_file(path: Path, images: ImageFolder, progress: Progress) -> Collection:
    check_size(path)
    part = Collection(root=images.root)
    labels: dict[str, None] = {}
    for element in progress(_elements(path)):
        if element.tag == "label":
            name, kind = element.findtext("name", "").strip(), element.findtext("type", "any").strip()
            if name and kind != "tag" and name.casefold() != NORMAL:
                labels[name] = None
            continue
        name = element.get("name", "")
        try:
            found = _find(name, element.get("subset", "").strip(), images)
            name = found.file_name
            image = _image(element, found, images.size_hw(name), part.notes)
        except LeftOutError as reason:
            part.left_out.append(reason.remark(name))
        else:
            part.images.append(image)
    part.labels = tuple(labels)
    return part


def _find(name: str, subset: str, images: ImageFolder) -> Found:
    """The image; in a project's export it lies in a folder called as its subset, and equal names are other images."""
    if not subset or not name:
        return images.find(name)
    found = images.find(f"{subset}/{name}")
    return Found(name) if found.file_name == name else found


def _elements(path: Path) -> "Iterator[Element]":
    """The label and image elements of a file, each forgotten after its turn, so that memory does not grow with it."""
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    depth = 0
    root: Element | None = None
    try:
        for event, element in iterparse(xml_file(path, MAX_FILE_BYTES), events=("start", "end"), forbid_dtd=True):
            depth += 1 if event == "start" else -1
            if event == "start":
                root = element if root is None else root
                _check_element(element, root, path)
            elif element.tag == "label" or (element.tag == "image" and depth == 1):
                yield element
            if event == "end" and depth == 1 and root is not None:
                root.clear()
    except (DefusedXmlException, ParseError, UnicodeError, LookupError, OSError, ValueError) as error:
        remedy = "Export the task again as CVAT for images 1.1"
        raise DataError(xml_fault(error, xml_of(read_bytes(path), path)), where=path, remedy=remedy) from error


def _check_element(element: "Element", root: "Element", path: Path) -> None:
    if root.tag != "annotations":
        raise DataError("not an annotation file of CVAT", where=path, got=f"<{root.tag}>", expected="<annotations>")
    if element.tag == "track":
        remedy = "Export the task as CVAT for images 1.1, which writes each frame as an image"
        raise DataError("CVAT for video is not supported", where=path, remedy=remedy)


def _image(element: "Element", found: Found, size_hw: SizeHW, notes: list[Remark]) -> SourceImage:
    drawn_hw = _drawn_size(element, size_hw)
    grouped, words, unusable = list[tuple[Region, str]](), list[str](), list[str]()
    for shape in element:
        if shape.tag == "tag":
            words.append(shape.get("label", ""))
        elif shape.tag in SHAPES:
            grouped.append((SHAPES[shape.tag](shape, drawn_hw), shape.get("group_id", "0").strip()))
        elif shape.tag in UNUSABLE_SHAPES:
            unusable.append(shape.tag)
        else:
            raise LeftOutError("shape not known", shape.tag)
    if unusable and not grouped:
        raise LeftOutError(SHAPE_NOT_USABLE, ", ".join(unusable))
    regions = join_groups(grouped, drawn_hw)
    own: list[tuple[str, str]] = []
    if drawn_hw != size_hw:
        regions = [scale_region(region, drawn_hw, size_hw) for region in regions]
        own.append((OUTLINES_SCALED, f"from {drawn_hw} to {size_hw} (height, width)"))
    if unusable:
        own.append((SHAPE_NOT_USABLE, ", ".join(unusable)))
    if found.unusual:
        own.append((found.unusual, element.get("name", "")))
    attributes = _attributes(element, words, regions)
    notes.extend(Remark(found.file_name, *remark) for remark in own)
    return SourceImage(found.file_name, size_hw, tuple(regions), attributes)


def _drawn_size(element: "Element", size_hw: SizeHW) -> SizeHW:
    """(height, width) as the file states it, or that of the image where it does not."""
    height, width = element.get("height", ""), element.get("width", "")
    if not all(re.fullmatch(r"0*[1-9]\d{0,5}", number) for number in (height, width)):
        return size_hw
    return int(height), int(width)


def _attributes(element: "Element", words: Sequence[str], regions: Sequence[Region]) -> dict[str, Any]:
    label, rest = image_label_and_rest(words, bool(regions))
    attributes: dict[str, Any] = {} if label is None else {"image_label": label}
    if rest:
        attributes["tags"] = rest
    subset = element.get("subset", "").strip()
    part = part_named(subset) or ("" if subset.casefold() == _NO_SUBSET else subset)
    return {**attributes, "part": part} if part else attributes
