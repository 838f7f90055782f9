"""Exported models that are one graph: what a classifier or a segmenter answers, without torch.

Letters: N windows of h x w, padded to H x W; K classes, without normal; D features of a table.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from segtumor.arrays import Floats32
from segtumor.errors import NonFiniteOutputError
from segtumor.runtime.breakdown import broken_output
from segtumor.runtime.contract import NetworkContract, TableContract
from segtumor.runtime.inputs import model_images
from segtumor.runtime.protocols import SizeHW, Window
from segtumor.structures.readings import ABOUT_TABLE, ImageProbabilities, Note, Reading
from segtumor.tabular.encoder import Context, TableEncoder


class Network(Protocol):
    """What runs the graph."""

    def answer(self, images: Floats32, **further: Floats32) -> tuple[Floats32, ...]:
        """(N, 3, H, W), normalised and padded, and further inputs by name -> each output of the graph, (N, ...), all
        float32."""
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


class NetworkTableClassifier:
    """A classifier whose graph takes a table (N, D) too."""

    def __init__(self, network: Network, contract: TableContract) -> None:
        self._network, self._contract = network, contract
        self._encoder = TableEncoder.from_dicts(contract.columns, where="columns")

    @property
    def context_columns(self) -> tuple[str, ...]:
        """See ``protocols.ContextModel``."""
        return self._encoder.names

    def read_with_contexts(
        self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW], contexts: Sequence[Context]
    ) -> list[Reading | NonFiniteOutputError]:
        """See ``protocols.ContextModel``."""
        table = np.array([self._encoder.features(context) for context in contexts], dtype=np.float32)
        (rows,) = network_answers(self._network, self._contract, windows, table=table)
        return [
            context_reading(row, size_hw, self._contract.class_names, remarks=self._encoder.remarks(context))
            for row, size_hw, context in zip(rows, sizes_hw, contexts, strict=True)
        ]


def context_reading(
    probabilities: NDArray[np.floating],
    size_hw: SizeHW,
    class_names: Sequence[str],
    *,
    remarks: Sequence[str] = (),
    attributes: Mapping[str, Any] | None = None,
) -> Reading | NonFiniteOutputError:
    """The reading of a classifier that takes or learns more than pixels.

    Args:
        probabilities: (K + 1,), normal first.
        remarks: sentences on what it was told beside the pixels.
        attributes: see ``Reading``.
    """
    if not np.isfinite(probabilities).all():
        return broken_output()
    return Reading(
        class_names=tuple(class_names),
        size_hw=(int(size_hw[0]), int(size_hw[1])),
        image_probabilities=tuple(probabilities.astype(np.float64).clip(0, 1).tolist()),
        marks_lesions=False,
        attributes=attributes or {},
        notes=tuple(Note(ABOUT_TABLE, remark) for remark in remarks),
    )


class NetworkSegmenter:
    """A segmenter whose graph answers (N, K, H, W) probabilities."""

    def __init__(self, network: Network, contract: NetworkContract) -> None:
        self._network, self._contract = network, contract

    def segment(self, windows: Sequence[Window]) -> list[NDArray[np.float32] | NonFiniteOutputError]:
        """See ``protocols.Segmenter``."""
        (answers,) = network_answers(self._network, self._contract, windows)
        cut = [maps[:, : window.shape[0], : window.shape[1]] for maps, window in zip(answers, windows, strict=True)]
        return [maps if np.isfinite(maps).all() else broken_output() for maps in cut]


def network_answers(
    network: Network, contract: NetworkContract, windows: Sequence[Window], **further: Floats32
) -> tuple[Floats32, ...]:
    """What a graph answers about windows of one shape, and further inputs by name; each output (N, ...)."""
    preprocessing = contract.preprocessing
    return network.answer(
        model_images(
            windows,
            pixel_mean=preprocessing.pixel_mean,
            pixel_std=preprocessing.pixel_std,
            size_divisibility=preprocessing.size_divisibility,
        ),
        **further,
    )
