"""All metrics of a set of images at once, and the few that are printed.

The one entry for training and ``tools/evaluate.py``, so that their numbers cannot differ.
"""

import math
from dataclasses import dataclass

from segtumor.errors import ConfigError, DataError
from segtumor.evaluation.facts.matching import match_image
from segtumor.evaluation.summary.classification import Confusion, confusion, image_metrics, lesion_metrics
from segtumor.evaluation.summary.definitions import DEFINITIONS
from segtumor.evaluation.summary.detection import BBOX, SEGM, PrecisionRecall, detection_metrics
from segtumor.evaluation.summary.overlap import overlap_metrics
from segtumor.evaluation.summary.tables import image_rows, lesion_rows
from segtumor.texts import aligned_table

SCHEMA_VERSION = 1
#: COCO's size classes, area in px^2; both ends belong to a class, as in pycocotools.
SIZE_RANGES_PX = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}
#: On one image: some seconds and some hundred MB.
_MOST_PAIRS = 5_000_000


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Attributes:
        metrics: nested dict of plain values as in ``metrics.json``; undefined values are NaN.
        per_lesion: a row (dict) per lesion.
        per_image: a row (dict) per image.
        curves: {"bbox" or "segm": {class name: PrecisionRecall}}.
        confusion: hits by class, missed lesions and false positives.
    """

    metrics: dict
    per_lesion: list[dict]
    per_image: list[dict]
    curves: dict[str, dict[str, PrecisionRecall]]
    confusion: Confusion


def evaluate(
    results,
    class_names,
    *,
    score_threshold: float = 0.5,
    iou_threshold: float = 0.5,
    n_images_absent=0,
    n_images_failed=0,
):
    """Measure findings against the truth.

    Args:
        results: sequence of ImageResults, one per image, normal images included.
        class_names: names by ``class_id``.
        score_threshold: findings below it count in AP only, [0, 1].
        iou_threshold: IoU from which a matched lesion is hit, (0, 1].
        n_images_absent: how many images the predictions do not mention, or None if unknown; reported as it is.
        n_images_failed: how many images could not be predicted; reported as it is.

    Returns:
        an Evaluation. Nothing to measure on is NaN, with its count beside it.

    Raises:
        ConfigError: a threshold out of range.
        DataError: an image twice, a class outside ``class_names``, a mask of another size than its image.
    """
    results = list(results)
    _check_thresholds(score_threshold, iou_threshold)
    check_results(results, class_names)
    images = [match_image(r, score_threshold=score_threshold, iou_threshold=iou_threshold) for r in results]
    detection = {kind: detection_metrics(results, class_names, kind) for kind in (BBOX, SEGM)}
    table = confusion(images, class_names)
    unseen = {"n_images_absent": n_images_absent, "n_images_failed": n_images_failed}
    metrics = {
        "schema_version": SCHEMA_VERSION,
        "definitions": dict(DEFINITIONS),
        "settings": {"score_threshold": float(score_threshold), "iou_threshold": float(iou_threshold)},
        "counts": {**_counts(results, images, class_names), **unseen},
        "detection": {kind: numbers for kind, (numbers, _) in detection.items()},
        "overlap": overlap_metrics(images, class_names),
        "lesions": lesion_metrics(table),
        "images": image_metrics(images, class_names),
        "confusion": table.metrics(),
    }
    curves = {kind: kind_curves for kind, (_, kind_curves) in detection.items()}
    return Evaluation(metrics, lesion_rows(images, class_names), image_rows(images, class_names), curves, table)


def _check_thresholds(score_threshold, iou_threshold):
    if not 0 <= score_threshold <= 1:
        raise ConfigError("score threshold out of range", got=score_threshold, expected="0 to 1")
    if not 0 < iou_threshold <= 1:
        raise ConfigError("IoU threshold out of range", got=iou_threshold, expected="above 0, up to 1")


def check_results(results, class_names):
    seen = set()
    for result in results:
        truth = result.truth
        if truth.image_id in seen:
            raise DataError("image evaluated twice", where=truth.file_name, got=f"image id {truth.image_id}")
        seen.add(truth.image_id)
        if len(truth.lesions) * len(result.findings) > _MOST_PAIRS:
            raise DataError(
                "too many lesions and findings on one image to compare each with each",
                where=truth.file_name,
                got=f"{len(truth.lesions)} lesions and {len(result.findings)} findings",
                expected=f"at most {_MOST_PAIRS:,} pairs",
                remedy="Look at the annotations: are single strokes or pixels outlined as lesions?",
            )
        for item in (*truth.lesions, *result.findings):
            if not 0 <= item.class_id < len(class_names):
                expected = f"0 to {len(class_names) - 1}"
                raise DataError("class id out of range", where=truth.file_name, got=item.class_id, expected=expected)
            if item.rle is not None and list(item.rle["size"]) != list(truth.size_hw):
                raise DataError(
                    "mask of another image size",
                    where=truth.file_name,
                    got=list(item.rle["size"]),
                    expected=list(truth.size_hw),
                )


def _counts(results, images, class_names):
    lesions = [lesion for image in images for lesion in image.lesions]
    findings = [finding for result in results for finding in result.findings]
    return {
        "n_images": len(results),
        "n_lesions": len(lesions),
        "n_lesions_per_class": {
            name: sum(lesion.class_id == class_id for lesion in lesions) for class_id, name in enumerate(class_names)
        },
        "n_lesions_by_size": {
            name: sum(low <= lesion.area_px <= high for lesion in lesions)
            for name, (low, high) in SIZE_RANGES_PX.items()
        },
        "n_crowd_regions": sum(image.n_crowds for image in images),
        "n_images_with_crowds_only": sum(bool(image.n_crowds and not image.lesions) for image in images),
        "n_findings_in_crowds": sum(len(image.ignored) for image in images),
        "n_findings": len(findings),
        "n_findings_at_threshold": sum(len(image.findings) for image in images),
        "n_findings_without_mask": sum(finding.rle is None for finding in findings),
    }


def headline(evaluation):
    """The metrics that are looked at first: a list of (name, int or float, note); an undefined value is NaN."""
    m = evaluation.metrics
    score, iou = m["settings"]["score_threshold"], m["settings"]["iou_threshold"]
    counts, overlap, lesions, images = m["counts"], m["overlap"], m["lesions"], m["images"]
    by_box = f", {overlap['n_matched_by_box']} of them by box for want of a mask" if overlap["n_matched_by_box"] else ""
    crowds = f"neither found nor missed; {counts['n_findings_in_crowds']} findings in them do not count"
    lesion_note = f"score >= {score:.2f}, IoU >= {iou:.2f}"
    return [
        ("images", counts["n_images"], f"{images['n_tumor_images']} with tumor, {images['n_normal_images']} normal"),
        ("lesions", counts["n_lesions"], f"{counts['n_findings_at_threshold']} findings with score >= {score:.2f}"),
        *([("crowd regions", counts["n_crowd_regions"], crowds)] if counts["n_crowd_regions"] else []),
        ("mask AP50", m["detection"][SEGM]["AP50"], "percent"),
        ("mask AP", m["detection"][SEGM]["AP"], "percent, IoU 0.50 to 0.95"),
        ("box AP50", m["detection"][BBOX]["AP50"], "percent"),
        ("mean lesion Dice", overlap["dice"], f"missed = 0, n = {overlap['n_lesions']}{by_box}"),
        ("Dice of matched lesions", overlap["dice_matched"], f"n = {overlap['n_matched']}"),
        ("recall", lesions["recall"], f"{lesions['true_positives']} of {lesions['n_lesions']} lesions, {lesion_note}"),
        (
            "precision",
            lesions["precision"],
            f"{lesions['true_positives']} of {lesions['n_findings']} findings, {lesion_note}",
        ),
        ("F1", lesions["f1"], lesion_note),
        ("sensitivity", images["sensitivity"], f"images, n = {images['n_tumor_images']}"),
        ("specificity", images["specificity"], f"images, n = {images['n_normal_images']}"),
        (
            "false positives per normal image",
            images["false_positives_per_normal_image"],
            f"n = {images['n_normal_images']}",
        ),
    ]


def headline_table(evaluation):
    """``headline`` as aligned lines of text."""
    rows = [(name, _value_text(value), note) for name, value, note in headline(evaluation)]
    return "\n".join(aligned_table(rows, "<><"))


def _value_text(value):
    if isinstance(value, int):
        return str(value)
    return "undefined" if math.isnan(value) else f"{value:.3f}"
