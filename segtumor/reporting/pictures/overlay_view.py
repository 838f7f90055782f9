"""How a radiograph lies in its overlay: enlarged, reduced or framed, and where its boxes and masks come to lie.

Not here: what is drawn (``overlay``).
"""

import functools
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont

from segtumor.arrays import Box
from segtumor.structures.lesions import Finding, Lesion
from segtumor.structures.masks import crop_from_rle, rle_area
from segtumor.system.opencv import cv2

Font: TypeAlias = ImageFont.FreeTypeFont

MIN_LONG_SIDE_PX, MAX_LONG_SIDE_PX = 768, 2000

#: Images of no more than this are drawn as squares: smoothed, a few pixels look like a picture of something.
_A_FEW_PX = 32
_SURROUND = (52, 52, 52)


@dataclass(frozen=True, eq=False)
class OverlayBase:
    """A radiograph as large as it is drawn.

    Attributes:
        gray: (h, w) uint8.
        image_hw: (H, W) of the radiograph, px.
    """

    gray: NDArray[np.uint8]
    image_hw: tuple[int, int]


def overlay_base(pixels: NDArray[np.floating]) -> OverlayBase:
    """(H, W) float in [0, 1] -> OverlayBase: at most 4 MB, whatever the radiograph; raises ValueError as shapes do."""
    pixels = np.asarray(pixels, dtype=np.float32)
    if pixels.ndim != 2 or pixels.size == 0:
        raise ValueError(f"pixels have shape {pixels.shape}, expected (H, W)")
    if not np.isfinite(pixels.min() + pixels.max()):  # no copy of what needs no change
        pixels = np.nan_to_num(pixels)
    view = View.of(pixels.shape)
    large = cv2.INTER_NEAREST if max(pixels.shape) <= _A_FEW_PX else cv2.INTER_CUBIC
    way = large if view.scale > 1 else cv2.INTER_AREA
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
    def of(cls, image_hw: tuple[int, int]) -> "View":
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
    def font(self) -> Font:
        return _font(self.font_px)

    def framed(self, gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The radiograph, (h, w) uint8, to the picture, RGB, inside its surround."""
        (x, y), (width, height), (canvas_width, canvas_height) = self.offset_xy, self.scaled_wh, self.canvas_wh
        right, below = canvas_width - width - x, canvas_height - height - y
        colored = cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB)  # ten times as fast as NumPy's copy into three channels
        framed = cv2.copyMakeBorder(colored, y, below, x, right, cv2.BORDER_CONSTANT, value=_SURROUND)
        return np.asarray(framed, dtype=np.uint8)

    def box(self, box_xyxy: Box) -> NDArray[np.float64]:
        x, y = self.offset_xy
        return np.asarray(box_xyxy, dtype=np.float64) * self.scale + [x, y, x, y]

    def region(self, item: Finding | Lesion) -> tuple[NDArray[np.bool_], int, int]:
        """Where a finding or lesion lies in the picture: its mask, or its box if it has none.

        Returns:
            (part (h, w) bool, row of its first pixel, column of its first pixel).
        """
        width, height = self.canvas_wh
        if item.rle is None or not rle_area(item.rle):
            x0, y0, x1, y1 = np.rint(self.box(item.box_xyxy)).astype(int)
            x0, x1 = np.clip([x0, max(x1, x0 + 1)], 0, width)
            y0, y1 = np.clip([y0, max(y1, y0 + 1)], 0, height)
            return np.ones((y1 - y0, x1 - x0), dtype=bool), y0, x0
        if tuple(item.rle["size"]) != self.image_hw:
            raise ValueError(f"mask of size {item.rle['size']} on an image of {self.image_hw}")
        scaled = self._scaled(*crop_from_rle(item.rle))
        left, top, width, height = cv2.boundingRect(scaled)
        part = scaled[top : top + height, left : left + width]
        x, y = self.offset_xy
        # A lesion too small for the reduced picture still shows where it is.
        return (part > 127 if np.any(part > 127) else part > 0), top + y, left + x

    def _scaled(self, crop: NDArray[np.bool_], top: int, left: int) -> NDArray[np.uint8]:
        """Part of a mask of the image -> (h, w) uint8 as large as the radiograph is drawn."""
        mask = np.zeros(self.image_hw, dtype=np.uint8)
        mask[top : top + crop.shape[0], left : left + crop.shape[1]] = crop * np.uint8(255)
        way = cv2.INTER_LINEAR if self.scale > 1 else cv2.INTER_AREA
        return np.asarray(cv2.resize(mask, self.scaled_wh, interpolation=way), dtype=np.uint8)


@functools.cache
def _font(size_px: int) -> Font:
    font: Font = ImageFont.load_default(size_px)  # type: ignore[assignment]  # with a size it is FreeType's
    return font
