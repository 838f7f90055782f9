"""Shapes that COCO does not know, as flat polygons [x0, y0, x1, y1, ...] in px; and polygons scaled to another size.

x to the right, y down, angles clockwise in degrees, as annotation tools show them.
"""

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from segtumor.annotations.remarks import LeftOutError
from segtumor.arrays import BoxXYWH, SizeHW

_Pixel = TypeVar("_Pixel", bound=np.generic)
#: A circle is drawn with so many corners that no point of it is further from the true one.
_SAGITTA_PX = 0.02
#: Outlines drawn on a resized copy are scaled; a difference in shape beyond this means another picture or a turned one.
ASPECT_TOLERANCE = 0.01
#: Decimal digits that every float keeps, and that any float needs at most (IEEE 754 binary64).
_SHORT_DIGITS, _MOST_DIGITS = 15, 17


def box_polygon(
    box_xywh: Sequence[float], degrees: float = 0.0, pivot_xy: Sequence[float] | None = None
) -> list[float]:
    """The four corners of a box, turned about ``pivot_xy``, by default its centre."""
    x, y, width, height = box_xywh
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], dtype=np.float64)
    pivot = (x + width / 2, y + height / 2) if pivot_xy is None else pivot_xy
    return _flat(_turned(corners, degrees, pivot))


def ellipse_polygon(center_xy: Sequence[float], radii_xy: Sequence[float], degrees: float = 0.0) -> list[float]:
    """An ellipse turned about its centre; the corners lie on it, 0.02 px apart from it at most between them."""
    largest = max(map(abs, radii_xy))
    step = 2 * math.acos(max(-1.0, 1 - _SAGITTA_PX / largest)) if largest > _SAGITTA_PX else math.pi / 2
    angles = np.linspace(0, 2 * math.pi, max(8, math.ceil(2 * math.pi / step)), endpoint=False)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii_xy + center_xy
    return _flat(_turned(points, degrees, center_xy))


def scale_between(drawn_hw: tuple[int, int], size_hw: tuple[int, int]) -> tuple[float, float]:
    """Factors (x, y) from the size drawn on to the image's; raises LeftOutError if it is turned or of another shape."""
    scale_x, scale_y = size_hw[1] / drawn_hw[1], size_hw[0] / drawn_hw[0]
    turned = tuple(drawn_hw) == tuple(size_hw)[::-1] != tuple(size_hw)  # nearly square ones, too
    if turned or abs(scale_x / scale_y - 1) > ASPECT_TOLERANCE:
        detail = f"drawn on {tuple(drawn_hw)}, image is {tuple(size_hw)} (height, width)"
        raise LeftOutError("outlines drawn on an image of another shape", detail)
    return scale_x, scale_y


def scale_polygon(polygon: Sequence[float], scale_xy: Sequence[float]) -> list[float]:
    """A flat polygon with x and y multiplied."""
    return _flat(np.reshape(polygon, (-1, 2)) * np.asarray(scale_xy, dtype=np.float64))


def scale_box(box_xywh: BoxXYWH, scale_xy: Sequence[float]) -> BoxXYWH:
    """A box with x, y, width and height, or both corners, multiplied."""
    (x, y, width, height), (scale_x, scale_y) = box_xywh, scale_xy
    return x * scale_x, y * scale_y, width * scale_x, height * scale_y


def box_from_corners(box_xyxy: Iterable[float | Decimal]) -> tuple[float, float, float, float]:
    """(x0, y0, x1, y1), numbers or Decimals, to (x, y, width, height), px, such that ``box_corners`` gives them back.

    Both calculate with the decimal numbers that a file shows, because 0.1 + 0.2 as binary numbers is not 0.3; and with
    binary numbers where those have too many digits for that; the last bit may then differ.
    """
    x0, y0, x1, y1 = map(_decimal, box_xyxy)
    return float(x0), float(y0), _extent(x0, x1), _extent(y0, y1)


def box_corners(box_xywh: Sequence[float]) -> tuple[float, float, float, float]:
    """(x, y, width, height) to (x0, y0, x1, y1), px; see ``box_from_corners``."""
    x, y, width, height = map(float, box_xywh)
    return x, y, _far_end(x, width), _far_end(y, height)


def scale_mask(
    mask: NDArray[_Pixel],
    size_hw: SizeHW,
    *,
    corner_xy: tuple[int, int] = (0, 0),
    drawn_hw: tuple[int, ...] | None = None,
) -> NDArray[_Pixel]:
    """A (h, w) mask, bool or of values, on an image of ``size_hw``; each pixel takes the nearest one's value.

    It lies from ``corner_xy`` on the image that it was drawn on, by default one of its own size; what reaches beyond is
    cut.
    """
    lines, drawn_hw = [], drawn_hw or mask.shape
    for length, old, new, first in zip(mask.shape, drawn_hw, size_hw, corner_xy[::-1], strict=True):
        nearest = np.minimum(((np.arange(new) + 0.5) * old / new).astype(int), old - 1) - first
        lines.append((np.flatnonzero((nearest >= 0) & (nearest < length)), nearest))
    scaled = np.zeros(size_hw, dtype=mask.dtype)
    (rows, nearest_row), (columns, nearest_column) = lines
    scaled[np.ix_(rows, columns)] = mask[np.ix_(nearest_row[rows], nearest_column[columns])]
    return scaled


def _extent(low: Decimal, high: Decimal) -> float:
    extent, plain = float(high - low), float(high) - float(low)
    if len(high.as_tuple().digits) > _MOST_DIGITS:  # no float; written so that the difference is exact
        return extent
    for candidate in (extent, plain, math.nextafter(plain, math.inf), math.nextafter(plain, 0)):
        if _far_end(float(low), candidate) == float(high):
            return candidate
    return extent


def _far_end(low: float, extent: float) -> float:
    decimals = _decimal(low), _decimal(extent)
    are_short = all(len(decimal.as_tuple().digits) <= _SHORT_DIGITS for decimal in decimals)
    return float(sum(decimals)) if are_short else low + extent


def _decimal(number: float | Decimal) -> Decimal:
    return number if isinstance(number, Decimal) else Decimal(repr(float(number)))


def _turned(points: NDArray[np.float64], degrees: float, pivot_xy: Sequence[float]) -> NDArray[np.float64]:
    if degrees % 360 == 0:
        return points  # bit for bit
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turned: NDArray[np.float64] = (points - pivot_xy) @ np.array([[cosine, sine], [-sine, cosine]]) + pivot_xy
    return turned


def _flat(points: NDArray[np.float64]) -> list[float]:
    flat: list[float] = np.asarray(points, dtype=np.float64).ravel().tolist()
    return flat
