"""What is compared with what: a model with another model, or with each reader of a table.

Not here: the comparison itself (``comparison``), and reading predictions and marks (``pairing``, ``reader_marks``).
"""

import dataclasses
import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from segtumor.annotations.reader_marks import BOXES, CASE_LABELS, NORMAL, ReaderMarks
from segtumor.errors import ConfigError
from segtumor.evaluation.comparison.comparison import Comparison, compare, means_something, without_masks
from segtumor.evaluation.facts.cases import case_table
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.facts.truth import n_normal
from segtumor.evaluation.measures.measure import Measure
from segtumor.evaluation.pairing import Pairing
from segtumor.evaluation.study.remarks import FINDINGS_WITHOUT_MASK, SPACING_UNKNOWN, SURFACE_DICE_UNDEFINED
from segtumor.evaluation.study.study import measures_of
from segtumor.structures.lesions import ImageResult

_SIGNIFICANT = 0.05
#: Remarks on masks, which are left out on purpose beside readers.
_OF_MASKS = {FINDINGS_WITHOUT_MASK, SPACING_UNKNOWN, SURFACE_DICE_UNDEFINED}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """Two sets of findings on the same images.

    Attributes:
        remarks: sentences about what was not predicted, not read or not comparable.
        only: function of a Measure, whether it means something for both; None: all do.
        masks: whether remarks on masks are of interest.
    """

    first: Sequence[ImageResult]
    second: Sequence[ImageResult]
    names: tuple[str, str]
    remarks: tuple[str, ...] = ()
    only: Callable[[Measure], bool] | None = None
    masks: bool = True

    @property
    def n_cases(self) -> int:
        """Cases that the images are of."""
        return len(case_table([result.truth for result in self.first]))


def pair_of_models(first: Pairing, second: Pairing, names: tuple[str, str]) -> Pair:
    """Two models on the images of one annotation file."""
    sides = zip(names, (first, second), strict=True)
    remarks = tuple(f"{name}: {text}" for name, pairing in sides for text in pairing.sentences)
    return Pair(first=first.results, second=second.results, names=names, remarks=remarks)


def pairs_with_readers(
    pairing: Pairing, readers: Iterable[ReaderMarks], *, model_name: str, unlisted: str, settings: StudySettings
) -> Iterator[Pair]:
    """A model beside each reader, on the images which that reader read; the model is judged by its boxes too.

    Args:
        readers: of ``read_reader_marks`` with the same ``unlisted``.
        unlisted: what was done with images that a reader does not mention.

    Raises:
        ConfigError: lesions must be located, and a reader gave labels alone.
    """
    for reader in readers:
        if settings.require_located and reader.kind != BOXES:
            what = "nothing can be located by labels"
            raise ConfigError(what, where="--require-located", got=reader.kind, expected=BOXES)
        read = [result for result in pairing.results if result.truth.image_id in reader.findings]
        marks = [ImageResult(result.truth, reader.findings[result.truth.image_id]) for result in read]
        remarks = [*_of_unlisted(reader, pairing, unlisted), *_of_reader(reader, marks, settings)]
        remarks += (f"{model_name}: {text}" for text in pairing.sentences)
        yield Pair(
            first=without_masks(read),
            second=marks,
            names=(model_name, reader.full_name),
            remarks=tuple(remarks),
            only=_meaningful_for(reader),
            masks=False,
        )


def compare_pair(
    pair: Pair,
    class_names: Sequence[str],
    settings: StudySettings,
    *,
    measures: Collection[str] = (),
    n_permutations: int = 10_000,
    progress: Callable[[str, Iterable[Any]], Iterable[Any]] | None = None,
) -> Comparison:
    """Compare a pair.

    Args:
        measures: names of those to compare and to adjust for; empty for all.

    Raises:
        ConfigError: none of ``measures`` can be compared.
    """

    def chosen(measure: Measure) -> bool:
        return (not measures or measure.name in measures) and (pair.only is None or pair.only(measure))

    comparison = compare(
        pair.first,
        pair.second,
        class_names,
        settings,
        names=pair.names,
        only=chosen,
        n_permutations=n_permutations,
        progress=progress,
    )
    own = [*_not_compared(comparison, measures), *_too_few_permutations(comparison, n_permutations)]
    remarks = (*pair.remarks, *comparison.remarks, *own)
    if not pair.masks:
        remarks = tuple(remark for remark in remarks if getattr(remark, "code", "") not in _OF_MASKS)
    return dataclasses.replace(comparison, remarks=remarks)


def refuse_unknown_measures(names: Sequence[str], pairing: Pairing, settings: StudySettings) -> None:
    """Raise ConfigError for a name that no measure of this study has."""
    known = measures_of(pairing.results, pairing.truth.taxonomy.names, settings).measures if names else ()
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or sorted(known)
            raise ConfigError("no such measure", where="--measures", got=name, expected=", ".join(near))


def names_of_paths(*paths: str | Path) -> tuple[str, ...]:
    """The shortest ends of the paths that all differ; numbers where the same file is named twice."""
    parts = [Path(path).resolve().with_suffix("").parts for path in paths]
    for length in range(1, max(map(len, parts)) + 1):
        names = tuple("/".join(p[-length:]) for p in parts)
        if len(set(names)) == len(names):
            return names
    return tuple(f"model {number}" for number in range(1, len(paths) + 1))


def _meaningful_for(reader: ReaderMarks) -> Callable[[Measure], bool]:
    """A function of a Measure: whether it means something for a reader's marks."""
    given = {"classes": reader.with_classes, "confidence": reader.with_confidence, "boxes": reader.kind == BOXES}

    def only(measure: Measure) -> bool:
        of_images = measure.name.startswith("image_") and reader.kind == CASE_LABELS
        return means_something(measure, masks=False, **given) and not of_images

    return only


def _of_reader(reader: ReaderMarks, marks: Sequence[ImageResult], settings: StudySettings) -> Iterator[str]:
    if reader.kind == BOXES:
        yield f"{reader.full_name} drew boxes: overlap is between boxes, the model's too; its masks are not judged."
    elif reader.kind == CASE_LABELS:
        yield f"{reader.full_name} labelled cases: only measures of patients are compared."
    else:
        yield f"{reader.full_name} labelled images: only measures of images and patients are compared."
    if reader.n_cut:
        yield f"Marks of {reader.full_name} that reached beyond the image and were cut at its edge: {reader.n_cut}."
    n_low = sum(finding.score < settings.score_threshold for result in marks for finding in result.findings)
    if n_low:
        threshold = f"the score threshold of {settings.score_threshold:g}"
        yield f"{reader.full_name}: {n_low} marks of a confidence below {threshold} count in curves only."


def _of_unlisted(reader: ReaderMarks, pairing: Pairing, unlisted: str) -> Iterator[str]:
    if reader.unlisted_ids:
        truth = pairing.truth
        normal = n_normal(truth.annotated_images, truth.taxonomy.names, reader.unlisted_ids)
        which = f"{len(reader.unlisted_ids)} of {len(truth.annotated_images)} images ({normal} normal)"
        what = "called normal" if unlisted == NORMAL else "left out"
        yield f"{reader.full_name} does not mention {which}: {what} (--unlisted)."


def _not_compared(comparison: Comparison, measures: Iterable[str]) -> Iterator[str]:
    """Sentence about what was asked for and is not there, as curves of a reader without confidence."""
    missing = [name for name in measures if name not in {row.name for row in comparison.rows}]
    first, second = comparison.names
    if missing and not comparison.rows:
        what = f"none of the measures can be compared between {first} and {second}"
        raise ConfigError(what, where="--measures", got=", ".join(missing))
    if missing:
        yield f"Not compared, since {first} and {second} do not both have what it takes: {', '.join(missing)}."


def _too_few_permutations(comparison: Comparison, n_permutations: int) -> Iterator[str]:
    """Permutations cannot give a p value below one by their number; adjusted for many rows, that is a lot."""
    smallest = len(comparison.rows) / (n_permutations + 1)
    if smallest > _SIGNIFICANT:
        yield (
            f"With {n_permutations} permutations the smallest p is {1 / (n_permutations + 1):.2g}, which "
            f"adjusted for {len(comparison.rows)} measures is about {min(smallest, 1):.2g}: use more permutations."
        )
