"""COCO's average precision of many resamples of the cases, from one matching.

A finding's match does not depend on the other images, so the matching is done once. A resample gives each case a
weight, how often it was drawn. Its AP is that of ``COCOeval`` on the data set in which the images of a case are
repeated as often, one repetition after the other, in the order of the image ids. With findings sorted by score once,
only true positives matter: between two of them precision falls, so the largest precision to the right of a recall lies
on one. Repetitions of a true positive stand side by side and raise precision one by one, so the last one stands for
all; unless findings of one image and class have equal scores: repeated they alternate, so each is laid out.
Not here: AP by size, average recall (``detection``), and how cases are drawn.
Letters: B resamples, C cases, N images, F findings of one class (or their repetitions), J those of them that hit a
lesion at some IoU threshold, T IoU thresholds, R = 101 recall points.
"""

from dataclasses import dataclass, replace

import numpy as np

from segtumor.errors import DataError
from segtumor.evaluation.facts.coco_inputs import BBOX, SEGM, check_choice, check_scores, has_masks
from segtumor.evaluation.facts.coco_matching import match_class

_RECALLS = np.linspace(0, 1, 101)
_CELLS_AT_ONCE = 500_000  # of a (B, J) float64 array: 4 MB, small enough for the processor's cache


@dataclass(frozen=True)
class _ClassFindings:
    """The findings of one class on all images, highest score first, and the lesions.

    Attributes:
        image: (F,) index of the image.
        copy: (F,) which repetition of the image this is; -1: all of them in one.
        hits, ignored: (T, F) bool.
        run: (F,) numbers of runs, rising: findings that share one are of one image, have equal scores and a hit among
            them, so that their repetitions alternate.
        n_lesions: (N,) lesions that count.
    """

    image: np.ndarray
    copy: np.ndarray
    hits: np.ndarray
    ignored: np.ndarray
    run: np.ndarray
    n_lesions: np.ndarray


class ApMachine:
    """AP of resamples.

    Args:
        results: N ImageResults with unique image ids.
        class_names: names by ``class_id``.
        iou_type: ``"bbox"`` or ``"segm"``; mask AP is NaN where ``has_masks`` says that it is undefined.

    Raises:
        ConfigError: no such IoU type.
        DataError: a score that is NaN.
    """

    def __init__(self, results, class_names, iou_type) -> None:
        check_choice("IoU type of AP", iou_type, (BBOX, SEGM))
        check_scores(results)
        self._names, self._n_images = tuple(class_names), len(results)
        self._defined = bool(results) and (iou_type == BBOX or has_masks(results))
        self._classes = []
        if self._defined:
            self._classes = [_class_findings(results, class_id, iou_type) for class_id in range(len(self._names))]

    def resample(self, weights, case_of_image):
        """AP of each resample.

        Args:
            weights: (B, C), how often each case was drawn; whole numbers from 0.
            case_of_image: (N,) index of the case of each image, in the order of ``results``.

        Returns:
            dict of ``AP``, ``AP50`` and, by class name, ``AP:<name>``, ``AP50:<name>``: each (B,) in percent. A class
            without lesions in a resample is NaN and left out of the means.

        Raises:
            DataError: weights that are negative or no whole numbers, or cases that do not fit weights and images.
        """
        weights, case_of_image = _checked(weights, case_of_image, self._n_images)
        by_class = np.full((2, len(self._names), len(weights)), np.nan)
        if self._defined and len(weights):
            for k, findings in enumerate(self._classes):
                by_class[:, k] = _resampled_class(findings, weights, case_of_image)
        means = _mean_of_defined(by_class)
        found = {"AP": means[0], "AP50": means[1]}
        for k, name in enumerate(self._names):
            found |= {f"AP:{name}": by_class[0, k], f"AP50:{name}": by_class[1, k]}
        return found


def _checked(weights, case_of_image, n_images):
    weights, cases = np.atleast_2d(np.asarray(weights, dtype=np.float64)), np.asarray(case_of_image)
    if cases.shape != (n_images,):
        raise DataError("one case is needed for each image", got=cases.shape, expected=(n_images,))
    if n_images and not 0 <= cases.min() <= cases.max() < weights.shape[1]:
        expected = f"0 to {weights.shape[1] - 1}"
        raise DataError("case index out of range", got=f"{cases.min()} to {cases.max()}", expected=expected)
    if not np.array_equal(weights, np.floor(weights)) or (weights < 0).any():
        raise DataError("weights of cases tell how often each was drawn", expected="whole numbers from 0")
    return weights, cases.astype(np.intp)


def _class_findings(results, class_id, iou_type):
    # COCOeval goes through the images by id; equal scores keep that order.
    order = sorted(range(len(results)), key=lambda i: results[i].truth.image_id)
    matches = [match_class(results[i], class_id, iou_type) for i in order]
    image = np.repeat(order, [len(m.scores) for m in matches])
    scores = np.concatenate([m.scores for m in matches])
    by_score = np.argsort(-scores, kind="stable")
    n_lesions = np.zeros(len(results))
    n_lesions[order] = [m.n_lesions for m in matches]
    hits, ignored = (np.concatenate([getattr(m, name) for m in matches], axis=1) for name in ("hits", "ignored"))
    image, scores, hits = image[by_score], scores[by_score], hits[:, by_score]
    run = _runs(image, scores, hits.any(axis=0))
    return _ClassFindings(image, np.full(len(image), -1), hits, ignored[:, by_score], run, n_lesions)


def _runs(image, scores, hit):
    """(F,) numbers of runs, as in _ClassFindings."""
    starts = np.ones(len(image), dtype=bool)
    starts[1:] = (np.diff(image) != 0) | (np.diff(scores) != 0)
    tied = np.cumsum(starts) - 1
    with_hit = np.bincount(tied, weights=hit) > 0
    return np.cumsum(starts | ~with_hit[tied]) - 1  # without a hit the order does not matter: each is a run of its own


def _laid_out(findings, n_copies):
    """The findings with ``n_copies`` repetitions, one after the other, of each run of several."""
    several = np.bincount(findings.run)[findings.run] > 1
    source = np.repeat(np.arange(len(several)), np.where(several, n_copies, 1))
    copy = np.where(several[source], np.arange(len(source)) - np.searchsorted(source, source), -1)
    order = np.lexsort((source, copy, findings.run[source]))
    source, copy = source[order], copy[order]
    run, image = findings.run[source], findings.image[source]
    return replace(
        findings, image=image, copy=copy, run=run, hits=findings.hits[:, source], ignored=findings.ignored[:, source]
    )


def _resampled_class(findings, weights, case_of_image):
    """(2, B): AP and AP50 of one class in percent; NaN where the resample holds none of its lesions."""
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
    ap = np.full((2, len(weights)), np.nan)
    step = max(1, _CELLS_AT_ONCE // max(n_cases * (1 + n_copies), len(column), 1))
    for start in range(0, len(weights), step):
        part = slice(start, start + step)
        unit_weights = _unit_weights(weights[part], n_copies)
        n_lesions = weights[part] @ lesions_of_case
        n_found = {key: unit_weights @ each for key, each in counts.items()}
        precision = [
            _mean_precision(unit_weights[:, unit[column[hit]]], n_found[pattern][:, hit], n_lesions)
            for hit, pattern in zip(findings.hits[:, column], patterns, strict=True)
        ]
        ap[:, part] = 100 * np.where(n_lesions > 0, [np.mean(precision, axis=0), precision[0]], np.nan)
    return ap


def _unit_weights(weights, n_copies):
    """(B, C) -> (B, C * (1 + n_copies)): the weights, then for each repetition whether it was drawn."""
    return np.hstack([weights, *(np.clip(weights - i, 0, 1) for i in range(n_copies))])


def _counts(counted, column, unit, n_units):
    """(units, J): how many findings of each unit count, from the best one to that of the column, itself included."""
    rows = np.flatnonzero(counted)
    counts = np.zeros((n_units, len(column) + 1))
    np.add.at(counts, (unit[rows], np.searchsorted(column, rows)), 1)
    return np.cumsum(counts[:, :-1], axis=1)


def _mean_precision(hit_weights, n_found, n_lesions):
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
    return (precision * n_new).sum(axis=1) / len(_RECALLS)


def _mean_of_defined(by_class):
    """(2, K, B) -> (2, B) means over the classes that are not NaN; NaN where there are none."""
    defined = ~np.isnan(by_class)
    with np.errstate(invalid="ignore"):
        return np.where(defined, by_class, 0).sum(axis=1) / defined.sum(axis=1)
