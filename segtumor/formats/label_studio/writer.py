"""A data set as tasks for Label Studio's import: polygons and rectangles in percent, other outlines as brush masks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from segtumor.annotations.coco import CocoDataset
from segtumor.annotations.remarks import Remark
from segtumor.arrays import SizeHW
from segtumor.files import write_json, write_text
from segtumor.formats.label_studio.brush_rle import brush_from_mask
from segtumor.formats.label_studio.regions import px_of_percent
from segtumor.formats.labels import IMAGE_LABELS
from segtumor.formats.shapes.drawn_boxes import CORNER, box_drawn_apart, box_turned_about, rotated_box_of
from segtumor.formats.shapes.unit_round_trips import number_read_as
from segtumor.progress import Progress
from segtumor.structures.masks import mask_from_rle, rle_from_segmentation
from segtumor.taxonomy import color_rgb

_OUTLINE_DECIMALS = 10
#: <name of the tag in the configuration>, kind of result
_POLYGON, _RECTANGLE, _BRUSH = ("polygon", "polygonlabels"), ("box", "rectanglelabels"), ("brush", "brushlabels")


def write(dataset: CocoDataset, output: Path, *, progress: Progress = iter) -> list[Remark]:
    """Write ``tasks.json`` and ``label_config.xml`` into the folder ``output``, or one file of tasks (.json).

    The images are named as Label Studio's local storage does, relative to its root: set the root to the folder of the
    images, or the beginning of the addresses to wherever they are served from.
    """
    remarks: list[Remark] = []
    tasks = [_task(dataset, image, remarks) for image in progress(dataset.images)]
    if output.suffix.lower() == ".json":
        write_json(output, tasks, indent=None)
    else:
        write_json(output / "tasks.json", tasks, indent=None)
        write_text(output / "label_config.xml", _configuration(dataset))
    return remarks


def _task(dataset: CocoDataset, image: Mapping[str, Any], remarks: list[Remark]) -> dict[str, Any]:
    results: list[dict[str, Any]] = []
    for annotation in dataset.annotations_of(image):
        results += _results(annotation, dataset, image, remarks)
    if image.get("image_label") in IMAGE_LABELS:
        results.append(_choices("image_label", [image["image_label"]]))
    chosen = _choices_of(image)
    if chosen is not None:
        results.append(_choices("choices", chosen))
    data = {"image": "/data/local-files/?d=" + quote(image["file_name"])}
    data |= {key: image[key] for key in ("case_id", "part") if isinstance(image.get(key), (str, int, float))}
    annotation = {"result": results, "was_cancelled": False, "ground_truth": False}
    return {"id": image["id"], "data": data, "annotations": [annotation], "predictions": []}


def _choices(name: str, texts: Sequence[str]) -> dict[str, Any]:
    return {"from_name": name, "to_name": "image", "type": "choices", "value": {"choices": texts}}


def _results(
    annotation: Mapping[str, Any], dataset: CocoDataset, image: Mapping[str, Any], remarks: list[Remark]
) -> Iterator[dict[str, Any]]:
    size_hw = (image["height"], image["width"])
    (name, kind), value = _shape(
        annotation, size_hw, lambda what, detail: remarks.append(Remark(image["file_name"], what, detail))
    )
    common: dict[str, Any] = {
        "id": str(annotation["id"]),
        "to_name": "image",
        "original_width": size_hw[1],
        "original_height": size_hw[0],
        "image_rotation": 0,
    }
    yield {
        **common,
        "from_name": name,
        "type": kind,
        "origin": "manual",
        "value": {**value, kind: [dataset.label_of(annotation)]},
    }
    chosen = _choices_of(annotation)
    if chosen is not None:
        yield {**common, "from_name": "region_choices", "type": "choices", "value": {**value, "choices": chosen}}


def _shape(
    annotation: Mapping[str, Any], size_hw: SizeHW, remark: Callable[[str, str], None]
) -> tuple[tuple[str, str], dict[str, Any]]:
    """((name, kind), value) of one lesion."""
    segmentation, box = annotation.get("segmentation"), annotation["bbox"]
    number = f"annotation {annotation['id']}"
    if not segmentation:
        return _RECTANGLE, {**_rectangle(box, size_hw), "rotation": 0}
    rotated = rotated_box_of(annotation)
    if rotated is not None:
        turned, degrees = box_turned_about(rotated, CORNER)
        return _RECTANGLE, {**_rectangle(turned, size_hw), "rotation": degrees}
    if isinstance(segmentation, list) and box_drawn_apart(
        box, [value for polygon in segmentation for value in polygon]
    ):
        remark("box left out, an outline has its own", number)
    if isinstance(segmentation, list) and len(segmentation) == 1:
        points = np.reshape(segmentation[0], (-1, 2)) * 100.0 / size_hw[::-1]
        return _POLYGON, {"points": points.round(_OUTLINE_DECIMALS).tolist(), "closed": True}
    if isinstance(segmentation, list):
        remark("outline of several parts written as a mask", number)
    mask = mask_from_rle(rle_from_segmentation(segmentation, size_hw))
    return _BRUSH, {"format": "rle", "rle": brush_from_mask(mask)}


def _rectangle(box_xywh: Sequence[float], size_hw: SizeHW) -> dict[str, float]:
    percents = (_percent(float(px), size_hw[1 - i % 2]) for i, px in enumerate(box_xywh))
    return dict(zip(("x", "y", "width", "height"), percents, strict=True))


def _percent(px: float, size: int) -> float:
    return number_read_as(px, px * 100 / size, lambda percent: px_of_percent(percent, size))


def _configuration(dataset: CocoDataset) -> str:
    """The labelling configuration that the tasks need: paste it into the project's settings."""
    lines = ["<View>", '  <Image name="image" value="$image"/>']
    for tag, (name, _) in (("PolygonLabels", _POLYGON), ("RectangleLabels", _RECTANGLE), ("BrushLabels", _BRUSH)):
        labels = "".join(
            f'<Label value={quoteattr(label)} background="#{bytes(color_rgb(class_id)).hex()}"/>'
            for class_id, label in enumerate(dataset.taxonomy.names)
        )
        lines.append(f'  <{tag} name="{name}" toName="image">{labels}</{tag}>')
    per_image = [text for image in dataset.images for text in _strings(image.get("choices"))]
    regions = [a for annotations in dataset.annotations_of_image.values() for a in annotations]
    per_region = [text for annotation in regions for text in _strings(annotation.get("choices"))]
    lines.append(_choices_tag("image_label", IMAGE_LABELS, ""))
    lines += [_choices_tag("choices", per_image, "")] if per_image else []
    lines += [_choices_tag("region_choices", per_region, ' perRegion="true"')] if per_region else []
    return "\n".join([*lines, "</View>", ""])


def _choices_tag(name: str, texts: Iterable[str], more: str) -> str:
    choices = "".join(f"<Choice value={quoteattr(text)}/>" for text in dict.fromkeys(texts))
    return f'  <Choices name="{name}" toName="image"{more}>{choices}</Choices>'


def _choices_of(entry: Mapping[str, Any]) -> list[str] | None:
    chosen = entry.get("choices")
    return chosen if isinstance(chosen, list) and all(isinstance(text, str) for text in chosen) else None


def _strings(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
