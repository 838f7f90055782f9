"""What a reader must know of a picture: without contrast, of few gray values, tiny, or with what is bright cut off.

A model finds nothing where nothing can be seen, and "no finding" would sound like a result. Such pictures are read
nevertheless: what to do with them is up to the caller.
"""

import numpy as np

from segtumor.arrays import GrayImage
from segtumor.imaging.intensity import sparse_sample

_FIRST_LOOK, _SECOND_LOOK = 10_000, 1_000_000
#: Radiographs of 8 bits have more than a hundred gray values, the poorest of 750 of BTXRD 44; with a tenth of the usual
#: contrast they have some 25; masks, scanned text and 1-bit pictures have two.
_FEWEST_LEVELS = 32
#: Of the pixels; blank but for a mark or a frame.
_NEARLY_ALL = 0.995
_SMALLEST_EDGE_PX = 32
#: Of the pixels, white as can be. 6 of 999 radiographs of BTXRD have more.
_CLIPPED = 0.03
#: JPEG leaves white a little short of white: by one of 255 gray values, and half a one for rounding. As a share of what
#: is between darkest and brightest, since ten bits in a file of sixteen take a 64th of its range, anywhere in it.
_JPEG_ERROR = 1.5 / 255


def remarks_on(pixels: GrayImage) -> list[str]:
    """Sentences on a picture, (H, W) float32 in [0, 1]; none on an ordinary one."""
    height, width = pixels.shape
    found = [f"a picture of only {width} x {height} px"] if min(height, width) < _SMALLEST_EDGE_PX else []
    remark = _contrast(pixels) or _clipping(pixels)
    return [*found, remark] if remark else found


def _contrast(pixels: GrayImage) -> str | None:
    levels, counts = np.unique(sparse_sample(pixels, _FIRST_LOOK), return_counts=True)
    if levels.size >= _FEWEST_LEVELS and counts.max() <= _NEARLY_ALL * counts.sum():
        return None
    low, high = pixels.min(), pixels.max()
    if low == high:
        return "no contrast: every pixel has the same gray value"
    levels, counts = np.unique(sparse_sample(pixels, _SECOND_LOOK), return_counts=True)
    if counts.max() > _NEARLY_ALL * counts.sum():
        return "hardly any contrast: nearly every pixel has the same gray value"
    size = np.unique(np.append(levels, (low, high))).size
    return f"hardly any contrast: only {size} gray values" if size < _FEWEST_LEVELS else None


def _clipping(pixels: GrayImage) -> str | None:
    sample = sparse_sample(pixels, _FIRST_LOOK)
    low, high = pixels.min(), pixels.max()
    white = np.count_nonzero(sample >= high - (high - low) * _JPEG_ERROR) / sample.size
    return f"plain white: {white:.0%} of the picture, clipped or not exposed" if white > _CLIPPED else None
