"""A data set as a table of boxes."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from segtumor.annotations.coco import CocoDataset
from segtumor.annotations.flat_polygons import box_corners, box_from_corners
from segtumor.annotations.remarks import Remark
from segtumor.cases import case_of
from segtumor.files import prepare_output_folder, write_csv
from segtumor.progress import Progress

_COLUMNS = ("image", "label", "xmin", "ymin", "xmax", "ymax", "width", "height")


def write(dataset: CocoDataset, output: Path, *, progress: Progress = iter) -> list[Remark]:
    """Write ``boxes.csv``, or ``output`` itself if it is called *.csv; a normal image is a row without a box."""
    path = output if output.suffix.lower() == ".csv" else prepare_output_folder(output) / "boxes.csv"
    with_case = any(case_of(image) is not None for image in dataset.images)
    rows, lost = list[dict[str, Any]](), list[Remark]()
    for image in progress(dataset.images):
        common: dict[str, Any] = {"image": image["file_name"], "width": image["width"], "height": image["height"]}
        if with_case:
            common["case_id"] = case_of(image)
        annotations = dataset.annotations_of(image)
        rows += [{**common, "label": dataset.label_of(a), **_corner_texts(a["bbox"])} for a in annotations]
        if not annotations:
            rows.append(common)
        outlines = sum(bool(annotation.get("segmentation")) for annotation in annotations)
        if outlines:
            lost.append(Remark(image["file_name"], "outline left out, the format holds boxes only", str(outlines)))
    write_csv(path, rows, (*_COLUMNS, "case_id") if with_case else _COLUMNS)
    return lost


def _corner_texts(box_xywh: Sequence[float]) -> dict[str, str]:
    """Corners with as many digits as bring the same width and height back."""
    x0, y0, x1, y1 = box_corners(box_xywh)
    texts = {"xmin": repr(x0), "ymin": repr(y0), "xmax": repr(x1), "ymax": repr(y1)}
    read = box_from_corners(map(Decimal, texts.values()))
    for name, low, number in (("xmax", x0, 2), ("ymax", y0, 3)):
        if read[number] != box_xywh[number]:
            texts[name] = f"{Decimal(repr(low)) + Decimal(repr(float(box_xywh[number]))):.20f}"
    return {name: text.removesuffix(".0") for name, text in texts.items()}
