"""What each measure of a study means, in one sentence that a reader without a statistics book understands.

Not here: how it is computed (``segtumor.evaluation.measures.measure``) and how its interval is made (the study's
estimates).
"""

_SURFACE = {
    "hausdorff": "Largest distance from a point of one outline to the nearest of the other; over matched lesions.",
    "hausdorff_95": "The larger of the two directed 95th percentiles of the distances between the two outlines; over "
    "matched lesions.",
    "average_surface_distance": "Mean distance from every point of either outline to the other one; over matched "
    "lesions.",
}
_NORMALIZED_SURFACE = {
    "normalized_surface_dice": "Part of both outlines that lies within the tolerance of the other one; a missed lesion "
    "counts 0.",
    "normalized_surface_dice_matched": "Normalized surface Dice of the matched lesions only.",
}
_LESIONS = {
    "dice": "Mean over lesions of twice the overlap divided by the sum of both areas; a lesion that is paired "
    "with no finding counts 0.",
    "dice_matched": "Dice of the matched lesions only; it says nothing about missed ones.",
    "iou": "Mean over lesions of the overlap divided by the union of both areas; a lesion that is paired "
    "with no finding counts 0.",
    "iou_matched": "Intersection over union of the matched lesions only.",
    "image_dice": "Dice between the union of all true and the union of all predicted masks of an image with a tumor; "
    "nothing found counts 0.",
    "image_iou": "Intersection over union between the union of all true and the union of all predicted masks of an "
    "image with a tumor; nothing found counts 0.",
    "lesion_recall": "Proportion of lesions that a finding hits, that is, is paired with at an IoU of at least the IoU "
    "threshold.",
    "lesion_precision": "Part of the findings at or above the score threshold that hit a lesion.",
    "lesion_f1": "Harmonic mean of lesion recall and lesion precision.",
    "located_above_0": "Proportion of lesions that are paired with a finding at or above the score threshold, however "
    "little it overlaps.",
    "located_above_0.2": "Proportion of lesions that are paired with a finding whose IoU is above 0.2.",
    "located_above_0.5": "Proportion of lesions that are paired with a finding whose IoU is above 0.5.",
    "froc_mean": "Mean of the lesion sensitivities at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives per image.",
    "false_positives_per_image": "Mean number of findings at or above the score threshold that hit no lesion, over all "
    "images; a further finding on a lesion already hit is one of them.",
    "false_positives_per_normal_image": "Mean number of findings at or above the score threshold on an image without a "
    "tumor.",
}
_FROC = {
    f"froc_at_{rate}": f"Highest part of the lesions found at a score threshold with at most {rate} false positives "
    "per image; further findings on a lesion already found count neither way."
    for rate in ("0.125", "0.25", "0.5", "1", "2", "4", "8")
}
_DETECTION = {
    "mask_ap": "COCO average precision of masks in percent, mean over IoU 0.50 to 0.95 and classes, over all scores.",
    "mask_ap50": "COCO average precision of masks in percent at IoU 0.50, mean over classes, over all scores.",
    "box_ap": "COCO average precision of boxes in percent, mean over IoU 0.50 to 0.95 and classes, over all scores.",
    "box_ap50": "COCO average precision of boxes in percent at IoU 0.50, mean over classes, over all scores.",
}
_TUMOR_OR_NOT = {
    "auc": "Probability that a randomly drawn {one} with a tumor scores higher than one without; 0.5 is chance.",
    "auc_pr": "Average precision of tumor against normal {many} over all thresholds; chance is the part of {many} with "
    "a tumor.",
    "sensitivity": "Part of the {many} with a tumor that are called positive.",
    "specificity": "Part of the {many} without a tumor that are called negative.",
    "ppv": "Part of the {many} called positive that have a tumor; depends on how common tumors are in these data.",
    "npv": "Part of the {many} called negative that have none; depends on how common tumors are in these data.",
    "accuracy": "Part of all {many} called rightly tumor or not; depends on how common tumors are in these data.",
    "balanced_accuracy": "Mean of sensitivity and specificity of {many}.",
    "f1": "Harmonic mean of sensitivity and positive predictive value of {many}.",
    "mcc": "Matthews correlation between the truth and the call of {many}; 0 is chance, 1 perfect.",
    "kappa": "Cohen's kappa: agreement of truth and call of {many} beyond chance; 0 is chance, 1 perfect.",
    "brier": "Mean squared difference between the score of {a_one}, as given, and its truth (0 or 1); 0 is perfect, "
    "lower is better.",
    "ece": "Expected calibration error: mean distance between score, as given, and observed frequency of tumors over "
    "ten bins of {many}; lower is better.",
    "brier_calibrated": "Brier score of {many} after dividing the logit of their scores by the temperature.",
    "ece_calibrated": "Expected calibration error of {many} after dividing the logit of their scores by the "
    "temperature.",
    "class_accuracy": "Part of the {many} given the right class (normal counts as a class).",
    "class_balanced_accuracy": "Mean over the classes, normal included, of the part of its {many} given the right "
    "class.",
    "class_macro_f1": "Mean over the classes, normal included, of the F1 of {many}.",
    "class_mcc": "Matthews correlation of several classes (Gorodkin 2004) between true and predicted class of {many}.",
    "class_kappa": "Cohen's kappa of true and predicted class of {many}, every confusion weighing the same.",
    "class_kappa_linear": "Cohen's kappa of true and predicted class of {many}; confusing classes further apart weighs "
    "more, in proportion to the distance.",
    "class_kappa_quadratic": "Cohen's kappa of true and predicted class of {many}; confusing classes further apart "
    "weighs more, with the square of the distance.",
    "class_macro_auc": "Mean over the classes, normal included, of the AUC of that class of {many} against all others.",
}


#: What ``require_located`` changes, for the measures of patients that follow it.
_LOCATED = " Here a patient with a tumor is right only if one of its lesions was also located."
_FOLLOW_LOCATED = ("patient_sensitivity", "patient_accuracy", "patient_balanced_accuracy", "patient_kappa")


def metric_text(name, *, located: bool = False):
    """What a measure means, "" for an unknown one; ``located`` as ``require_located`` in StudySettings."""
    return METRIC_TEXTS.get(name, "") + (_LOCATED if located and name in _FOLLOW_LOCATED else "")


def _millimetres():
    return {
        **{f"{name}_mm": f"{text[:-1]}; in mm, where the pixel spacing is known." for name, text in _SURFACE.items()},
        **{
            f"{name}_mm": f"{text[:-1]}; tolerance in mm, where the pixel spacing is known."
            for name, text in _NORMALIZED_SURFACE.items()
        },
    }


#: {name of a measure: what it means, a sentence}.
METRIC_TEXTS = {
    **_DETECTION,
    **_LESIONS,
    **_FROC,
    **{f"{name}_px": f"{text[:-1]}; in px." for name, text in _SURFACE.items()},
    **_NORMALIZED_SURFACE,
    **_millimetres(),
    **{
        f"{unit}_{name}": text.format(one=unit, a_one=a_unit, many=f"{unit}s")
        for unit, a_unit in (("image", "an image"), ("patient", "a patient"))
        for name, text in _TUMOR_OR_NOT.items()
    },
}
