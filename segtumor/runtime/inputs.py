"""Windows of radiographs as graphs take them."""

from collections.abc import Sequence

import numpy as np

from segtumor.arrays import Floats32
from segtumor.runtime.protocols import SizeHW, Window


def padded_hw(size_hw: SizeHW, multiple: int) -> SizeHW:
    """The next multiples of ``multiple``, or the size itself for 0."""
    height, width = (-(-side // max(multiple, 1)) * max(multiple, 1) for side in size_hw)
    return height, width


def model_images(
    windows: Sequence[Window], *, pixel_mean: Sequence[float], pixel_std: Sequence[float], size_divisibility: int
) -> Floats32:
    """Windowed images as a graph takes them: three equal channels, normalised, padded with zeros.

    Windows have one shape; the numbers are those of ``contract.Preprocessing``. Returns (N, 3, h', w') float32, h' and
    w' the next multiples of ``size_divisibility``.
    """
    height, width = windows[0].shape
    images = np.zeros((len(windows), 3, *padded_hw((height, width), size_divisibility)), np.float32)
    for window, image in zip(windows, images, strict=True):
        gray = np.multiply(window, np.float32(255), dtype=np.float32)
        for channel, mean, std in zip(image[:, :height, :width], pixel_mean, pixel_std, strict=True):
            np.subtract(gray, np.float32(mean), out=channel)
            channel /= np.float32(std)
    return images
