"""How well the outlines agree: Dice and IoU per lesion.

Per lesion, not per image or per pixel, so that a small lesion weighs as much as a large one. A lesion that no
finding was matched with counts 0; the mean over the matched ones alone stands beside it, for papers differ in which
they report.
"""

import numpy as np

from segtumor.evaluation.summary.ratios import mean
from segtumor.structures.masks import dice_from_iou


def overlap_metrics(images, class_names):
    """Mean Dice and IoU over all lesions and per class.

    Args:
        images: MatchedImages.
        class_names: names by ``class_id``.

    Returns:
        dict of the keys of ``_means`` and ``per_class`` {name: the same keys}; Dice and IoU in [0, 1], NaN where no
        lesion defines them.
    """
    pairs = [pair for image in images for pair in zip(image.lesions, image.matches, strict=True)]
    per_class = {
        name: _means([match for lesion, match in pairs if lesion.class_id == class_id])
        for class_id, name in enumerate(class_names)
    }
    return {**_means([match for _, match in pairs]), "per_class": per_class}


def _means(matches):
    iou = np.array([match.iou if match else 0.0 for match in matches])
    matched = iou > 0
    dice = dice_from_iou(iou)
    return {
        "dice": mean(dice),
        "iou": mean(iou),
        "dice_matched": mean(dice[matched]),
        "iou_matched": mean(iou[matched]),
        "n_lesions": len(iou),
        "n_matched": int(matched.sum()),
        "n_matched_by_box": sum(1 for match in matches if match and not match.by_mask),
    }
