"""What each number of ``metrics.json`` means, in one sentence; written beside the numbers."""

DEFINITIONS = {
    "detection": "COCO average precision and recall in percent, as pycocotools computes them, "
    "over all findings whatever their score, at most 100 per image and class; bbox compares boxes, segm masks.",
    "AP": "Mean of the average precision at IoU 0.50, 0.55, ... 0.95 and over the classes that have lesions.",
    "AP50": "Average precision at IoU 0.50; AP75 at IoU 0.75.",
    "APs": "AP of small lesions (area up to 32^2 px); APm medium (32^2 to 96^2 px); APl large (from 96^2 px); in "
    "mask AP the size of a finding is the area of its mask.",
    "AR1": "Recall averaged over IoU 0.50 to 0.95 with at most 1 finding per image and class; AR10 and AR100 with 10 "
    "and 100; ARs, ARm and ARl by size.",
    "matching": "Findings at or above score_threshold and lesions of an image are paired one to one, whatever their "
    "class, so that the sum of mask IoU is largest; pairs must overlap; crowd regions are neither hit nor missed.",
    "n_crowd_regions": "Regions with iscrowd 1. A finding that is no hit and has at least iou_threshold of its area in "
    "one is no false positive (n_findings_in_crowds); an image with nothing else is not normal.",
    "dice": "Mean over lesions of the Dice coefficient with the matched finding; a lesion without one counts 0.",
    "iou": "Mean over lesions of the intersection over union with the matched finding, 0 as for dice.",
    "dice_matched": "Mean Dice over the matched lesions only; iou_matched likewise.",
    "n_matched_by_box": "Matched lesions whose IoU and Dice are those of boxes, because a mask is missing.",
    "recall": "Proportion of lesions that are hit, that is, matched with IoU of at least iou_threshold.",
    "missed": "Lesions that are not hit: no finding is paired with them, or one that overlaps too little.",
    "precision": "Proportion of the findings at or above score_threshold that are hits; those in crowd regions do not "
    "count.",
    "f1": "Harmonic mean of precision and recall, 2 TP / (2 TP + FP + missed).",
    "per_class": "In lesions, a hit counts only if its class is right; in overlap, the class is the lesion's.",
    "sensitivity": "Proportion of the images with a tumour on which at least one finding reaches score_threshold.",
    "specificity": "Proportion of the normal images (no lesion, crowd region or label of a tumour) on which no "
    "finding reaches score_threshold.",
    "accuracy": "Proportion of all images rightly called tumour or not.",
    "auc": "Area under the ROC curve of the image's score, tumour against normal.",
    "brier": "Mean squared difference of the image's score and 1 for a tumour, 0 for none (Brier score); lower is "
    "better.",
    "image_class_accuracy": "Proportion of the images of known class, normal included, whose class is right.",
    "class_macro_f1": "Mean over normal and the classes of the F1 of the image's class.",
    "false_positives_per_normal_image": "Mean number of findings at or above score_threshold on a normal image.",
    "false_positives_per_image": "Mean number of false-positive findings over all images.",
    "confusion": "Lesions by true class (rows) and class of the finding that hits them (columns), or missed; the row "
    "background counts false positives by predicted class.",
    "class_accuracy": "Proportion of the hits whose class is right.",
    "n_images_absent": "Images that the predictions do not mention, counted as having no findings; null if the file "
    "does not list its images.",
    "n_images_failed": "Images that the predictions report as failed, counted as having no findings.",
    "null": "A value without anything to measure it on is null.",
}
