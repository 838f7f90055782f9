"""What is on a radiograph: true lesions, predicted findings, and the images that carry them.

Plain values, so that evaluation, post-processing and reports need no framework. Boxes are (x0, y0, x1, y1) in px of
the original image; ``class_id`` is the contiguous index of ``segtumor.taxonomy``. What is said of the image as a whole
is in ``segtumor.structures.readings``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from segtumor.arrays import Box, Mask, Rle

#: The box of a finding that says what there is and not where.
UNPLACED: Box = (math.nan, math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Lesion:
    """A true lesion.

    Attributes:
        lesion_id: id of the annotation, unique in its data set.
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
    """A predicted lesion, with a mask, a box, or neither.

    One with neither (``is_placed`` False) counts where images are judged; it is no lesion that could be hit or drawn.

    Attributes:
        class_id: most probable class.
        score: confidence in [0, 1].
        box_xyxy: box, px; ``UNPLACED``, four times NaN, where there is none. With a mask and no box it becomes the
            mask's.
        rle: mask as COCO RLE, or None from a model without masks.
        probabilities: probability of each class in [0, 1], in the order of the classes; empty if unknown.
        agreement: of several models, or looks of one, on where it is (``fusion.with_agreement``), in [0, 1]; None of a
            single one.
    """

    class_id: int
    score: float
    box_xyxy: Box = UNPLACED
    rle: Rle | None = field(default=None, hash=False)
    probabilities: tuple[float, ...] = ()
    agreement: float | None = None

    def __post_init__(self) -> None:
        if self.rle is not None and not self.is_placed:
            from segtumor.structures.masks import rle_box

            object.__setattr__(self, "box_xyxy", rle_box(self.rle))

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        # Unpickled NaN are new objects, which equal nothing.
        self.__dict__.update(state)
        if not self.is_placed:
            object.__setattr__(self, "box_xyxy", UNPLACED)

    @property
    def is_placed(self) -> bool:
        """Whether it says where: it has a box or a mask."""
        return not math.isnan(self.box_xyxy[0])

    @property
    def mask(self) -> Mask | None:
        """(H, W) bool at the size of the radiograph, decoded anew at each use; None without a mask."""
        from segtumor.structures.masks import mask_from_rle

        return None if self.rle is None else mask_from_rle(self.rle)


@dataclass(frozen=True)
class AnnotatedImage:
    """The truth about one radiograph.

    Attributes:
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
    """One radiograph's truth beside what was found on it.

    Attributes:
        findings: what was found, highest score first.
        image_probabilities: (K + 1,) of the whole image, normal first, as ``readings.Reading``; None where the model
            gives none.
        marks_lesions: whether the model says where lesions are. A classifier does not: that it has no findings says
            nothing about lesions. None where nobody says: ``evaluation.facts.facts.with_marking`` then decides.
        uncertainty: of the reading, 0 (certain) to 1; None if it was not measured.
    """

    truth: AnnotatedImage
    findings: tuple[Finding, ...]
    image_probabilities: tuple[float, ...] | None = None
    marks_lesions: bool | None = None
    uncertainty: float | None = None
