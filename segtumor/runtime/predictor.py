"""Radiograph to findings: the path that inference, evaluation, validation during training and exports share.

What a detector computes is not decided here, only what it is given and what becomes of its answer. A detector has
``detect(windows, sizes_hw)``: of windows, (h, w) float32 in [0, 1], all of one shape, and the sizes (H, W) of their
radiographs in px it makes one sequence of Finding each, in px of the radiograph, or ``breakdown.broken_output`` where
the model broke down.
"""

import numpy as np

from segtumor.errors import BadImageError
from segtumor.imaging import normalize_window
from segtumor.imaging.resizing import resize, resized_hw
from segtumor.runtime.breakdown import all_sound, is_broken
from segtumor.structures import postprocessing


class Predictor:
    """A detector with its way of preparing images and cleaning findings.

    Args:
        detector: see above.
        short_edge_px: size the shorter edge is scaled to.
        max_long_edge_px: limit of the longer edge.
        window_percentiles: gray values made black and white.
        settings: ``postprocessing.Postprocessing``.
    """

    def __init__(self, detector, *, short_edge_px, max_long_edge_px, window_percentiles, settings) -> None:
        self.detector, self.short_edge_px = detector, short_edge_px
        self._max_long_edge_px, self._window_percentiles = max_long_edge_px, tuple(window_percentiles)
        self._settings = settings

    @classmethod
    def from_contract(cls, contract, detector):
        """The predictor that a ``Contract`` describes."""
        preprocessing = contract.preprocessing
        return cls(
            detector,
            short_edge_px=preprocessing.short_edge_px,
            max_long_edge_px=preprocessing.max_long_edge_px,
            window_percentiles=preprocessing.window_percentiles,
            settings=postprocessing.Postprocessing(**contract.postprocessing),
        )

    def window(self, pixels, *, short_edge_px=None):
        """What the model sees of (H, W) pixels: (h, w) float32 in [0, 1]; ``short_edge_px`` for another size.

        Raises:
            BadImageError: a pixel is NaN or infinite, which some runtimes hide.
        """
        if not np.isfinite(pixels).all():
            raise BadImageError("the picture has pixels that are NaN or infinite")
        short_edge_px = short_edge_px or self.short_edge_px
        size_hw = resized_hw(pixels.shape, short_edge_px, self._max_long_edge_px)
        return resize(normalize_window(pixels, *self._window_percentiles), size_hw)

    def predict(self, radiograph):
        """Findings of one radiograph, every score the model returned, highest first.

        Args:
            radiograph: ``imaging.Radiograph`` of any size.

        Returns:
            tuple of Finding, in px of the radiograph.

        Raises:
            NonFiniteOutputError: the model broke down; nothing is known of the radiograph.
        """
        return self.predict_batch([radiograph])[0]

    def predict_batch(self, radiographs):
        """``predict`` for several radiographs at once; a list of tuples of Finding. The error names the broken ones."""
        found = self.predict_windows(
            [self.window(radiograph.pixels) for radiograph in radiographs],
            [radiograph.pixels.shape for radiograph in radiographs],
        )
        return all_sound(found, [radiograph.name for radiograph in radiographs])

    def predict_windows(self, windows, sizes_hw):
        """The same for windows that are made already (``window``) and the sizes (H, W) of their radiographs, px.

        Where the model broke down the list holds what the detector returned (``breakdown.is_broken``), so that the
        others of a batch have their findings.
        """
        found = [()] * len(windows)
        for group in _same_shapes(windows):
            detected = self.detector.detect([windows[i] for i in group], [sizes_hw[i] for i in group])
            for index, findings in zip(group, detected, strict=True):
                found[index] = findings if is_broken(findings) else postprocessing.apply(findings, self._settings)
        return found


def _same_shapes(windows):
    """Indices of the windows, grouped by their shape.

    A batch is padded to its largest image, and the padding changes what is found: a radiograph's findings must not
    depend on its neighbours.
    """
    groups = {}
    for index, window in enumerate(windows):
        groups.setdefault(window.shape, []).append(index)
    return groups.values()
