"""Optional steps between a radiograph's window and what a model sees: the same in training, inference and exports.

Each takes and gives gray values (h, w) float32 in [0, 1], at the size that the model sees; they are applied in the
order in which they are named. What a step assumes is in its docstring; none is on by default.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from segtumor.arrays import GrayImage
from segtumor.errors import ConfigError
from segtumor.system.opencv import cv2

_CLIP_LIMIT, _TILES = 2.0, 8
_NOISE_STRENGTH, _PATCH_PX, _SEARCH_PX = 8, 5, 15
_APART = 25
_SOFT_TISSUE = 0.1


def minmax(pixels: GrayImage) -> GrayImage:
    """Darkest to 0, brightest to 1; a picture of one gray is 0."""
    low, high = float(pixels.min()), float(pixels.max())
    return (pixels - low) / (high - low) if high > low else np.zeros_like(pixels)


def zscore(pixels: GrayImage) -> GrayImage:
    """Mean to 1/2, three standard deviations to 0 and 1, what lies beyond cut; a picture of one gray is 1/2."""
    deviation = float(pixels.std(dtype=np.float64))
    if deviation == 0:
        return np.full_like(pixels, 0.5)
    scores = (pixels - float(pixels.mean(dtype=np.float64))) / deviation
    return np.clip(scores / 6 + 0.5, 0, 1).astype(np.float32)


def clahe(pixels: GrayImage) -> GrayImage:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld 1994), 8 x 8 tiles, clip limit 2."""
    equalizer = cv2.createCLAHE(clipLimit=_CLIP_LIMIT, tileGridSize=(_TILES, _TILES))
    return np.asarray(equalizer.apply(_levels(pixels, 65535, np.uint16)) / np.float32(65535), dtype=np.float32)


def equalize(pixels: GrayImage) -> GrayImage:
    """Histogram equalisation: each gray value becomes the proportion of darker pixels, and half of the equal ones."""
    levels = _levels(pixels, 65535, np.uint16)
    counts = np.bincount(levels.ravel(), minlength=65536)
    ranks = (np.cumsum(counts) - counts / 2) / levels.size
    equalized: GrayImage = ranks.astype(np.float32)[levels]
    return equalized


def median(pixels: GrayImage) -> GrayImage:
    """The median of each 3 x 3 pixels: takes away single bright or dark ones."""
    return np.asarray(cv2.medianBlur(np.ascontiguousarray(pixels, dtype=np.float32), 3))


def denoise(pixels: GrayImage) -> GrayImage:
    """Non-local means (Buades et al. 2005), patches of 5 px within 15 px, strength 8 of 255; rounds to 8 bits."""
    levels = _levels(pixels, 255, np.uint8)
    smooth = cv2.fastNlMeansDenoising(levels, None, _NOISE_STRENGTH, _PATCH_PX, _SEARCH_PX)
    return np.asarray(smooth / np.float32(255), dtype=np.float32)


def background(pixels: GrayImage) -> GrayImage:
    """Black outside the body: what touches the border and is dark by Otsu's threshold (1979).

    Where what is dark by it falls into two again, as air and soft tissue do, only the darker is outside.
    """
    levels = _levels(pixels, 255, np.uint8)
    limit = _otsu(levels)
    dark = levels[levels <= limit]
    lower = _otsu(dark) if dark.size else limit
    below, above = dark[dark <= lower], dark[dark > lower]
    if below.size and above.size and above.mean() - below.mean() > _APART:
        limit = lower
    _, found = cv2.connectedComponents((levels <= limit).astype(np.uint8), connectivity=4)
    labels = np.asarray(found)
    at_border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    outside = np.isin(labels, at_border[at_border > 0])
    return np.where(outside, np.float32(0), pixels)


def soft_tissue(pixels: GrayImage) -> GrayImage:
    """Soft tissue flattened: the difference to the mean of the surroundings (a tenth of the longer side), stretched.

    A high-pass filter, not a material decomposition: bone edges and trabeculae stay, wide shadows go.
    """
    sigma = _SOFT_TISSUE * max(pixels.shape) / 2
    return minmax(pixels - np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), dtype=np.float32))


STEPS: Mapping[str, Callable[[GrayImage], GrayImage]] = {
    "minmax": minmax,
    "zscore": zscore,
    "clahe": clahe,
    "equalize": equalize,
    "median": median,
    "denoise": denoise,
    "background": background,
    "soft_tissue": soft_tissue,
}


def _otsu(levels: np.ndarray) -> float:
    return float(cv2.threshold(levels.reshape(-1, 1), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0])


def _levels(pixels: GrayImage, highest: int, kind: type[np.unsignedinteger]) -> np.ndarray:
    return np.rint(np.clip(pixels, 0, 1) * highest).astype(kind)


def check_steps(names: Sequence[str]) -> None:
    """Refuse names of steps that there are not, by ConfigError."""
    for name in names:
        if name not in STEPS:
            raise ConfigError("unknown step", where="INPUT.PREPROCESSING", got=name, expected=", ".join(STEPS))


def apply_steps(pixels: GrayImage, names: Sequence[str]) -> GrayImage:
    """(h, w) float32 in [0, 1] -> the same after the steps of these names, in this order."""
    for name in names:
        pixels = STEPS[name](pixels)
    return pixels
