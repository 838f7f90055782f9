"""Models of any kind, made to answer in readings.

* A detector's findings are the reading's.
* A classifier's probabilities are those of the whole image.
* A segmenter's maps become findings: a pixel belongs to its most probable class if that reaches one half; pixels of one
  class that touch, diagonally too, are one finding, whose score and probabilities are the means of the maps over it.
  The maps are kept, by the names of the classes.

Not here: what is asked of a model (``protocols``) and the clean-up of findings (``structures.postprocessing``).
Letters: K classes; h, w of a window, H, W of its radiograph.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from segtumor.errors import ModelError, NonFiniteOutputError
from segtumor.imaging.resizing import resize
from segtumor.runtime.breakdown import broken_output, is_broken
from segtumor.runtime.protocols import (
    Classifier,
    ContextModel,
    Detector,
    Model,
    ReadingModel,
    Segmenter,
    SizeHW,
    Window,
)
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_from_crop
from segtumor.structures.readings import Reading
from segtumor.system.opencv import cv2
from segtumor.tabular.encoder import Context

#: A pixel belongs to a class from this probability on.
PIXEL_THRESHOLD = 0.5
#: Of one class on one image, the largest: as many as a detector finds. Noise makes thousands of specks.
MAX_REGIONS = 100

_Ask: TypeAlias = Callable[[Sequence[Window], Sequence[SizeHW], Sequence[Context]], Sequence[Any]]


class Read(Protocol):
    """What ``reading_model`` returns."""

    def __call__(
        self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW], contexts: Sequence[Context] | None = None
    ) -> list[Reading | NonFiniteOutputError]:
        """Windows and sizes of radiographs, and what is known beside them, if anything is, to their readings."""
        ...


def reading_model(model: Model, class_names: Sequence[str]) -> Read:
    """How a model of any kind answers in readings.

    Args:
        model: has one of the methods of ``protocols``; of several, ``read_with_contexts`` and then ``read`` are asked
            before ``detect``, ``segment`` and ``classify``.

    Returns:
        function as ``ReadingModel.read``; it raises ModelError where the model answers otherwise than it should.

    Raises:
        TypeError: it has none of the methods.
    """
    names = tuple(class_names)
    if isinstance(model, ContextModel):
        return _asked(
            model, model.read_with_contexts, lambda reading, window, size_hw: _of_names(model, reading, names)
        )
    if isinstance(model, ReadingModel):
        return _asked(
            model, _without_context(model.read), lambda reading, window, size_hw: _of_names(model, reading, names)
        )
    if isinstance(model, Detector):
        return _asked(
            model,
            _without_context(model.detect),
            lambda findings, window, size_hw: _of_findings(findings, size_hw, names),
        )
    if isinstance(model, Segmenter):
        segment = model.segment
        return _asked(
            model,
            lambda windows, sizes_hw, contexts: segment(windows),
            lambda maps, window, size_hw: _of_maps(model, np.asarray(maps), window, size_hw, names),
        )
    if isinstance(model, Classifier):
        classify = model.classify
        return _asked(
            model,
            lambda windows, sizes_hw, contexts: classify(windows),
            lambda probabilities, window, size_hw: _of_probabilities(model, probabilities, size_hw, names),
        )
    raise TypeError(f"{type(model).__name__} has neither read, detect, segment nor classify")


class Wrapper:
    """Base of what wraps models and gives readings: it takes what they take beside pixels, and passes it on.

    Args:
        models: one or several, of any kinds.
        class_names: of what they find, by ``class_id``.
    """

    def __init__(self, models: Sequence[Model], class_names: Sequence[str]) -> None:
        self._reads = [reading_model(model, class_names) for model in models]
        taking = [model for model in models if isinstance(model, ContextModel)]
        self.context_columns = tuple(dict.fromkeys(name for model in taking for name in model.context_columns))

    def read(self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW]) -> list[Reading | NonFiniteOutputError]:
        """See ``protocols.ReadingModel``."""
        return self.read_with_contexts(windows, sizes_hw, [{}] * len(windows))

    def read_with_contexts(
        self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW], contexts: Sequence[Context]
    ) -> list[Reading | NonFiniteOutputError]:
        """See ``protocols.ContextModel``."""
        raise NotImplementedError


def findings_from_maps(maps: NDArray[np.float32]) -> tuple[Finding, ...]:
    """Regions of class maps (K, H, W) in [0, 1], highest score first; the rule is above."""
    winner = np.argmax(maps, axis=0)
    found = [
        finding
        for class_id in range(len(maps))
        for finding in _regions(maps, class_id, (winner == class_id) & (maps[class_id] >= PIXEL_THRESHOLD))
    ]
    return tuple(sorted(found, key=lambda finding: -finding.score))


def _regions(maps: NDArray[np.float32], class_id: int, mask: NDArray[np.bool_]) -> list[Finding]:
    _, found, counted, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    labels, statistics = np.asarray(found, dtype=np.int32), np.asarray(counted, dtype=np.int32)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    return [
        _region(maps, class_id, labels, label, statistics[label])
        for label in 1 + np.argsort(-areas, kind="stable")[:MAX_REGIONS]
    ]


def _region(
    maps: NDArray[np.float32], class_id: int, labels: NDArray[np.int32], label: int, statistics: NDArray[np.int32]
) -> Finding:
    left, top, width, height = map(int, statistics[:4])
    window = (slice(top, top + height), slice(left, left + width))
    crop = labels[window] == label
    means = tuple(float(values[window][crop].mean(dtype=np.float64)) for values in maps)
    box = (float(left), float(top), float(left + width), float(top + height))
    return Finding(class_id, means[class_id], box, rle_from_crop(crop, top, left, labels.shape), means)


def _asked(
    model: Model,
    ask: _Ask,
    reading_of: Callable[[Any, Window, SizeHW], Reading | NonFiniteOutputError],
) -> Read:
    """Ask for all windows at once, and make a reading of each answer with its window and its radiograph's size."""

    def read(
        windows: Sequence[Window], sizes_hw: Sequence[SizeHW], contexts: Sequence[Context] | None = None
    ) -> list[Reading | NonFiniteOutputError]:
        answers = ask(windows, sizes_hw, [{}] * len(windows) if contexts is None else contexts)
        if len(answers) != len(windows):
            raise _wrong(model, got=f"{len(answers)} answers", expected=f"{len(windows)}, one for each radiograph")
        return [
            answer if is_broken(answer) else reading_of(answer, window, (int(height), int(width)))
            for answer, window, (height, width) in zip(answers, windows, sizes_hw, strict=True)
        ]

    return read


def _without_context(ask: Callable[[Sequence[Window], Sequence[SizeHW]], Sequence[Any]]) -> _Ask:
    return lambda windows, sizes_hw, contexts: ask(windows, sizes_hw)


def _of_names(model: Model, reading: Reading, names: tuple[str, ...]) -> Reading:
    if reading.class_names != names:
        raise _wrong(model, got=", ".join(reading.class_names), expected=", ".join(names))
    return reading


def _of_findings(findings: Iterable[Finding], size_hw: SizeHW, names: tuple[str, ...]) -> Reading:
    return Reading(class_names=names, size_hw=size_hw, findings=tuple(findings))


def _of_maps(
    model: Segmenter, maps: NDArray[np.float32], window: Window, size_hw: SizeHW, names: tuple[str, ...]
) -> Reading | NonFiniteOutputError:
    if maps.shape != (len(names), *window.shape):
        raise _wrong(model, got=f"maps {maps.shape}", expected=f"{(len(names), *window.shape)}")
    if not np.isfinite(maps).all():
        return broken_output()
    _check_range(model, maps)
    large = np.stack([resize(values.astype(np.float32), size_hw) for values in maps])
    np.clip(large, 0, 1, out=large)  # rounding
    by_name = dict(zip(names, large, strict=True))
    return Reading(class_names=names, size_hw=size_hw, findings=findings_from_maps(large), maps=by_name)


def _of_probabilities(
    model: Classifier, answer: Sequence[float], size_hw: SizeHW, names: tuple[str, ...]
) -> Reading | NonFiniteOutputError:
    probabilities = np.asarray(answer, dtype=np.float64)
    if probabilities.shape != (len(names) + 1,):
        raise _wrong(model, got=f"{probabilities.shape} probabilities", expected=f"normal and {', '.join(names)}")
    if not np.isfinite(probabilities).all():
        return broken_output()
    _check_range(model, probabilities)
    return Reading(
        class_names=names,
        size_hw=size_hw,
        image_probabilities=tuple(probabilities.tolist()),
        marks_lesions=False,
    )


def _check_range(model: Model, values: NDArray[np.floating]) -> None:
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise _wrong(model, got=f"{values.min():.3g} to {values.max():.3g}", expected="probabilities, 0 to 1")


def _wrong(model: Model, *, got: str, expected: str) -> ModelError:
    return ModelError("the model does not answer as it should", where=type(model).__name__, got=got, expected=expected)
