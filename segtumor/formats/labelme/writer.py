"""COCO to LabelMe 5: one JSON file for each image, in the folders that the images are in.

Polygons of one lesion share a ``group_id``; an RLE becomes a mask, so that its holes survive; a box alone and a
``drawn_box`` become rectangles, a kept ``circle`` a circle. LabelMe preserves fields that it does not know: what else
an image or annotation has is in ``attributes``. The images themselves stay where they are (``imagePath``).
"""

import base64
import io
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segtumor.annotations.coco import CocoDataset, attributes_of
from segtumor.annotations.flat_polygons import box_corners
from segtumor.annotations.remarks import Remark
from segtumor.annotations.segmentations import are_numbers
from segtumor.arrays import Rle, SizeHW
from segtumor.files import prepare_output_folder, write_json
from segtumor.formats.shapes.drawn_boxes import box_drawn_apart
from segtumor.progress import Progress
from segtumor.structures.masks import crop_from_rle, rle_from_segmentation

_VERSION = "5.4.1"
_OWN = ("id", "image_id", "category_id", "bbox", "segmentation", "area")


def write(dataset: CocoDataset, output: Path, *, progress: Progress = iter) -> list[Remark]:
    """Write a LabelMe file for each image of ``dataset``; a box that is not the tight one of its outline is lost."""
    output, lost = prepare_output_folder(output), list[Remark]()
    names = _json_names([image["file_name"] for image in dataset.images])
    for image in progress(dataset.images):
        path = output / names[image["file_name"]]
        annotations = dataset.annotations_of(image)
        write_json(path, _document(image, annotations, dataset, path, output))
        loose = sum(_has_loose_box(annotation) for annotation in annotations)
        if loose:
            lost.append(Remark(image["file_name"], "box beside an outline left out, LabelMe derives it", f"{loose}"))
    return lost


def _json_names(file_names: Iterable[str]) -> dict[str, str]:
    """{name of an image: name of its JSON file}; a.png and a.jpg become a.png.json and a.jpg.json."""
    stems = {name: os.path.splitext(name)[0] for name in file_names}
    count = Counter(stem.casefold() for stem in stems.values())
    return {name: f"{stem if count[stem.casefold()] == 1 else name}.json" for name, stem in stems.items()}


def _document(
    image: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]], dataset: CocoDataset, path: Path, output: Path
) -> dict[str, Any]:
    size_hw = (image["height"], image["width"])
    shapes = []
    for annotation, group in zip(annotations, _groups(annotations), strict=True):
        shapes += _shapes(annotation, dataset.label_of(annotation), group, size_hw)
    attributes = {key: value for key, value in attributes_of(image).items() if value is not None}
    flags = attributes.pop("flags") if isinstance(attributes.get("flags"), dict) else {}
    more = {"attributes": attributes} if attributes else {}
    return {
        "version": _VERSION,
        "flags": flags,
        "shapes": shapes,
        "imagePath": _image_path(image["file_name"], dataset.image_root, path, output),
        "imageData": None,
        "imageHeight": size_hw[0],
        "imageWidth": size_hw[1],
        **more,
    }


def _image_path(name: str, image_root: Path, path: Path, output: Path) -> str:
    """The image as seen from the JSON file; the bare name where no relative path leads there (another drive)."""
    target = image_root / name
    if not target.exists() and (output / "images" / name).exists():
        target = output / "images" / name  # it was embedded in the source
    try:
        return Path(os.path.relpath(os.path.realpath(target), os.path.realpath(path.parent))).as_posix()
    except ValueError:
        return name


def _kept(annotation: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a place of their own in LabelMe, if they are of the right type."""
    sound = {
        "group_id": type(annotation.get("group_id")) is int,
        "description": isinstance(annotation.get("description"), str),
        "flags": isinstance(annotation.get("flags"), dict),
        "drawn_box": are_numbers(annotation.get("drawn_box"), 4),
        "circle": are_numbers(annotation.get("circle"), 3),
    }
    return {key: annotation[key] for key, is_sound in sound.items() if is_sound}


def _groups(annotations: Sequence[Mapping[str, Any]]) -> list[int | None]:
    """A group number for each annotation that has one or needs one, else None; no two of one class share one."""
    kept = Counter((annotation["category_id"], _kept(annotation).get("group_id")) for annotation in annotations)
    groups, taken = list[int | None](), {group for _, group in kept}
    for annotation in annotations:
        group = _kept(annotation).get("group_id")
        if group is None or kept[annotation["category_id"], group] > 1:
            free = next(number for number in range(1, len(taken) + 2) if number not in taken)
            group = free if _shape_count(annotation) > 1 else None
            taken.add(group)
        groups.append(group)
    return groups


def _shape_count(annotation: Mapping[str, Any]) -> int:
    segmentation = annotation.get("segmentation")
    outlines = len(segmentation) if isinstance(segmentation, list) else 1
    return outlines + ("drawn_box" in _kept(annotation) and bool(segmentation))


def _shapes(annotation: Mapping[str, Any], label: str, group: int | None, size_hw: SizeHW) -> list[dict[str, Any]]:
    """The shapes of one lesion."""
    segmentation, kept = annotation.get("segmentation"), _kept(annotation)
    drawn_box, circle = kept.get("drawn_box"), kept.get("circle")
    if not segmentation:
        drawn = [_rectangle(annotation["bbox"])]
    elif isinstance(segmentation, dict):
        drawn = [_mask(segmentation, size_hw)]
    elif circle:
        x, y, radius = circle
        drawn = [{"points": [[x, y], [x + radius, y]], "shape_type": "circle"}]
    else:
        drawn = [{"points": np.reshape(polygon, (-1, 2)).tolist(), "shape_type": "polygon"} for polygon in segmentation]
    if segmentation and drawn_box:
        drawn.append(_rectangle(drawn_box))
    attributes = {key: value for key, value in annotation.items() if key not in (*_OWN, *kept) and value is not None}
    if not attributes.get("iscrowd"):
        attributes.pop("iscrowd", None)
    more = {"attributes": attributes} if attributes else {}
    described = {"description": kept.get("description", ""), "flags": kept.get("flags", {})}
    return [{"label": label, "group_id": group, "mask": None, **described, **shape, **more} for shape in drawn]


def _rectangle(box_xywh: Sequence[float]) -> dict[str, Any]:
    x0, y0, x1, y1 = box_corners(box_xywh)
    return {"points": [[x0, y0], [x1, y1]], "shape_type": "rectangle"}


def _mask(segmentation: Rle, size_hw: SizeHW) -> dict[str, Any]:
    """A mask from its first to its last pixel, both included, as a PNG of zeros and ones."""
    from PIL import Image

    crop, y0, x0 = crop_from_rle(rle_from_segmentation(segmentation, size_hw))
    height, width = crop.shape
    buffer = io.BytesIO()
    Image.fromarray(crop.astype(np.uint8)).save(buffer, "PNG")
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return {"points": [[x0, y0], [x0 + width - 1, y0 + height - 1]], "shape_type": "mask", "mask": text}


def _has_loose_box(annotation: Mapping[str, Any]) -> bool:
    """Whether the box beside polygons is not their tight one. An RLE's is taken to be tight: decoding it is slow."""
    segmentation, box = annotation.get("segmentation"), annotation["bbox"]
    if not segmentation or isinstance(segmentation, dict):
        return False
    return box_drawn_apart(box, [value for polygon in segmentation for value in polygon])
