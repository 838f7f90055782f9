"""What a free-response curve is made of: the score at which each lesion is first hit, and the false positives' scores.

Definition:

* All findings that have a place take part, whatever their score and class; crowd regions are no lesions.
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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segtumor.arrays import Bools, Floats, Ints, Rle
from segtumor.errors import DataError
from segtumor.evaluation.facts.matching import crowds_of, lesions_to_find, pair_iou, parts_inside, placed
from segtumor.evaluation.facts.settings import FROC_CRITERIA, IOU, MASK
from segtumor.structures.lesions import Finding, ImageResult, Lesion
from segtumor.structures.masks import mask_from_rle


@dataclass(frozen=True)
class FrocEvents:
    """The lesions and false positives of all images.

    Attributes:
        hit_scores: score from which each lesion is hit, (lesions,); -inf if nothing hits it.
        hit_images: number of each lesion's image, from 0, (lesions,).
        false_scores: scores of the false positives, (false positives,).
        false_images: numbers of their images, (false positives,).
    """

    n_images: int
    hit_scores: Floats
    hit_images: Ints
    false_scores: Floats
    false_images: Ints

    def take(self, chosen: Ints) -> "FrocEvents":
        """The events of the images ``chosen`` (indices), which are numbered anew."""
        number = np.full(self.n_images, -1)
        number[chosen] = np.arange(len(chosen))
        hits, false = number[self.hit_images], number[self.false_images]
        return FrocEvents(
            len(chosen), self.hit_scores[hits >= 0], hits[hits >= 0], self.false_scores[false >= 0], false[false >= 0]
        )


def froc_events(results: Sequence[ImageResult], *, criterion: str = IOU, iou_threshold: float = 0.5) -> FrocEvents:
    """Sort all findings into hits, false positives and neither, as the module defines.

    Args:
        criterion: one of FROC_CRITERIA.
        iou_threshold: in (0, 1], for the criterion ``iou``.

    Raises:
        DataError: unknown criterion, impossible IoU threshold, or a score that is no finite number.
    """
    if criterion not in FROC_CRITERIA:
        raise DataError("unknown criterion of a hit", got=criterion, expected=" or ".join(FROC_CRITERIA))
    if criterion == IOU and not 0 < iou_threshold <= 1:
        raise DataError("impossible IoU threshold", got=iou_threshold, expected="above 0 and at most 1")
    pairs = [_image_events(result, criterion, iou_threshold) for result in results]
    hit_scores, hit_images = _joined([hits for hits, _ in pairs])
    false_scores, false_images = _joined([false for _, false in pairs])
    return FrocEvents(len(pairs), hit_scores, hit_images, false_scores, false_images)


def _joined(per_image: Sequence[Floats]) -> tuple[Floats, Ints]:
    """Scores of every image one after the other, and the number of each one's image."""
    scores = np.concatenate([np.zeros(0), *per_image])
    return scores, np.repeat(np.arange(len(per_image)), np.array([len(one) for one in per_image], dtype=np.int64))


def _image_events(result: ImageResult, criterion: str, iou_threshold: float) -> tuple[Floats, Floats]:
    """Scores from which the lesions of one image are hit, (M,), and scores of its false positives."""
    lesions, crowds, findings = lesions_to_find(result), crowds_of(result), placed(result.findings)
    scores = np.array([finding.score for finding in findings], dtype=np.float64)
    if not np.isfinite(scores).all():
        raise DataError("score of a finding is no number", where=result.truth.file_name, got=scores.tolist())
    if criterion == IOU:
        hits = pair_iou(findings, lesions)[0] >= iou_threshold
        ignored = parts_inside(findings, crowds) >= iou_threshold
    else:
        hits, ignored = (_centres_inside(findings, side, criterion) for side in (lesions, crowds))
    hit_scores = np.where(hits, scores[:, None], -np.inf).max(axis=0, initial=-np.inf)
    return hit_scores, scores[~hits.any(axis=1) & ~ignored.any(axis=1)]


def _centres_inside(findings: Sequence[Finding], lesions: Sequence[Lesion], criterion: str) -> Bools:
    """Whether the centre of each finding's box lies in each lesion, (N, M)."""
    boxes_xyxy = np.array([finding.box_xyxy for finding in findings], dtype=np.float64).reshape(-1, 4)
    centres_xy = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    inside = np.zeros((len(findings), len(lesions)), dtype=np.bool_)
    for column, lesion in enumerate(lesions):
        if criterion == MASK and lesion.rle is not None:
            inside[:, column] = _on_mask(centres_xy, lesion.rle)
        else:
            low, high = np.reshape(lesion.box_xyxy, (2, 2))
            inside[:, column] = ((centres_xy >= low) & (centres_xy < high)).all(axis=1)
    return inside


def _on_mask(points_xy: Floats, rle: Rle) -> Bools:
    """Whether each of (N, 2) points lies on a pixel of the mask, (N,); none does outside the image."""
    height, width = rle["size"]
    columns, rows = np.floor(points_xy).astype(np.int64).T
    within = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    on_mask = np.zeros(len(points_xy), dtype=np.bool_)
    if within.any():
        on_mask[within] = mask_from_rle(rle)[rows[within], columns[within]]
    return on_mask
