"""Random results that are awkward for COCO's matching, for the tests of average precision."""

import numpy as np

from segtumor.structures.lesions import AnnotatedImage, Finding, ImageResult, Lesion
from segtumor.structures.masks import rle_from_mask

SIZE_HW = (40, 40)
N_CLASSES = 3


def awkward_results(rng, n_images, *, n_scores=4, no_masks=0.2, most_findings=12):
    """Images of small rectangles: ties, crowd regions, equal boxes, findings without mask, ids out of order.

    Args:
        rng: a numpy Generator.
        n_images: images.
        n_scores: how many different scores there are; 1: all are equal.
        no_masks: share of findings without a mask.
        most_findings: of an image.
    """
    classes = rng.permutation(N_CLASSES)[: rng.integers(1, N_CLASSES + 1)]  # the others have findings, but no lesions
    return [
        _image(rng, int(image_id), classes, n_scores, no_masks, most_findings)
        for image_id in rng.permutation(3 * n_images)[:n_images]  # 0 is an id like any other
    ]


def _image(rng, image_id, classes, n_scores, no_masks, most_findings):
    lesions, findings = [], []
    for i in range(rng.integers(0, 4)):
        box = _box(rng)
        area = float(rng.choice([100, 2000, 20000]))  # as annotated: whatever the box
        crowd = bool(rng.random() < 0.2)
        lesions.append(Lesion(i, int(rng.choice(classes)), box, _mask(rng, box), area, crowd))
    for _ in range(rng.integers(0, most_findings + 1)):
        box, class_id = _box(rng), int(rng.integers(N_CLASSES))
        if lesions and rng.random() < 0.7:
            lesion = lesions[rng.integers(len(lesions))]
            class_id, shift = lesion.class_id, rng.integers(-1, 2)
            box = tuple(float(np.clip(value + shift, 0, SIZE_HW[0])) for value in lesion.box_xyxy)
        rle = None if rng.random() < no_masks else _mask(rng, box)
        findings.append(Finding(class_id, float(rng.integers(1, n_scores + 1) / n_scores), box, rle))
    truth = AnnotatedImage(image_id, f"{image_id}.png", SIZE_HW, tuple(lesions))
    return ImageResult(truth, tuple(findings))  # as they come, not by score


def _box(rng):
    x0, y0 = rng.integers(0, 30, 2)
    width, height = rng.choice([0, 4, 5, 10], 2, p=(0.03, 0.32, 0.32, 0.33))
    return (float(x0), float(y0), float(x0 + width), float(y0 + height))


def _mask(rng, box_xyxy):
    x0, y0, x1, y1 = map(int, box_xyxy)
    mask = np.zeros(SIZE_HW, dtype=bool)
    mask[y0:y1, x0:x1] = True
    mask[y0, x0] = mask[y0, x0] and rng.random() < 0.5
    return rle_from_mask(mask)
