"""Boxes, outlines and masks that were drawn on an image of another size."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from segtumor.annotations.flat_polygons import scale_between, scale_polygon
from segtumor.arrays import BoxXYWH, SizeHW
from segtumor.formats.collection import Segmentation
from segtumor.structures.masks import mask_from_rle, rle_from_mask

_Pixel = TypeVar("_Pixel", bound=np.generic)


def scale_box(box_xywh: BoxXYWH, scale_xy: tuple[float, float]) -> BoxXYWH:
    """A box with x, y, width and height multiplied."""
    (x, y, width, height), (scale_x, scale_y) = box_xywh, scale_xy
    return x * scale_x, y * scale_y, width * scale_x, height * scale_y


def resize_mask(mask: NDArray[_Pixel], size_hw: SizeHW) -> NDArray[_Pixel]:
    """The mask on an image of another size: each pixel takes the value of the nearest one."""
    rows, columns = (
        np.minimum(((np.arange(new) + 0.5) * old / new).astype(int), old - 1)
        for new, old in zip(size_hw, mask.shape, strict=True)
    )
    resized: NDArray[_Pixel] = mask[np.ix_(rows, columns)]
    return resized


def scale_segmentation(segmentation: Segmentation | None, drawn_hw: SizeHW, size_hw: SizeHW) -> Segmentation | None:
    """Polygons or an RLE drawn on an image of ``drawn_hw``, on one of ``size_hw``; raises LeftOutError if turned."""
    scale_xy = scale_between(drawn_hw, size_hw)
    if isinstance(segmentation, Mapping):
        return rle_from_mask(resize_mask(mask_from_rle(segmentation), size_hw))
    return segmentation and [scale_polygon(polygon, scale_xy) for polygon in segmentation]
