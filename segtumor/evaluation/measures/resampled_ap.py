"""COCO's average precision and recall of many resamples of the cases, from one matching.

A finding's match does not depend on the other images, so the matching is done once. A resample gives each case a
weight, how often it was drawn. Its AP is that of ``COCOeval`` on the data set in which the images of a case are
repeated as often, one repetition after the other, in the order of the image ids. With findings sorted by score once,
only true positives matter: between two of them precision falls, so the largest precision to the right of a recall lies
on one. Repetitions of a true positive stand side by side and raise precision one by one, so the last one stands for
all; unless findings of one image and class have equal scores: repeated they alternate, so each is laid out.
Not here: how cases are drawn, and the matching (``segtumor.evaluation.facts.coco``).
Letters: B resamples, C cases, N images, F findings of one class (or their repetitions), J those of them that hit a
lesion at some IoU threshold, K classes, T IoU thresholds, R = 101 recall points.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from segtumor.arrays import Bools, Floats, Ints
from segtumor.errors import DataError
from segtumor.evaluation.facts.coco import ALL_SIZES, IOU_THRESHOLDS, MAX_FINDINGS, CocoClass, CocoPairs, coco_pairs
from segtumor.evaluation.measures.measure import checked_weights
from segtumor.structures.lesions import ImageResult

_RECALLS = np.linspace(0, 1, 101)
_CELLS_AT_ONCE = 500_000  # of a (B, J) float64 array: 4 MB, small enough for the processor's cache
#: Positions of IoU 0.50 and 0.75 among IOU_THRESHOLDS.
_AT = {"50": 0, "75": 5}


@dataclass(frozen=True)
class PrecisionRecall:
    """The precision-recall curve of one class at IoU 0.50.

    Attributes:
        recall: (R,) in [0, 1].
        precision: (R,) in [0, 1], interpolated as COCO does (never rising with recall); NaN if the class has no lesion.
        n_lesions: lesions of the class, without crowd regions.
    """

    recall: Floats
    precision: Floats
    n_lesions: int


@dataclass(frozen=True)
class _ClassFindings:
    """The findings of one class on all images, highest score first, and the lesions.

    Attributes:
        image: (F,) index of the image.
        rank: (F,) place among those of the image, from 0.
        copy: (F,) which repetition of the image this is; -1: all of them in one.
        hits, ignored: (T, F).
        scores: (F,) falling.
        n_lesions: (N,) lesions that count.
    """

    image: Ints
    rank: Ints
    copy: Ints
    hits: Bools
    ignored: Bools
    scores: Floats
    n_lesions: Ints

    @cached_property
    def run(self) -> Ints:
        """(F,) numbers of runs, rising: findings that share one are of one image, have equal scores and a hit among
        them, so that their repetitions alternate."""
        return _runs(self.image, self.scores, np.asarray(self.hits.any(axis=0)))

    @cached_property
    def precision(self) -> Floats:
        """(T, R): the largest precision at each recall point or beyond, 0 where no finding reaches it; as ``COCOeval``
        accumulates it, every image counting once. NaN without lesions."""
        n_lesions = self.n_lesions.sum()
        if not n_lesions:
            return np.full((len(IOU_THRESHOLDS), len(_RECALLS)), np.nan)
        n_hits = np.cumsum(self.hits, axis=1)
        precision = n_hits / (np.cumsum(~self.ignored, axis=1) + np.spacing(1))
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        precision = np.pad(precision, ((0, 0), (0, 1)))  # 0 beyond the last finding
        first = [np.searchsorted(recall, _RECALLS, side="left") for recall in n_hits / n_lesions]
        return np.take_along_axis(precision, np.array(first), axis=1)


class ResampledAP:
    """AP and recall of resamples, by boxes or masks; NaN where ``CocoPairs`` say that they are undefined."""

    def __init__(self, pairs: CocoPairs, class_names: Sequence[str]) -> None:
        self._pairs, self._names = pairs, tuple(class_names)
        self._orders = [one.order(pairs.image_ids) for one in pairs.classes or ()]
        self._found: dict[str, list[_ClassFindings]] = {}

    @classmethod
    def of(cls, results: Sequence[ImageResult], class_names: Sequence[str], iou_type: str) -> "ResampledAP":
        """Of ImageResults with unique image ids; ``iou_type`` is "bbox" or "segm".

        Raises:
            ConfigError: no such IoU type.
            DataError: a score that is NaN: it has no place in an order.
        """
        for result in results:
            if any(math.isnan(finding.score) for finding in result.findings):
                raise DataError("score is NaN", where=result.truth.file_name, expected="a number from 0 to 1")
        return cls(coco_pairs(results, len(class_names), iou_type), class_names)

    def resample(self, weights: Floats, case_of_image: Ints, size: str = ALL_SIZES) -> dict[str, Floats]:
        """AP of each resample.

        Args:
            weights: (B, C), how often each case was drawn; whole numbers from 0.
            case_of_image: (N,) index of the case of each image.
            size: the lesions that count: "all", "small", "medium" or "large".

        Returns:
            ``AP``, ``AP50``, ``AP75`` and, by class name, ``AP:<name>``, ``AP50:<name>``, ``AP75:<name>``: each (B,) in
            percent. A class without lesions in a resample is NaN and left out of the means.

        Raises:
            DataError: weights that are negative or no whole numbers, or cases that do not fit weights and images.
        """
        weights, case_of_image = checked_weights(weights, case_of_image, len(self._pairs.image_ids))
        if not np.array_equal(weights, np.floor(weights)):
            raise DataError("weights of cases must say how often each was drawn", expected="whole numbers from 0")
        by_class = np.full((1 + len(_AT), len(self._names), len(weights)), np.nan)
        if len(weights):
            for k, findings in enumerate(self._classes(size)):
                precision = _resampled_class(findings, weights, case_of_image)
                by_class[:, k] = 100 * np.stack([precision.mean(axis=0), *precision[list(_AT.values())]])
        names = ("AP", *(f"AP{iou}" for iou in _AT))
        found = dict(zip(names, _mean_of_defined(by_class), strict=True))
        return found | {
            f"{name}:{of}": by_class[i, k] for k, of in enumerate(self._names) for i, name in enumerate(names)
        }

    def recall(
        self, weights: Floats, case_of_image: Ints, size: str = ALL_SIZES, at_most: int = MAX_FINDINGS
    ) -> Floats:
        """Recall of each resample in percent, (B,): mean over the IoU thresholds and the classes that have lesions.

        Args:
            weights, case_of_image, size: as for ``resample``.
            at_most: findings of an image and class that take part, the best first.
        """
        weights, case_of_image = checked_weights(weights, case_of_image, len(self._pairs.image_ids))
        by_class = np.full((1, len(self._names), len(weights)), np.nan)
        for k, findings in enumerate(self._classes(size)):
            found = (findings.hits & (findings.rank < at_most)).mean(axis=0)
            sums = [
                np.bincount(case_of_image[image], weights=values, minlength=weights.shape[1])
                for image, values in ((findings.image, found), (np.arange(len(case_of_image)), findings.n_lesions))
            ]
            n_hits, n_lesions = (weights @ one for one in sums)
            by_class[0, k] = 100 * np.divide(n_hits, n_lesions, out=np.full(len(weights), np.nan), where=n_lesions > 0)
        return np.asarray(_mean_of_defined(by_class)[0])

    def curves(self) -> dict[str, PrecisionRecall]:
        """The precision-recall curve of each class on the images as they are."""
        undefined = np.full(len(_RECALLS), np.nan)
        curves = {name: PrecisionRecall(_RECALLS.copy(), undefined, 0) for name in self._names}
        for name, findings in zip(self._names, self._classes(ALL_SIZES), strict=False):
            curves[name] = PrecisionRecall(_RECALLS.copy(), findings.precision[0].copy(), int(findings.n_lesions.sum()))
        return curves

    def _classes(self, size: str) -> list[_ClassFindings]:
        """The findings of each class, matched with lesions of a size; empty where AP is undefined."""
        if size not in self._found:
            ordered, n_images = zip(self._pairs.classes or (), self._orders, strict=True), len(self._pairs.image_ids)
            self._found[size] = [_class_findings(one, order, size, n_images) for one, order in ordered]
        return self._found[size]


def _class_findings(pairs: CocoClass, order: Ints, size: str, n_images: int) -> _ClassFindings:
    hits, ignored = pairs.matches(size)
    columns = pairs.image[order], pairs.rank[order], np.full(len(order), -1), hits[:, order], ignored[:, order]
    return _ClassFindings(*columns, pairs.scores[order], pairs.n_lesions(size, n_images))


def _runs(image: Ints, scores: Floats, hit: Bools) -> Ints:
    """(F,) numbers of runs, as in _ClassFindings."""
    starts = np.ones(len(image), dtype=np.bool_)
    starts[1:] = (np.diff(image) != 0) | (np.diff(scores) != 0)
    tied = np.cumsum(starts) - 1
    with_hit = np.bincount(tied, weights=hit) > 0
    return np.cumsum(starts | ~with_hit[tied]) - 1  # without a hit the order does not matter: each is a run of its own


def _laid_out(findings: _ClassFindings, n_copies: int) -> _ClassFindings:
    """The findings with ``n_copies`` repetitions, one after the other, of each run of several; no longer by score."""
    several = np.bincount(findings.run)[findings.run] > 1
    source = np.repeat(np.arange(len(several)), np.where(several, n_copies, 1))
    copy = np.where(several[source], np.arange(len(source)) - np.searchsorted(source, source), -1)
    order = np.lexsort((source, copy, findings.run[source]))
    source, copy = source[order], copy[order]
    image, hits, ignored = findings.image[source], findings.hits[:, source], findings.ignored[:, source]
    return replace(findings, image=image, copy=copy, hits=hits, ignored=ignored)


def _resampled_class(findings: _ClassFindings, weights: Floats, case_of_image: Ints) -> Floats:
    """(T, B): average precision of one class, in [0, 1]; NaN where the resample holds none of its lesions."""
    if (weights == 1).all():  # the images as they are need no table of units, which is large where there are many
        return np.repeat(findings.precision.mean(axis=1)[:, None], len(weights), axis=1)
    n_cases, n_copies = weights.shape[1], int(weights.max(initial=0))
    lesions_of_case = np.bincount(case_of_image, weights=findings.n_lesions, minlength=n_cases)
    findings = _laid_out(findings, n_copies)
    # Whatever is counted by one weight is one unit: a case with all its repetitions, or one repetition of a case.
    unit = case_of_image[findings.image] + n_cases * (findings.copy + 1)
    n_copies = int(findings.copy.max(initial=-1)) + 1
    column = np.flatnonzero(findings.hits.any(axis=0))
    # Only crowd regions make a finding count at one threshold and not at another; else one count serves all.
    patterns = [row.tobytes() for row in findings.ignored]
    rows = dict(zip(patterns, findings.ignored, strict=True))
    counts = {key: _counts(~row, column, unit, n_cases * (1 + n_copies)) for key, row in rows.items()}
    ap = np.full((len(IOU_THRESHOLDS), len(weights)), np.nan)
    step = max(1, _CELLS_AT_ONCE // max(n_cases * (1 + n_copies), len(column), 1))
    for start in range(0, len(weights), step):
        part = slice(start, start + step)
        unit_weights = _unit_weights(weights[part], n_copies)
        n_lesions_drawn = weights[part] @ lesions_of_case
        n_found = {key: unit_weights @ each for key, each in counts.items()}
        precision = [
            _mean_precision(unit_weights[:, unit[column[hit]]], n_found[pattern][:, hit], n_lesions_drawn)
            for hit, pattern in zip(findings.hits[:, column], patterns, strict=True)
        ]
        ap[:, part] = np.where(n_lesions_drawn > 0, precision, np.nan)
    return ap


def _unit_weights(weights: Floats, n_copies: int) -> Floats:
    """(B, C) -> (B, C * (1 + n_copies)): the weights, then for each repetition whether it was drawn."""
    return np.hstack([weights, *(np.clip(weights - i, 0, 1) for i in range(n_copies))])


def _counts(counted: Bools, column: Ints, unit: Ints, n_units: int) -> Floats:
    """(units, J): how many findings of each unit count, from the best one to that of the column, itself included."""
    rows = np.flatnonzero(counted)
    counts = np.zeros((n_units, len(column) + 1))
    np.add.at(counts, (unit[rows], np.searchsorted(column, rows)), 1)
    return np.cumsum(counts[:, :-1], axis=1)


def _mean_precision(hit_weights: Floats, n_found: Floats, n_lesions: Floats) -> Floats:
    """Mean over the recall points of the largest precision at them or beyond; 0 where no finding reaches them.

    Args:
        hit_weights: (B, J) how often each hit was drawn, highest score first.
        n_found: (B, J) drawn findings that count, up to each hit.
        n_lesions: (B,) drawn lesions.
    """
    if not hit_weights.shape[1]:
        return np.zeros(len(hit_weights))
    n_hits = np.cumsum(hit_weights, axis=1)
    precision = n_hits / (n_found + np.spacing(1))
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    with np.errstate(divide="ignore", invalid="ignore"):  # no lesion in the resample; made NaN by the caller
        recall = n_hits / n_lesions[:, None]
    # COCO looks up the first finding that reaches a recall point; here each hit counts the points first reached by it.
    n_reached = np.searchsorted(_RECALLS, recall, side="right")
    n_new = np.diff(n_reached, axis=1, prepend=0)
    return np.asarray((precision * n_new).sum(axis=1) / len(_RECALLS))


def _mean_of_defined(by_class: Floats) -> Floats:
    """(S, K, B) -> (S, B) means over the classes that are not NaN; NaN where there are none."""
    defined = ~np.isnan(by_class)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(defined, by_class, 0).sum(axis=1) / defined.sum(axis=1))
