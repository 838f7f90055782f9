#!/usr/bin/env python
"""Where a Mask R-CNN loses lesions, by their size: is no proposal there, or is what is proposed not recognised?

Of each lesion: whether a proposal overlaps its box by an IoU of 0.5; the highest tumour score of such proposals; and
the score that the box head gives to the true box itself, which says what the best of proposals would be worth.
"""

import argparse
import itertools

import numpy as np

from segtumor.annotations.coco import load_coco
from segtumor.imaging import read_radiograph
from segtumor.runtime.exported import open_export
from segtumor.runtime.inputs import model_images
from segtumor.runtime.mask_rcnn.box_coding import scale_boxes
from segtumor.runtime.mask_rcnn.detections import softmax
from segtumor.runtime.mask_rcnn.suppression import box_overlaps
from segtumor.runtime.predictor import Windowing
from segtumor.shipped.registry import model_folder

#: Limits of the square root of the area, px of the file.
SIZES_PX = (0, 12, 20, 32, np.inf)
HIT_IOU = 0.5


def main():
    """Run the benchmark; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="btxrd-lite", help="name or folder of an exported Mask R-CNN")
    parser.add_argument("--annotations", required=True, metavar="JSON", help="COCO file; of validation, to choose by")
    args = parser.parse_args()
    exported, dataset = open_export(model_folder(args.model)), load_coco(args.annotations)
    found = [
        row
        for truth in dataset.annotated_images
        if any(not lesion.iscrowd for lesion in truth.lesions)
        for row in of_image(exported, read_radiograph(dataset.image_root / truth.file_name, log=False), truth)
    ]
    rows = np.array(found, dtype=float).reshape(-1, 4)
    threshold = exported.contract.confidence_threshold
    print(f"{'size, px':>12}{'lesions':>10}{'proposed':>10}{'proposal >= t':>15}{'true box >= t':>15}{'median':>10}")
    for low, high in itertools.pairwise(SIZES_PX):
        _, proposed, best, true = rows[(rows[:, 0] >= low) & (rows[:, 0] < high)].T
        if not len(true):
            print(f"{f'{low} to {high}':>12}{0:10}")
            continue
        shares = [np.mean(proposed), np.mean(best >= threshold), np.mean(true >= threshold), np.median(true)]
        print(
            f"{f'{low} to {high}':>12}{len(true):10}"
            + "".join(f"{s:{w}.2f}" for s, w in zip(shares, (10, 15, 15, 10), strict=True))
        )
    print(f"t: {threshold:.3f}, the model's threshold; median: of the true boxes' scores")
    return 0


def of_image(exported, radiograph, truth):
    """(size in px, whether it is proposed, best score of such proposals, score of the true box) of each lesion."""
    contract, detector = exported.contract, exported.model
    window = Windowing.from_contract(contract).window(radiograph.pixels, spacing_mm=radiograph.spacing_mm)
    preprocessing = contract.preprocessing
    images = model_images(
        [window],
        pixel_mean=preprocessing.pixel_mean,
        pixel_std=preprocessing.pixel_std,
        size_divisibility=preprocessing.size_divisibility,
    )
    maps = exported.graphs.dense(images)
    proposals = detector._propose(maps, 0, window.shape)
    lesions = [lesion for lesion in truth.lesions if not lesion.iscrowd]
    boxes = scale_boxes(np.array([x.box_xyxy for x in lesions], np.float32), truth.size_hw, window.shape)
    classes = len(contract.class_names) + 1
    both = [np.concatenate([proposals, boxes])]
    logits, _ = detector._pooled(detector.graphs.box_head, maps.features, both, [(classes,), (None,)])
    scores = softmax(logits)[:, :-1].max(axis=1)
    overlaps = box_overlaps(proposals, boxes)
    for index, lesion in enumerate(lesions):
        hit = overlaps[:, index] >= HIT_IOU
        best = scores[: len(proposals)][hit].max(initial=0.0)
        yield np.sqrt(lesion.area_px), hit.any(), best, scores[len(proposals) + index]


if __name__ == "__main__":
    raise SystemExit(main())
