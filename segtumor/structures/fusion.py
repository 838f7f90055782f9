"""Findings of several models, or of several looks of one, made those of one.

* ``fuse`` is weighted boxes fusion (Solovyev, Wang & Gabruseva 2021, section 3) with masks, and whatever the class: a
  finding joins the cluster whose box it overlaps most, if by more than a limit; a cluster's box is the mean of its
  boxes weighted by their scores, its score the mean of theirs, times the share of the members that took part.
* ``strongest`` leaves each place to its highest score, as non-maximum suppression does.
* ``with_agreement`` says of each finding how far the members agree on where it is.

Not here: who the members are (``segtumor.inference.combined``).
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from segtumor.arrays import Box, Rle
from segtumor.structures.boxes import box_iou
from segtumor.structures.lesions import UNPLACED, Finding
from segtumor.structures.masks import crop_from_rle, rle_from_crop
from segtumor.structures.postprocessing import overlaps, suppress_across_classes

#: What the authors of weighted boxes fusion used.
FUSION_IOU = 0.55


@dataclass
class _Cluster:
    findings: list[Finding] = field(default_factory=list)
    box_xyxy: Box = UNPLACED

    def add(self, finding: Finding) -> None:
        self.findings.append(finding)
        scores = np.array([one.score for one in self.findings])
        weights = scores if scores.any() else np.ones_like(scores)
        boxes = np.array([one.box_xyxy for one in self.findings])
        left, top, right, bottom = (weights @ boxes / weights.sum()).tolist()
        self.box_xyxy = left, top, right, bottom


def fuse(members: Sequence[Sequence[Finding]], *, iou_threshold: float = FUSION_IOU) -> tuple[Finding, ...]:
    """Weighted boxes fusion.

    Args:
        members: the findings of each of N members on one radiograph; some may have none.
        iou_threshold: IoU of boxes, [0, 1], above which a finding joins a cluster.

    Returns:
        one finding for each cluster, highest score first; those without a place as they were, their scores divided by
        N. A mask has the pixels that findings with half of the cluster's score have; the box is then the mask's. The
        class is that of the highest mean probability or, where probabilities are unknown, of the most score.
    """
    together = sorted((f for findings in members for f in findings), key=lambda finding: -finding.score)
    clusters: list[_Cluster] = []
    for finding in (f for f in together if f.is_placed):
        overlaps = box_iou([finding.box_xyxy], [c.box_xyxy for c in clusters])[0] if clusters else np.zeros(0)
        best = int(overlaps.argmax()) if len(overlaps) else -1
        if best < 0 or overlaps[best] <= iou_threshold:
            clusters.append(_Cluster())
            best = len(clusters) - 1
        clusters[best].add(finding)
    count = len(members)
    fused = [_of_cluster(cluster, min(len(cluster.findings), count) / count) for cluster in clusters]
    fused += [_scaled(finding, 1 / count) for finding in together if not finding.is_placed]
    return tuple(sorted(fused, key=lambda finding: -finding.score))


def strongest(members: Sequence[Sequence[Finding]], *, iou_threshold: float = FUSION_IOU) -> tuple[Finding, ...]:
    """Of the findings of all members that overlap by more than ``iou_threshold``, that with the highest score."""
    return suppress_across_classes((f for findings in members for f in findings), iou_threshold)


def with_agreement(findings: Sequence[Finding], members: Sequence[Sequence[Finding]]) -> tuple[Finding, ...]:
    """Findings with their ``agreement``: the mean over the members of the best overlap of one of theirs, of masks or
    else of boxes; 0 for a member that has nothing there. Whatever its class and its score.

    Args:
        findings: what the members' findings became; those without a place stay as they are.
        members: the findings of each of N members on the radiograph, N at least 1.
    """
    theirs = [[f for f in member if f.is_placed] for member in members]
    placed = [finding for finding in findings if finding.is_placed]
    best = [overlaps(placed, own).max(axis=1, initial=0.0) for own in theirs]
    means = dict(zip(map(id, placed), np.mean(best, axis=0).tolist(), strict=True)) if placed else {}
    return tuple(dataclasses.replace(finding, agreement=means.get(id(finding))) for finding in findings)


def _of_cluster(cluster: _Cluster, share: float) -> Finding:
    findings = cluster.findings
    if len(findings) == 1:
        return _scaled(findings[0], share)
    scores = np.array([finding.score for finding in findings])
    probabilities: tuple[float, ...] = ()
    if len({len(finding.probabilities) for finding in findings}) == 1 and findings[0].probabilities:
        means = np.mean([finding.probabilities for finding in findings], axis=0) * share
        probabilities, class_id = tuple(means.tolist()), int(means.argmax())
    else:
        class_id = int(np.bincount([finding.class_id for finding in findings], weights=scores).argmax())
    rle = _voted([finding for finding in findings if finding.rle is not None])
    box = UNPLACED if rle is not None else cluster.box_xyxy
    score = probabilities[class_id] if probabilities else float(scores.mean() * share)
    return Finding(class_id, score, box, rle, probabilities)


def _scaled(finding: Finding, factor: float) -> Finding:
    probabilities = tuple(value * factor for value in finding.probabilities)
    return dataclasses.replace(finding, score=finding.score * factor, probabilities=probabilities)


def _voted(findings: Sequence[Finding]) -> Rle | None:
    """The pixels that findings with half of the score have; None where nobody has a mask, or none is left."""
    crops = [crop_from_rle(finding.rle) for finding in findings if finding.rle is not None]
    crops = [crop for crop in crops if crop[0].size]
    if not crops:
        return None
    top, left = min(top for _, top, _ in crops), min(left for _, _, left in crops)
    bottom = max(top + crop.shape[0] for crop, top, _ in crops)
    right = max(left + crop.shape[1] for crop, _, left in crops)
    votes, total = np.zeros((bottom - top, right - left)), 0.0
    for finding, (crop, own_top, own_left) in zip(findings, crops, strict=True):
        rows = slice(own_top - top, own_top - top + crop.shape[0])
        votes[rows, own_left - left : own_left - left + crop.shape[1]] += finding.score * crop
        total += finding.score
    mask = votes >= total / 2
    rle = findings[0].rle
    if rle is None or not mask.any():
        return None
    height, width = rle["size"]
    return rle_from_crop(mask, top, left, (height, width))


def mirrored(finding: Finding, width: int) -> Finding:
    """A finding of a radiograph that was mirrored left to right, on the radiograph as it is; ``width`` in px."""
    if not finding.is_placed:
        return finding
    left, top, right, bottom = finding.box_xyxy
    rle = finding.rle
    if rle is not None:
        crop, crop_top, crop_left = crop_from_rle(rle)
        flipped = np.ascontiguousarray(crop[:, ::-1])
        rle = rle_from_crop(flipped, crop_top, width - crop_left - crop.shape[1], (rle["size"][0], width))
    box = (width - right, top, width - left, bottom)
    return dataclasses.replace(finding, box_xyxy=box, rle=rle)
