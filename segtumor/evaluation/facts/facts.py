"""What is known of each image and lesion, computed once, of which the measures of any subgroup are sums.

``facts_of`` is quick, and all that plain values need; ``study_facts_of`` adds what takes time: outlines and
free-response events. Not here: the measures (``segtumor.evaluation.measures``).
Letters: N images, M lesions, C cases, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from segtumor.arrays import Bools, Floats, Ints
from segtumor.errors import ConfigError, DataError
from segtumor.evaluation.facts.cases import CaseTable, case_table
from segtumor.evaluation.facts.coco import IOU_TYPES, CocoPairs, best_findings, box_rle, coco_pairs
from segtumor.evaluation.facts.froc_events import FrocEvents, froc_events
from segtumor.evaluation.facts.image_level import Calls, check_scores, image_calls
from segtumor.evaluation.facts.lesion_table import LesionTable, Surfaces, lesion_table, surfaces_of
from segtumor.evaluation.facts.matching import MatchedImage, match_image
from segtumor.evaluation.facts.patient_level import patient_calls
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.progress import StepProgress, silent
from segtumor.structures.lesions import Finding, ImageResult, Lesion
from segtumor.structures.masks import rle_area

#: On one image: some seconds and some hundred MB.
_MOST_PAIRS = 5_000_000
_UNKNOWN = (np.nan,) * 4


@dataclass(frozen=True, kw_only=True)
class Facts:
    """N images, matched and counted.

    Attributes:
        judged: (N,), images of a model that marks lesions; of others nothing is said about lesions.
        n_hits: (N,).
        false_positives: (N, K), by class of the finding.
        coco: what average precision compares, by IoU type.
    """

    results: tuple[ImageResult, ...]
    images: tuple[MatchedImage, ...]
    class_names: tuple[str, ...]
    settings: StudySettings
    cases: CaseTable
    lesions: LesionTable
    calls: Calls
    judged: Bools
    n_hits: Ints
    false_positives: Ints
    coco: dict[str, CocoPairs]

    @property
    def n_false_positives(self) -> Ints:
        """(N,) of any class."""
        return np.asarray(self.false_positives.sum(axis=1))

    @property
    def patients(self) -> Calls:
        """The Calls of the cases."""
        return patient_calls(
            self.calls,
            self.n_hits > 0,
            rule=self.settings.rule,
            score_threshold=self.settings.score_threshold,
            require_located=self.settings.require_located,
        )

    @property
    def lesion_case(self) -> Ints:
        """(M,), case of each lesion."""
        return self.cases.case_of_image[self.lesions.image]

    @property
    def confusion(self) -> Ints:
        """Lesions by class (rows) and class of what hits them (columns), (K + 1, K + 1): the last column counts missed
        lesions, the last row false positives; the last cell is 0."""
        last = len(self.class_names)
        counts = np.zeros((last + 1, last + 1), dtype=np.int64)
        np.add.at(counts, (self.lesions.class_id, np.where(self.lesions.hit, self.lesions.hit_class, last)), 1)
        counts[last, :last] = self.false_positives.sum(axis=0)
        return counts


@dataclass(frozen=True, kw_only=True)
class StudyFacts(Facts):
    """Facts with what a study measures beside.

    Attributes:
        surfaces: distances between outlines, a row for each lesion.
        pixels: (N, 4), ``pixel_counts``.
    """

    surfaces: Surfaces
    pixels: Floats
    events: FrocEvents

    @property
    def overlap(self) -> Floats:
        """(N,) IoU of each image's lesions with its findings; NaN without lesions, or with one that has no mask."""
        return overlap_of(self.pixels)

    def take(self, chosen: Ints) -> tuple["StudyFacts", Ints]:
        """The facts of the images ``chosen`` (indices), with a CaseTable of their own, and (C',) the indices of its
        cases in this one."""
        chosen = np.asarray(chosen, dtype=np.int64)
        results = tuple(self.results[i] for i in chosen)
        cases = case_table([result.truth for result in results])
        parents = np.zeros(len(cases), dtype=np.int64)
        parents[cases.case_of_image] = self.cases.case_of_image[chosen]
        lesions, kept = self.lesions.of_images(chosen)
        facts = StudyFacts(
            results=results,
            images=tuple(self.images[i] for i in chosen),
            class_names=self.class_names,
            settings=self.settings,
            cases=cases,
            lesions=lesions,
            calls=self.calls.take(chosen, cases),
            judged=self.judged[chosen],
            n_hits=self.n_hits[chosen],
            false_positives=self.false_positives[chosen],
            coco={kind: pairs.take(chosen, results) for kind, pairs in self.coco.items()},
            surfaces=self.surfaces.take(kept),
            pixels=self.pixels[chosen],
            events=self.events.take(chosen),
        )
        return facts, parents


def facts_of(
    results: Sequence[ImageResult],
    class_names: Sequence[str],
    settings: StudySettings,
    *,
    progress: StepProgress = silent,
) -> Facts:
    """The Facts of ImageResults.

    Raises:
        DataError: an image twice, a class outside ``class_names``, a mask of another size than its image, a score or
            probability that is NaN or outside [0, 1].
        ConfigError: a tumour must be located by a model that marks no lesions.
    """
    results, class_names = with_marking(results), tuple(class_names)
    check_results(results, class_names)
    check_scores(results, class_names)
    if settings.require_located and not all(result.marks_lesions for result in results):
        raise ConfigError(
            "a tumour cannot be required to be located: these predictions mark no lesions",
            remedy="Leave out --require-located",
        )
    thresholds = {"score_threshold": settings.score_threshold, "iou_threshold": settings.iou_threshold}
    images = tuple(match_image(result, **thresholds) for result in progress("matching", results))
    cases, best = case_table([result.truth for result in results]), best_findings(results, len(class_names))
    return Facts(
        results=results,
        images=images,
        class_names=class_names,
        settings=settings,
        cases=cases,
        lesions=lesion_table(images),
        calls=image_calls(results, class_names, cases, score_threshold=settings.score_threshold),
        judged=np.array([result.marks_lesions for result in results], dtype=np.bool_),
        n_hits=np.array([len(image.hits) for image in images], dtype=np.int64),
        false_positives=_by_class([image.false_positives for image in images], len(class_names)),
        coco={kind: coco_pairs(results, len(class_names), kind, best) for kind in IOU_TYPES},
    )


def study_facts_of(
    results: Sequence[ImageResult],
    class_names: Sequence[str],
    settings: StudySettings,
    *,
    progress: StepProgress = silent,
) -> StudyFacts:
    """The StudyFacts of ImageResults. Raises: as ``facts_of``."""
    facts = facts_of(results, class_names, settings, progress=progress)
    tolerances = {"tolerance_px": settings.surface_tolerance_px, "tolerance_mm": settings.surface_tolerance_mm}
    return StudyFacts(
        **vars(facts),
        surfaces=surfaces_of(facts.images, **tolerances, progress=progress),
        pixels=pixel_counts(facts.images),
        events=froc_events(facts.results, criterion=settings.froc_criterion, iou_threshold=settings.iou_threshold),
    )


def with_marking(results: Sequence[ImageResult]) -> tuple[ImageResult, ...]:
    """The same results, each with ``marks_lesions`` decided where it was not said.

    A set of image probabilities without a single finding that has a place is then taken to be of a classifier: that it
    found no lesion is unknown, not a recall of 0.
    """
    marked = any(finding.is_placed for result in results for finding in result.findings)
    marked = marked or all(result.image_probabilities is None for result in results)
    return tuple(r if r.marks_lesions is not None else replace(r, marks_lesions=marked) for r in results)


def pixel_counts(images: Sequence[MatchedImage]) -> Floats:
    """Pixels of each image by truth and prediction, the union of its lesions and that of its findings, (N, 4): in both,
    found only, missed, in neither. All NaN where the model marks no lesions, or a lesion has no mask; a finding without
    mask is its box; findings in crowds do not count."""
    return np.array([_pixels_of(image) for image in images], dtype=np.float64).reshape(-1, 4)


def overlap_of(pixels: Floats) -> Floats:
    """IoU in [0, 1] of each image's unions, (N,), from its ``pixel_counts``; NaN for an image without lesions."""
    both, found_only, missed, _ = pixels.T
    union, has_lesions = both + found_only + missed, both + missed > 0
    return np.asarray(np.divide(both, union, out=np.full(len(pixels), np.nan), where=has_lesions))


def _pixels_of(image: MatchedImage) -> tuple[float, ...]:
    if not image.marks_lesions or any(lesion.rle is None for lesion in image.lesions):
        return _UNKNOWN
    height, width = size_hw = image.truth.size_hw
    ignored = set(map(id, image.ignored))
    true: list[Any] = [lesion.rle for lesion in image.lesions]
    found: list[Any] = [f.rle or box_rle(f.box_xyxy, size_hw) for f in image.findings if id(f) not in ignored]
    sides = [coco_mask.merge(rles) for rles in (true, found) if rles]
    n_true, n_found = (rle_area(coco_mask.merge(rles)) if rles else 0 for rles in (true, found))
    both = rle_area(coco_mask.merge(sides, intersect=True)) if len(sides) == 2 else 0
    return both, n_found - both, n_true - both, height * width - n_true - n_found + both


def check_results(results: Sequence[ImageResult], class_names: Sequence[str]) -> None:
    """Refuse what cannot be measured.

    Raises:
        DataError: an image twice, too many lesions and findings on one, a class outside ``class_names``, a mask of
            another size than its image.
    """
    seen = set()
    for result in results:
        truth = result.truth
        if truth.image_id in seen:
            raise DataError("image evaluated twice", where=truth.file_name, got=f"image id {truth.image_id}")
        seen.add(truth.image_id)
        if len(truth.lesions) * len(result.findings) > _MOST_PAIRS:
            raise DataError(
                "too many lesions and findings on one image to compare each with each",
                where=truth.file_name,
                got=f"{len(truth.lesions)} lesions and {len(result.findings)} findings",
                expected=f"at most {_MOST_PAIRS:,} pairs",
                remedy="Look at the annotations: are single strokes or pixels outlined as lesions?",
            )
        _check_items(result, class_names)


def _check_items(result: ImageResult, class_names: Sequence[str]) -> None:
    where, size_hw = result.truth.file_name, list(result.truth.size_hw)
    items: tuple[Lesion | Finding, ...] = (*result.truth.lesions, *result.findings)
    for item in items:
        if not 0 <= item.class_id < len(class_names):
            expected = f"0 to {len(class_names) - 1}"
            raise DataError("class id out of range", where=where, got=item.class_id, expected=expected)
        if item.rle is not None and list(item.rle["size"]) != size_hw:
            raise DataError("mask of another image size", where=where, got=list(item.rle["size"]), expected=size_hw)


def _by_class(findings: Sequence[Sequence[Finding]], n_classes: int) -> Ints:
    """(N, K) findings of each image by class."""
    counts = np.zeros((len(findings), n_classes), dtype=np.int64)
    for number, of_image in enumerate(findings):
        for finding in of_image:
            counts[number, finding.class_id] += 1
    return counts
