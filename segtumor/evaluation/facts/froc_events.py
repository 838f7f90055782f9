"""What a free-response curve is made of: the score at which each lesion is first hit, and the false positives' scores.

Definition:

* All findings take part, whatever their score and class; crowd regions are no lesions.
* A finding hits every lesion for which it meets the criterion; a lesion is hit from the highest score of the findings
  that hit it, and counts once. Further findings on it are neither hits nor false positives (as in LUNA16; Setio et
  al. 2017, doi 10.1016/j.media.2017.06.015).
* A finding that hits no lesion is a false positive, unless it meets the criterion for a crowd region: it is ignored.

Criteria:

* ``iou``: IoU of the masks, or of the boxes where either side has no mask, of at least the IoU threshold. For a crowd
  region, the part of the finding inside it takes the place of the IoU.
* ``centre``: the centre of the finding's box lies in the lesion's box; the left and upper edges belong to a box.
* ``mask``: the centre of the finding's box lies on the lesion's mask, or in its box if it has no mask.

Not here: the curve (``segtumor.evaluation.measures.froc``). Letters: N findings and M lesions of one image.
"""

from dataclasses import dataclass

import numpy as np

from segtumor.errors import DataError
from segtumor.evaluation.facts.matching import pair_iou, parts_inside
from segtumor.structures.masks import mask_from_rle

IOU, CENTRE, MASK = CRITERIA = ("iou", "centre", "mask")


@dataclass(frozen=True)
class FrocEvents:
    """The lesions and false positives of all images.

    Attributes:
        n_images: images, with and without lesions.
        hit_scores: score from which each lesion is hit, (lesions,) float64; -inf if nothing hits it.
        hit_images: number of each lesion's image, from 0, (lesions,) int64.
        false_scores: scores of the false positives, (false positives,) float64.
        false_images: numbers of their images, (false positives,) int64.
    """

    n_images: int
    hit_scores: np.ndarray
    hit_images: np.ndarray
    false_scores: np.ndarray
    false_images: np.ndarray


def froc_events(results, *, criterion=IOU, iou_threshold: float = 0.5):
    """Sort all findings into hits, false positives and neither, as the module defines.

    Args:
        results: ImageResults.
        criterion: one of CRITERIA.
        iou_threshold: in (0, 1], for the criterion ``iou``.

    Returns:
        FrocEvents.

    Raises:
        DataError: unknown criterion, impossible IoU threshold, or a score that is no finite number.
    """
    if criterion not in CRITERIA:
        raise DataError("unknown criterion of a hit", got=criterion, expected=" or ".join(CRITERIA))
    if criterion == IOU and not 0 < iou_threshold <= 1:
        raise DataError("impossible IoU threshold", got=iou_threshold, expected="above 0 and at most 1")
    pairs = [_image_events(result, criterion, iou_threshold) for result in results]
    hit_scores, hit_images = _joined([hits for hits, _ in pairs])
    false_scores, false_images = _joined([false for _, false in pairs])
    return FrocEvents(len(pairs), hit_scores, hit_images, false_scores, false_images)


def _joined(per_image):
    """Scores of every image one after the other, and the number of each one's image."""
    scores = np.concatenate([np.zeros(0), *per_image])
    return scores, np.repeat(np.arange(len(per_image)), np.array([len(one) for one in per_image], dtype=np.int64))


def _image_events(result, criterion, iou_threshold):
    """Scores from which the lesions of one image are hit, (M,), and scores of its false positives."""
    lesions = [lesion for lesion in result.truth.lesions if not lesion.iscrowd]
    crowds = [lesion for lesion in result.truth.lesions if lesion.iscrowd]
    scores = np.array([finding.score for finding in result.findings], dtype=np.float64)
    if not np.isfinite(scores).all():
        raise DataError("score of a finding is no number", where=result.truth.file_name, got=scores.tolist())
    if criterion == IOU:
        hits = pair_iou(result.findings, lesions)[0] >= iou_threshold
        ignored = parts_inside(result.findings, crowds) >= iou_threshold
    else:
        hits, ignored = (_centres_inside(result.findings, side, criterion) for side in (lesions, crowds))
    hit_scores = np.where(hits, scores[:, None], -np.inf).max(axis=0, initial=-np.inf)
    return hit_scores, scores[~hits.any(axis=1) & ~ignored.any(axis=1)]


def _centres_inside(findings, lesions, criterion):
    """Whether the centre of each finding's box lies in each lesion, (N, M) bool."""
    boxes_xyxy = np.array([finding.box_xyxy for finding in findings], dtype=np.float64).reshape(-1, 4)
    centres_xy = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    inside = np.zeros((len(findings), len(lesions)), dtype=bool)
    for column, lesion in enumerate(lesions):
        if criterion == MASK and lesion.rle is not None:
            inside[:, column] = _on_mask(centres_xy, lesion.rle)
        else:
            low, high = np.reshape(lesion.box_xyxy, (2, 2))
            inside[:, column] = ((centres_xy >= low) & (centres_xy < high)).all(axis=1)
    return inside


def _on_mask(points_xy, rle):
    """Whether each of (N, 2) points lies on a pixel of the mask, (N,) bool; none does outside the image."""
    height, width = rle["size"]
    columns, rows = np.floor(points_xy).astype(np.int64).T
    within = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    on_mask = np.zeros(len(points_xy), dtype=bool)
    if within.any():
        on_mask[within] = mask_from_rle(rle)[rows[within], columns[within]]
    return on_mask
