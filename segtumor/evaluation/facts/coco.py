"""COCO's matching of findings and lesions, class by class: greedy by score, at each IoU threshold of average precision.

After ``COCOeval.evaluateImg``: at most 100 findings of an image and class take part, highest score first; each takes
the free lesion that it overlaps most, at equal IoU the later one. A lesion that is a crowd region, or whose area is not
in the size range, does not count: a finding that meets nothing else is ignored, neither right nor wrong, and so is one
that meets nothing and is itself not of that size. The size of a finding is its mask's area in mask AP, as in
Detectron2, else its box's; a finding without mask is its box, as in pycocotools' ``loadRes``.

IoU and sizes are computed once; each size range, and each subset of the images, is then matched from them.
Not here: one-to-one matching for all other measures (``matching``), and precision (``measures.resampled_ap``).
Letters: N images, F findings and L lesions of one class; T IoU thresholds; of one image: D findings that overlap one of
its G lesions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from segtumor.arrays import Bools, Box, Floats, Ints, Rle, SizeHW
from segtumor.errors import ConfigError
from segtumor.evaluation.facts.matching import placed
from segtumor.structures.lesions import Finding, ImageResult, Lesion
from segtumor.structures.masks import rle_from_polygons

BBOX, SEGM = IOU_TYPES = ("bbox", "segm")
#: Findings of one image and class that take part, the best first.
MAX_FINDINGS = 100
#: As COCO spaces them; adding up steps of 0.05 would differ in the last bit.
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
#: COCO's size classes, area in px^2; both ends belong to a class, as in pycocotools.
SIZE_RANGES_PX = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e5**2)}
#: Findings by class and image.
BestFindings = list[list[list[Finding]]]
#: The range of every size.
ALL_SIZES = "all"
_RANGES_PX = {ALL_SIZES: (0.0, 1e5**2), **SIZE_RANGES_PX}
#: An IoU of 1 that rounding has made a little smaller is enough for any threshold.
_MOST_NEEDED = 1 - 1e-10
_AREAS_AT_ONCE = 200  # pycocotools keeps the length of a list in 8 bits there


@dataclass(frozen=True)
class Overlaps:
    """The findings of one image and class that overlap a lesion by at least the lowest IoU threshold.

    Attributes:
        rank: (D,), place of each among the findings of the image and class, from 0, rising.
        ious: (D, G) with each lesion of the image and class; with a crowd region, the share of the finding inside it.
        areas: (G,) of the lesions, px^2.
        crowd: (G,), which of them are crowd regions.
    """

    image: int
    rank: Ints
    ious: Floats
    areas: Floats
    crowd: Bools
    _found: dict[bytes, tuple[Bools, Bools]] = field(default_factory=dict, repr=False, compare=False)

    def matched(self, size: str) -> tuple[Bools, Bools]:
        """Which findings match a lesion of a size range, and which match one that does not count: both (T, D)."""
        counted = _in_range(self.areas, size) & ~self.crowd
        key = counted.tobytes()
        if key not in self._found:
            self._found[key] = self._match(counted)
        return self._found[key]

    def _match(self, counted: Bools) -> tuple[Bools, Bools]:
        """The same for the lesions that are ``counted`` (G,)."""
        if len(counted) == 1 and not self.crowd[0]:  # nearly always: the best that overlaps it enough takes it
            enough = self.ious[:, 0] >= np.minimum(IOU_THRESHOLDS, _MOST_NEEDED)[:, None]
            taken = enough & (np.cumsum(enough, axis=1) == 1)
            return (taken, np.zeros_like(taken)) if counted[0] else (np.zeros_like(taken), taken)
        # COCO tries the lesions that count first, and leaves the others for findings that matched none of them.
        order = np.argsort(~counted, kind="stable")
        rows, flags = self.ious[:, order].tolist(), (counted[order].tolist(), self.crowd[order].tolist())
        # Between two thresholds that equally many pairs reach, nothing changes.
        n_reached = (self.ious >= np.minimum(IOU_THRESHOLDS, _MOST_NEEDED)[:, None, None]).sum(axis=(1, 2)).tolist()
        highest = dict(zip(n_reached, IOU_THRESHOLDS.tolist(), strict=True))
        taken = {n: _greedy(rows, threshold, *flags) for n, threshold in highest.items()}
        lesion = np.array([taken[n] for n in n_reached])
        hits = np.append(counted[order], False)[lesion]  # the last entry answers -1: unmatched
        return hits, (lesion >= 0) & ~hits


@dataclass(frozen=True)
class CocoClass:
    """The findings and lesions of one class on N images.

    Attributes:
        image, rank: (F,), index of each finding's image, never falling, and its place there by score, from 0.
        scores, areas: (F,).
        lesion_image, lesion_areas: (L,), index of each lesion's image and its area.
        lesion_crowd: (L,), which are crowd regions.
        overlaps: of the images where a finding overlaps a lesion.
    """

    image: Ints
    rank: Ints
    scores: Floats
    areas: Floats
    lesion_image: Ints
    lesion_areas: Floats
    lesion_crowd: Bools
    overlaps: tuple[Overlaps, ...]

    def matches(self, size: str) -> tuple[Bools, Bools]:
        """Which findings are right, and which do not count, for lesions of a size range: (T, F) both."""
        hits = np.zeros((len(IOU_THRESHOLDS), len(self.image)), dtype=np.bool_)
        ignored = np.repeat(~_in_range(self.areas, size)[None], len(IOU_THRESHOLDS), axis=0)
        if self.overlaps:
            right, other = map(np.hstack, zip(*(overlap.matched(size) for overlap in self.overlaps), strict=True))
            starts = np.searchsorted(self.image, [overlap.image for overlap in self.overlaps])
            ranks = [overlap.rank for overlap in self.overlaps]
            rows = np.repeat(starts, list(map(len, ranks))) + np.concatenate(ranks)
            hits[:, rows] = right
            ignored[:, rows] = (ignored[:, rows] | other) & ~right
        return hits, ignored

    def order(self, image_ids: Ints) -> Ints:
        """(F,) the findings by falling score; equal ones by the ids of their images, as COCOeval goes through them."""
        return np.lexsort((self.rank, image_ids[self.image], -self.scores))

    def n_lesions(self, size: str, n_images: int) -> Ints:
        """(N,) lesions of a size range that count, on each image."""
        counted = _in_range(self.lesion_areas, size) & ~self.lesion_crowd
        return np.bincount(self.lesion_image[counted], minlength=n_images)

    def take(self, number: Ints) -> "CocoClass":
        """The class on some images: ``number`` (N,) is the new index of each image, -1 if left out."""
        found, drawn = (_renumbered(images, number) for images in (self.image, self.lesion_image))
        kept = [overlap for overlap in self.overlaps if number[overlap.image] >= 0]
        return CocoClass(
            image=number[self.image[found]],
            rank=self.rank[found],
            scores=self.scores[found],
            areas=self.areas[found],
            lesion_image=number[self.lesion_image[drawn]],
            lesion_areas=self.lesion_areas[drawn],
            lesion_crowd=self.lesion_crowd[drawn],
            overlaps=tuple(replace(overlap, image=int(number[overlap.image])) for overlap in kept),
        )


@dataclass(frozen=True)
class CocoPairs:
    """What COCO's evaluation compares on N images, by boxes or masks.

    Attributes:
        iou_type: one of IOU_TYPES.
        image_ids: (N,); equal scores are ordered by them.
        classes: a CocoClass for each class; None where AP is undefined: without images, and of masks where
            ``has_masks`` says no.
    """

    iou_type: str
    image_ids: Ints
    classes: tuple[CocoClass, ...] | None
    n_classes: int

    def take(self, chosen: Ints, results: Sequence[ImageResult]) -> "CocoPairs":
        """The pairs of the images ``chosen`` (indices), which are ``results``."""
        number = np.full(len(self.image_ids), -1)
        number[chosen] = np.arange(len(chosen))
        defined = self.classes is not None and _is_defined(results, self.iou_type)
        classes = tuple(one.take(number) for one in self.classes or ()) if defined else None
        return CocoPairs(self.iou_type, self.image_ids[chosen], classes, self.n_classes)


def coco_pairs(
    results: Sequence[ImageResult], n_classes: int, iou_type: str, best: BestFindings | None = None
) -> CocoPairs:
    """The CocoPairs of ImageResults with unique image ids; ``best`` as ``best_findings`` gives it, if it is known.

    Raises:
        ConfigError: no such IoU type.
    """
    if iou_type not in IOU_TYPES:
        raise ConfigError("no such IoU type of AP", got=iou_type, expected=" or ".join(IOU_TYPES))
    classes = None
    if _is_defined(results, iou_type):
        best = best or best_findings(results, n_classes)
        classes = tuple(_class_of(results, class_id, iou_type, best[class_id]) for class_id in range(n_classes))
    image_ids = np.array([result.truth.image_id for result in results], dtype=np.int64)
    return CocoPairs(iou_type, image_ids, classes, n_classes)


def has_masks(results: Sequence[ImageResult]) -> bool:
    """Whether mask AP is defined: every lesion has a mask, and some finding, if there are findings."""
    if any(lesion.rle is None for result in results for lesion in _lesions(result)):
        return False
    if any(finding.rle is not None for result in results for finding in result.findings):
        return True
    return not any(finding.is_placed for result in results for finding in result.findings)


def _is_defined(results: Sequence[ImageResult], iou_type: str) -> bool:
    return bool(results) and (iou_type == BBOX or has_masks(results))


def _lesions(result: ImageResult) -> tuple[Lesion, ...]:
    """The lesions that findings are compared with, crowd regions included."""
    return () if result.marks_lesions is False else result.truth.lesions


def _class_of(results: Sequence[ImageResult], class_id: int, iou_type: str, best: list[list[Finding]]) -> CocoClass:
    lesions = [[lesion for lesion in _lesions(result) if lesion.class_id == class_id] for result in results]
    n_found, n_drawn = (np.array([len(items) for items in side], dtype=np.int64) for side in (best, lesions))
    findings = [finding for items in best for finding in items]
    drawn = [lesion for items in lesions for lesion in items]
    image = np.repeat(np.arange(len(results)), n_found)
    overlaps = [_overlaps(i, *pair, iou_type) for i, pair in enumerate(zip(best, lesions, strict=True)) if all(pair)]
    return CocoClass(
        image,
        np.arange(len(image)) - np.repeat(np.cumsum(n_found) - n_found, n_found),
        np.array([finding.score for finding in findings], dtype=np.float64),
        np.array(_finding_areas(findings, iou_type), dtype=np.float64),
        np.repeat(np.arange(len(results)), n_drawn),
        np.array([lesion.area_px for lesion in drawn], dtype=np.float64),
        np.array([lesion.iscrowd for lesion in drawn], dtype=np.bool_),
        tuple(overlap for overlap in overlaps if len(overlap.rank)),
    )


def best_findings(results: Sequence[ImageResult], n_classes: int) -> BestFindings:
    """The findings that take part, highest score first; equal scores keep their order."""
    best: BestFindings = [[[] for _ in results] for _ in range(n_classes)]
    for i, result in enumerate(results):
        for finding in sorted(placed(result.findings), key=lambda finding: -finding.score):
            best[finding.class_id][i].append(finding)
    return [[findings[:MAX_FINDINGS] for findings in of_class] for of_class in best]


def _overlaps(image: int, findings: list[Finding], lesions: list[Lesion], iou_type: str) -> Overlaps:
    ious = _pair_ious(findings, lesions, iou_type)
    rank = np.flatnonzero((ious >= IOU_THRESHOLDS[0]).any(axis=1))
    areas = np.array([lesion.area_px for lesion in lesions], dtype=np.float64)
    return Overlaps(image, rank, ious[rank], areas, np.array([lesion.iscrowd for lesion in lesions], dtype=np.bool_))


def _pair_ious(findings: list[Finding], lesions: list[Lesion], iou_type: str) -> Floats:
    """pycocotools' IoU of findings and lesions of one image; for a crowd region, the share inside it.

    Both sides hold at least one; the lesions have masks where ``iou_type`` is ``"segm"``.
    """
    crowds = [int(lesion.iscrowd) for lesion in lesions]
    if iou_type == BBOX:
        boxes: list[Any] = [[_box_xywh(item.box_xyxy) for item in side] for side in (findings, lesions)]
        return np.asarray(coco_mask.iou(boxes[0], boxes[1], crowds))
    drawn: list[Any] = [lesion.rle for lesion in lesions]
    masks: list[Any] = [finding.rle or box_rle(finding.box_xyxy, drawn[0]["size"]) for finding in findings]
    return np.asarray(coco_mask.iou(masks, drawn, crowds))


def box_rle(box_xyxy: Box, size_hw: SizeHW) -> Rle:
    """The mask of a box, as RLE of an image of this size."""
    x0, y0, x1, y1 = box_xyxy
    return rle_from_polygons([[x0, y0, x0, y1, x1, y1, x1, y0]], size_hw)


def _box_xywh(box_xyxy: Box) -> list[float]:
    # Plain numbers: for a single box an array costs more than the difference.
    x0, y0, x1, y1 = map(float, box_xyxy)
    return [x0, y0, x1 - x0, y1 - y0]


def _finding_areas(findings: list[Finding], iou_type: str) -> list[float]:
    """Area of each finding in px^2: the mask's in mask AP, where there is one, else the box's."""
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (finding.box_xyxy for finding in findings)]
    if iou_type == SEGM:
        with_mask = [i for i, finding in enumerate(findings) if finding.rle is not None]
        for start in range(0, len(with_mask), _AREAS_AT_ONCE):
            part = with_mask[start : start + _AREAS_AT_ONCE]
            rles: list[Any] = [findings[i].rle for i in part]
            for i, area in zip(part, coco_mask.area(rles).tolist(), strict=True):
                areas[i] = area
    return areas


def _in_range(areas: Floats, size: str) -> Bools:
    low, high = _RANGES_PX[size]
    return (areas >= low) & (areas <= high)


def _greedy(rows: list[list[float]], threshold: float, counted: list[bool], crowd: list[bool]) -> list[int]:
    """Index of the lesion that each finding takes, or -1; the lesions that count come first. D numbers."""
    taken, matched = set(), []
    for row in rows:
        best, match = min(threshold, _MOST_NEEDED), -1
        for g, iou in enumerate(row):
            if g in taken and not crowd[g]:
                continue
            if match >= 0 and counted[match] and not counted[g]:
                break
            if iou >= best:
                best, match = iou, g
        matched.append(match)
        taken.add(match)
    return matched


def _renumbered(images: Ints, number: Ints) -> Ints:
    """Which items are on kept images, by new index of their image."""
    kept = np.flatnonzero(number[images] >= 0)
    return kept[np.argsort(number[images[kept]], kind="stable")]
