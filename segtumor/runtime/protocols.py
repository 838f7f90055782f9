"""What a model must have for segtumor to run it: one method, depending on its kind.

    Detector     detect(windows, sizes_hw)    -> findings of each radiograph
    Segmenter    segment(windows)             -> maps of the classes, of each window
    Classifier   classify(windows)            -> probabilities of the whole image, of each window
    ReadingModel read(windows, sizes_hw)      -> readings; what the three become (``runtime.reading_models``)
    ContextModel read_with_contexts(windows, sizes_hw, contexts) -> the same, with what is known beside the pixels

A window is what a model sees of a radiograph: (h, w) float32 in [0, 1], windowed and resized. All windows of one call
have one shape; ``sizes_hw`` are the (H, W) of their radiographs in px. Nothing is kept between calls, and each answer
depends on its own window only. Whatever has the method can be wrapped by an ensemble, test-time augmentation or a
measure of uncertainty, which have it too. A model that says several things at once, such as findings and an image
head's probabilities, has ``read``.

Where the model breaks down on an image (a number that is NaN or infinite), its place in the answer holds
``breakdown.broken_output()`` instead, so that the others of the batch have theirs; raising would lose them all.
Letters: N windows, K classes without normal; h, w of a window, H, W of its radiograph.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from segtumor.errors import NonFiniteOutputError
from segtumor.runtime.contract import Preprocessing
from segtumor.structures.lesions import Finding
from segtumor.structures.readings import ImageProbabilities, Reading
from segtumor.tabular.encoder import Context

#: (h, w) float32 in [0, 1].
Window: TypeAlias = NDArray[np.float32]
SizeHW: TypeAlias = tuple[int, int]


@runtime_checkable
class Detector(Protocol):
    """Finds lesions: boxes with or without masks."""

    def detect(
        self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW]
    ) -> Sequence[Sequence[Finding] | NonFiniteOutputError]:
        """N sequences of Finding, in px of the radiographs."""
        ...


@runtime_checkable
class Segmenter(Protocol):
    """Says of each pixel how likely each class is."""

    def segment(self, windows: Sequence[Window]) -> Sequence[NDArray[np.float32] | NonFiniteOutputError]:
        """N maps (K, h, w) float32 in [0, 1], at the size of the windows; they need not sum to 1."""
        ...


@runtime_checkable
class Classifier(Protocol):
    """Judges the whole image."""

    def classify(self, windows: Sequence[Window]) -> Sequence[ImageProbabilities | NonFiniteOutputError]:
        """N times K + 1 probabilities in [0, 1], normal first; they need not sum to 1."""
        ...


@runtime_checkable
class ReadingModel(Protocol):
    """Says all of that at once."""

    def read(self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW]) -> Sequence[Reading | NonFiniteOutputError]:
        """N Readings, in px of the radiographs."""
        ...


@runtime_checkable
class ContextModel(Protocol):
    """Says all of that, and takes what is known of each radiograph beside its pixels, such as age and sex."""

    @property
    def context_columns(self) -> tuple[str, ...]:
        """Names of what it takes; of no other field does its answer depend."""
        ...

    def read_with_contexts(
        self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW], contexts: Sequence[Context]
    ) -> Sequence[Reading | NonFiniteOutputError]:
        """As ``ReadingModel.read``; N contexts, each of which may lack anything."""
        ...


class ModelContract(Protocol):
    """What an exported model of any kind says beside its graphs."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names of what it finds, by ``class_id``."""
        ...

    @property
    def confidence_threshold(self) -> float:
        """Findings below it are not shown unless asked for, [0, 1]."""
        ...

    @property
    def preprocessing(self) -> Preprocessing:
        """How a radiograph becomes its input."""
        ...

    @property
    def postprocessing(self) -> Mapping[str, Any]:
        """Fields of ``structures.postprocessing.Postprocessing``."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        ...


#: What ``runtime.predictor.Predictor`` takes.
Model: TypeAlias = Detector | Segmenter | Classifier | ReadingModel | ContextModel
