"""A detector that needs no model: what it finds is a plain function of the window."""

import numpy as np

from segtumor.runtime.predictor import Predictor, Windowing
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_from_mask
from segtumor.structures.postprocessing import Postprocessing

NAMES = ("benign", "malignant")
SETTINGS = {"confidence_threshold": 0.3, "short_edge_px": 32}
MODEL = {"weights": "a.pth", "weights_sha256": "ab"}


class FakeDetector:
    """Finds one rectangle with a score from the mean gray, and a second, uncertain one; nothing on dark images.

    Args:
        raising: function of the number of the call (from 1) and the windows; called before each detection.
    """

    def __init__(self, raising=None):
        self.calls, self._raising, self.batches = 0, raising, []

    def detect(self, windows, sizes_hw):
        self.calls += 1
        self.batches.append([window.shape for window in windows])
        if self._raising:
            self._raising(self.calls, windows)
        return [_findings(float(w.mean()), size_hw) for w, size_hw in zip(windows, sizes_hw, strict=True)]


def _findings(mean, size_hw):
    if mean < 0.2:
        return ()
    height, width = size_hw
    mask = np.zeros(size_hw, dtype=bool)
    mask[: height // 2, : width // 2] = True
    other = np.zeros(size_hw, dtype=bool)
    other[-2:, -3:] = True
    return (
        Finding(1, mean, (0.0, 0.0, width // 2, height // 2), rle_from_mask(mask), (1 - mean, mean)),
        Finding(0, 0.125, (width - 3.0, height - 2.0, width, height), rle_from_mask(other), (0.125, 0.0625)),
    )


def predictor_of(detector, short_edge_px=32):
    windowing = Windowing(
        short_edge_px=short_edge_px, max_long_edge_px=4 * short_edge_px, window_percentiles=(0.5, 99.5)
    )
    return Predictor(detector, class_names=NAMES, windowing=windowing, settings=Postprocessing())
