"""COCO average precision, computed by faster-coco-eval or by pycocotools.

Both run the same algorithm and give the same numbers; the first is several times faster, the second is the reference
that it is tested against. All findings take part, whatever their score, at most 1, 10 or 100 per image and class.
Numbers are percent. They equal those of ``COCOeval`` run on the JSON files. As in Detectron2, the size of a finding is
its mask's area in mask AP (pycocotools takes the box's where a result carries both; this moves only the values by size,
APs to APl, ARs to ARl). A finding without a mask stands for its box, as in pycocotools' ``loadRes``; if no finding has
a mask, or some lesion has none, mask AP is undefined: NaN. Not here: metrics at one threshold.
Letters: T IoU thresholds .50:.05:.95, R 101 recall points, K classes, A area ranges, M maxima of findings per image.
"""

import contextlib
import io
import itertools
from dataclasses import dataclass

import numpy as np

from segtumor.evaluation.facts.coco_inputs import (
    BBOX,
    SEGM,
    best_findings,
    box_polygon,
    box_xywh,
    check_choice,
    check_scores,
    finding_areas,
    has_masks,
    lesions_of,
    pair_ious,
)
from segtumor.evaluation.summary.ratios import mean
from segtumor.system.imports import unchanged_environment

with unchanged_environment():  # it imports OpenCV
    import faster_coco_eval

FASTER, PYCOCOTOOLS = "faster", "pycocotools"
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


def detection_metrics(results, class_names, iou_type, *, backend=FASTER):
    """AP of one kind.

    Args:
        results: ImageResults with unique image ids.
        class_names: names by ``class_id``.
        iou_type: ``"bbox"`` or ``"segm"``.
        backend: ``"faster"`` (faster-coco-eval) or ``"pycocotools"``, the reference.

    Returns:
        dict of STAT_NAMES and ``per_class`` {name: {AP, AP50}}, percent or NaN; and {name: PrecisionRecall}.

    Raises:
        ConfigError: no such back end or IoU type.
        DataError: a score that is NaN.
    """
    check_choice("IoU type of AP", iou_type, (BBOX, SEGM))
    check_choice("back end of AP", backend, tuple(_BACKENDS))
    check_scores(results)
    n_lesions = [0] * len(class_names)
    for lesion in (lesion for result in results for lesion in result.truth.lesions if not lesion.iscrowd):
        n_lesions[lesion.class_id] += 1
    if not results or (iou_type == SEGM and not has_masks(results)):
        return _undefined(class_names, n_lesions)
    run = _BACKENDS[backend](results, class_names, iou_type)
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


def _run(evaluation):
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation


def _run_pycocotools(results, class_names, iou_type):
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress and table
        truth = _coco(results, class_names, _lesion_annotations(results))
        found = _coco(results, class_names, _finding_annotations(results, iou_type))
        return _run(COCOeval(truth, found, iou_type))


def _coco(results, class_names, annotations):
    from pycocotools.coco import COCO

    coco = COCO()
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
            "bbox": box_xywh(lesion.box_xyxy),
            "segmentation": lesion.rle,
            "area": lesion.area_px,
            "iscrowd": int(lesion.iscrowd),
        }
        for result in results
        for lesion in result.truth.lesions
    ]


def _finding_annotations(results, iou_type):
    findings = [(result.truth.image_id, finding) for result in results for finding in result.findings]
    areas = finding_areas([finding for _, finding in findings], iou_type)
    return [
        {
            "image_id": image_id,
            "category_id": finding.class_id + 1,
            "score": finding.score,
            "bbox": box_xywh(finding.box_xyxy),
            "segmentation": finding.rle if finding.rle is not None else box_polygon(finding.box_xyxy),
            "area": area,
            "iscrowd": 0,
        }
        for (image_id, finding), area in zip(findings, areas, strict=True)
    ]


def _run_faster(results, class_names, iou_type):
    return _run(_Faster(results, class_names, iou_type))


class _Faster(faster_coco_eval.COCOeval_faster):
    """faster-coco-eval with pycocotools' IoU, computed only where there is something to compare.

    It would index all annotations as for a file, and decode every mask, though most lie on images without a lesion of
    their class. So it is run as for boxes, and is handed the IoU of the masks where it asks for that of the boxes.
    """

    def __init__(self, results, class_names, iou_type) -> None:
        super().__init__(iouType=BBOX, print_function=_say_nothing)
        self._iou_type, self._results = iou_type, {result.truth.image_id: result for result in results}
        self.params.imgIds, self.params.catIds = list(self._results), list(range(1, len(class_names) + 1))

    def _prepare(self) -> None:
        """Hand over what the matching needs to know: size, score and whether to ignore it."""
        self.gt_dataset.clean()
        self.dt_dataset.clean()
        ids, results = itertools.count(1), self._results.values()  # an id of 0 would mean "unmatched"
        areas = iter(finding_areas([f for result in results for f in result.findings], self._iou_type))
        for image_id, result in self._results.items():
            for lesion in result.truth.lesions:
                crowd = int(lesion.iscrowd)
                annotation = {"id": next(ids), "area": lesion.area_px, "iscrowd": crowd, "ignore": crowd}
                self.gt_dataset.append_ref(image_id, lesion.class_id + 1, annotation)
            for finding in result.findings:
                annotation = {"id": next(ids), "area": next(areas), "score": finding.score}
                self.dt_dataset.append_ref(image_id, finding.class_id + 1, annotation)

    def computeIoU(self, image_id, category_id):  # noqa: N802  the name is the base class's
        """IoU of the image's best findings and its lesions of the class, (D, G); empty if either is missing."""
        result, class_id = self._results[image_id], category_id - 1
        lesions = lesions_of(result, class_id)
        findings = best_findings(result, class_id) if lesions else []
        return pair_ious(findings, lesions, self._iou_type) if findings else []


def _say_nothing(*_) -> None:
    pass


_BACKENDS = {FASTER: _run_faster, PYCOCOTOOLS: _run_pycocotools}
