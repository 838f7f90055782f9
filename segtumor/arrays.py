"""Names for the arrays and small tuples that are passed around; where they are used, shapes and units are said."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

#: Samples, values or tables of any type of number.
Array: TypeAlias = NDArray[Any]
#: (H, W) in [0, 1], bright is dense.
GrayImage: TypeAlias = NDArray[np.float32]
#: (H, W), True on what is marked.
Mask: TypeAlias = NDArray[np.bool_]
#: (N, 4) boxes (x0, y0, x1, y1), px.
Boxes: TypeAlias = NDArray[np.float64]
Floats: TypeAlias = NDArray[np.float64]
#: As graphs compute.
Floats32: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

#: (height, width), px.
SizeHW: TypeAlias = tuple[int, int]
#: (x0, y0, x1, y1), px.
Box: TypeAlias = tuple[float, float, float, float]
#: (x, y, width, height), px, as COCO files have it.
BoxXYWH: TypeAlias = tuple[float, float, float, float]
#: (row, column) distance of neighbouring pixels, mm.
Spacing: TypeAlias = tuple[float, float]
#: Corners of a polygon as COCO has them, [x0, y0, x1, y1, ...], px.
FlatPolygon: TypeAlias = list[float]
#: A mask as a compressed run-length encoding of COCO, {"size": [H, W], "counts": text}.
Rle: TypeAlias = Mapping[str, Any]
