"""What every annotation format is read into, before it becomes COCO: images with labelled regions, and remarks.

Nothing here is checked beyond what a format's own reader must understand; ``assemble`` checks it all, with the one
validator. Polygons are flat lists [x0, y0, x1, y1, ...] in px of the upright image, as in COCO.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from segtumor.annotations.flat_polygons import scale_between
from segtumor.annotations.remarks import Remark
from segtumor.arrays import BoxXYWH, Rle, SizeHW

#: Flat polygons whose union is a lesion, or an RLE as in COCO.
Segmentation = Sequence[Sequence[float]] | Rle
#: What a format takes an image without any annotation for.
Unlisted = Literal["normal", "not annotated"]
NORMAL: Unlisted = "normal"
NOT_ANNOTATED: Unlisted = "not annotated"

#: Kinds of Remarks that several formats make; the others are where they are made.
NOT_IN_FOLDER = "image listed but not in the folder"
OUTLINES_SCALED = "outlines scaled to the size of the image"
SHAPE_NOT_USABLE = "shape not usable"
TAKEN_AS_NORMAL = "image without annotation, taken as normal"


def scale_noted(drawn_hw: SizeHW, size_hw: SizeHW, file_name: str, notes: list[Remark]) -> tuple[float, float]:
    """``scale_between`` for the outlines of an image, which is reported where they are scaled."""
    scale_xy = scale_between(drawn_hw, size_hw)
    if scale_xy != (1.0, 1.0):
        notes.append(Remark(file_name, OUTLINES_SCALED, f"{drawn_hw} to {size_hw} (height, width)"))
    return scale_xy


@dataclass(frozen=True)
class Region:
    """One annotated lesion.

    Attributes:
        label: as written in the file.
        segmentation: its outline, or None for a box alone.
        box_xywh: box as annotated, px; None takes the tight box of the segmentation.
        extra: further fields of the COCO annotation, kept on the way back: drawn_box, group, ...
    """

    label: str
    segmentation: Segmentation | None = None
    box_xywh: BoxXYWH | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceImage:
    """One annotated image.

    Attributes:
        size_hw: (height, width) of the upright picture, px.
        regions: its lesions; none for a normal image.
        attributes: further fields of the COCO image: case_id, part, ...
        content: bytes of a picture embedded in the annotation file; None if it is a file below the image root.
    """

    file_name: str
    size_hw: SizeHW
    regions: tuple[Region, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    content: bytes | None = None


@dataclass
class Collection:
    """What was read.

    Attributes:
        root: folder of the images, which their file names are relative to.
        labels: classes in the format's own order, used or not; empty if the format has no list of them.
        left_out: what could not be used, by image or file.
        notes: what was used and is unusual.
        not_images: names of files below the image root that are annotations: masks beside their images.
        groups: labels that may be the name of a group of classes rather than a class.
    """

    root: Path
    images: list[SourceImage] = field(default_factory=list)
    labels: tuple[str, ...] = ()
    left_out: list[Remark] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)
    not_images: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)

    @property
    def known(self) -> set[str]:
        """Names of the images that are used, or left out."""
        return {image.file_name for image in self.images} | self._unusable

    def drop_doubtful(self) -> None:
        """Take out images that are left out, too: of two files for an image, the usable one may lack lesions."""
        unusable = self._unusable
        self.images = [image for image in self.images if image.file_name not in unusable]

    @property
    def _unusable(self) -> set[str]:
        return {remark.image for remark in self.left_out}
