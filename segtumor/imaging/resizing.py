"""The size at which a model sees a radiograph, and the way there: the same for training, inference and exports."""

import math

from segtumor.arrays import Array, GrayImage, SizeHW, Spacing
from segtumor.errors import BadImageError
from segtumor.imaging.radiograph import Radiograph
from segtumor.system.opencv import cv2


def resized_hw(
    size_hw: SizeHW,
    short_edge_px: int,
    max_long_edge_px: int,
    *,
    square: bool = False,
    spacing_mm: Spacing | None = None,
    target_mm: float = 0.0,
) -> SizeHW:
    """Height and width with the shorter edge at ``short_edge_px``, unless the longer one would pass its limit; px.

    Args:
        square: both edges at ``short_edge_px``, whatever the shape.
        spacing_mm: (row, column) of the pixels, or None.
        target_mm: where it is above 0 and the spacing is known, pixels become squares of that side in place of an edge
            of ``short_edge_px``, unless the longer edge would pass its limit.
    """
    if square:
        return short_edge_px, short_edge_px
    if target_mm and spacing_mm is not None:
        height, width = (n * mm / target_mm for n, mm in zip(size_hw, spacing_mm, strict=True))
        limit = min(1.0, max_long_edge_px / max(height, width))
        return max(1, round(height * limit)), max(1, round(width * limit))
    scale = min(short_edge_px / min(size_hw), max_long_edge_px / max(size_hw))
    return max(1, round(size_hw[0] * scale)), max(1, round(size_hw[1] * scale))


def spacing_remark(
    radiograph: Radiograph, target_mm: float, max_long_edge_px: int, *, required: bool = False
) -> str | None:
    """What to say of a radiograph that a model does not see at ``target_mm``; None where it does, or without a target.

    Raises:
        BadImageError: its spacing is unknown, and ``required``.
    """
    if not target_mm:
        return None
    if radiograph.spacing_mm is None:
        what = f"the file does not say its pixel spacing, and the model reads at {target_mm:g} mm"
        if required:
            remedy = "Give the DICOM file that has it, or set INPUT.SPACING_UNKNOWN scale"
            raise BadImageError(what, where=radiograph.name, remedy=remedy)
        return f"{what}: it was scaled to the usual size instead"
    long_px = max(n * mm for n, mm in zip(radiograph.size_hw, radiograph.spacing_mm, strict=True)) / target_mm
    if long_px <= max_long_edge_px or math.isclose(long_px, max_long_edge_px):
        return None
    seen_mm = target_mm * long_px / max_long_edge_px
    return f"too large for {target_mm:g} mm a pixel, which the model reads at: it was seen at {seen_mm:.2g} mm"


def resize(pixels: GrayImage, new_hw: SizeHW) -> GrayImage:
    """(H, W) float32 -> (h, w) float32; areas are averaged when shrinking, which keeps thin lines from aliasing."""
    if pixels.shape == tuple(new_hw):
        return pixels
    shrinking = new_hw[0] * new_hw[1] < pixels.size
    interpolation = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    resized: Array = cv2.resize(pixels, (new_hw[1], new_hw[0]), interpolation=interpolation)
    return resized
