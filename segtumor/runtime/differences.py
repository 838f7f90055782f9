"""How far two lists of findings on the same images differ: whether an export still answers as its model does.

Findings are paired within an image and a class, highest overlap of boxes first; what is left is unmatched. Not here:
what difference is too large (``segtumor.export.export``), and the truth (``segtumor.evaluation``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segtumor.arrays import Array, Floats, Rle
from segtumor.runtime.contract import Regions, Selection
from segtumor.structures.boxes import box_iou
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import mask_iou, rle_area

#: Boxes of one finding, seen by two runtimes, overlap by more.
_PAIR_IOU = 0.5
#: Rounding may change this many pixels of any mask; of fewer than 200 px, they are more than 1 % of it.
ALLOWED_MASK_PX = 2


def edges_of(
    reference: Sequence[Sequence[Finding]],
    other: Sequence[Sequence[Finding]],
    limits: Regions | Selection,
    *,
    tolerance: float,
) -> list[tuple[float, float]]:
    """Scores up to which rounding decides whether a finding is listed; for ``differences``.

    A list may lack what scores at the threshold, or at its own end if it is full. A full list says nothing of what the
    other one may lack.

    Returns:
        list of (edge of the reference's list, edge of the other's list), one pair per image.
    """
    pairs = zip(reference, other, strict=True)
    return [(_edge(first, limits) + tolerance, _edge(second, limits) + tolerance) for first, second in pairs]


def _edge(findings: Sequence[Finding], limits: Regions | Selection) -> float:
    is_full = 0 < limits.max_detections <= len(findings)
    lowest = min(finding.score for finding in findings) if is_full else -math.inf
    return max(limits.score_threshold, lowest)


def differences(
    reference: Sequence[Sequence[Finding]],
    other: Sequence[Sequence[Finding]],
    *,
    edges: Sequence[tuple[float, float]] | None = None,
) -> dict[str, Any]:
    """Compare two models' findings.

    Args:
        reference, other: one sequence of Finding per image, in the same order of images.
        edges: as ``edges_of``; what a list lacks up to its edge is counted apart, as a rounding lists it or not.

    Returns:
        dict of plain values: ``n_images``; ``n_images_without_findings`` of the reference; ``n_findings_reference``,
        ``n_findings_other``; ``n_unmatched_reference``, ``n_unmatched_other`` and ``max_unmatched_score`` of both;
        ``n_at_edge``, unmatched ones up to their edge;
        ``max_box_px``, the largest shift of a side; ``max_score``, the largest change of a score;
        ``min_mask_iou``, ``median_mask_iou`` and ``max_mask_px``, the most pixels that differ;
        ``min_changed_mask_iou``, of the masks of which more than ``ALLOWED_MASK_PX`` differ; ``worst``, the index of
        the image with the largest difference. NaN, and None for ``worst``, where there is nothing to compare.
    """
    edges = [(-math.inf, -math.inf)] * len(reference) if edges is None else edges
    images = [_compare(*of_image) for of_image in zip(reference, other, edges, strict=True)]
    ious, mask_px = _joined([image.mask_ious for image in images]), _joined([image.mask_px for image in images])
    unmatched = [score for image in images for score in image.unmatched_scores]
    return {
        "n_images": len(images),
        "n_images_without_findings": sum(not findings for findings in reference),
        "n_findings_reference": sum(map(len, reference)),
        "n_findings_other": sum(map(len, other)),
        "n_unmatched_reference": sum(image.unmatched_reference for image in images),
        "n_unmatched_other": sum(image.unmatched_other for image in images),
        "n_at_edge": sum(image.at_edge for image in images),
        "max_unmatched_score": max(unmatched, default=math.nan),
        "max_box_px": _largest(_joined([image.box_px for image in images])),
        "max_score": _largest(_joined([image.score for image in images])),
        "min_mask_iou": _smallest(ious),
        "min_changed_mask_iou": _smallest(ious[mask_px > ALLOWED_MASK_PX]),
        "median_mask_iou": float(np.median(ious)) if len(ious) else math.nan,
        "max_mask_px": _largest(mask_px),
        "worst": _worst(images),
    }


@dataclass(frozen=True)
class _ImageDifference:
    """Of one image; the measures are arrays with one value per pair."""

    unmatched_reference: int
    unmatched_other: int
    at_edge: int
    unmatched_scores: tuple[float, ...]
    box_px: Floats
    score: Floats
    mask_ious: Floats
    mask_px: Array


def _compare(reference: Sequence[Finding], other: Sequence[Finding], edges: tuple[float, float]) -> _ImageDifference:
    edge_of_reference, edge_of_other = edges
    pairs = _pairs(reference, other)
    matched = [(reference[i], other[j]) for i, j in pairs]
    left = [f for i, f in enumerate(reference) if i not in {i for i, _ in pairs}]
    right = [f for j, f in enumerate(other) if j not in {j for _, j in pairs}]
    # Not "above the edge": a score that is no number is excused by nothing.
    lost = [f.score for f in left if not f.score <= edge_of_other]
    new = [f.score for f in right if not f.score <= edge_of_reference]
    masks = [_mask_difference(a.rle, b.rle) for a, b in matched if a.rle is not None and b.rle is not None]
    return _ImageDifference(
        unmatched_reference=len(lost),
        unmatched_other=len(new),
        at_edge=len(left) + len(right) - len(lost) - len(new),
        unmatched_scores=(*lost, *new),
        box_px=np.array([np.abs(np.subtract(a.box_xyxy, b.box_xyxy)).max() for a, b in matched]),
        score=np.array([abs(a.score - b.score) for a, b in matched]),
        mask_ious=np.array([iou for iou, _ in masks]),
        mask_px=np.array([pixels for _, pixels in masks]),
    )


def _pairs(reference: Sequence[Finding], other: Sequence[Finding]) -> list[tuple[int, int]]:
    """Indices (i, j), greedily by overlap; the order of the findings breaks ties."""
    if not reference or not other:
        return []
    ious = box_iou([f.box_xyxy for f in reference], [f.box_xyxy for f in other])
    same_class = np.equal.outer([f.class_id for f in reference], [f.class_id for f in other])
    ious = np.where(same_class, ious, 0)
    pairs: list[tuple[int, int]] = []
    taken_i: set[int] = set()
    taken_j: set[int] = set()
    for index in np.argsort(-ious, axis=None, kind="stable"):
        i, j = map(int, np.unravel_index(index, ious.shape))
        if ious[i, j] >= _PAIR_IOU and i not in taken_i and j not in taken_j:
            pairs.append((i, j))
            taken_i.add(i)
            taken_j.add(j)
    return pairs


def _mask_difference(first: Rle, second: Rle) -> tuple[float, int]:
    """Intersection over union, 1 for two empty masks, and the number of pixels that differ."""
    area = rle_area(first) + rle_area(second)
    if not area:
        return 1.0, 0
    iou = float(mask_iou([first], [second])[0, 0])
    return iou, round(area * (1 - iou) / (1 + iou))


def _joined(arrays: Sequence[Array]) -> Array:
    return np.concatenate(arrays) if arrays else np.zeros(0)


def _largest(values: Array) -> float:
    return float(values.max()) if len(values) else math.nan


def _smallest(values: Array) -> float:
    return float(values.min()) if len(values) else math.nan


def _worst(images: Sequence[_ImageDifference]) -> int | None:
    """First an unmatched finding, then the lowest mask overlap, then the largest shift of a box."""
    keys = [
        (
            image.unmatched_reference + image.unmatched_other,
            1 - image.mask_ious.min() if len(image.mask_ious) else 0,
            image.box_px.max() if len(image.box_px) else 0,
        )
        for image in images
    ]
    worst = max(range(len(keys)), key=keys.__getitem__, default=None)
    return None if worst is None or not any(keys[worst]) else worst
