"""How a radiograph lies in its overlay: enlarged, reduced or framed, and where its boxes and masks come to lie.

Not here: what is drawn (``overlay``).
"""

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import ImageFont
from pycocotools import mask as coco_mask

MIN_LONG_SIDE_PX, MAX_LONG_SIDE_PX = 768, 2000

_SURROUND = (52, 52, 52)


@dataclass(frozen=True, eq=False)
class OverlayBase:
    """A radiograph as large as it is drawn.

    Attributes:
        gray: (h, w) uint8.
        image_hw: (H, W) of the radiograph, px.
    """

    gray: np.ndarray
    image_hw: tuple[int, int]


def overlay_base(pixels):
    """(H, W) float in [0, 1] -> OverlayBase: at most 4 MB, whatever the radiograph; raises ValueError as shapes do."""
    pixels = np.asarray(pixels, dtype=np.float32)
    if pixels.ndim != 2 or pixels.size == 0:
        raise ValueError(f"pixels have shape {pixels.shape}, expected (H, W)")
    if not np.isfinite(pixels.min() + pixels.max()):  # no copy of what needs no change
        pixels = np.nan_to_num(pixels)
    view = View.of(pixels.shape)
    way = cv2.INTER_CUBIC if view.scale > 1 else cv2.INTER_AREA
    scaled = cv2.resize(pixels, view.scaled_wh, interpolation=way)
    return OverlayBase(np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8), pixels.shape)


@dataclass(frozen=True)
class View:
    """How the radiograph lies in the picture: ``scale``, then moved by ``offset_xy`` into ``canvas_wh``."""

    image_hw: tuple[int, int]
    scale: float
    scaled_wh: tuple[int, int]
    offset_xy: tuple[int, int]
    canvas_wh: tuple[int, int]
    font_px: int

    @classmethod
    def of(cls, image_hw):
        height, width = image_hw
        long_side = max(image_hw)
        scale = min(max(long_side, MIN_LONG_SIDE_PX), MAX_LONG_SIDE_PX) / long_side
        scaled_wh = max(1, round(width * scale)), max(1, round(height * scale))
        font_px = round(max(scaled_wh) / 46)
        # A strip-like image gets a surround, for the text to have room.
        canvas_wh = max(scaled_wh[0], 27 * font_px), max(scaled_wh[1], 9 * font_px)
        offset_xy = (canvas_wh[0] - scaled_wh[0]) // 2, (canvas_wh[1] - scaled_wh[1]) // 2
        return cls((height, width), scale, scaled_wh, offset_xy, canvas_wh, font_px)

    @property
    def font(self):
        return _font(self.font_px)

    def framed(self, gray):
        """The radiograph, (h, w) uint8, to the picture, RGB, inside its surround."""
        canvas = np.empty((self.canvas_wh[1], self.canvas_wh[0], 3), dtype=np.uint8)
        canvas[:] = _SURROUND
        (x, y), (width, height) = self.offset_xy, self.scaled_wh
        canvas[y : y + height, x : x + width] = gray[..., None]
        return canvas

    def box(self, box_xyxy):
        x, y = self.offset_xy
        return np.asarray(box_xyxy, dtype=np.float64) * self.scale + [x, y, x, y]

    def region(self, item):
        """Mask of a finding or lesion in the picture, (H', W') bool; its box if it has no mask."""
        canvas = np.zeros((self.canvas_wh[1], self.canvas_wh[0]), dtype=bool)
        if item.rle is None or not coco_mask.area(item.rle):
            x0, y0, x1, y1 = np.rint(self.box(item.box_xyxy)).astype(int)
            canvas[max(y0, 0) : max(y1, y0 + 1), max(x0, 0) : max(x1, x0 + 1)] = True
            return canvas
        if tuple(item.rle["size"]) != self.image_hw:
            raise ValueError(f"mask of size {item.rle['size']} on an image of {self.image_hw}")
        way = cv2.INTER_LINEAR if self.scale > 1 else cv2.INTER_AREA
        mask = coco_mask.decode(item.rle)
        mask *= 255  # in place: at full size every copy counts
        # The decoder writes columns one after the other: its transpose is what OpenCV takes without a copy.
        scaled = cv2.resize(mask.T, self.scaled_wh[::-1], interpolation=way).T
        # A lesion too small for the reduced picture still shows where it is.
        region = scaled > 127 if np.any(scaled > 127) else scaled > 0
        (x, y), (width, height) = self.offset_xy, self.scaled_wh
        canvas[y : y + height, x : x + width] = region
        return canvas


@functools.cache
def _font(size_px):
    return ImageFont.load_default(size_px)
