"""What may be given to be read: a file, its pixels, or a radiograph."""

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from segtumor.arrays import Array, GrayImage
from segtumor.errors import BadImageError, ConfigError
from segtumor.imaging import Radiograph, read_radiograph
from segtumor.imaging.contrast import remarks_on

#: What a model reads: a file, its pixels, or a radiograph that was read before.
Source: TypeAlias = str | Path | Array | Radiograph
#: Several of them; of any kind, since a list of paths is no list of sources to a type checker.
Several: TypeAlias = list[Any] | tuple[Any, ...]


def radiograph_of(source: Source, max_pixels: int) -> Radiograph:
    """What was given as a radiograph; raises BadImageError for what cannot be one."""
    if isinstance(source, Radiograph):
        return source
    if isinstance(source, (str, Path)):
        return read_radiograph(source, max_pixels=max_pixels, log=False)
    if isinstance(source, np.ndarray):
        pixels = gray_values(source)
        return Radiograph(pixels, None, None, "array", source.dtype.name, tuple(remarks_on(pixels)))
    raise BadImageError(
        "this cannot be read as a radiograph",
        got=kind_of(source),
        expected="a path, a (H, W) NumPy array, a segtumor.Radiograph, or a list of these",
        remedy="Make a generator a list, list(paths), or a picture an array, numpy.asarray(image.convert('L'))",
    )


def kind_of(given: object) -> str:
    """What something is, in words of Python, for errors."""
    kinds = sorted({type(one).__name__ for one in given}) if isinstance(given, (list, tuple)) else []
    return f"{type(given).__name__} of {', '.join(kinds)}" if kinds else type(given).__name__


def in_unit_range(what: str, value: float) -> float:
    """A number in [0, 1]; raises ConfigError for another."""
    if not isinstance(value, (int, float, np.floating)) or not 0 <= value <= 1:
        raise ConfigError(f"{what} out of range", got=repr(value), expected="0 to 1")
    return float(value)


def gray_values(pixels: Array) -> GrayImage:
    """Gray values of any of the types that are read -> (H, W) float32 in [0, 1]."""
    if isinstance(pixels, np.ma.MaskedArray):
        raise BadImageError("a masked array", expected="a value for every pixel", remedy="Fill it: pixels.filled(0)")
    if pixels.ndim != 2 or pixels.size == 0:
        remedy = "Give one gray channel: numpy.asarray(image.convert('L')), or pixels[..., 0]"
        raise BadImageError("not a gray picture", got=f"shape {pixels.shape}", expected="(H, W)", remedy=remedy)
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    if not np.issubdtype(pixels.dtype, np.floating):
        expected = "uint8, uint16, or floats in [0, 1]"
        remedy = "Divide by the largest value that the samples can have, e.g. pixels / 4095"
        raise BadImageError("gray values of another type", got=pixels.dtype.name, expected=expected, remedy=remedy)
    if not np.isfinite(pixels).all():
        remedy = "Replace them: numpy.nan_to_num(pixels, posinf=1, neginf=0)"
        raise BadImageError("the picture has pixels that are NaN or infinite", expected="0 to 1", remedy=remedy)
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0 or high > 1:
        remedy = "Divide by the largest value that the samples can have, e.g. pixels / 4095"
        raise BadImageError("gray values out of range", got=f"{low:g} to {high:g}", expected="0 to 1", remedy=remedy)
    return pixels.astype(np.float32)
