"""COCO annotation files to records: the one way annotations enter segtumor, for training and for evaluation.

A record is Detectron2's standard dataset dict. A file is refused, with all its problems, before anything is used of it.
What is taken as read: a missing ``iscrowd`` is 0, a missing ``area`` is that of the mask (of the box where there is no
mask), boxes and polygons that reach a little over the border are cut at it, and category ids may be any integers:
classes are numbered from 0 in the order of the ids. Not here: reading pixels, or registering with Detectron2
(``segtumor.training.batches.catalog``).
"""

import functools
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segtumor.annotations.attributes import label_of
from segtumor.annotations.class_scheme import ClassScheme
from segtumor.annotations.json_input import is_predictions, parse_json, read_bytes
from segtumor.annotations.problems import ERROR, Problem, ProblemKind
from segtumor.annotations.regions import (
    BOXES_REMEDY,
    Crowds,
    count_crowds,
    has_outline,
    region_remarks,
    regions_by_image,
)
from segtumor.annotations.validation import find_problems
from segtumor.arrays import Box
from segtumor.errors import DataError
from segtumor.structures.boxes import box_xywh_to_xyxy, clip_boxes
from segtumor.structures.lesions import AnnotatedImage, Lesion
from segtumor.structures.masks import rle_area, rle_from_segmentation
from segtumor.structures.polygons import clip_polygon, outside_image
from segtumor.taxonomy import Taxonomy
from segtumor.texts import counted, listing

XYWH_ABS = 1  # detectron2.structures.BoxMode.XYWH_ABS, which the core must not import
_SHOWN = 20
_WHERE_FROM = "Check the path, or make it with datasets/prepare_btxrd.py or datasets/prepare_phantoms.py"
_LOG = logging.getLogger(__name__)
_IMAGE_KEYS = ("id", "file_name", "height", "width")


@dataclass(frozen=True)
class CocoDataset:
    """A sound COCO file.

    Attributes:
        image_root: folder that the images' file names are relative to.
        sha256: of the annotation file's bytes.
        taxonomy: its classes, in the order of their category ids.
        category_id_of_class: category id in the file for each class_id.
        annotations_of_image: {image id: its annotation entries}; none for a normal image.
    """

    json_path: Path
    image_root: Path
    sha256: str
    info: Mapping[str, Any]
    taxonomy: Taxonomy
    category_id_of_class: tuple[int, ...]
    images: tuple[Mapping[str, Any], ...]
    annotations_of_image: Mapping[int, list[Mapping[str, Any]]]

    @functools.cached_property
    def records(self) -> list[dict[str, Any]]:
        """list of Detectron2 dataset dicts, one for every image, normal ones included; ``category_id`` is the class_id.

        Every further field of the image (case_id, image_label, ...) is kept.
        """
        return [self._record(image) for image in self.images]

    @functools.cached_property
    def annotated_images(self) -> tuple[AnnotatedImage, ...]:
        """tuple of AnnotatedImage, in the order of ``records``; masks are rasterised at the first use."""
        return tuple(self._annotated_image(image) for image in self.images)

    @functools.cached_property
    def crowds(self) -> Crowds:
        """How many of its regions are crowds, and which images hold nothing else."""
        regions = self.annotations_of_image
        return count_crowds((image["file_name"], regions.get(image["id"], ())) for image in self.images)

    @functools.cached_property
    def class_of_category_id(self) -> dict[int, int]:
        """{category id in the file: class_id}."""
        return {category_id: class_id for class_id, category_id in enumerate(self.category_id_of_class)}

    def annotations_of(self, image: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Annotation entries of one of ``images``; none for a normal image."""
        return self.annotations_of_image.get(image["id"], ())

    def label_of(self, annotation: Mapping[str, Any]) -> str:
        """Name of the class of an annotation entry."""
        return self.taxonomy.names[self.class_of_category_id[annotation["category_id"]]]

    def _record(self, image: Mapping[str, Any]) -> dict[str, Any]:
        size_hw = (image["height"], image["width"])
        annotations = [self._record_annotation(a, size_hw) for a in self.annotations_of(image)]
        return {
            **attributes_of(image, self.taxonomy.names),
            "file_name": str(self.image_root / image["file_name"]),
            "image_id": image["id"],
            "height": size_hw[0],
            "width": size_hw[1],
            "annotations": annotations,
        }

    def _record_annotation(self, annotation: Mapping[str, Any], size_hw: tuple[int, int]) -> dict[str, Any]:
        x0, y0, x1, y1 = _clipped_box(annotation["bbox"], size_hw)
        record = {
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "bbox_mode": XYWH_ABS,
            "category_id": self.class_of_category_id[annotation["category_id"]],
            "iscrowd": int(annotation.get("iscrowd", 0)),
        }
        segmentation = _segmentation(annotation, size_hw)
        return record if segmentation is None else {**record, "segmentation": segmentation}

    def _annotated_image(self, image: Mapping[str, Any]) -> AnnotatedImage:
        size_hw = (image["height"], image["width"])
        lesions = tuple(self._lesion(a, size_hw) for a in self.annotations_of(image))
        attributes = attributes_of(image, self.taxonomy.names)
        return AnnotatedImage(image["id"], image["file_name"], size_hw, lesions, attributes)

    def _lesion(self, annotation: Mapping[str, Any], size_hw: tuple[int, int]) -> Lesion:
        segmentation = _segmentation(annotation, size_hw)
        rle = None if segmentation is None else rle_from_segmentation(segmentation, size_hw)
        box = _clipped_box(annotation["bbox"], size_hw)
        area = annotation.get("area")
        if area is None:
            area = rle_area(rle) if rle is not None else (box[2] - box[0]) * (box[3] - box[1])
        class_id = self.class_of_category_id[annotation["category_id"]]
        return Lesion(annotation["id"], class_id, box, rle, float(area), bool(annotation.get("iscrowd", 0)))


def load_coco(
    json_path: Path | str,
    image_root: Path | str | None = None,
    *,
    check_files: bool = True,
    require_masks: bool = True,
    scheme: ClassScheme | None = None,
) -> CocoDataset:
    """Read and check a COCO file.

    Args:
        image_root: folder of the images; None takes ``images`` beside the folder of the annotation file.
        check_files: whether every image must be on disk, inside ``image_root``.
        require_masks: whether every annotation needs a segmentation; False also accepts boxes alone.
        scheme: classes to join and images to leave out; None: as the file has them.

    Raises:
        ConfigError: the scheme names a class that the file lacks.
        DataError: the file is missing, not JSON, holds predictions, or has problems; it names the first 20 and counts
            them all.
    """
    json_path = Path(json_path)
    image_root = json_path.parent.parent / "images" if image_root is None else Path(image_root)
    data = read_bytes(json_path, remedy=_WHERE_FROM)
    coco = parse_json(data, json_path)
    if is_predictions(coco):
        remedy = "Swapped with --predictions? Give the COCO file of the true lesions"
        raise DataError("this is a predictions file, not annotations", where=json_path, remedy=remedy)
    found = find_problems(coco, require_masks=require_masks, image_root=image_root if check_files else None)
    errors = [problem for problem in found if problem.severity == ERROR]
    if errors:
        what, remedy = listing(errors, "problems", _SHOWN), f"{_remedy(errors)}; none of it was used"
        raise DataError(what, where=json_path, remedy=remedy)
    if n_warnings := len(found):
        count = counted(n_warnings, "warnings")
        _LOG.warning("%s: %s; `segtumor data check %s` shows them", json_path.name, count, json_path)
    for sentence in region_remarks(regions_by_image(coco["images"], coco["annotations"])):
        _LOG.warning("%s: %s", json_path.name, sentence)
    if scheme is not None:
        coco = scheme.apply(coco, where=json_path)
    return dataset_of(coco, image_root, json_path=json_path, sha256=hashlib.sha256(data).hexdigest())


def attributes_of(image: Mapping[str, Any], class_names: Sequence[str] = ()) -> dict[str, Any]:
    """The fields of a COCO image entry beyond id, file name and size; the label as ``label_of`` has it."""
    attributes = {key: value for key, value in image.items() if key not in _IMAGE_KEYS}
    return {**attributes, "image_label": label_of(image, class_names)} if "image_label" in attributes else attributes


def _remedy(found: Sequence[Problem]) -> str:
    """The option that would help, where there is one for all."""
    if any(problem.kind is ProblemKind.BOX_ALONE for problem in found):
        return BOXES_REMEDY
    return found[0].remedy.capitalize() if found[0].kind is ProblemKind.EMPTY else "Fix the file"


def dataset_of(
    coco: Mapping[str, Any], image_root: Path | str, *, json_path: Path | str = "all.json", sha256: str = ""
) -> CocoDataset:
    """A sound COCO object as CocoDataset."""
    categories = sorted(coco["categories"], key=lambda category: category["id"])
    annotations_of_image: dict[int, list[Mapping[str, Any]]] = {}
    for annotation in coco["annotations"]:
        annotations_of_image.setdefault(annotation["image_id"], []).append(annotation)
    info = coco.get("info")
    return CocoDataset(
        json_path=Path(json_path),
        image_root=Path(image_root).absolute(),
        sha256=sha256,
        info=info if isinstance(info, dict) else {},
        taxonomy=Taxonomy(tuple(category["name"] for category in categories)),
        category_id_of_class=tuple(category["id"] for category in categories),
        images=tuple(coco["images"]),
        annotations_of_image=annotations_of_image,
    )


def _clipped_box(box_xywh: Sequence[float], size_hw: tuple[int, int]) -> Box:
    x, y, width, height = box_xywh
    if x >= 0 and y >= 0 and x + width <= size_hw[1] and y + height <= size_hw[0]:  # nearly always; arrays are slow
        return float(x), float(y), float(x + width), float(y + height)
    x0, y0, x1, y1 = clip_boxes(box_xywh_to_xyxy(box_xywh), size_hw).tolist()
    return x0, y0, x1, y1


def _segmentation(annotation: Mapping[str, Any], size_hw: tuple[int, int]) -> Any:
    """Polygons cut at the border, a compressed RLE, or None where only a box was annotated."""
    segmentation = annotation["segmentation"] if has_outline(annotation) else None
    if isinstance(segmentation, dict):
        return rle_from_segmentation(segmentation, size_hw)
    return segmentation and _clipped_polygons(segmentation, size_hw)


def _clipped_polygons(polygons: Sequence[Sequence[float]], size_hw: tuple[int, int]) -> list[Sequence[float]]:
    return [
        clip_polygon(np.reshape(polygon, (-1, 2)), size_hw).ravel().tolist()
        if outside_image(polygon, size_hw)
        else polygon
        for polygon in polygons
    ]
