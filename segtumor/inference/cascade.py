"""Two models one after the other: the first says whether there is a tumour, the second which, and where.

* P(normal) is the first model's, or 1 - its highest score; P(class) = P(tumour) x P(class | tumour). The latter is the
  second model's: its score of the class among those of all classes, without normal.
* Findings are the second model's, where the first calls a tumour; elsewhere there are none.
* Each model sees the radiograph as it was trained: windows of two sizes may stand side by side.

Letters: N radiographs; K classes.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segtumor.arrays import Spacing
from segtumor.errors import ConfigError, NonFiniteOutputError
from segtumor.inference.load import InferenceModel
from segtumor.inference.points import at_points
from segtumor.runtime.breakdown import broken_output, is_broken
from segtumor.runtime.predictor import Predictor
from segtumor.runtime.protocols import SizeHW, Window
from segtumor.structures.postprocessing import Postprocessing
from segtumor.structures.readings import CLASS_UNKNOWN, Note, Reading
from segtumor.tabular.encoder import Context

#: Both models have cleaned their findings already.
_AS_THEY_ARE = Postprocessing(suppression_iou=1.0, fill_holes=False, min_part_fraction=0.0, min_area_px=0.0)
_UNKNOWN = "A tumour is called, and the second model gives no class any score: all count as equally likely."


class Windows(NamedTuple):
    """What the two models see of one radiograph."""

    first: Window
    second: Window

    @property
    def shape(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """By which radiographs are batched."""
        return self.first.shape, self.second.shape


class CascadePredictor(Predictor):
    """The cascade as a predictor: ``window`` gives Windows, all else is as of one model.

    Args:
        first: of one class, any tumour, or of the classes of ``second``.
        second: which tumour: a classifier, a detector or a segmenter.
        threshold: from this tumour score of the first on a tumour is called, [0, 1].

    Raises:
        ConfigError: the classes of the two do not fit.
    """

    def __init__(self, first: Predictor, second: Predictor, *, threshold: float) -> None:
        check_stages(first.class_names, second.class_names)
        super().__init__(
            _Cascade(first, second, threshold),
            class_names=second.class_names,
            windowing=second.windowing,
            settings=_AS_THEY_ARE,
        )
        self._first, self._second = first, second

    def window(
        self, pixels: NDArray[np.float32], *, spacing_mm: Spacing | None = None, short_edge_px: int | None = None
    ) -> Windows:
        """As ``Predictor.window``; a smaller size makes both windows smaller."""
        scale = 1.0 if short_edge_px is None else short_edge_px / self.short_edge_px
        sizes_px = [max(1, round(scale * one.short_edge_px)) for one in (self._first, self._second)]
        first, second = (
            one.window(pixels, spacing_mm=spacing_mm, short_edge_px=size_px)
            for one, size_px in zip((self._first, self._second), sizes_px, strict=True)
        )
        return Windows(first, second)


class _Cascade:
    """The ``ContextModel`` of Windows behind a CascadePredictor."""

    def __init__(self, first: Predictor, second: Predictor, threshold: float) -> None:
        self._first, self._second, self._threshold = first, second, threshold
        self.context_columns = tuple(dict.fromkeys([*first.context_columns, *second.context_columns]))

    def read_with_contexts(
        self, windows: Sequence[Any], sizes_hw: Sequence[SizeHW], contexts: Sequence[Context]
    ) -> list[Reading | NonFiniteOutputError]:
        """N readings; where one of the two breaks down, so does the cascade."""
        firsts = self._first.read_windows([both.first for both in windows], sizes_hw, contexts)
        seconds = self._second.read_windows([both.second for both in windows], sizes_hw, contexts)
        return [
            broken_output() if is_broken(first) or is_broken(second) else joined(first, second, self._threshold)
            for first, second in zip(firsts, seconds, strict=True)
        ]


def joined(first: Reading, second: Reading, threshold: float) -> Reading:
    """The reading of both stages; the rules are above."""
    normal = 1.0 - first.tumor_score if first.image_probabilities is None else first.image_probabilities[0]
    tumor = 1.0 - normal  # as ``readings.tumor_score`` has it, so that both call alike
    scores = second.class_scores[1:]
    known = scores.sum() > 0
    given = scores / scores.sum() if known else np.full(len(scores), 1 / len(scores))
    called = tumor >= threshold
    unknown = [Note(CLASS_UNKNOWN, _UNKNOWN)] if called and not known and len(scores) > 1 else []
    measured = [one.uncertainty for one in (first, second) if one.uncertainty is not None]
    return Reading(
        class_names=second.class_names,
        size_hw=second.size_hw,
        findings=second.findings if called else (),
        image_probabilities=(normal, *np.minimum(tumor * given, 1.0).tolist()),
        marks_lesions=second.marks_lesions is not False,
        uncertainty=max(measured, default=None),
        maps=second.maps if called else {},
        notes=tuple(dict.fromkeys([*first.notes, *second.notes, *unknown])),
    )


def with_points(
    model: InferenceModel,
    runs: Sequence[str | Path | None],
    first: InferenceModel | None,
    first_runs: Sequence[str | Path],
    **chosen: Any,
) -> InferenceModel:
    """A model, after a first one unless that is None, at operating points; of a cascade they are the first one's.

    Args:
        runs, first_runs: folders that they were loaded from.
        chosen: as of ``points.at_points``, with its errors.

    Raises:
        ConfigError: prediction sets of a cascade, or classes that do not fit.
    """
    if first is None:
        return at_points(model, runs, **chosen)
    if chosen.get("prediction_sets"):
        remedy = "Leave out --cascade or --prediction-sets"
        raise ConfigError("prediction sets are of one model", where="--prediction-sets", remedy=remedy)
    return in_cascade(at_points(first, first_runs, **chosen), model)


def in_cascade(first: InferenceModel, second: InferenceModel) -> InferenceModel:
    """Two loaded models, one after the other, with the threshold of the first: from it on a tumour is called, and
    findings are shown. Raises ConfigError if their classes do not fit."""
    threshold = first.settings["confidence_threshold"]
    return dataclasses.replace(
        second,
        predictor=CascadePredictor(first.predictor, second.predictor, threshold=threshold),
        settings={**second.settings, "confidence_threshold": threshold, "cascade": dict(first.settings)},
        entry={**second.entry, "cascade": dict(first.entry)},
        max_pixels=min(first.max_pixels, second.max_pixels),
        note=second.note or first.note,
    )


def check_stages(first: Sequence[str], second: Sequence[str]) -> None:
    """Refuse a first model that does not say whether there is a tumour of the second one's classes.

    Raises:
        ConfigError: it has other classes, or a single one that is but one of the second's.
    """
    if tuple(first) == tuple(second) or (len(first) == 1 and first[0] not in second):
        return
    raise ConfigError(
        "the first model does not say whether there is any tumour of the second one's classes",
        where="--cascade",
        got=f"{', '.join(first)} before {', '.join(second)}",
        expected="one class that stands for all of them, or the same classes",
        remedy='Train it with the classes joined: DATASETS.CLASSES "[benign=tumour, malignant=tumour]"',
    )
