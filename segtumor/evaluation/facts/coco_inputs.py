"""What COCO's evaluation asks about the findings and lesions of one image and class: order, sizes and IoU.

A finding without a mask stands for its box, as in pycocotools' ``loadRes``. Not here: the matching (``coco_matching``,
and the back ends of ``detection``). Letters: D findings and G lesions of one class on one image.
"""

import math

from pycocotools import mask as coco_mask

from segtumor.errors import ConfigError, DataError
from segtumor.structures.masks import rle_from_polygons

BBOX, SEGM = "bbox", "segm"
#: Findings of one image and class that take part, the best first.
MAX_FINDINGS = 100
_AREAS_AT_ONCE = 200  # pycocotools keeps the length of a list in 8 bits there


def check_choice(what, got, choices):
    """Raise ConfigError unless ``got`` is one of ``choices``."""
    if got not in choices:
        raise ConfigError(f"no such {what}", got=got, expected=" or ".join(choices))


def check_scores(results):
    """Raise DataError for a score that is NaN: it has no place in an order."""
    for result in results:
        if any(map(math.isnan, [finding.score for finding in result.findings])):
            raise DataError("score is NaN", where=result.truth.file_name, expected="a number from 0 to 1")


def has_masks(results):
    """Whether mask AP is defined: every lesion has a mask, and some finding, if there are findings."""
    findings = [finding for result in results for finding in result.findings]
    lesions = [lesion for result in results for lesion in result.truth.lesions]
    return all(lesion.rle is not None for lesion in lesions) and (
        not findings or any(finding.rle is not None for finding in findings)
    )


def lesions_of(result, class_id):
    """The lesions of one class of an ImageResult, crowd regions included."""
    return [lesion for lesion in result.truth.lesions if lesion.class_id == class_id]


def best_findings(result, class_id):
    """The findings of one class that take part, highest score first; equal scores keep their order."""
    findings = [finding for finding in result.findings if finding.class_id == class_id]
    return sorted(findings, key=lambda finding: -finding.score)[:MAX_FINDINGS]


def finding_areas(findings, iou_type):
    """Area of each finding in px^2, a list: the mask's in mask AP, where there is one, else the box's."""
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (finding.box_xyxy for finding in findings)]
    if iou_type == SEGM:
        with_mask = [i for i, finding in enumerate(findings) if finding.rle is not None]
        for start in range(0, len(with_mask), _AREAS_AT_ONCE):
            part = with_mask[start : start + _AREAS_AT_ONCE]
            for i, area in zip(part, coco_mask.area([findings[i].rle for i in part]).tolist(), strict=True):
                areas[i] = area
    return areas


def pair_ious(findings, lesions, iou_type):
    """pycocotools' IoU of D findings and G lesions of one image, (D, G) float64; for a crowd, the part inside it.

    Both sides hold at least one; the lesions have masks where ``iou_type`` is ``"segm"``.
    """
    crowds = [int(lesion.iscrowd) for lesion in lesions]
    if iou_type == BBOX:
        return coco_mask.iou(*([box_xywh(item.box_xyxy) for item in side] for side in (findings, lesions)), crowds)
    size_hw = lesions[0].rle["size"]
    masks = [f.rle if f.rle is not None else rle_from_polygons(box_polygon(f.box_xyxy), size_hw) for f in findings]
    return coco_mask.iou(masks, [lesion.rle for lesion in lesions], crowds)


def box_xywh(box_xyxy):
    """A box as COCO writes it, [left, top, width, height] in px."""
    # Plain numbers: for a single box an array costs more than the difference.
    x0, y0, x1, y1 = map(float, box_xyxy)
    return [x0, y0, x1 - x0, y1 - y0]


def box_polygon(box_xyxy):
    """A box as the polygons of a COCO segmentation."""
    x0, y0, x1, y1 = box_xyxy
    return [[x0, y0, x0, y1, x1, y1, x1, y0]]
