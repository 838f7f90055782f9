"""A data set as YOLO label files and ``data.yaml``."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from segtumor.annotations.coco import CocoDataset
from segtumor.annotations.remarks import Remark
from segtumor.files import prepare_output_folder, write_text
from segtumor.formats.shapes.single_outline import BRIDGED, is_compound, keyhole_polygon
from segtumor.progress import Progress

_DECIMALS = 10


def write(dataset: CocoDataset, output: Path, *, progress: Progress = iter) -> list[Remark]:
    """Write ``labels/<name of the image>.txt``, empty for a normal image, and ``data.yaml``.

    Numbers have ten decimals at most: a label file of up to eight comes back the same. A lesion without an outline is
    written as a box; programs that train on outlines take every line of such a file as one.
    """
    output, remarks, taken = prepare_output_folder(output), list[Remark](), set[str]()
    for image in progress(dataset.images):
        name = image["file_name"]
        target = Path("labels", name).with_suffix(".txt")
        if str(target).casefold() in taken:
            remarks.append(Remark(name, "left out: another image differs only in its suffix"))
            continue
        taken.add(str(target).casefold())
        annotations = dataset.annotations_of(image)
        lines = [_line(annotation, image, dataset.class_of_category_id) for annotation in annotations]
        write_text(output / target, "".join(line + "\n" for line in lines))
        remarks += [Remark(name, kind) for kind in _losses(annotations)]
    write_text(output / "data.yaml", _yaml(dataset.taxonomy.names))
    return remarks


def _line(annotation: Mapping[str, Any], image: Mapping[str, Any], class_of_category_id: Mapping[int, int]) -> str:
    width, height = image["width"], image["height"]
    segmentation = annotation.get("segmentation")
    values = keyhole_polygon(segmentation, (height, width)) if segmentation else []
    if not values:
        x, y, box_width, box_height = annotation["bbox"]
        values = [x + box_width / 2, y + box_height / 2, box_width, box_height]
    values = [value / (width, height)[index % 2] for index, value in enumerate(values)]
    return " ".join([str(class_of_category_id[annotation["category_id"]]), *map(_written, values)])


def _written(value: float) -> str:
    text = f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _losses(annotations: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Kinds of what the lines of one image cannot hold."""
    segmentations = [annotation.get("segmentation") for annotation in annotations]
    if any(map(is_compound, annotations)):
        yield BRIDGED
    if any(segmentations) and not all(segmentations):
        yield "boxes among outlines: training programs take the file as outlines"
    if any("confidence" in annotation for annotation in annotations):
        yield "confidence left out, label files for training have none"


def _yaml(names: Iterable[str]) -> str:
    """``data.yaml``; every JSON text is a YAML text, so names may hold any character."""
    lines = [f"  {number}: {json.dumps(name, ensure_ascii=True)}\n" for number, name in enumerate(names)]
    return f"path: .\ntrain: images\nval: images\nnc: {len(lines)}\nnames:\n{''.join(lines)}"
