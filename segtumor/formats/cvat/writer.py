"""A data set as CVAT's annotations.xml ("CVAT for images 1.1"), which CVAT's "Upload annotations" takes."""

import re
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from segtumor.annotations.remarks import Remark
from segtumor.files import write_text
from segtumor.formats.image_labels import IMAGE_LABELS
from segtumor.formats.shapes.drawn_boxes import CENTER, box_drawn_apart, box_turned_about, rotated_box_of
from segtumor.formats.shapes.mask_runs import row_runs_of_mask
from segtumor.formats.shapes.unit_round_trips import number_read_as, without_noise
from segtumor.structures.masks import box_from_mask, mask_from_rle, rle_from_segmentation

#: What XML 1.0 cannot hold, even escaped.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write(dataset, output, *, progress=iter):
    """Write ``annotations.xml`` into the folder ``output``, or the file itself if the name ends in .xml.

    Several polygons of a lesion share a group_id, and so do an outline and a box that is not its tight box.

    Returns:
        list of Remarks on what the format cannot hold.
    """
    output = Path(output)
    path = output if output.suffix.lower() == ".xml" else output / "annotations.xml"
    remarks, body, groups = [], [], iter(range(1, 2**31))
    for number, image in enumerate(progress(dataset.images)):
        if _ILLEGAL.search(image["file_name"]):
            remarks.append(Remark(image["file_name"], "image left out, XML cannot hold its name"))
            continue
        body += _image_lines(dataset, image, number, groups)
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>"]
    write_text(path, "\n".join([*lines, *_meta_lines(dataset), *body, "</annotations>", ""]))
    return remarks


def _meta_lines(dataset):
    names = dict.fromkeys(dataset.taxonomy.names, "any")
    for image in dataset.images:
        for tag in _tags(image):
            names.setdefault(tag, "tag")
    attributes = {}
    for annotations in dataset.annotations_of_image.values():
        for annotation in annotations:
            label = dataset.taxonomy.names[dataset.class_of_category_id[annotation["category_id"]]]
            attributes.setdefault(label, {}).update(dict.fromkeys(_texts(annotation)))
    lines = ["  <meta>", "    <task>", f"      <size>{len(dataset.images)}</size>", "      <mode>annotation</mode>"]
    lines.append("      <labels>")
    for name, kind in names.items():
        inner = "".join(map(_attribute_of_label, attributes.get(name, ())))
        label = f"<name>{_text(name)}</name><type>{kind}</type><attributes>{inner}</attributes>"
        lines.append(f"        <label>{label}</label>")
    return [*lines, "      </labels>", "    </task>", "  </meta>"]


def _attribute_of_label(name) -> str:
    kind = "<mutable>False</mutable><input_type>text</input_type><default_value></default_value><values></values>"
    return f"<attribute><name>{_text(name)}</name>{kind}</attribute>"


def _tags(image):
    label, tags = image.get("image_label"), image.get("tags")
    given = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    return [label, *given] if label in IMAGE_LABELS else given


def _texts(annotation):
    given = annotation.get("attributes")
    return {str(key): str(value) for key, value in given.items()} if isinstance(given, dict) else {}


def _image_lines(dataset, image, number, groups):
    start = {"id": number, "name": image["file_name"]}
    if isinstance(image.get("part"), str):
        start["subset"] = image["part"]
    lines = [f"  <image{_attributes({**start, 'width': image['width'], 'height': image['height']})}>"]
    for annotation in dataset.annotations_of_image.get(image["id"], ()):
        label = dataset.taxonomy.names[dataset.class_of_category_id[annotation["category_id"]]]
        shapes = list(_shapes(annotation, (image["height"], image["width"])))
        common = {"label": label, "source": "manual", "occluded": int(annotation.get("occluded") is True)}
        group = {"group_id": next(groups)} if len(shapes) > 1 else {}
        inner = "".join(
            f"<attribute name={_quoted(key)}>{_text(value)}</attribute>" for key, value in _texts(annotation).items()
        )
        for tag, own in shapes:
            attributes = _attributes({**common, **own, "z_order": 0, **group})
            lines.append(f"    <{tag}{attributes}>{inner}</{tag}>")
    lines += [f"    <tag{_attributes({'label': tag, 'source': 'manual'})}></tag>" for tag in _tags(image)]
    return [*lines, "  </image>"]


def _shapes(annotation, size_hw):
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
        mask = mask_from_rle(rle_from_segmentation(segmentation, size_hw))
        yield "mask", _mask_attributes(mask)
        outline = box_from_mask(mask)
    else:
        for polygon in segmentation:
            points = ((repr(float(x)), repr(float(y))) for x, y in zip(polygon[0::2], polygon[1::2], strict=True))
            yield "polygon", {"points": ";".join(map(",".join, points))}
        outline = [value for polygon in segmentation for value in polygon]
    # A turned box cannot have a second, upright one beside it: the two would be read as two boxes of a group.
    if rotated is None and box_drawn_apart(box, outline):
        yield "box", _corners(box)


def _corners(box_xywh):
    x, y, width, height = map(float, box_xywh)
    return {"xtl": repr(x), "ytl": repr(y), "xbr": repr(_end(x, width)), "ybr": repr(_end(y, height))}


def _end(start, length):
    return number_read_as(length, start + length, lambda end: without_noise(end - start))


def _mask_attributes(mask):
    left, top, right, bottom = map(int, box_from_mask(mask))
    runs = row_runs_of_mask(mask[top:bottom, left:right])
    place = {"left": left, "top": top, "width": right - left, "height": bottom - top}
    return {"rle": ", ".join(map(str, runs)), **place}


def _attributes(values):
    return "".join(f" {key}={_quoted(value)}" for key, value in values.items())


def _quoted(value):
    return quoteattr(_ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", str(value)))


def _text(value):
    return escape(_ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", str(value)))
