"""The size at which a model sees a radiograph, and the way there: the same for training, inference and exports."""

from segtumor.arrays import Array, GrayImage, SizeHW
from segtumor.system.opencv import cv2


def resized_hw(size_hw: SizeHW, short_edge_px: int, max_long_edge_px: int, *, square: bool = False) -> SizeHW:
    """Height and width with the shorter edge at ``short_edge_px``, unless the longer one would pass its limit; px.

    ``square``: both edges at ``short_edge_px``, whatever the shape.
    """
    if square:
        return short_edge_px, short_edge_px
    scale = min(short_edge_px / min(size_hw), max_long_edge_px / max(size_hw))
    return max(1, round(size_hw[0] * scale)), max(1, round(size_hw[1] * scale))


def resize(pixels: GrayImage, new_hw: SizeHW) -> GrayImage:
    """(H, W) float32 -> (h, w) float32; areas are averaged when shrinking, which keeps thin lines from aliasing."""
    if pixels.shape == tuple(new_hw):
        return pixels
    shrinking = new_hw[0] * new_hw[1] < pixels.size
    interpolation = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    resized: Array = cv2.resize(pixels, (new_hw[1], new_hw[0]), interpolation=interpolation)
    return resized
