"""Similar images one above the other, with class, distance and case: a strip to stand beside the overlay.

Not here: which they are (``inference.similar``).
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from segtumor.arrays import GrayImage
from segtumor.escaping import printable, shortened
from segtumor.reporting.pictures.heat_panel import side_by_side
from segtumor.structures.readings import Similar
from segtumor.system.opencv import cv2

Picture: TypeAlias = NDArray[np.uint8]

_INK, _PAPER, _NOTHING = (240, 240, 240), (24, 24, 24), (52, 52, 52)
_LONGEST = 24


def with_similar(picture: Picture, similar: Sequence[Similar], thumbnails: Sequence[GrayImage | None]) -> Picture:
    """A picture and, to its right, the similar images; the picture alone where there are none.

    Args:
        picture: (H, W, 3) uint8 RGB.
        similar: nearest first.
        thumbnails: (h, w) in [0, 1] of each; None where it cannot be shown.
    """
    if not similar:
        return picture
    side = max(96, len(picture) // max(4, len(similar)))
    tiles = [_tile(*item, side) for item in zip(range(1, len(similar) + 1), similar, thumbnails, strict=True)]
    return side_by_side([picture, np.concatenate(tiles)])


def _tile(number: int, similar: Similar, thumbnail: GrayImage | None, side: int) -> Picture:
    font_px = max(10, side // 12)
    room = side - 2 * font_px - font_px // 2
    tile = np.full((side, side, 3), _PAPER, dtype=np.uint8)
    if thumbnail is None:
        tile[:room] = _NOTHING
    else:
        scale = min(side / thumbnail.shape[1], room / thumbnail.shape[0])
        width, height = (
            max(1, min(most, round(edge * scale)))
            for edge, most in zip(thumbnail.shape[::-1], (side, room), strict=True)
        )
        small = np.rint(255 * np.clip(cv2.resize(thumbnail, (width, height), interpolation=cv2.INTER_AREA), 0, 1))
        left = (side - width) // 2
        tile[:height, left : left + width] = small[..., None]
    image = Image.fromarray(tile)
    font = ImageFont.load_default(font_px)
    texts = (f"{number}. {similar.label}, {similar.distance:.2f}", similar.case_id)
    for line, text in enumerate(texts):
        place = (font_px // 3, room + line * font_px)
        ImageDraw.Draw(image).text(place, shortened(printable(text), _LONGEST), fill=_INK, font=font)
    return np.asarray(image)
