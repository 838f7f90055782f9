"""COCO's matching of the findings and lesions of one class: greedy by score, at each IoU threshold of AP.

After ``COCOeval.evaluateImg`` for lesions of every size: a finding takes the free lesion it overlaps most, at equal IoU
the later one; one that meets only a crowd region is ignored, neither right nor wrong.
Not here: one-to-one matching for all other metrics (``matching``).
Letters: T IoU thresholds, D findings (at most 100, highest score first) and G lesions of one class on one image.
"""

from dataclasses import dataclass

import numpy as np

from segtumor.evaluation.facts.coco_inputs import best_findings, finding_areas, lesions_of, pair_ious

#: As COCO spaces them; adding up steps of 0.05 would differ in the last bit.
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
_AREA_LIMIT_PX = 1e5**2


@dataclass(frozen=True)
class ClassMatches:
    """One class on one image.

    Attributes:
        scores: (D,) falling.
        hits: (T, D) bool, findings matched to a lesion that counts.
        ignored: (T, D) bool, findings that do not count.
        n_lesions: lesions that count.
    """

    scores: np.ndarray
    hits: np.ndarray
    ignored: np.ndarray
    n_lesions: int


def match_class(result, class_id, iou_type):
    """ClassMatches of one ImageResult; ``iou_type`` is ``"bbox"`` or ``"segm"``."""
    findings, lesions = best_findings(result, class_id), lesions_of(result, class_id)
    # COCO tries the lesions that count first, and leaves the others for findings that matched none of them.
    lesions.sort(key=_is_ignored)
    matched = np.full((len(IOU_THRESHOLDS), len(findings)), -1)
    if findings and lesions:
        ious = pair_ious(findings, lesions, iou_type)
        for t, threshold in enumerate(IOU_THRESHOLDS):
            matched[t] = _greedy(ious, threshold, lesions)
    of_ignored_lesion = np.array([*map(_is_ignored, lesions), False])[matched]  # the last entry answers -1: unmatched
    out_of_range = np.array([not 0 <= area <= _AREA_LIMIT_PX for area in finding_areas(findings, iou_type)], dtype=bool)
    ignored = of_ignored_lesion | ((matched < 0) & out_of_range)
    n_lesions = sum(not _is_ignored(lesion) for lesion in lesions)
    return ClassMatches(np.array([f.score for f in findings]), (matched >= 0) & ~ignored, ignored, n_lesions)


def _is_ignored(lesion):
    return lesion.iscrowd or not 0 <= lesion.area_px <= _AREA_LIMIT_PX


def _greedy(ious, threshold, lesions):
    """Index of the lesion that each finding takes, or -1; ``lesions`` that count come first. A list of D."""
    ignored, taken, matched = list(map(_is_ignored, lesions)), set(), []
    for row in ious.tolist():
        best, match = min(threshold, 1 - 1e-10), -1
        for g, iou in enumerate(row):
            if g in taken and not lesions[g].iscrowd:
                continue
            if match >= 0 and not ignored[match] and ignored[g]:
                break
            if iou >= best:
                best, match = iou, g
        matched.append(match)
        taken.add(match)
    return matched
