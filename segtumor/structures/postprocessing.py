"""From what a model predicts to what is shown: pure functions on findings and their masks.

Holes are filled, small parts removed, contours smoothed, one lesion is not reported as two classes, and what is too
small or too uncertain is dropped. Every step is chosen by ``Postprocessing``; ``apply`` runs them in order. Work on a
mask happens inside its own box, so that a small lesion on a 4,000 px radiograph is quick. Letters: H, W height and
width of a mask. Inputs are never modified. Not here: a model's own suppression within a class.
"""

import dataclasses
import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Floats, Mask
from segtumor.errors import ConfigError
from segtumor.structures.boxes import box_areas, box_iou
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import box_from_mask, crop_from_rle, fill_holes, mask_iou, rle_area, rle_from_crop
from segtumor.system.opencv import cv2

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Postprocessing:
    """Settings of ``apply``.

    Attributes:
        min_score: findings below it are dropped, 0..1; leave 0 for evaluation, which needs the uncertain ones too.
        suppression_iou: of two findings that overlap by more, only the higher score stays, whatever their classes,
            0..1; 1 keeps all.
        min_part_fraction: parts of a mask below this fraction of its largest part are removed, 0..1; 0 keeps all.
        smooth_radius_px: contours lose details smaller than this radius, 0..100 px; 0 leaves them.
        min_area_px: findings of a smaller area are dropped, px^2; 1 drops those whose mask is empty.

    Raises:
        ConfigError: a value is out of its range.
    """

    min_score: float = 0.0
    suppression_iou: float = 0.5
    fill_holes: bool = True
    min_part_fraction: float = 0.05
    smooth_radius_px: float = 0.0
    min_area_px: float = 1.0

    def __post_init__(self) -> None:
        _check_range("min_score", self.min_score, 0, 1)
        _check_range("suppression_iou", self.suppression_iou, 0, 1)
        _check_range("min_part_fraction", self.min_part_fraction, 0, 1)
        _check_range("smooth_radius_px", self.smooth_radius_px, 0, 100)
        _check_range("min_area_px", self.min_area_px, 0, math.inf)
        if not isinstance(self.fill_holes, bool):
            raise ConfigError(
                "not a yes or no", where="postprocessing fill_holes", got=self.fill_holes, expected="True or False"
            )


def apply(findings: Sequence[Finding], settings: Postprocessing) -> tuple[Finding, ...]:
    """All steps of ``settings``; a tuple of findings, highest score first.

    Masks are cleaned before overlaps are measured, so that what is compared is what is shown. Boxes of changed masks
    are recomputed. Applying it twice changes nothing more, unless contours are smoothed.
    """
    kept = keep_above(findings, settings.min_score)
    cleaned = tuple(_clean(finding, settings) for finding in kept)
    large = drop_small(cleaned, settings.min_area_px)
    separate = suppress_across_classes(large, settings.suppression_iou)
    logger.debug("post-processing kept %d of %d findings", len(separate), len(findings))
    return separate


def keep_above(findings: Iterable[Finding], score: float) -> tuple[Finding, ...]:
    """Findings whose score is at least ``score``, in their order."""
    return tuple(finding for finding in findings if finding.score >= score)


def drop_small(findings: Iterable[Finding], min_area_px: float) -> tuple[Finding, ...]:
    """Findings of at least ``min_area_px`` px^2 (of the mask; of the box where there is no mask), in their order.

    One without a place has no area, and stays.
    """
    return tuple(finding for finding in findings if not finding.is_placed or _area_px(finding) >= min_area_px)


def suppress_across_classes(findings: Iterable[Finding], iou_threshold: float) -> tuple[Finding, ...]:
    """Keep one finding of each place: greedily by score, whatever the class.

    A finding is dropped if its overlap with a kept one of higher score exceeds ``iou_threshold``. Overlap is the IoU
    of the masks, or of the boxes where one of the two has no mask. A kept finding's probabilities stay; if it has none
    and something of another class was dropped in its favour, they are filled with the best score of each class at
    this place (NaN for a class not found there; they need not sum to 1). Idempotent.

    Args:
        iou_threshold: in [0, 1]; 1 keeps all.

    Returns:
        tuple of findings, highest score first; equal scores in their order.
    """
    ordered = sorted(findings, key=lambda finding: -finding.score)
    overlap = overlaps(ordered, ordered)
    dropped_for: dict[int, list[int]] = {}  # position of a kept finding -> positions of those dropped in its favour
    for position in range(len(ordered)):
        winner = next((kept for kept in dropped_for if overlap[kept, position] > iou_threshold), None)
        if winner is None:
            dropped_for[position] = []
        else:
            dropped_for[winner].append(position)
    num_classes = max((finding.class_id + 1 for finding in ordered), default=0)
    return tuple(
        _with_probabilities(ordered[kept], [ordered[i] for i in dropped], num_classes)
        for kept, dropped in dropped_for.items()
    )


def remove_small_parts(mask: ArrayLike, *, min_fraction: float = 0.0, min_area_px: float = 0.0) -> Mask:
    """(H, W) bool -> (H, W) bool without its small parts; the largest part always stays. Idempotent.

    Args:
        mask: pixels that touch, diagonally too, are one part.
        min_fraction: parts below this fraction of the largest part's area go, 0..1.
        min_area_px: parts below this area go, px^2.
    """
    mask = np.asarray(mask, dtype=bool)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:  # the background and at most one part
        return mask.copy()
    areas = statistics[:, cv2.CC_STAT_AREA]
    largest = 1 + int(np.argmax(areas[1:]))
    keep = (areas >= min_area_px) & (areas >= min_fraction * areas[largest])
    keep[0], keep[largest] = False, True
    cleaned: Mask = keep[labels]
    return cleaned


def smooth_contour(mask: ArrayLike, radius_px: float) -> Mask:
    """(H, W) bool -> (H, W) bool whose outline has no detail smaller than a disc of ``radius_px``.

    An opening (removes spikes) followed by a closing (fills notches), both with the Euclidean disc; idempotent, as
    every such pair is (Serra, Image Analysis and Mathematical Morphology 2, 1988, chapter 6). A mask that would lose
    more than half its area, as tiny and thread-like lesions do, stays as it was.
    """
    mask = np.asarray(mask, dtype=bool)
    if radius_px <= 0 or not mask.any():
        return mask.copy()
    margin = 2 * math.ceil(radius_px) + 1  # room for the disc on every side: outside the image is background
    opened = _dilate(_erode(np.pad(mask, margin), radius_px), radius_px)
    if 2 * np.count_nonzero(opened) < np.count_nonzero(mask):
        return mask.copy()
    closed = _erode(_dilate(opened, radius_px), radius_px)
    return closed[margin:-margin, margin:-margin]


def _erode(mask: Mask, radius_px: float) -> Mask:
    # A pixel survives if the nearest background pixel is further away than the radius.
    return cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) > radius_px


def _dilate(mask: Mask, radius_px: float) -> Mask:
    return ~_erode(~mask, radius_px)


def _clean(finding: Finding, settings: Postprocessing) -> Finding:
    """The finding with its mask cleaned and its box fitted to it; itself if nothing changes."""
    if finding.rle is None or rle_area(finding.rle) == 0:
        return finding
    before, top, left = crop_from_rle(finding.rle)
    after = smooth_contour(before, settings.smooth_radius_px)
    if settings.fill_holes:
        after = fill_holes(after)
    # After the holes, since filling them is what makes the largest part as large as it is.
    after = remove_small_parts(after, min_fraction=settings.min_part_fraction)
    if np.array_equal(before, after):
        return finding
    x0, y0, x1, y1 = box_from_mask(after) or (0.0, 0.0, 0.0, 0.0)  # nothing is removed that leaves no pixel
    box_xyxy = (left + x0, top + y0, left + x1, top + y1)
    return dataclasses.replace(finding, box_xyxy=box_xyxy, rle=rle_from_crop(after, top, left, finding.rle["size"]))


def _area_px(finding: Finding) -> float:
    return float(box_areas(finding.box_xyxy)) if finding.rle is None else rle_area(finding.rle)


def overlaps(first: Sequence[Finding], second: Sequence[Finding]) -> Floats:
    """(N, M) IoU of every pair: of masks, or of boxes where one of the two has no mask."""
    boxes = [np.array([f.box_xyxy for f in some], dtype=np.float64).reshape(-1, 4) for some in (first, second)]
    overlap = box_iou(*boxes)
    rows, columns = ([i for i, f in enumerate(some) if f.rle is not None] for some in (first, second))
    rles = [[f.rle for f in some if f.rle is not None] for some in (first, second)]
    if rows and columns:
        overlap[np.ix_(rows, columns)] = mask_iou(*rles)
    return overlap


def _with_probabilities(winner: Finding, dropped: Sequence[Finding], num_classes: int) -> Finding:
    if winner.probabilities or all(finding.class_id == winner.class_id for finding in dropped):
        return winner
    probabilities = [math.nan] * num_classes
    for finding in [*reversed(dropped), winner]:  # highest score last, so that it wins
        probabilities[finding.class_id] = finding.score
    return dataclasses.replace(winner, probabilities=tuple(probabilities))


def _check_range(name: str, value: float, low: float, high: float) -> None:
    # Written so that NaN fails too.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ConfigError("out of range", where=f"postprocessing {name}", got=value, expected=f"{low} to {high}")
