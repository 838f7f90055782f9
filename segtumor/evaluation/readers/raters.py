"""Who said what about which patients: a model and readers as raters of one kind, on the images that all of them read.

Not here: what is made of it (``reader_study``, ``crossed``).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from segtumor.annotations.reader_marks import BOXES, CASE_LABELS, ReaderMarks
from segtumor.errors import ConfigError
from segtumor.evaluation.comparison.comparison import without_masks
from segtumor.evaluation.facts.facts import facts_of, with_marking
from segtumor.evaluation.facts.image_level import Calls
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.pairing import Pairing
from segtumor.structures.lesions import ImageResult


@dataclass(frozen=True, kw_only=True)
class Rater:
    """A model or a reader.

    Attributes:
        results: {image id: what was said}, for the images that were read.
        with_classes, with_confidence, with_boxes: what the findings have, as in ReaderMarks.
        with_images: whether images were judged one by one, not whole cases.
    """

    name: str
    is_model: bool
    results: Mapping[int, ImageResult]
    with_classes: bool = True
    with_confidence: bool = True
    with_boxes: bool = True
    with_images: bool = True


@dataclass(frozen=True)
class RatedPatients:
    """The answers of one rater about C patients, whose names are ``case_ids``."""

    calls: Calls
    case_ids: tuple[str, ...]


def model_rater(pairing: Pairing, name: str) -> Rater:
    """The model, judged by its boxes as readers are."""
    results = with_marking(without_masks(pairing.results))
    return Rater(
        name=name,
        is_model=True,
        results={result.truth.image_id: result for result in results},
        with_boxes=all(result.marks_lesions for result in results),
    )


def reader_rater(marks: ReaderMarks, results_with_truth: Iterable[ImageResult], name: str | None = None) -> Rater:
    """A reader; the truth of each image is that of the given results. ``name``: instead of the reader's full name."""
    results = {
        result.truth.image_id: ImageResult(result.truth, marks.findings[result.truth.image_id], marks_lesions=True)
        for result in results_with_truth
        if result.truth.image_id in marks.findings
    }
    return Rater(
        name=marks.full_name if name is None else name,
        is_model=False,
        results=results,
        with_classes=marks.with_classes,
        with_confidence=marks.with_confidence,
        with_boxes=marks.kind == BOXES,
        with_images=marks.kind != CASE_LABELS,
    )


class Panel:
    """Raters of one set of images, the model first if there is one."""

    def __init__(self, raters: Sequence[Rater], class_names: Sequence[str], settings: StudySettings) -> None:
        names = [rater.name for rater in raters]
        for rater in raters:
            if names.count(rater.name) > 1:
                remedy = "Give the model another name with --names, or the reader another one in the table"
                raise ConfigError("two raters of one name", got=rater.name, remedy=remedy)
        refuse_unlocated(raters, settings)
        self.raters = tuple(raters)
        self.class_names = tuple(class_names)
        self.settings = settings
        self._known: dict[tuple[str, frozenset[int]], RatedPatients] = {}

    @property
    def model(self) -> Rater | None:
        """The model, if it is one of the raters."""
        return next((rater for rater in self.raters if rater.is_model), None)

    @property
    def readers(self) -> tuple[Rater, ...]:
        """The raters that are people."""
        return tuple(rater for rater in self.raters if not rater.is_model)

    @cached_property
    def common_ids(self) -> frozenset[int]:
        """Images that everybody read."""
        return read_by_all(self.raters)

    def patients(self, rater: Rater, image_ids: Collection[int] | None = None) -> RatedPatients:
        """What a rater said about the patients of some images; None: of all that this rater read."""
        ids = frozenset(rater.results if image_ids is None else image_ids)
        key = rater.name, ids
        if key not in self._known:
            results = [result for image_id, result in rater.results.items() if image_id in ids]
            facts = facts_of(results, self.class_names, self.settings)
            self._known[key] = RatedPatients(facts.patients, facts.cases.case_ids)
        return self._known[key]


def refuse_unlocated(raters: Iterable[Rater], settings: StudySettings) -> None:
    """Raise ConfigError where lesions must be located and somebody, or the model, gave labels alone."""
    for rater in raters:
        if settings.require_located and not rater.with_boxes:
            what = f"nothing can be located by the labels of {rater.name}"
            raise ConfigError(what, where="--require-located", expected=BOXES)


def read_by_all(raters: Iterable[Rater]) -> frozenset[int]:
    """Ids of the images that each of the raters read."""
    sets = [frozenset(rater.results) for rater in raters]
    return frozenset.intersection(*sets) if sets else frozenset()
