"""Radiograph to reading: the path that inference, evaluation, validation during training and exports share.

What a model computes is not decided here, only what it is given and what becomes of its answer; ``protocols`` says
which method it has.
"""

import dataclasses
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtumor.arrays import Spacing
from segtumor.errors import BadImageError, NonFiniteOutputError
from segtumor.imaging import Radiograph, normalize_window
from segtumor.imaging.resizing import resize, resized_hw, spacing_remark
from segtumor.imaging.steps import apply_steps, check_steps
from segtumor.runtime.breakdown import all_sound, is_broken
from segtumor.runtime.protocols import ContextModel, Model, ModelContract, SizeHW, Window
from segtumor.runtime.reading_models import reading_model
from segtumor.structures import postprocessing
from segtumor.structures.readings import ABOUT_PICTURE, Note, Reading
from segtumor.tabular.encoder import Context


@dataclass(frozen=True, kw_only=True)
class Windowing:
    """How a radiograph becomes what a model sees.

    Attributes:
        short_edge_px: size the shorter edge is scaled to.
        max_long_edge_px: limit of the longer edge.
        window_percentiles: gray values made black and white, 0 to 100.
        square: whether both edges are scaled to ``short_edge_px``.
        steps: names of ``imaging.steps``, applied last.
        spacing_mm: side of a pixel of what the model sees, of radiographs that say theirs; 0 for scaling by size alone.
        spacing_required: whether others are refused.

    Raises:
        ConfigError: no such step.
    """

    short_edge_px: int
    max_long_edge_px: int
    window_percentiles: Sequence[float]
    square: bool = False
    steps: Sequence[str] = ()
    spacing_mm: float = 0.0
    spacing_required: bool = False

    def __post_init__(self) -> None:
        check_steps(self.steps)

    @classmethod
    def from_contract(cls, contract: ModelContract) -> "Windowing":
        """That of an exported model."""
        return cls(**{field.name: getattr(contract.preprocessing, field.name) for field in dataclasses.fields(cls)})

    def remarks_on(self, radiograph: Radiograph) -> tuple[str, ...]:
        """The radiograph's own, and that it is not seen at the spacing asked for; raises BadImageError where its
        spacing is unknown and required."""
        limits = self.spacing_mm, self.max_long_edge_px
        remark = spacing_remark(radiograph, *limits, required=self.spacing_required)
        return (*radiograph.remarks, *([remark] if remark else []))

    def window(
        self, pixels: NDArray[np.float32], *, spacing_mm: Spacing | None = None, short_edge_px: int | None = None
    ) -> Window:
        """What the model sees of (H, W) pixels: (h, w) float32 in [0, 1].

        Args:
            spacing_mm: (row, column) of the pixels, or None.
            short_edge_px: for another size; a fixed spacing becomes coarser in the same proportion.

        Raises:
            BadImageError: a pixel is NaN or infinite, which some runtimes hide.
        """
        if not np.isfinite(pixels).all():
            raise BadImageError("the picture has pixels that are NaN or infinite")
        short_px = short_edge_px or self.short_edge_px
        size_hw = resized_hw(
            pixels.shape,
            short_px,
            self.max_long_edge_px,
            square=self.square,
            spacing_mm=spacing_mm,
            target_mm=self.spacing_mm * self.short_edge_px / short_px,
        )
        return apply_steps(resize(normalize_window(pixels, *self.window_percentiles), size_hw), self.steps)


class Predictor:
    """A model with its way of preparing images and cleaning findings.

    Several threads may share it: windows are made and findings cleaned side by side, the model itself is asked by one
    thread at a time.

    Args:
        model: a detector, segmenter, classifier or ``ReadingModel`` (``protocols``).
        class_names: of what it finds, by ``class_id``.
        windowing: how it sees radiographs.
        settings: how its findings are cleaned.
    """

    def __init__(
        self,
        model: Model,
        *,
        class_names: Sequence[str],
        windowing: Windowing,
        settings: postprocessing.Postprocessing,
    ) -> None:
        self.model, self.class_names, self.windowing = model, tuple(class_names), windowing
        self.settings, self._read = settings, reading_model(model, class_names)
        self._lock = threading.Lock()

    @classmethod
    def from_contract(cls, contract: ModelContract, model: Model) -> "Predictor":
        """The predictor that a contract describes."""
        settings = postprocessing.Postprocessing(**contract.postprocessing)
        windowing = Windowing.from_contract(contract)
        return cls(model, class_names=contract.class_names, windowing=windowing, settings=settings)

    def with_model(self, model: Model) -> "Predictor":
        """The same windows and cleaning around another model of the same classes."""
        return Predictor(model, class_names=self.class_names, windowing=self.windowing, settings=self.settings)

    @property
    def short_edge_px(self) -> int:
        """Size the shorter edge of a radiograph is scaled to."""
        return self.windowing.short_edge_px

    @property
    def context_columns(self) -> tuple[str, ...]:
        """Names of what the model takes beside pixels; () if it takes nothing."""
        return self.model.context_columns if isinstance(self.model, ContextModel) else ()

    def window(
        self, pixels: NDArray[np.float32], *, spacing_mm: Spacing | None = None, short_edge_px: int | None = None
    ) -> Any:
        """As ``Windowing.window``; of several models more than one. Only ``read_windows`` needs to know."""
        return self.windowing.window(pixels, spacing_mm=spacing_mm, short_edge_px=short_edge_px)

    def read(self, radiograph: Radiograph, context: Context | None = None) -> Reading:
        """The reading of one radiograph of any size: every finding the model returned, in px of the radiograph.

        Args:
            context: what is known beside its pixels (``context_columns``); None for nothing.

        Raises:
            NonFiniteOutputError: the model broke down; nothing is known of the radiograph.
        """
        return self.read_batch([radiograph], [context or {}])[0]

    def read_batch(self, radiographs: Sequence[Radiograph], contexts: Sequence[Context] | None = None) -> list[Reading]:
        """``read`` for several radiographs at once. The error names the broken ones."""
        started = time.perf_counter()
        remarks = [self.windowing.remarks_on(radiograph) for radiograph in radiographs]
        windows = [self.window(r.pixels, spacing_mm=r.spacing_mm) for r in radiographs]
        prepared_s, started = time.perf_counter() - started, time.perf_counter()
        found = self.read_windows(windows, [radiograph.size_hw for radiograph in radiographs], contexts)
        timings_s = {"prepare": prepared_s, "model": time.perf_counter() - started}
        share_s = {name: seconds / max(1, len(radiographs)) for name, seconds in timings_s.items()}
        sound = all_sound(found, [radiograph.name for radiograph in radiographs])
        return [
            dataclasses.replace(
                reading,
                name=radiograph.name,
                spacing_mm=radiograph.spacing_mm,
                spacing_source=radiograph.spacing_source,
                notes=(*picture_notes(said), *reading.notes),
                timings_s=share_s,
            )
            for reading, radiograph, said in zip(sound, radiographs, remarks, strict=True)
        ]

    def read_windows(
        self, windows: Sequence[Any], sizes_hw: Sequence[SizeHW], contexts: Sequence[Context] | None = None
    ) -> list[Reading | NonFiniteOutputError]:
        """The same for windows that are made already (``window``) and the sizes (H, W) of their radiographs, px.

        The readings know nothing of their radiographs but the size. Where the model broke down the list holds
        ``breakdown.broken_output`` (``breakdown.is_broken``), so that the others of a batch have their readings.
        """
        known = contexts or [{}] * len(windows)
        found: dict[int, Reading | NonFiniteOutputError] = {}
        for group in _same_shapes(windows):
            with self._lock:
                read = self._read([windows[i] for i in group], [sizes_hw[i] for i in group], [known[i] for i in group])
            found.update(zip(group, read, strict=True))
        return [self._cleaned(found[index]) for index in range(len(windows))]

    def _cleaned(self, reading: Reading | NonFiniteOutputError) -> Reading | NonFiniteOutputError:
        if is_broken(reading):
            return reading
        return dataclasses.replace(reading, findings=postprocessing.apply(reading.findings, self.settings))


def picture_notes(remarks: Iterable[str]) -> tuple[Note, ...]:
    """The remarks of a radiograph as notes."""
    return tuple(Note(ABOUT_PICTURE, remark) for remark in remarks)


def _same_shapes(windows: Sequence[Any]) -> Iterable[list[int]]:
    """Indices of the windows, grouped by their shape.

    A batch is padded to its largest image, and the padding changes what is found: a radiograph's findings must not
    depend on its neighbours.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, window in enumerate(windows):
        groups.setdefault(window.shape, []).append(index)
    return groups.values()
