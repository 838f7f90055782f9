"""A data set as CVAT's annotations.xml ("CVAT for images 1.1"), which CVAT's "Upload annotations" takes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from segtumor.annotations.coco import CocoDataset
from segtumor.annotations.remarks import Remark
from segtumor.arrays import Mask, SizeHW
from segtumor.files import write_text
from segtumor.formats.cvat.shapes import row_runs_of_mask
from segtumor.formats.labels import IMAGE_LABELS
from segtumor.formats.shapes.drawn_boxes import CENTER, box_drawn_apart, box_turned_about, rotated_box_of
from segtumor.formats.shapes.unit_round_trips import end_of
from segtumor.progress import Progress
from segtumor.structures.masks import crop_from_rle, rle_from_segmentation

#: What XML 1.0 cannot hold, even escaped.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write(dataset: CocoDataset, output: Path, *, progress: Progress = iter) -> list[Remark]:
    """Write ``annotations.xml`` into the folder ``output``, or the file itself if the name ends in .xml.

    Several polygons of a lesion share a group_id, and so do an outline and a box that is not its tight box.
    """
    path = output if output.suffix.lower() == ".xml" else output / "annotations.xml"
    remarks, body, groups = list[Remark](), list[str](), iter(range(1, 2**31))
    for number, image in enumerate(progress(dataset.images)):
        if _ILLEGAL.search(image["file_name"]):
            remarks.append(Remark(image["file_name"], "image left out, XML cannot hold its name"))
            continue
        body += _image_lines(dataset, image, number, groups)
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>"]
    write_text(path, "\n".join([*lines, *_meta_lines(dataset), *body, "</annotations>", ""]))
    return remarks


def _meta_lines(dataset: CocoDataset) -> list[str]:
    names = dict.fromkeys(dataset.taxonomy.names, "any")
    for image in dataset.images:
        for tag in _tags(image):
            names.setdefault(tag, "tag")
    attributes: dict[str, dict[str, None]] = {}
    for annotations in dataset.annotations_of_image.values():
        for annotation in annotations:
            attributes.setdefault(dataset.label_of(annotation), {}).update(dict.fromkeys(_texts(annotation)))
    lines = ["  <meta>", "    <task>", f"      <size>{len(dataset.images)}</size>", "      <mode>annotation</mode>"]
    lines.append("      <labels>")
    for name, kind in names.items():
        inner = "".join(map(_attribute_of_label, attributes.get(name, ())))
        label = f"<name>{_text(name)}</name><type>{kind}</type><attributes>{inner}</attributes>"
        lines.append(f"        <label>{label}</label>")
    return [*lines, "      </labels>", "    </task>", "  </meta>"]


def _attribute_of_label(name: str) -> str:
    kind = "<mutable>False</mutable><input_type>text</input_type><default_value></default_value><values></values>"
    return f"<attribute><name>{_text(name)}</name>{kind}</attribute>"


def _tags(image: Mapping[str, Any]) -> list[str]:
    label, tags = image.get("image_label"), image.get("tags")
    given = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    return [str(label), *given] if label in IMAGE_LABELS else given


def _texts(annotation: Mapping[str, Any]) -> dict[str, str]:
    given = annotation.get("attributes")
    return {str(key): str(value) for key, value in given.items()} if isinstance(given, dict) else {}


def _image_lines(dataset: CocoDataset, image: Mapping[str, Any], number: int, groups: Iterator[int]) -> list[str]:
    start = {"id": number, "name": image["file_name"]}
    if isinstance(image.get("part"), str):
        start["subset"] = image["part"]
    lines = [f"  <image{_attributes({**start, 'width': image['width'], 'height': image['height']})}>"]
    for annotation in dataset.annotations_of(image):
        shapes = list(_shapes(annotation, (image["height"], image["width"])))
        common = {
            "label": dataset.label_of(annotation),
            "source": "manual",
            "occluded": int(annotation.get("occluded") is True),
        }
        group = {"group_id": next(groups)} if len(shapes) > 1 else {}
        inner = "".join(
            f"<attribute name={_quoted(key)}>{_text(value)}</attribute>" for key, value in _texts(annotation).items()
        )
        for tag, own in shapes:
            attributes = _attributes({**common, **own, "z_order": 0, **group})
            lines.append(f"    <{tag}{attributes}>{inner}</{tag}>")
    lines += [f"    <tag{_attributes({'label': tag, 'source': 'manual'})}></tag>" for tag in _tags(image)]
    return [*lines, "  </image>"]


def _shapes(annotation: Mapping[str, Any], size_hw: SizeHW) -> Iterator[tuple[str, dict[str, Any]]]:
    """(tag, attributes) of the shapes of one lesion."""
    segmentation, box = annotation.get("segmentation"), annotation["bbox"]
    rotated = rotated_box_of(annotation)
    if not segmentation:
        yield "box", _corners(box)
        return
    if rotated is not None:
        turned, degrees = box_turned_about(rotated, CENTER)
        yield "box", {**_corners(turned), "rotation": repr(degrees)}
        outline = segmentation[0]
    elif isinstance(segmentation, dict):
        crop, top, left = crop_from_rle(rle_from_segmentation(segmentation, size_hw))
        yield "mask", _mask_attributes(crop, top, left)
        outline = [left, top, left + crop.shape[1], top + crop.shape[0]]
    else:
        for polygon in segmentation:
            points = ((repr(float(x)), repr(float(y))) for x, y in zip(polygon[0::2], polygon[1::2], strict=True))
            yield "polygon", {"points": ";".join(map(",".join, points))}
        outline = [value for polygon in segmentation for value in polygon]
    # A turned box cannot have a second, upright one beside it: the two would be read as two boxes of a group.
    if rotated is None and box_drawn_apart(box, outline):
        yield "box", _corners(box)


def _corners(box_xywh: Sequence[float]) -> dict[str, str]:
    x, y, width, height = map(float, box_xywh)
    return {"xtl": repr(x), "ytl": repr(y), "xbr": repr(end_of(x, width)), "ybr": repr(end_of(y, height))}


def _mask_attributes(crop: Mask, top: int, left: int) -> dict[str, Any]:
    height, width = crop.shape
    runs = ", ".join(map(str, row_runs_of_mask(crop)))
    return {"rle": runs, "left": left, "top": top, "width": width, "height": height}


def _attributes(values: Mapping[str, Any]) -> str:
    return "".join(f" {key}={_quoted(value)}" for key, value in values.items())


def _quoted(value: Any) -> str:
    return quoteattr(_ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", str(value)))


def _text(value: Any) -> str:
    return escape(_ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", str(value)))
