"""Annotated radiographs side by side: the quickest way to see what a data set holds and whether its outlines fit.

Not here: findings of a model (``segtumor.reporting.pictures.overlay``).
"""

import math
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from segtumor import NOTICE
from segtumor.arrays import GrayImage
from segtumor.cases import case_of
from segtumor.escaping import printable, shortened
from segtumor.imaging import normalize_window
from segtumor.structures.lesions import AnnotatedImage, Lesion
from segtumor.structures.masks import mask_contours, mask_from_rle
from segtumor.system.opencv import cv2
from segtumor.taxonomy import color_rgb

Picture: TypeAlias = NDArray[np.uint8]

_INK, _PAPER = (240, 240, 240), (24, 24, 24)
_FONT_PX, _GAP_PX = 13, 6
_LINES, _LONGEST_NAME = 2, 28


def contact_sheet(
    examples: Iterable[tuple[AnnotatedImage, GrayImage | None]],
    class_names: Sequence[str],
    *,
    columns: int = 6,
    tile_px: int = 240,
    title: str = "",
) -> Picture:
    """A grid of radiographs with the outlines of their lesions.

    Args:
        examples: (AnnotatedImage, pixels) pairs; pixels (H, W) float in [0, 1], or None where they cannot be read.
        tile_px: side of a tile; a radiograph keeps its shape.
        title: shown above, with the colours of the classes.

    Returns:
        (H', W', 3) uint8 RGB.
    """
    class_names = [shortened(name, _LONGEST_NAME) for name in class_names]
    tiles = [_tile(truth, pixels, class_names, tile_px) for truth, pixels in examples]
    columns = max(1, min(columns, len(tiles)))
    rows = max(1, math.ceil(len(tiles) / columns))
    cell_h, cell_w = tile_px + _LINES * _line_px() + _GAP_PX, tile_px + _GAP_PX
    width = max(columns * cell_w + _GAP_PX, 420)
    head, foot = _header(title, class_names, width), _band([NOTICE], width)
    body = np.full((rows * cell_h + _GAP_PX, width, 3), _PAPER, dtype=np.uint8)
    for index, tile in enumerate(tiles):
        y, x = _GAP_PX + (index // columns) * cell_h, _GAP_PX + (index % columns) * cell_w
        body[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return np.concatenate([head, body, foot])


def _tile(truth: AnnotatedImage, pixels: GrayImage | None, class_names: Sequence[str], tile_px: int) -> Picture:
    canvas, fault = np.full((tile_px, tile_px, 3), 40, dtype=np.uint8), ""
    if pixels is None:
        fault = " | cannot be read"
    elif tuple(pixels.shape) != tuple(truth.size_hw):  # outlines would lie where nobody drew them
        fault = f" | is {pixels.shape[1]} x {pixels.shape[0]} px, not as annotated"
    else:
        _paint(canvas, truth, normalize_window(pixels), class_names)
    names = [class_names[lesion.class_id] + " crowd" * lesion.iscrowd for lesion in truth.lesions]
    counts = ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names)) or "no lesion"
    case = case_of(truth.attributes)
    second = counts + (f" | case {case}" if case else "") + fault
    return np.concatenate([canvas, _band([truth.file_name, second], tile_px, pad=1)])[: tile_px + _LINES * _line_px()]


def _paint(canvas: Picture, truth: AnnotatedImage, pixels: GrayImage, class_names: Sequence[str]) -> None:
    tile_px = canvas.shape[0]
    scale = tile_px / max(truth.size_hw)
    width, height = (max(1, round(side * scale)) for side in truth.size_hw[::-1])
    x, y = (tile_px - width) // 2, (tile_px - height) // 2
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    gray = np.rint(255 * cv2.resize(pixels, (width, height), interpolation=way)).astype(np.uint8)
    canvas[y : y + height, x : x + width] = gray[..., None]
    for lesion in truth.lesions:
        own = color_rgb(lesion.class_id, class_names)
        for outline in _outlines(lesion, (width, height), scale):
            for color, thickness in ((_PAPER, 3), (own, 1)):  # the rim shows it on bright bone
                cv2.polylines(canvas, [np.add(outline, (x, y))], True, color, thickness, cv2.LINE_AA)


def _outlines(lesion: Lesion, size_wh: tuple[int, int], scale: float) -> list[NDArray[np.int32]]:
    """(P, 1, 2) int32 point arrays in px of the tile; the box of a lesion that has no mask."""
    if lesion.rle is None:
        x0, y0, x1, y1 = (round(value * scale) for value in lesion.box_xyxy)
        return [np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.int32)]
    mask = cv2.resize(mask_from_rle(lesion.rle).astype(np.float32), size_wh, interpolation=cv2.INTER_AREA)
    if not np.any(mask > 0.5):  # a lesion too small for the tile still shows where it is
        mask = cv2.dilate((mask > 0).astype(np.float32), np.ones((5, 5)))
    return [contour.astype(np.int32) for contour in mask_contours(mask > 0.5)]


def _header(title: str, class_names: Sequence[str], width: int) -> Picture:
    """The title, and under it the classes with their colours in as many lines as they need."""
    font, x, line = _font(), _GAP_PX, int(bool(title))
    places: list[tuple[int, int]] = []
    for name in class_names:
        needed = int(font.getlength(name)) + 2 * _FONT_PX
        if x > _GAP_PX and x + needed > width:
            x, line = _GAP_PX, line + 1
        places.append((x, _GAP_PX + line * _line_px()))
        x += needed
    image = Image.fromarray(_band([title, *[""] * line] if title else [""] * (line + 1), width))
    canvas = ImageDraw.Draw(image)
    for class_id, (name, (x, y)) in enumerate(zip(class_names, places, strict=True)):
        canvas.rectangle((x, y, x + _FONT_PX - 3, y + _FONT_PX - 3), fill=color_rgb(class_id, class_names))
        canvas.text((x + _FONT_PX, y - 2), name, font=font, fill=_INK)
    return np.asarray(image)


def _band(lines: Sequence[str], width: int, pad: int = _GAP_PX) -> Picture:
    image = Image.new("RGB", (width, len(lines) * _line_px() + 2 * pad), _PAPER)
    canvas = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        canvas.text((pad, pad + number * _line_px()), _shortened(line, width - 2 * pad), font=_font(), fill=_INK)
    return np.asarray(image)


def _shortened(text: str, width: float) -> str:
    """The text, without its middle if it is too wide: both ends of a file name tell something."""
    text = printable(text)
    font, half, shown = _font(), len(text) // 2, text
    while half > 1 and font.getlength(shown) > width:
        half -= 1
        shown = text[:half] + "…" + text[len(text) - half :]
    return shown


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_FONT_PX)


def _line_px() -> int:
    return int(1.35 * _FONT_PX)
