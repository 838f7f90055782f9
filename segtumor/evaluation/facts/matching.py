"""Which finding belongs to which lesion.

Definition, used by every measure of lesions but AP (which has COCO's own, greedy by score):

* Findings below the score threshold do not take part, nor do crowd regions.
* Lesions and findings of one image are paired one to one, whatever their classes, so that the sum of IoU is largest;
  pairs without overlap are dropped. A lesion left over is missed: its IoU and Dice are 0.
* IoU is that of the masks, or of the boxes where either side of the pair has no mask.
* A pair is a hit if its IoU reaches the IoU threshold. Every other finding is a false positive, unless a crowd
  region holds at least the IoU threshold's share of its area: it is then ignored, as in COCO.
* An image with crowd regions is not normal, even if it has nothing else.
* Findings without a place (neither mask nor box) count for the image as a whole and take no part here. Where a model
  marks no lesions at all, as a classifier, its images have no lesions to match: none is missed, all are unjudged.

One assignment serves all tables, so that each row of ``per_lesion.csv`` explains the sums. Not here: AP.
Letters: N findings and M lesions of one image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from segtumor.arrays import Bools, Floats
from segtumor.structures.boxes import box_iou, box_xyxy_to_xywh
from segtumor.structures.lesions import AnnotatedImage, Finding, ImageResult, Lesion
from segtumor.structures.masks import mask_iou


@dataclass(frozen=True)
class Match:
    """The finding assigned to a lesion.

    Attributes:
        iou: IoU with the lesion, in (0, 1].
        by_mask: whether ``iou`` is that of the masks (else of the boxes).
        hit: whether ``iou`` reaches the IoU threshold.
    """

    finding: Finding
    iou: float
    by_mask: bool
    hit: bool


@dataclass(frozen=True)
class MatchedImage:
    """One image after matching.

    Attributes:
        lesions: its lesions that are no crowd regions, M; none where the model marks no lesions.
        matches: M entries, each a Match or None for a lesion that nothing overlaps.
        findings: findings with a place at or above the score threshold, N.
        false_positives: those of them that are neither hits nor ignored.
        max_score: highest score of any finding, also below the threshold; NaN without findings.
        ignored: those of the findings that are no hits and lie in a crowd region.
        marks_lesions: whether the model says where lesions are (``ImageResult``).
        judges_image: whether it gives probabilities of the whole image.
    """

    truth: AnnotatedImage
    lesions: tuple[Lesion, ...]
    matches: tuple[Match | None, ...]
    findings: tuple[Finding, ...]
    false_positives: tuple[Finding, ...]
    max_score: float
    ignored: tuple[Finding, ...] = ()
    marks_lesions: bool = True
    judges_image: bool = False

    @property
    def n_crowds(self) -> int:
        """Number of crowd regions."""
        return sum(lesion.iscrowd for lesion in self.truth.lesions)

    @property
    def hits(self) -> list[tuple[Lesion, Finding]]:
        """Each lesion that is hit, and what hits it."""
        return [(lesion, m.finding) for lesion, m in zip(self.lesions, self.matches, strict=True) if m and m.hit]

    @property
    def n_missed(self) -> int:
        """Number of lesions that are not hit."""
        return len(self.lesions) - len(self.hits)


def match_image(result: ImageResult, *, score_threshold: float, iou_threshold: float) -> MatchedImage:
    """Match the findings and lesions of one image as the module defines."""
    lesions, crowds = tuple(lesions_to_find(result)), crowds_of(result)
    findings = tuple(finding for finding in placed(result.findings) if finding.score >= score_threshold)
    iou, by_mask = pair_iou(findings, lesions)
    matches: list[Match | None] = [None] * len(lesions)
    used = set()
    for row, column in assign(iou):
        hit = bool(iou[row, column] >= iou_threshold)
        matches[column] = Match(findings[row], float(iou[row, column]), bool(by_mask[row, column]), hit)
        if hit:
            used.add(row)
    inside = np.asarray((parts_inside(findings, crowds) >= iou_threshold).any(axis=1))
    left = [(finding, inside[row]) for row, finding in enumerate(findings) if row not in used]
    false_positives, ignored = (tuple(f for f, in_crowd in left if in_crowd == side) for side in (False, True))
    max_score = max((finding.score for finding in result.findings), default=float("nan"))
    return MatchedImage(
        result.truth,
        lesions,
        tuple(matches),
        findings,
        false_positives,
        max_score,
        ignored,
        marks_lesions=result.marks_lesions is not False,
        judges_image=result.image_probabilities is not None,
    )


def lesions_to_find(result: ImageResult) -> list[Lesion]:
    """Lesions that can be hit or missed: no crowd regions, and none at all where the model marks no lesions."""
    return [lesion for lesion in result.truth.lesions if not lesion.iscrowd and result.marks_lesions is not False]


def crowds_of(result: ImageResult) -> list[Lesion]:
    """The crowd regions of an image."""
    return [lesion for lesion in result.truth.lesions if lesion.iscrowd]


def placed(findings: Sequence[Finding]) -> list[Finding]:
    """Those of the findings that say where they are."""
    return [finding for finding in findings if finding.is_placed]


def assign(iou: Floats) -> list[tuple[int, int]]:
    """One-to-one pairs (row, column) of an (N, M) IoU matrix with the largest sum, without those of IoU 0.

    Solved exactly by scipy's ``linear_sum_assignment`` (Crouse 2016, doi 10.1109/TAES.2016.140952).
    """
    if not iou.any():
        return []
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(iou, maximize=True)
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True) if iou[row, column] > 0]


def pair_iou(findings: Sequence[Finding], lesions: Sequence[Lesion]) -> tuple[Floats, Bools]:
    """IoU of every pair, (N, M) in [0, 1], and whether it is that of the masks, (N, M)."""
    if not findings or not lesions:  # of most images of most data sets
        return np.zeros((len(findings), len(lesions))), np.zeros((len(findings), len(lesions)), dtype=np.bool_)
    with_mask = [np.array([item.rle is not None for item in side], dtype=bool) for side in (findings, lesions)]
    if all(side.all() for side in with_mask):
        both: list[Any] = [[item.rle for item in side] for side in (findings, lesions)]
        iou = mask_iou(both[0], both[1])
        return iou, np.ones(iou.shape, dtype=np.bool_)
    iou = box_iou([finding.box_xyxy for finding in findings], [lesion.box_xyxy for lesion in lesions])
    rows, columns = (np.flatnonzero(side) for side in with_mask)
    masks: list[Any] = [[findings[int(i)].rle for i in rows], [lesions[int(i)].rle for i in columns]]
    iou[np.ix_(rows, columns)] = mask_iou(masks[0], masks[1])
    return iou, np.logical_and.outer(*with_mask)


def parts_inside(findings: Sequence[Finding], crowds: Sequence[Lesion]) -> Floats:
    """Share of each finding's area that lies in each crowd region, (N, C) in [0, 1]; of masks where both have one,
    else of boxes."""
    if not findings or not crowds:
        return np.zeros((len(findings), len(crowds)))
    boxes_xywh: list[Any] = [box_xyxy_to_xywh([item.box_xyxy for item in side]) for side in (findings, crowds)]
    parts = np.asarray(coco_mask.iou(boxes_xywh[0], boxes_xywh[1], [1] * len(crowds)))
    rows = [i for i, finding in enumerate(findings) if finding.rle is not None]
    columns = [i for i, crowd in enumerate(crowds) if crowd.rle is not None]
    if rows and columns:
        masks: list[Any] = [[findings[i].rle for i in rows], [crowds[i].rle for i in columns]]
        parts[np.ix_(rows, columns)] = coco_mask.iou(masks[0], masks[1], [1] * len(columns))
    return np.asarray(np.nan_to_num(parts))
