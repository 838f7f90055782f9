"""Pictures to stand beside the overlay: a heat map over its radiograph, with its scale, or the radiograph alone.

Not here: how the map was made (``segtumor.explain``).
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from segtumor.arrays import Floats32
from segtumor.reporting.pictures.overlay_view import OverlayBase, View
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import mask_contours
from segtumor.system.opencv import cv2
from segtumor.taxonomy import color_rgb

Picture: TypeAlias = NDArray[np.uint8]

#: How much of the radiograph the hottest colour hides.
HEAT_OPACITY = 0.65
_INK, _PAPER = (240, 240, 240), (24, 24, 24)


def draw_heat(
    base: OverlayBase,
    heat: NDArray[np.floating],
    title: str,
    findings: Sequence[Finding],
    class_names: Sequence[str] = (),
) -> Picture:
    """One heat map over its radiograph.

    Args:
        base: of the radiograph.
        heat: (H, W) in [0, 1], of the radiograph.
        title: in the header.
        findings: whose outlines are drawn.
        class_names: for their colours.

    Returns:
        (H', W', 3) uint8 RGB, as wide as the overlay of the same radiograph.

    Raises:
        ValueError: the map has another size than the radiograph.
    """
    if tuple(heat.shape) != base.image_hw:
        raise ValueError(f"heat of {heat.shape} on a radiograph of {base.image_hw}")
    view = View.of(base.image_hw)
    scaled = cv2.resize(np.asarray(heat, dtype=np.float32), view.scaled_wh)
    small: Floats32 = np.clip(scaled, 0, 1).astype(np.float32)
    picture = view.framed(base.gray)
    x, y = view.offset_xy
    part = picture[y : y + view.scaled_wh[1], x : x + view.scaled_wh[0]]
    opacity = (HEAT_OPACITY * small)[..., None]
    part[:] = np.rint((1 - opacity) * part + opacity * _colors(small)).astype(np.uint8)
    for finding in findings:
        color = color_rgb(finding.class_id, class_names)
        region, top, left = view.region(finding)
        outline = [contour + np.array([left, top]) for contour in mask_contours(region)] if region.size else []
        cv2.polylines(picture, outline, True, color, max(2, view.font_px // 8), cv2.LINE_AA)
    return np.concatenate([_header(view, title), picture, _scale(view)])


def draw_plain(base: OverlayBase, title: str) -> Picture:
    """A picture with nothing drawn on it, under a header; (H', W', 3) uint8 RGB."""
    view = View.of(base.image_hw)
    return np.concatenate([_header(view, title), view.framed(base.gray)])


def _colors(values: NDArray[np.floating]) -> Picture:
    """(h, w) in [0, 1] -> (h, w, 3), from black by red to yellow, always brighter: also for the colour-blind."""
    levels = np.rint(255 * values).astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _header(view: View, title: str) -> Picture:
    return _with_text(np.full((2 * view.font_px, view.canvas_wh[0], 3), _PAPER, dtype=np.uint8), view, [(title, 0.0)])


def _scale(view: View) -> Picture:
    """A bar of the colours with its ends."""
    strip = np.full((2 * view.font_px, view.canvas_wh[0], 3), _PAPER, dtype=np.uint8)
    left, right = round(0.3 * strip.shape[1]), round(0.7 * strip.shape[1])
    strip[view.font_px // 2 : -(view.font_px // 2), left:right] = _colors(np.linspace(0, 1, right - left)[None])
    return _with_text(strip, view, [("no part in it", 0.0), ("most", 0.72)])


def _with_text(strip: Picture, view: View, texts: Sequence[tuple[str, float]]) -> Picture:
    """Texts that begin at a part of the width."""
    image = Image.fromarray(strip)
    draw = ImageDraw.Draw(image)
    for text, start in texts:
        place = (round(start * strip.shape[1]) + view.font_px // 2, view.font_px // 3)
        draw.text(place, text, fill=_INK, font=view.font)
    return np.asarray(image)


def side_by_side(pictures: Sequence[Picture]) -> Picture:
    """Pictures in a row, the lower ones with dark space below."""
    height = max(len(picture) for picture in pictures)
    padded = [np.pad(p, ((0, height - len(p)), (0, 0), (0, 0)), constant_values=_PAPER[0]) for p in pictures]
    return np.concatenate(padded, axis=1)
