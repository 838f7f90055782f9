"""Several models as one, and one that looks twice: ensembles and test-time augmentation over readings of any kind.

* Maps of all members (segmenters): their mean, and the findings in it.
* Findings otherwise: fused, or the highest score of each place (``structures.fusion``).
* Probabilities of the whole image: the mean of those members that have them.
* Attributes of further tasks: of each the answer of the member that is surest of its own.
* Agreement of each finding: how far what the members marked overlaps with it (``structures.fusion.with_agreement``).
* Uncertainty: twice the standard deviation of the members' tumour scores: 0 where all agree, 1 where half of them are
  sure of a tumour and half of none.

Letters: N windows, M members; h, w of a window, H, W of its radiograph.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtumor.errors import ConfigError, NonFiniteOutputError
from segtumor.imaging.resizing import resize
from segtumor.runtime.breakdown import broken_output, is_broken
from segtumor.runtime.protocols import Model, SizeHW, Window
from segtumor.runtime.reading_models import Wrapper, findings_from_maps
from segtumor.structures import postprocessing
from segtumor.structures.fusion import fuse, mirrored, strongest, with_agreement
from segtumor.structures.lesions import Finding
from segtumor.structures.readings import Reading
from segtumor.tabular.encoder import Context

#: How findings of members become one: by name.
FUSIONS: Mapping[str, Callable[[Sequence[Sequence[Finding]]], tuple[Finding, ...]]] = {"wbf": fuse, "nms": strongest}


#: Further looks at a picture (test-time augmentation): mirrored left to right, and at sizes of these factors.
FLIP, SCALE = LOOKS = ("flip", "scale")
SCALES = (0.8, 1.25)


class Mirrored(Wrapper):
    """A model that is shown every picture mirrored left to right; its answers are turned back.

    Args:
        model: of any kind.
        class_names: of what it finds, by ``class_id``.
    """

    def __init__(self, model: Model, class_names: Sequence[str]) -> None:
        super().__init__([model], class_names)

    def read_with_contexts(
        self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW], contexts: Sequence[Context]
    ) -> list[Reading | NonFiniteOutputError]:
        """See ``runtime.protocols.ContextModel``."""
        flipped = [np.ascontiguousarray(window[:, ::-1]) for window in windows]
        return [r if is_broken(r) else _turned_back(r) for r in self._reads[0](flipped, sizes_hw, contexts)]


class Rescaled(Wrapper):
    """A model that is shown every picture at another size; its answers are at the radiograph's, as always.

    Args:
        model: of any kind, for pictures of any size.
        class_names: of what it finds, by ``class_id``.
        factor: of both edges, above 0.
    """

    def __init__(self, model: Model, class_names: Sequence[str], *, factor: float) -> None:
        super().__init__([model], class_names)
        self._factor = factor

    def read_with_contexts(
        self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW], contexts: Sequence[Context]
    ) -> list[Reading | NonFiniteOutputError]:
        """See ``runtime.protocols.ContextModel``."""
        return self._reads[0]([self._scaled(window) for window in windows], sizes_hw, contexts)

    def _scaled(self, window: Window) -> Window:
        height, width = (max(1, round(edge * self._factor)) for edge in window.shape)
        return resize(window, (height, width))


def looks_of(model: Model, class_names: Sequence[str], names: Sequence[str]) -> list[Model]:
    """The further looks of a model at a picture, by the names of LOOKS.

    Raises:
        ConfigError: another name.
    """
    unknown = [name for name in names if name not in LOOKS]
    if unknown:
        raise ConfigError("unknown look", where="--tta", got=unknown[0], expected=", ".join(LOOKS))
    mirrored_too: list[Model] = [Mirrored(model, class_names)] if FLIP in names else []
    factors = SCALES if SCALE in names else ()
    return [*mirrored_too, *(Rescaled(model, class_names, factor=factor) for factor in factors)]


def _turned_back(reading: Reading) -> Reading:
    width = reading.size_hw[1]
    return dataclasses.replace(
        reading,
        findings=tuple(mirrored(finding, width) for finding in reading.findings),
        maps={name: np.ascontiguousarray(values[:, ::-1]) for name, values in reading.maps.items()},
    )


class Ensemble(Wrapper):
    """M models as one. Where one of them breaks down, so does the ensemble: it would be another one.

    Args:
        models: of any kinds, with the same classes.
        class_names: by ``class_id``.
        fusion: "wbf" (weighted boxes fusion) or "nms".
        settings: how the findings of each member are cleaned before: one lesion may be benign and malignant there.

    Raises:
        ConfigError: no model, or another fusion.
    """

    def __init__(
        self,
        models: Sequence[Model],
        class_names: Sequence[str],
        *,
        fusion: str = "wbf",
        settings: postprocessing.Postprocessing | None = None,
    ) -> None:
        if fusion not in FUSIONS:
            raise ConfigError("unknown fusion", where="--fusion", got=fusion, expected=", ".join(FUSIONS))
        if not models:
            raise ConfigError("an ensemble without a model")
        self._fuse, self._names, self._settings = FUSIONS[fusion], tuple(class_names), settings
        super().__init__(models, class_names)

    def read_with_contexts(
        self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW], contexts: Sequence[Context]
    ) -> list[Reading | NonFiniteOutputError]:
        """See ``runtime.protocols.ContextModel``."""
        by_member = [read(windows, sizes_hw, contexts) for read in self._reads]
        return [self._joined(readings) for readings in zip(*by_member, strict=True)]

    def _joined(self, readings: Sequence[Reading | NonFiniteOutputError]) -> Reading | NonFiniteOutputError:
        sound = [reading for reading in readings if not is_broken(reading)]
        if len(sound) < len(readings):
            return broken_output()
        maps = _mean_maps(sound, self._names)
        marking = [reading for reading in sound if reading.marks_lesions is not False]
        given = [reading.image_probabilities for reading in sound if reading.image_probabilities is not None]
        scores = [reading.tumor_score for reading in sound]
        marked = [self._cleaned(reading.findings) for reading in marking]
        together = findings_from_maps(np.stack(list(maps.values()))) if maps else self._fuse(marked)
        return dataclasses.replace(
            sound[0],
            findings=with_agreement(together, marked) if len(marked) > 1 else together,
            image_probabilities=tuple(np.mean(given, axis=0).tolist()) if given else None,
            marks_lesions=None if marking and not given else bool(marking),
            uncertainty=min(1.0, 2 * float(np.std(scores))),
            attributes=_surest(sound),
            maps=maps,
            notes=tuple(dict.fromkeys(note for reading in sound for note in reading.notes)),
        )

    def _cleaned(self, findings: Sequence[Finding]) -> Sequence[Finding]:
        return findings if self._settings is None else postprocessing.apply(findings, self._settings)


def _surest(readings: Sequence[Reading]) -> dict[str, tuple[str, float]]:
    said = sorted((item for reading in readings for item in reading.attributes.items()), key=lambda item: item[1][1])
    return dict(said)  # of one task the last, with the highest probability, counts


def _mean_maps(readings: Sequence[Reading], names: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """The mean of the class maps; empty unless every member has them."""
    if not all(set(names) <= reading.maps.keys() for reading in readings):
        return {}
    return {name: np.mean([reading.maps[name] for reading in readings], axis=0, dtype=np.float32) for name in names}


def check_members(members: Sequence[Any], names: Sequence[str]) -> None:
    """Refuse predictors that cannot be one ensemble.

    Args:
        members: ``runtime.predictor.Predictor``s.
        names: of them, for the message.

    Raises:
        ConfigError: classes, windows or post-processing differ.
    """
    first = members[0]
    for member, name in zip(members[1:], names[1:], strict=True):
        for what in ("class_names", "windowing", "settings"):
            ours, theirs = getattr(first, what), getattr(member, what)
            if ours != theirs:
                raise ConfigError(
                    f"models of one ensemble differ in their {what.replace('_', ' ')}",
                    where=name,
                    got=str(theirs),
                    expected=f"{ours}, as {names[0]}",
                )
