"""A Collection to the COCO form of datasets/README.md: classes, ids, areas, image labels, and one check of everything.

An image is left out, and named, where its truth cannot be known: an image whose lesion was dropped would train as
normal. A stray click (an outline without area) beside sound outlines is dropped and reported. Not here: reading any
format, tables of cases (``segtumor.annotations.tables``), and files.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtumor.annotations.flat_polygons import box_polygon
from segtumor.annotations.problems import ERROR, Problem, ProblemKind
from segtumor.annotations.regions import is_crowd
from segtumor.annotations.remarks import LeftOutError, Remark
from segtumor.annotations.validation import find_problems
from segtumor.arrays import BoxXYWH, Rle, SizeHW
from segtumor.errors import DataError
from segtumor.formats.collection import Collection, Region, Segmentation, SourceImage
from segtumor.formats.labels import classes_of_labels, label_fields, label_key, taxonomy_of
from segtumor.structures.boxes import box_xyxy_to_xywh
from segtumor.structures.masks import box_from_mask, mask_from_rle, rle_area, rle_from_segmentation
from segtumor.structures.polygons import polygon_area, tight_box
from segtumor.structures.rle import rle_runs
from segtumor.taxonomy import SUBTYPE_ENTITY, Taxonomy

#: A COCO image entry without id, and its annotation entries without ids.
_Entry = tuple[dict[str, Any], list[dict[str, Any]]]

_ENTRY = re.compile(r"(images|annotations)\[(\d+)\]")
#: Kind of the Remark on an image with crowd regions.
CROWD = "crowd region (iscrowd 1), neither trained on nor counted as a lesion"
_KINDS_SHOWN, _DETAIL_LENGTH = 3, 200
#: What a slip of the mouse leaves behind, in the words of the validator.
_STRAY = {ProblemKind.POLYGON_FLAT, ProblemKind.POLYGON_TOO_SHORT, ProblemKind.NO_EXTENT, ProblemKind.RLE_EMPTY}


class ConversionError(DataError):
    """A conversion that came to nothing.

    Attributes:
        left_out, notes: Remarks that say why, by image; empty where the source cannot be read at all.
        report: file that holds them; None if none was written.
    """

    left_out: Sequence[Remark] = ()
    notes: Sequence[Remark] = ()
    report: Path | None = None


@dataclass(frozen=True)
class Assembled:
    """A sound COCO object, ids from 1 in the order of the file names, and what was left out or is unusual."""

    document: dict[str, Any]
    left_out: list[Remark]
    notes: list[Remark]


def assemble(
    collection: Collection,
    *,
    classes: Mapping[str, str] | None = None,
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
    boxes_as_masks: bool = False,
    crowds_as_lesions: bool = False,
) -> Assembled:
    """Make COCO of what a format's reader found.

    Args:
        classes: {label: name of its class} for labels that are to be renamed or joined, without regard to case; None
            keeps every label as its own class.
        attributes: {file name: further fields of the image}, for example from a table of cases; they win.
        boxes_as_masks: whether a box without an outline becomes its own outline (``mask_from_box``).
        crowds_as_lesions: whether each crowd region with an outline becomes one lesion, as drawn with a brush.

    Raises:
        ConfigError: ``classes`` names a label that is not there.
        ConversionError: no image can be used.
    """
    notes, left_out = list(collection.notes), list(collection.left_out)
    images = _distinct(collection.images, left_out, notes)
    if crowds_as_lesions:
        images = [_without_crowds(image, notes) for image in images]
    class_of = classes_of_labels(images, collection.labels, classes or {}, notes)
    taxonomy = taxonomy_of(collection.labels, class_of)
    entries = []
    for image in images:
        try:
            entries.append(_entry(image, class_of, taxonomy, attributes or {}, boxes_as_masks))
        except LeftOutError as reason:
            left_out.append(reason.remark(image.file_name))
    entries = _sound(entries, taxonomy, left_out, notes)
    if not entries:
        got, remedy = _first_reasons(left_out), "Check --source, --images and --from"
        error = ConversionError("no image can be used", where=collection.root, got=got, remedy=remedy)
        error.left_out, error.notes = left_out, notes
        raise error
    _note_boxes_and_crowds(entries, notes)
    return Assembled(_document(entries, taxonomy), left_out, notes)


def _first_reasons(left_out: Sequence[Remark]) -> str:
    """The most frequent kinds, each with how many and the first of them in full."""
    reasons = []
    for kind, count in Counter(remark.kind for remark in left_out).most_common(_KINDS_SHOWN):
        first = next(remark for remark in left_out if remark.kind == kind)
        detail = ": ".join(filter(None, (first.image, first.detail)))[:_DETAIL_LENGTH]
        reasons.append(f"{kind} ({count})" + (f", {detail}" if detail else ""))
    return "; ".join(reasons) or "no image at all"


def _distinct(images: Iterable[SourceImage], left_out: list[Remark], notes: list[Remark]) -> list[SourceImage]:
    """Images in the order of their names; one that is annotated twice, differently, has no known truth."""
    by_name: dict[str, list[SourceImage]] = {}
    for image in images:
        by_name.setdefault(image.file_name, []).append(image)
    distinct = []
    for name, same in sorted(by_name.items()):
        if any(image != same[0] for image in same[1:]):
            left_out.append(Remark(name, "annotated several times, differently"))
        else:
            distinct.append(same[0])
            if len(same) > 1:
                notes.append(Remark(name, "annotated several times alike, used once", str(len(same))))
    return distinct


def _entry(
    image: SourceImage,
    class_of: Mapping[str, str],
    taxonomy: Taxonomy,
    attributes: Mapping[str, Mapping[str, Any]],
    boxes_as_masks: bool,
) -> _Entry:
    annotations = [_annotation(region, class_of, taxonomy, image, boxes_as_masks) for region in image.regions]
    entry: dict[str, Any] = {"file_name": image.file_name, "width": image.size_hw[1], "height": image.size_hw[0]}
    entry |= {**label_fields(annotations, taxonomy), **image.attributes, **attributes.get(image.file_name, {})}
    if entry.get("image_label") in class_of:
        entry["image_label"] = class_of[entry["image_label"]]
    return entry, annotations


def _annotation(
    region: Region, class_of: Mapping[str, str], taxonomy: Taxonomy, image: SourceImage, boxes_as_masks: bool
) -> dict[str, Any]:
    if not region.label.strip():
        raise LeftOutError("annotation without a label")
    name = class_of[region.label]
    segmentation, extra = region.segmentation, dict(region.extra)
    if segmentation is None and region.box_xywh is None:
        raise LeftOutError("annotation without an outline or a box", region.label)
    if segmentation is None and region.box_xywh is not None and boxes_as_masks:
        segmentation, extra["mask_from_box"] = [box_polygon(region.box_xywh)], True
    if label_key(region.label) != label_key(name):
        extra["label"] = region.label.strip()
    if label_key(region.label) in SUBTYPE_ENTITY:
        extra.setdefault("subtype", label_key(region.label))
    box, area = _extent(segmentation, region.box_xywh, image.size_hw)
    entry = {"category_id": taxonomy.class_id(name) + 1, "bbox": box, "area": area, "iscrowd": 0, **extra}
    return entry if segmentation is None else {**entry, "segmentation": segmentation}


def _extent(segmentation: Segmentation | None, box_xywh: BoxXYWH | None, size_hw: SizeHW) -> tuple[list[float], float]:
    """(bbox, area) of a region; nonsense gives an empty box, which the validator then names."""
    if isinstance(segmentation, Mapping):
        runs = rle_runs(segmentation.get("counts"))
        if (
            list(segmentation.get("size") or ()) != list(size_hw)
            or runs is None
            or runs.sum() != size_hw[0] * size_hw[1]
        ):
            return list(box_xywh or (0, 0, 0, 0)), 0
        rle = rle_from_segmentation(segmentation, size_hw)
        return list(box_xywh) if box_xywh else _rle_box(rle), rle_area(rle)
    if not segmentation:
        box = box_xywh or (0, 0, 0, 0)
        return list(box), box[2] * box[3]
    points = [[polygon[i : i + 2] for i in range(0, len(polygon) - 1, 2)] for polygon in segmentation]
    area = sum(polygon_area(polygon) for polygon in points)
    if box_xywh is not None:
        return list(box_xywh), area
    corners = [corner for polygon in points for corner in polygon]
    return (box_xyxy_to_xywh(tight_box(corners)).tolist() if corners else [0, 0, 0, 0]), area


def _rle_box(rle: Rle) -> list[float]:
    box = box_from_mask(mask_from_rle(rle))
    return [0, 0, 0, 0] if box is None else box_xyxy_to_xywh(box).tolist()


def _sound(entries: Sequence[_Entry], taxonomy: Taxonomy, left_out: list[Remark], notes: list[Remark]) -> list[_Entry]:
    """The entries that the validator accepts, without stray clicks."""
    faults: dict[str, dict[int, list[Problem]]] = {"images": {}, "annotations": {}}
    for problem in find_problems(_document(entries, taxonomy), require_masks=False):
        place = _ENTRY.match(problem.where)
        if problem.severity == ERROR and place:
            faults[place[1]].setdefault(int(place[2]), []).append(problem)
        elif problem.severity == ERROR and entries:
            raise DataError(f"the classes cannot be used: {problem}", remedy="Rename them with --class LABEL=CLASS")
    kept: list[_Entry] = []
    first = 0
    for index, (image, annotations) in enumerate(entries):
        own = range(first, first + len(annotations))
        wrong = {n - first: faults["annotations"][n] for n in own if n in faults["annotations"]}
        first += len(annotations)
        serious = faults["images"].get(index, []) + [
            p for found in wrong.values() for p in found if p.kind not in _STRAY
        ]
        if serious or (wrong and len(wrong) == len(annotations)):
            reason = (serious or next(iter(wrong.values())))[0]
            left_out.append(Remark(image["file_name"], "annotation not usable", f"{reason.field} {reason.what}"))
            continue
        notes.extend(
            Remark(image["file_name"], "stray outline dropped", f"{found[0].field} {found[0].what}")
            for found in wrong.values()
        )
        kept.append((image, [a for number, a in enumerate(annotations) if number not in wrong]))
    return kept


def _without_crowds(image: SourceImage, notes: list[Remark]) -> SourceImage:
    crowds = [is_crowd(region.extra) and region.segmentation is not None for region in image.regions]
    if not any(crowds):
        return image
    notes.append(Remark(image.file_name, "crowd region taken as a lesion, as asked", f"{sum(crowds)} of {len(crowds)}"))
    regions = tuple(
        dataclasses.replace(region, extra={**region.extra, "iscrowd": 0}) if crowd else region
        for region, crowd in zip(image.regions, crowds, strict=True)
    )
    return dataclasses.replace(image, regions=regions)


def _note_boxes_and_crowds(entries: Iterable[_Entry], notes: list[Remark]) -> None:
    for image, annotations in entries:
        crowds = sum(map(is_crowd, annotations))
        if crowds:
            notes.append(Remark(image["file_name"], CROWD, f"{crowds} of {len(annotations)}"))
        count = sum("segmentation" not in annotation for annotation in annotations)
        if count:
            notes.append(Remark(image["file_name"], "box without an outline", f"{count} of {len(annotations)}"))


def _document(entries: Iterable[_Entry], taxonomy: Taxonomy) -> dict[str, Any]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image, own in entries:
        images.append({"id": len(images) + 1, **image})
        for annotation in own:
            annotations.append({"id": len(annotations) + 1, "image_id": len(images), **annotation})
    return {"images": images, "annotations": annotations, "categories": taxonomy.coco_categories()}
