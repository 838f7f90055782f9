"""COCO instances (https://cocodataset.org/#format-data): one JSON file, or a folder with one for each part.

Read: polygons, compressed and uncompressed RLE with their holes, boxes alone, and every further field of images and
annotations. The file must be sound; ``segtumor data check`` lists what is wrong and fixes what can be fixed. From a
folder with several files each image gets its file's stem as ``part`` (instances_train2017.json is train); from folders
called train, valid and test, each with its own file (Roboflow), their name. A box with an angle beside it
(``attributes: {"rotation": 30}`` of CVAT) is the outline of its corners. A category that is never used is reported; one
that only names the group of the others, as Roboflow puts it first, is not a class. Not kept: ``info``, ``licenses``,
and all of a category but its name and order. Not supported: keypoints, captions and panoptic segments as such.
"""

import contextlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segtumor.annotations.coco import CocoDataset
from segtumor.annotations.flat_polygons import box_polygon, scale_box
from segtumor.annotations.image_names import parts_of
from segtumor.annotations.json_input import is_predictions, parse_json
from segtumor.annotations.regions import has_outline
from segtumor.annotations.remarks import LeftOutError, Remark, remark_if_any
from segtumor.annotations.rescaling import scale_of, scaled_fields, scaled_segmentation, scaled_spacing
from segtumor.annotations.segmentations import is_number
from segtumor.annotations.validation import find_problems
from segtumor.arrays import BoxXYWH, SizeHW
from segtumor.errors import DataError
from segtumor.files import is_inside, open_ordinary, prepare_output_folder, write_json
from segtumor.formats import predictions
from segtumor.formats.collection import (
    NOT_ANNOTATED,
    NOT_IN_FOLDER,
    OUTLINES_SCALED,
    Collection,
    Region,
    Segmentation,
    SourceImage,
)
from segtumor.formats.sources.encodings import read_json, utf8_of
from segtumor.formats.sources.files import HEAD_BYTES, files_in, folder_of
from segtumor.formats.sources.image_folder import Found, ImageFolder, find_from
from segtumor.formats.sources.parts import part_named, part_of_path
from segtumor.progress import Progress
from segtumor.texts import listing

#: COCO lists normal images too; one that it does not list was not looked at.
UNLISTED = NOT_ANNOTATED
KEEPS_CROWDS = True

_LISTS = ("images", "annotations", "categories")
_SMALL_BYTES = 4 * 2**20
_SHOWN = 10
#: What surrounds the part in the names of COCO's own files: instances_train2017.json.
_PREFIX, _YEAR = "instances_", re.compile(r"(?<=[a-z])20\d\d$")
#: Fields that have a place of their own in a Region or SourceImage.
_REGION_KEYS = {"id", "image_id", "category_id", "bbox", "segmentation"}
_IMAGE_KEYS = {"id", "file_name", "width", "height"}


def recognises(source: Path) -> bool:
    """Whether it is a JSON file with the three lists of COCO, or a folder with one, or with one in ``annotations``."""
    return bool(_coco_files(source))


def read(source: Path, images: ImageFolder, *, progress: Progress = iter) -> Collection:
    """Read a COCO file, or those in a folder or its ``annotations``; ``labels`` are the categories in the order of ids.

    Raises DataError for files with problems, of which it names the first ten.
    """
    paths = _coco_files(source) or ([] if source.is_dir() else [source])
    if not paths:
        raise DataError("no COCO file in this folder", where=source, remedy="Check --source")
    collection, used = Collection(images.root), set[str]()
    for path in paths:
        folder = path.parent.relative_to(folder_of(source)).as_posix()
        subset = path.stem.removeprefix(_PREFIX)
        part = part_of_path(f"{folder}/x") or ((_part_of(subset) or subset) if len(paths) > 1 else None)
        where = folder.removesuffix("annotations").rstrip("/.") or None
        used |= _read_file(path, (where, subset), {"part": part} if part else {}, images, collection, progress)
    _drop_unused(collection, used)
    collection.drop_doubtful()
    return collection


def write(dataset: CocoDataset, output: Path, *, progress: Progress = iter) -> list[Remark]:
    """Write ``annotations.json``, or ``output`` itself if it is called *.json; COCO holds everything."""
    path = output if output.suffix.lower() == ".json" else prepare_output_folder(output) / "annotations.json"
    annotations = [a for image in progress(dataset.images) for a in dataset.annotations_of(image)]
    ids_and_names = zip(dataset.category_id_of_class, dataset.taxonomy.names, strict=True)
    categories = [{"id": category_id, "name": name} for category_id, name in ids_and_names]
    document = {"info": dict(dataset.info), "images": list(dataset.images), "annotations": annotations}
    write_json(path, {**document, "categories": categories}, indent=None)
    return []


def _coco_files(source: Path) -> list[Path]:
    if not source.is_dir():
        return [path for path in files_in(source, ".json") if _is_coco(path)]
    for folder in (source, source / "annotations"):
        paths = files_in(folder, ".json") if folder.is_dir() else []
        found = [path for path in paths if not path.name.startswith(".") and _is_coco(path)]
        if found:
            return found
    folders = [folder for folder in sorted(source.iterdir()) if folder.is_dir() and part_of_path(f"{folder.name}/x")]
    folders = [inner for folder in folders for inner in (folder, folder / "annotations") if inner.is_dir()]
    folders = [folder for folder in folders if is_inside(folder, source)]
    return [path for folder in folders for path in files_in(folder, ".json") if _is_coco(path)]


def _is_coco(path: Path) -> bool:
    """Whether a small file has the lists of COCO at its top, or a large one names them near its ends."""
    try:
        size = path.stat().st_size
        with open_ordinary(path) as file:
            if size > _SMALL_BYTES:
                head = file.read(HEAD_BYTES)
                file.seek(-HEAD_BYTES, 2)
                ends = head + file.read()
                is_object = head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
                return is_object and _names_lists(ends) and not predictions.recognises(path)
            document = parse_json(utf8_of(file.read(), path), path)
    except (OSError, DataError):
        return False
    has_lists = isinstance(document, dict) and all(isinstance(document.get(name), list) for name in _LISTS)
    return has_lists and not is_predictions(document)


def _names_lists(ends: bytes) -> bool:
    """Two of the three: the third often begins in the middle of a large file. No other format has both."""
    named = [f'"{name}"'.encode() in ends for name in _LISTS]
    return sum(named) >= 2 and b'"shapes"' not in ends


def _read_file(
    path: Path,
    where: tuple[str | None, str],
    part: Mapping[str, str],
    images: ImageFolder,
    collection: Collection,
    progress: Progress,
) -> set[str]:
    """Add what a file holds to ``collection``; returns the names of the categories that are used."""
    coco = read_json(path)
    wrong = find_problems(coco, require_masks=False, with_warnings=False)
    if wrong:
        what = listing(wrong, "problems", _SHOWN)
        raise DataError(what, where=path, remedy=f"See: segtumor data check {path} --fix MENDED.json")
    categories = sorted(coco["categories"], key=lambda category: category["id"])
    names = {category["id"]: category["name"] for category in categories}
    collection.labels += tuple(name for name in names.values() if name not in collection.labels)
    groups = {category.get("supercategory") for category in categories}
    own = {category["name"] for category in categories if category.get("supercategory") in (None, "", "none")}
    collection.groups |= groups & own
    annotations_of_image: dict[int, list[dict[str, Any]]] = {}
    for annotation in coco["annotations"]:
        annotations_of_image.setdefault(annotation["image_id"], []).append(annotation)
    for image in progress(coco["images"]):
        name = image["file_name"]
        try:
            found = _find(name, *where, images)
            name = found.file_name
            collection.notes += remark_if_any(name, found.unusual, image["file_name"])
            annotations = annotations_of_image.get(image["id"], [])
            collection.images.append(_source_image(image, name, annotations, names, part, images, collection.notes))
        except LeftOutError as reason:
            collection.left_out.append(reason.remark(name))
    return {names[annotation["category_id"]] for annotation in coco["annotations"]}


def _find(name: str, folder: str | None, subset: str, images: ImageFolder) -> Found:
    """The image that a file in ``folder`` means or, where that says nothing, that of <subset> for instances_<subset>.

    CVAT and Datumaro write the second for a project: equal names in images/Train and images/Test lead to one file each.
    """
    if folder is not None:
        return find_from(folder, name, images)
    try:
        found = images.find(name)
    except LeftOutError:
        for inner in (subset, _YEAR.sub("", subset)):
            with contextlib.suppress(LeftOutError):
                return images.find(f"{inner}/{name}")
        raise
    part, other = part_of_path(found.file_name), _part_of(subset)
    if not parts_of(name).folders and part and other and part != other:
        raise LeftOutError(NOT_IN_FOLDER, f"{found.file_name} is of another part")
    return found


def _part_of(subset: str) -> str | None:
    return part_named(_YEAR.sub("", subset))


def _drop_unused(collection: Collection, used: set[str]) -> None:
    """Report categories that no annotation uses, and drop those that only name the group of the others."""
    for name in [name for name in collection.labels if name not in used]:
        is_group = name in collection.groups and len(collection.labels) > 1
        kind = "category never used, names the group of the others: no class" if is_group else "category never used"
        collection.notes.append(Remark("", kind, name))
        if is_group:
            collection.labels = tuple(label for label in collection.labels if label != name)


def _source_image(
    image: Mapping[str, Any],
    name: str,
    annotations: Sequence[Mapping[str, Any]],
    names: Mapping[int, str],
    part: Mapping[str, str],
    images: ImageFolder,
    notes: list[Remark],
) -> SourceImage:
    size_hw, drawn_hw = images.size_hw(name), (image["height"], image["width"])
    scale_xy = scale_of(drawn_hw, size_hw)
    attributes = {key: value for key, value in image.items() if key not in _IMAGE_KEYS}
    if scale_xy != (1.0, 1.0):
        detail = f"{drawn_hw} to {size_hw} (height, width)"
        notes.append(Remark(name, OUTLINES_SCALED, detail))
        if attributes.get("spacing_mm"):
            attributes["spacing_mm"] = scaled_spacing(attributes["spacing_mm"], scale_xy)
    found = tuple(_region(annotation, names, drawn_hw, size_hw, scale_xy) for annotation in annotations)
    return SourceImage(name, size_hw, found, {**attributes, **part})


def _region(
    annotation: Mapping[str, Any],
    names: Mapping[int, str],
    drawn_hw: SizeHW,
    size_hw: SizeHW,
    scale_xy: tuple[float, float],
) -> Region:
    segmentation: Segmentation | None = annotation["segmentation"] if has_outline(annotation) else None
    box: BoxXYWH | None = tuple(annotation["bbox"])
    degrees = _angle(annotation)
    if segmentation is None and box is not None and degrees:
        segmentation, box = [box_polygon(box, degrees)], None
    extra = {key: value for key, value in annotation.items() if key not in _REGION_KEYS}
    if scale_xy != (1.0, 1.0):
        segmentation = scaled_segmentation(segmentation, drawn_hw, size_hw, scale_xy)
        box = box and scale_box(box, scale_xy)
        extra |= scaled_fields(annotation, scale_xy)
        extra.pop("area", None)  # measured again
    return Region(names[annotation["category_id"]], segmentation, box, extra)


def _angle(annotation: Mapping[str, Any]) -> float:
    """Degrees that a box was turned about its centre, which CVAT writes beside the box as it was before; 0 if none."""
    attributes = annotation.get("attributes")
    degrees = attributes.get("rotation") if isinstance(attributes, dict) else None
    return float(degrees) % 360 if degrees is not None and is_number(degrees) else 0.0
