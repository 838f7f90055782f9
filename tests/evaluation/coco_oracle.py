"""COCO's average precision and recall by pycocotools and by faster-coco-eval, for the tests of ours."""

import contextlib
import io

import faster_coco_eval
import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from segtumor.evaluation.facts.coco import SEGM, has_masks
from segtumor.structures.masks import rle_area

#: The order of ``COCOeval.stats``.
STAT_NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
PYCOCOTOOLS, FASTER = "pycocotools", "faster-coco-eval"
_PROGRAMS = {PYCOCOTOOLS: (COCO, COCOeval), FASTER: (faster_coco_eval.COCO, faster_coco_eval.COCOeval_faster)}


def coco_numbers(results, class_names, iou_type, program=PYCOCOTOOLS):
    """({stat: percent or NaN, "per_class": {name: {AP, AP50, AP75}}}, {name: (R,) precision at IoU 0.50})."""
    if not results or (iou_type == SEGM and not has_masks(results)):
        nan = float("nan")
        per_class = {name: {"AP": nan, "AP50": nan, "AP75": nan} for name in class_names}
        return {**dict.fromkeys(STAT_NAMES, nan), "per_class": per_class}, dict.fromkeys(class_names, np.full(101, nan))
    run = run_coco(results, class_names, iou_type, program)
    precision = np.where(run.eval["precision"] < 0, np.nan, run.eval["precision"])[..., 0, -1]
    numbers = {name: percent(value) for name, value in zip(STAT_NAMES, run.stats[:12], strict=True)}
    at_iou = {"AP": slice(None), "AP50": 0, "AP75": 5}
    numbers["per_class"] = {
        name: {stat: 100 * precision[chosen, :, k].mean() for stat, chosen in at_iou.items()}
        for k, name in enumerate(class_names)
    }
    return numbers, {name: precision[0, :, k] for k, name in enumerate(class_names)}


def percent(stat):
    return float("nan") if stat < 0 else 100 * float(stat)  # -1: nothing to measure


def run_coco(results, class_names, iou_type, program):
    """The evaluation object after evaluate, accumulate and summarize."""
    coco_class, evaluation_class = _PROGRAMS[program]
    with contextlib.redirect_stdout(io.StringIO()):  # they print their progress and table
        truth = _coco(coco_class, results, class_names, _lesion_annotations(results))
        found = _coco(coco_class, results, class_names, _finding_annotations(results, iou_type))
        run = evaluation_class(truth, found, iou_type)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run


def _coco(coco_class, results, class_names, annotations):
    coco = coco_class()
    for number, annotation in enumerate(annotations, start=1):  # COCOeval reads an id of 0 as "unmatched"
        annotation["id"] = number
    sizes_hw = [(result.truth.image_id, *result.truth.size_hw) for result in results]
    coco.dataset = {
        "images": [{"id": i, "height": height, "width": width, "file_name": ""} for i, height, width in sizes_hw],
        "categories": [{"id": class_id + 1, "name": name} for class_id, name in enumerate(class_names)],
        "annotations": annotations,
    }
    coco.createIndex()
    return coco


def _lesion_annotations(results):
    return [
        {
            "image_id": result.truth.image_id,
            "category_id": lesion.class_id + 1,
            "bbox": _box_xywh(lesion),
            "segmentation": lesion.rle,
            "area": lesion.area_px,
            "iscrowd": int(lesion.iscrowd),
        }
        for result in results
        for lesion in result.truth.lesions
    ]


def _finding_annotations(results, iou_type):
    return [
        {
            "image_id": result.truth.image_id,
            "category_id": finding.class_id + 1,
            "score": finding.score,
            "bbox": _box_xywh(finding),
            "segmentation": finding.rle or _box_polygon(finding),
            "area": _area(finding, iou_type),
            "iscrowd": 0,
        }
        for result in results
        for finding in result.findings
    ]


def _area(finding, iou_type):
    x0, y0, x1, y1 = finding.box_xyxy
    return rle_area(finding.rle) if iou_type == SEGM and finding.rle else (x1 - x0) * (y1 - y0)


def _box_xywh(item):
    x0, y0, x1, y1 = map(float, item.box_xyxy)
    return [x0, y0, x1 - x0, y1 - y0]


def _box_polygon(finding):
    x0, y0, x1, y1 = finding.box_xyxy
    return [[x0, y0, x0, y1, x1, y1, x1, y0]]
