"""Plain values: ``metrics.json``, its rows and curves. Every number is a Measure at case weights of one, or a count.

``evaluate`` is the one entry for training, whose validation wants no intervals; ``study`` gives the same beside them.
What each number means: ``definitions``. Not here: what is printed of it (``headline``), and writing
(``segtumor.reporting.files.evaluation_files``).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from segtumor.evaluation.facts.coco import SIZE_RANGES_PX
from segtumor.evaluation.facts.facts import Facts, facts_of
from segtumor.evaluation.facts.lesion_table import LesionTable
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.measures.calls import call_measures
from segtumor.evaluation.measures.lesions import (
    F1,
    PRECISION,
    RECALL,
    class_found_measures,
    finding_measures,
    hit_class_accuracy,
    recall_measures,
)
from segtumor.evaluation.measures.measure import Measure
from segtumor.evaluation.measures.outlines import overlap_measures
from segtumor.evaluation.measures.ranking import IOU_TYPES, DetectionMeasures
from segtumor.evaluation.study.definitions import DEFINITIONS
from segtumor.evaluation.study.rows import image_rows, lesion_rows
from segtumor.evaluation.study.values import Confusion, Evaluation
from segtumor.structures.lesions import ImageResult

SCHEMA_VERSION = 1
_OVERLAP = ("dice", "iou", "dice_matched", "iou_matched")
_OF_SIZES = {"s": "small", "m": "medium", "l": "large"}


def evaluate(
    results: Iterable[ImageResult],
    class_names: Sequence[str],
    *,
    score_threshold: float = 0.5,
    iou_threshold: float = 0.5,
    n_images_absent: int | None = 0,
    n_images_failed: int = 0,
) -> Evaluation:
    """Measure findings against the truth.

    Args:
        results: ImageResults, one per image, normal images included.
        score_threshold: findings below it count in AP only, [0, 1].
        iou_threshold: IoU from which a matched lesion is hit, (0, 1].
        n_images_absent: how many images the predictions do not mention, or None if unknown; reported as it is.
        n_images_failed: how many images could not be predicted; reported as it is.

    Returns:
        an Evaluation. Nothing to measure on is NaN, with its count beside it.

    Raises:
        ConfigError: a threshold out of range.
        DataError: as ``facts_of``.
    """
    settings = StudySettings(score_threshold=score_threshold, iou_threshold=iou_threshold)
    facts = facts_of(tuple(results), class_names, settings)
    return evaluation_of(facts, n_images_absent=n_images_absent, n_images_failed=n_images_failed)


def evaluation_of(facts: Facts, *, n_images_absent: int | None, n_images_failed: int) -> Evaluation:
    """The Evaluation of Facts; the counts as in ``evaluate``."""
    detection = {iou_type: DetectionMeasures(facts, kind) for kind, iou_type in reversed(IOU_TYPES.items())}
    confusion = Confusion(facts.confusion, facts.class_names)
    settings = facts.settings
    found = _by_name(
        [
            *recall_measures(facts.lesions, facts.lesion_case, len(facts.cases)),
            *finding_measures(facts),
            *(measure for measures in call_measures(facts.calls) for measure in measures),
        ]
    )
    metrics = {
        "schema_version": SCHEMA_VERSION,
        "definitions": dict(DEFINITIONS),
        "settings": {
            "score_threshold": float(settings.score_threshold),
            "iou_threshold": float(settings.iou_threshold),
        },
        "counts": {**_counts(facts), "n_images_absent": n_images_absent, "n_images_failed": n_images_failed},
        "detection": {kind: _detection(measures, facts.class_names) for kind, measures in detection.items()},
        "overlap": _overlap(facts),
        "lesions": _lesions(facts, found),
        "images": _images(found),
        "confusion": _confusion(facts, confusion),
    }
    curves = {kind: measures.curves() for kind, measures in detection.items()}
    return Evaluation(metrics, lesion_rows(facts), image_rows(facts), curves, confusion)


def _counts(facts: Facts) -> dict[str, Any]:
    drawn = [lesion for result in facts.results for lesion in result.truth.lesions if not lesion.iscrowd]
    findings = [finding for result in facts.results for finding in result.findings]
    images = facts.images
    return {
        "n_images": len(images),
        "n_lesions": len(drawn),
        "n_lesions_per_class": {
            name: sum(lesion.class_id == class_id for lesion in drawn)
            for class_id, name in enumerate(facts.class_names)
        },
        "n_lesions_by_size": {
            name: sum(low <= lesion.area_px <= high for lesion in drawn) for name, (low, high) in SIZE_RANGES_PX.items()
        },
        "n_crowd_regions": sum(image.n_crowds for image in images),
        "n_images_with_crowds_only": sum(
            image.n_crowds > 0 and image.n_crowds == len(image.truth.lesions) for image in images
        ),
        "n_findings_in_crowds": sum(len(image.ignored) for image in images),
        "n_findings": len(findings),
        "n_findings_at_threshold": sum(len(image.findings) for image in images),
        "n_findings_without_mask": sum(finding.rle is None for finding in findings),
    }


def _detection(measures: DetectionMeasures, class_names: Sequence[str]) -> dict[str, Any]:
    """COCO's twelve numbers in its order, and AP by class; percent."""
    precision, recall = measures.average_precision, measures.average_recall
    found = {
        **{stat: precision(stat) for stat in ("AP", "AP50", "AP75")},
        **{f"AP{letter}": precision(size=size) for letter, size in _OF_SIZES.items()},
        **{f"AR{n}": recall(at_most=n) for n in (1, 10, 100)},
        **{f"AR{letter}": recall(size=size) for letter, size in _OF_SIZES.items()},
    }
    per_class = {name: {stat: precision(stat, of_class=name).value for stat in ("AP", "AP50")} for name in class_names}
    return {**_values(found), "per_class": per_class}


def _overlap(facts: Facts) -> dict[str, Any]:
    """Over all lesions and those of each class."""
    table = facts.lesions

    def of(lesions: LesionTable) -> dict[str, Any]:
        measures = _by_name(overlap_measures(lesions, facts.cases.case_of_image, len(facts.cases)))
        return {
            **_values(measures, _OVERLAP),
            "n_lesions": len(lesions),
            "n_matched": int(lesions.matched.sum()),
            "n_matched_by_box": int((lesions.matched & ~lesions.by_mask).sum()),
        }

    per_class = {name: of(table.take(table.class_id == k)) for k, name in enumerate(facts.class_names)}
    return {**of(table), "per_class": per_class}


def _lesions(facts: Facts, found: Mapping[str, Measure]) -> dict[str, Any]:
    """Over all classes the class does not matter; of a class a hit counts only if its class is right."""
    overall = {what: found[f"lesion_{what}"] for what in (PRECISION, RECALL, F1)}
    per_class = {name: _found(measures) for name, measures in class_found_measures(facts).items()}
    return {**_found(overall), "per_class": per_class}


def _found(measures: Mapping[str, Measure]) -> dict[str, Any]:
    precision, recall = measures[PRECISION], measures[RECALL]
    hits = precision.successes or 0
    return {
        **_values(measures, (PRECISION, RECALL, F1)),
        "true_positives": hits,
        "false_positives": precision.n - hits,
        "missed": recall.n - hits,
        "n_lesions": recall.n,
        "n_findings": precision.n,
    }


def _images(found: Mapping[str, Measure]) -> dict[str, Any]:
    """Tumour or not per image, and false positives per image."""
    sensitivity, specificity = found["image_sensitivity"], found["image_specificity"]
    hits, rejected = sensitivity.successes or 0, specificity.successes or 0
    return {
        "sensitivity": sensitivity.value,
        "specificity": specificity.value,
        "accuracy": found["image_accuracy"].value,
        **{name: found[f"image_{name}"].value for name in ("auc", "brier", "class_macro_f1")},
        "image_class_accuracy": found["image_class_accuracy"].value,
        **_values(found, ("false_positives_per_normal_image", "false_positives_per_image")),
        "true_positives": hits,
        "false_negatives": sensitivity.n - hits,
        "true_negatives": rejected,
        "false_positives": specificity.n - rejected,
        "n_images": sensitivity.n + specificity.n,
        "n_tumor_images": sensitivity.n,
        "n_normal_images": specificity.n,
    }


def _confusion(facts: Facts, confusion: Confusion) -> dict[str, Any]:
    right = hit_class_accuracy(facts)
    return {
        "rows_true": list(confusion.rows),
        "columns_predicted": list(confusion.columns),
        "counts": confusion.counts.tolist(),
        "class_accuracy": right.value,
        "n_hits": right.n,
    }


def _by_name(measures: Iterable[Measure]) -> dict[str, Measure]:
    return {measure.name: measure for measure in measures}


def _values(measures: Mapping[str, Measure], names: Iterable[str] | None = None) -> dict[str, float]:
    return {name: measures[name].value for name in (measures if names is None else names)}
