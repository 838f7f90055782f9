"""The few metrics that are looked at first, as training, the demo and the terminal print them."""

import math

from segtumor.evaluation.facts.coco import BBOX, SEGM
from segtumor.evaluation.study.values import Evaluation
from segtumor.texts import aligned_table


def headline(evaluation: Evaluation) -> list[tuple[str, float, str]]:
    """The metrics that are looked at first: a list of (name, int or float, note); an undefined value is NaN."""
    m = evaluation.metrics
    score, iou = m["settings"]["score_threshold"], m["settings"]["iou_threshold"]
    counts, overlap, lesions, images = m["counts"], m["overlap"], m["lesions"], m["images"]
    by_box = f", {overlap['n_matched_by_box']} of them by box for want of a mask" if overlap["n_matched_by_box"] else ""
    crowds = f"neither found nor missed; {counts['n_findings_in_crowds']} findings in them do not count"
    lesion_note = f"score >= {score:.2f}, IoU >= {iou:.2f}"
    hits, normal = lesions["true_positives"], f"n = {images['n_normal_images']}"
    of_all = (counts["n_images"], f"{images['n_tumor_images']} with tumour, {images['n_normal_images']} normal")
    called = [
        ("sensitivity", images["sensitivity"], f"images, n = {images['n_tumor_images']}"),
        ("specificity", images["specificity"], f"images, {normal}"),
    ]
    if images["n_images"] and math.isnan(images["false_positives_per_image"]):  # it marks no lesions anywhere
        return [
            ("images", *of_all),
            ("AUC", images["auc"], "images, tumour against normal"),
            *called,
            ("accuracy", images["accuracy"], "images, tumour or not"),
            ("class accuracy", images["image_class_accuracy"], "images, normal and the classes"),
            ("macro F1", images["class_macro_f1"], "images, mean of normal and the classes"),
            ("Brier score", images["brier"], "images, lower is better"),
        ]
    return [
        ("images", *of_all),
        ("lesions", counts["n_lesions"], f"{counts['n_findings_at_threshold']} findings with score >= {score:.2f}"),
        *([("crowd regions", counts["n_crowd_regions"], crowds)] if counts["n_crowd_regions"] else []),
        ("mask AP50", m["detection"][SEGM]["AP50"], "percent"),
        ("mask AP", m["detection"][SEGM]["AP"], "percent, IoU 0.50 to 0.95"),
        ("box AP50", m["detection"][BBOX]["AP50"], "percent"),
        ("mean lesion Dice", overlap["dice"], f"missed = 0, n = {overlap['n_lesions']}{by_box}"),
        ("Dice of matched lesions", overlap["dice_matched"], f"n = {overlap['n_matched']}"),
        ("recall", lesions["recall"], f"{hits} of {lesions['n_lesions']} lesions, {lesion_note}"),
        ("precision", lesions["precision"], f"{hits} of {lesions['n_findings']} findings, {lesion_note}"),
        ("F1", lesions["f1"], lesion_note),
        *called,
        ("false positives per normal image", images["false_positives_per_normal_image"], normal),
    ]


def headline_table(evaluation: Evaluation) -> str:
    """``headline`` as aligned lines of text."""
    rows = [(name, _value_text(value), note) for name, value, note in headline(evaluation)]
    return "\n".join(aligned_table(rows, "<><"))


def _value_text(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return "undefined" if math.isnan(value) else f"{value:.3f}"
