"""Mask images to numbers: the values or colours as stored, and what they mean.

Unlike radiographs, masks are not scaled: a palette picture gives its indices, 16 bits stay 16 bits. Decoded with
Pillow; the size is read from the header first. Not here: which file belongs to which image (``names``).
"""

import itertools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps

from segtumor.annotations.remarks import LeftOutError
from segtumor.arrays import Ints, Mask, Rle, SizeHW
from segtumor.errors import BadImageError
from segtumor.imaging import MAX_PIXELS, read_size_hw
from segtumor.imaging.failures import decoder_errors
from segtumor.imaging.radiograph import check_size
from segtumor.imaging.raster_checks import check_coded_data
from segtumor.structures.masks import rle_from_segmentation
from segtumor.system.opencv import cv2

SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg")
_FORMATS = ("PNG", "BMP", "TIFF", "JPEG")
_GRAY_MODES = ("1", "L", "P", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")

#: Kinds of reasons.
SEVERAL_VALUES = "mask of several values without the names of their classes"
ONLY_IGNORED = "mask marks only what is to be ignored"
#: Values that label maps use for what is neither class nor background, where the list of classes does not name them.
IGNORED_VALUES = (254, 255, 65534, 65535)
#: The same in the palette of Pascal VOC, and its colour.
_VOID, _VOID_RGB = 255, (224, 224, 192)
VOID_COLOR = (224 << 16) + (224 << 8) + 192

#: What counts as one of the two values of a binary mask, in parts of the whole range.
_NEAR_AN_END = 0.125
#: Smoothing makes more values than this; fewer are those of classes.
_FEW_LEVELS = 4
#: No label map has more classes; what is smoothed over several pixels has more values.
_LEVELS_OF_CLASSES = 32
#: Values within 3 x 3 px that differ by no more, in parts of the whole range, are one value stored by JPEG.
_FLAT = 0.01
#: The noise of JPEG around black.
_JPEG_BLACK = 16
_MAX_PARTS = 10_000


class UnnamedValuesError(LeftOutError):
    """A mask holds values of classes without their names, or only what is to be ignored."""


class MaskImage(NamedTuple):
    """A decoded mask.

    Attributes:
        values: (H, W) int64 as stored, or 65536 red + 256 green + blue where the picture has colours.
        is_colored: whether it has.
        is_lossy: whether it is JPEG, whose values are not exact.
        is_palette: whether the values are indices of a palette, which are never shades of gray.
        void: index that the palette paints as Pascal VOC paints what is to be ignored, or None.
    """

    values: Ints
    is_colored: bool = False
    is_lossy: bool = False
    is_palette: bool = False
    void: int | None = None

    @property
    def size_hw(self) -> SizeHW:
        """(height, width), px."""
        height, width = self.values.shape
        return height, width


def read_mask(path: str | Path) -> MaskImage:
    """Decode one mask image; raises LeftOutError if it cannot be read, is too large, or holds fractions."""
    path = Path(path)
    try:
        check_size(read_size_hw(path), MAX_PIXELS, path.name)
        with decoder_errors(path.name, kind="mask"), Image.open(path, formats=_FORMATS) as image:
            samples, mode, is_lossy = _samples(image, path)
            palette = image.getpalette("RGB") if mode in ("P", "PA") else None
    except BadImageError as error:
        raise LeftOutError("mask cannot be read", str(error)) from error
    values, is_colored = _values(samples, mode)
    void = palette is not None and tuple(palette[3 * _VOID : 3 * _VOID + 3]) == _VOID_RGB
    return MaskImage(values, is_colored, is_lossy, palette is not None, _VOID if void else None)


def binary_mask(image: MaskImage) -> tuple[Mask, str]:
    """(mask (H, W) bool, what is unusual or "") of a mask without colours.

    Two values: the one that is not 0. More (smoothed edges, JPEG), if what is neither nearly black nor nearly white
    only forms slopes: the brighter half of the range. Else raises UnnamedValuesError: they are of classes, or to be
    ignored.
    """
    values, is_lossy, levels = image.values, image.is_lossy, np.unique(image.values)
    if image.void is not None and image.void in levels and len(levels) <= 2:
        raise UnnamedValuesError(ONLY_IGNORED, f"value {image.void}")
    if not is_lossy and len(levels) <= 2 and (levels[0] == 0 or len(levels) == 1):
        return values != 0, "mask marks the whole image" if levels[0] != 0 else ""
    full = 255 if levels[-1] <= 255 else 65535
    if is_lossy and levels[-1] < _JPEG_BLACK:
        return np.zeros(values.shape, dtype=bool), "JPEG noise in a black mask removed"
    few = len(levels) <= _FEW_LEVELS and not is_lossy
    if levels[0] < 0 or few or image.is_palette or not _is_smoothed(values, levels, full, is_lossy):
        shown = ", ".join(str(int(level)) for level in levels[:6]) + (", ..." if len(levels) > 6 else "")
        raise UnnamedValuesError(SEVERAL_VALUES, f"{shown}; add classes.txt")
    return values > full / 2, "JPEG mask cut at half" if is_lossy else "smoothed mask cut at half"


def _is_smoothed(values: Ints, levels: Ints, full: int, is_lossy: bool) -> bool:
    """Whether it reaches white, and its gray is nowhere flat: edges have slopes, the regions of classes have not.

    Slopes pass through the middle; classes 1 to 4 beside 255, which is to be ignored, do not. Where there are few
    values, one that is all but black and yet flat is a class too.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    gray = (values > _NEAR_AN_END * full) & (values < (1 - _NEAR_AN_END) * full)
    spread = maximum_filter(values, 3) - minimum_filter(values, 3)
    if levels[-1] < (1 - _NEAR_AN_END) * full or np.any(gray & (spread <= _FLAT * full)):
        return False
    if is_lossy:
        return True
    dark = (values > 0) & (values <= _NEAR_AN_END * full)
    return bool(gray.any()) and not (len(levels) <= _LEVELS_OF_CLASSES and np.any(dark & (spread == 0)))


def component_rles(mask: Mask) -> list[Rle]:
    """RLE of each 8-connected part, by first pixel, row by row; raises LeftOutError for noise: over 10,000."""
    (height, width), (count, labels) = mask.shape, cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    if count - 1 > _MAX_PARTS:
        raise LeftOutError("mask of too many parts", f"{count - 1}")
    flat = labels.T.ravel()  # column by column, as an RLE counts
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1])
    lengths = np.diff(np.append(starts, flat.size))
    order = np.argsort(flat[starts], kind="stable")
    borders = np.searchsorted(flat[starts][order], np.arange(1, count + 1))
    rles: list[Rle] = []
    for first, end in itertools.pairwise(borders):
        own = order[first:end]
        ends = starts[own] + lengths[own]
        counts = np.stack([starts[own] - np.concatenate([[0], ends[:-1]]), lengths[own]], axis=1).ravel().tolist()
        counts += [flat.size - int(ends[-1])] if ends[-1] < flat.size else []
        rles.append(rle_from_segmentation({"size": [height, width], "counts": counts}, (height, width)))
    return rles


def _samples(image: ImageFile.ImageFile, path: Path) -> tuple[NDArray[Any], str, bool]:
    """(pixels as stored, mode of Pillow, whether it is JPEG)."""
    is_lossy = image.format == "JPEG"
    if getattr(image, "n_frames", 1) > 1:
        raise BadImageError("the file has several pages", where=path.name)
    with open(path, "rb") as file:
        check_coded_data(image, file, image.format or "", MAX_PIXELS, Path(path.name))
    turned: Image.Image = image if image.format == "TIFF" else ImageOps.exif_transpose(image)
    turned.load()
    mode = turned.mode
    if mode not in (*_GRAY_MODES, "LA", "PA", "RGB", "RGBA"):
        raise BadImageError("colour mode that masks do not have", where=path.name, got=mode, remedy="Save it as PNG")
    return np.asarray(turned), mode, is_lossy


def _values(samples: NDArray[Any], mode: str) -> tuple[Ints, bool]:
    """(values (H, W) int64, whether they are colours)."""
    if mode in ("LA", "PA", "RGBA"):
        samples = _without_alpha(samples)
    if samples.ndim == 2 or samples.shape[2] == 1:
        samples = samples.reshape(samples.shape[:2])
        if samples.dtype.kind == "f" and not np.array_equal(samples, np.round(samples)):
            raise LeftOutError("mask holds fractions, not class numbers")
        return samples.astype(np.int64), False
    red, green, blue = (samples[..., channel].astype(np.int64) for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return red, False
    return (red << 16) + (green << 8) + blue, True


def _without_alpha(samples: NDArray[Any]) -> NDArray[Any]:
    """The stored colours; the opacity where that alone varies: a mask painted on a transparent layer."""
    colors, alpha = samples[..., :-1], samples[..., -1]
    is_plain = np.all(colors == colors[:1, :1])
    return alpha if is_plain and alpha.min() != alpha.max() else colors
