"""What is on a radiograph: true lesions, predicted findings, and the images that carry them.

Plain values, so that evaluation, post-processing and reports need no framework. Boxes are (x0, y0, x1, y1) in px of
the original image; ``class_id`` is the contiguous index of ``segtumor.taxonomy``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Rle = Mapping[str, Any]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Lesion:
    """A true lesion.

    Attributes:
        lesion_id: id of the annotation, unique in its data set.
        class_id: true class.
        box_xyxy: box as annotated, px.
        rle: mask as COCO RLE, or None where only a box was annotated.
        area_px: area as annotated, px^2; COCO's size classes go by it.
        iscrowd: COCO's flag; a crowd region is neither hit nor missed.
    """

    lesion_id: int
    class_id: int
    box_xyxy: Box
    rle: Rle | None
    area_px: float
    iscrowd: bool = False


@dataclass(frozen=True)
class Finding:
    """A predicted lesion.

    Attributes:
        class_id: most probable class.
        score: confidence in [0, 1].
        box_xyxy: box, px.
        rle: mask as COCO RLE, or None from a model without masks.
        probabilities: probability of each class in [0, 1], in the order of the classes; empty if unknown.
    """

    class_id: int
    score: float
    box_xyxy: Box
    rle: Rle | None
    probabilities: tuple[float, ...] = ()


@dataclass(frozen=True)
class AnnotatedImage:
    """The truth about one radiograph.

    Attributes:
        image_id: id in the COCO file.
        file_name: file name in the COCO file.
        size_hw: (height, width), px.
        lesions: true lesions; empty for a normal radiograph.
        attributes: the remaining fields of the image: case_id, image_label, age, sex, site, view, center, ...
    """

    image_id: int
    file_name: str
    size_hw: tuple[int, int]
    lesions: tuple[Lesion, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageResult:
    """One radiograph's truth beside what was found on it, highest score first."""

    truth: AnnotatedImage
    findings: tuple[Finding, ...]
