"""Exported models that are one graph: what a classifier or a segmenter answers, without torch.

Letters: N windows of h x w, padded to H x W; K classes, without normal.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from segtumor.arrays import Floats32
from segtumor.errors import NonFiniteOutputError
from segtumor.runtime.breakdown import broken_output
from segtumor.runtime.contract import NetworkContract
from segtumor.runtime.inputs import model_images
from segtumor.runtime.protocols import Window
from segtumor.structures.readings import ImageProbabilities


class Network(Protocol):
    """What runs the graph."""

    def answer(self, images: Floats32) -> tuple[Floats32, ...]:
        """(N, 3, H, W), normalised and padded -> each output of the graph, (N, ...)."""
        ...

    def describe(self) -> dict[str, Any]:
        """Name and version of the runtime, and its threads."""
        ...


class NetworkClassifier:
    """A classifier whose graph answers (N, K + 1) probabilities, normal first."""

    def __init__(self, network: Network, contract: NetworkContract) -> None:
        self._network, self._contract = network, contract

    def classify(self, windows: Sequence[Window]) -> list[ImageProbabilities | NonFiniteOutputError]:
        """See ``protocols.Classifier``."""
        (rows,) = network_answers(self._network, self._contract, windows)
        return [tuple(row.tolist()) if np.isfinite(row).all() else broken_output() for row in rows]


class NetworkSegmenter:
    """A segmenter whose graph answers (N, K, H, W) probabilities."""

    def __init__(self, network: Network, contract: NetworkContract) -> None:
        self._network, self._contract = network, contract

    def segment(self, windows: Sequence[Window]) -> list[NDArray[np.float32] | NonFiniteOutputError]:
        """See ``protocols.Segmenter``."""
        (answers,) = network_answers(self._network, self._contract, windows)
        cut = [maps[:, : window.shape[0], : window.shape[1]] for maps, window in zip(answers, windows, strict=True)]
        return [maps if np.isfinite(maps).all() else broken_output() for maps in cut]


def network_answers(network: Network, contract: NetworkContract, windows: Sequence[Window]) -> tuple[Floats32, ...]:
    """What a graph answers about windows of one shape, each output (N, ...)."""
    preprocessing = contract.preprocessing
    return network.answer(
        model_images(
            windows,
            pixel_mean=preprocessing.pixel_mean,
            pixel_std=preprocessing.pixel_std,
            size_divisibility=preprocessing.size_divisibility,
        )
    )
