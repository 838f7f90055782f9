"""Detectron2's instances to findings, and findings to COCO results: where tensors become plain values."""

from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_from_mask


def findings_from_instances(instances):
    """Predicted ``Instances`` of one image, at its original size, to findings.

    Args:
        instances: with pred_boxes, scores, pred_classes, and optionally pred_masks (N, H, W) bool and
            class_probabilities (N, K).

    Returns:
        tuple of Finding, highest score first.
    """
    instances = instances.to("cpu")
    boxes = instances.pred_boxes.tensor.tolist()
    scores, classes = instances.scores.tolist(), instances.pred_classes.tolist()
    rles = [rle_from_mask(mask.numpy()) for mask in instances.pred_masks] if instances.has("pred_masks") else None
    probabilities = instances.class_probabilities.tolist() if instances.has("class_probabilities") else None
    findings = [
        Finding(
            class_id=classes[i],
            score=scores[i],
            box_xyxy=tuple(boxes[i]),
            rle=rles[i] if rles else None,
            probabilities=tuple(probabilities[i]) if probabilities else (),
        )
        for i in range(len(instances))
    ]
    return tuple(sorted(findings, key=lambda finding: -finding.score))


def coco_results(results, category_ids):
    """The plain COCO results list, with the annotation file's own ids."""
    return [
        {
            "image_id": result.truth.image_id,
            "category_id": category_ids[finding.class_id],
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "score": finding.score,
            "segmentation": finding.rle,
        }
        for result in results
        for finding in result.findings
        for x0, y0, x1, y1 in [finding.box_xyxy]
    ]
