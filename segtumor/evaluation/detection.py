"""COCO average precision, computed by pycocotools itself.

All findings take part, whatever their score, at most 1, 10 or 100 per image and class. Numbers are percent. They
equal those of ``COCOeval`` run on the JSON files. As in Detectron2, the size of a finding is its mask's area in mask
AP (pycocotools takes the box's where a result carries both; this moves only the values by size, APs to APl, ARs to
ARl). A finding without a mask stands for its box, as in pycocotools' ``loadRes``; if no finding has a mask, or some
lesion has none, mask AP is undefined: NaN. Not here: metrics at one threshold.
Letters: T IoU thresholds .50:.05:.95, R 101 recall points, K classes, A area ranges, M maxima of findings per image.
"""

import contextlib
import io
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from segtumor.evaluation.ratios import mean
from segtumor.structures.boxes import box_xyxy_to_xywh

BBOX, SEGM = "bbox", "segm"
#: The order of ``COCOeval.stats``.
STAT_NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
_ALL_AREAS, _MOST_FINDINGS, _IOU_50 = 0, -1, 0


@dataclass(frozen=True)
class PrecisionRecall:
    """The precision-recall curve of one class at IoU 0.50.

    Attributes:
        recall: (R,) in [0, 1].
        precision: (R,) in [0, 1], interpolated as COCO does (never rising with recall); NaN if the class has no lesion.
        n_lesions: lesions of the class, without crowd regions.
    """

    recall: np.ndarray
    precision: np.ndarray
    n_lesions: int


def detection_metrics(results, class_names, iou_type):
    """AP of one kind.

    Args:
        results: ImageResults with unique image ids.
        class_names: names by ``class_id``.
        iou_type: ``"bbox"`` or ``"segm"``.

    Returns:
        dict of STAT_NAMES and ``per_class`` {name: {AP, AP50}}, percent or NaN; and {name: PrecisionRecall}.
    """
    n_lesions = [0] * len(class_names)
    for lesion in (lesion for result in results for lesion in result.truth.lesions if not lesion.iscrowd):
        n_lesions[lesion.class_id] += 1
    if not results or (iou_type == SEGM and not has_masks(results)):
        return _undefined(class_names, n_lesions)
    run = _run_cocoeval(results, class_names, iou_type)
    precision = np.where(run.eval["precision"] < 0, np.nan, run.eval["precision"])[..., _ALL_AREAS, _MOST_FINDINGS]
    metrics = {name: _percent(value) for name, value in zip(STAT_NAMES, run.stats, strict=True)}
    metrics["per_class"] = {
        name: {"AP": 100 * mean(precision[:, :, k]), "AP50": 100 * mean(precision[_IOU_50, :, k])}
        for k, name in enumerate(class_names)
    }
    curves = {
        name: PrecisionRecall(run.params.recThrs.copy(), precision[_IOU_50, :, k].copy(), n_lesions[k])
        for k, name in enumerate(class_names)
    }
    return metrics, curves


def has_masks(results):
    """Whether mask AP is defined: every lesion has a mask, and some finding, if there are findings."""
    findings = [finding for result in results for finding in result.findings]
    lesions = [lesion for result in results for lesion in result.truth.lesions]
    return all(lesion.rle is not None for lesion in lesions) and (
        not findings or any(finding.rle is not None for finding in findings)
    )


def _undefined(class_names, n_lesions):
    nan = float("nan")
    metrics = dict.fromkeys(STAT_NAMES, nan)
    metrics["per_class"] = {name: {"AP": nan, "AP50": nan} for name in class_names}
    recall = np.linspace(0, 1, 101)
    curves = {
        name: PrecisionRecall(recall, np.full_like(recall, nan), n)
        for name, n in zip(class_names, n_lesions, strict=True)
    }
    return metrics, curves


def _percent(stat):
    return float("nan") if stat < 0 else 100 * float(stat)  # pycocotools' -1 means: nothing to measure


def _run_cocoeval(results, class_names, iou_type):
    images = [
        {"id": r.truth.image_id, "height": r.truth.size_hw[0], "width": r.truth.size_hw[1], "file_name": ""}
        for r in results
    ]
    categories = [{"id": class_id + 1, "name": name} for class_id, name in enumerate(class_names)]
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress and table
        truth = _coco(images, categories, _truth_annotations(results))
        found = _coco(images, categories, _finding_annotations(results, iou_type))
        run = COCOeval(truth, found, iou_type)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run


def _coco(images, categories, annotations):
    coco = COCO()
    for number, annotation in enumerate(annotations, start=1):  # COCOeval reads an id of 0 as "unmatched"
        annotation["id"] = number
    coco.dataset = {"images": images, "categories": categories, "annotations": annotations}
    coco.createIndex()
    return coco


def _truth_annotations(results):
    return [
        {
            "image_id": result.truth.image_id,
            "category_id": lesion.class_id + 1,
            "bbox": box_xyxy_to_xywh(lesion.box_xyxy).tolist(),
            "segmentation": lesion.rle,
            "area": lesion.area_px,
            "iscrowd": int(lesion.iscrowd),
        }
        for result in results
        for lesion in result.truth.lesions
    ]


def _finding_annotations(results, iou_type):
    annotations = []
    for result in results:
        for finding in result.findings:
            left, top, width, height = box_xyxy_to_xywh(finding.box_xyxy).tolist()
            as_mask = iou_type == SEGM and finding.rle is not None
            annotation = {
                "image_id": result.truth.image_id,
                "category_id": finding.class_id + 1,
                "score": finding.score,
                "bbox": [left, top, width, height],
                "segmentation": finding.rle if as_mask else _box_polygon(finding.box_xyxy),
                "area": int(coco_mask.area(finding.rle)) if as_mask else width * height,
                "iscrowd": 0,
            }
            annotations.append(annotation)
    return annotations


def _box_polygon(box_xyxy):
    x0, y0, x1, y1 = box_xyxy
    return [[x0, y0, x0, y1, x1, y1, x1, y0]]
