"""Detections: which regions hold what, from the box head's class logits and offsets.

Equivalent to Detectron2's ``fast_rcnn_inference`` for one image, with every class's probability kept.

Letters: R regions, K classes (without background, which is last), B boxes of a region (1 or K), D detections.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segtumor.arrays import Bools, Floats32, Ints, Rle, SizeHW
from segtumor.runtime.mask_rcnn.box_coding import clip_boxes, longer_than, scale_boxes
from segtumor.runtime.mask_rcnn.suppression import suppress
from segtumor.structures.lesions import Finding


@dataclass(frozen=True)
class Detections:
    """What was found on one image, highest score first.

    Attributes:
        boxes: (D, 4) float32, px.
        scores: (D,) float32 in [0, 1].
        class_ids: (D,) int.
        probabilities: (D, K) float32 in [0, 1].
        regions: (D,) int, which of the given regions each is.
    """

    boxes: Floats32
    scores: Floats32
    class_ids: Ints
    probabilities: Floats32
    regions: Ints

    def __len__(self) -> int:
        return len(self.scores)

    def at(self, indices: Ints) -> "Detections":
        """Some of the detections."""
        return Detections(
            self.boxes[indices],
            self.scores[indices],
            self.class_ids[indices],
            self.probabilities[indices],
            self.regions[indices],
        )

    def resized(self, from_hw: SizeHW, to_hw: SizeHW) -> "tuple[Detections, Bools]":
        """The detections at another size of the image, and (D,) bool: which of them still have an extent there."""
        boxes = clip_boxes(scale_boxes(self.boxes, from_hw, to_hw), to_hw)
        return dataclasses.replace(self, boxes=boxes), longer_than(boxes, 0)

    def findings(self, rles: Sequence[Rle | None]) -> tuple[Finding, ...]:
        """The detections, at the size of the radiograph, with their masks or None."""
        rows = zip(
            self.class_ids.tolist(),
            self.scores.tolist(),
            self.boxes.tolist(),
            rles,
            self.probabilities.tolist(),
            strict=True,
        )
        return tuple(
            Finding(class_id, score, (x0, y0, x1, y1), rle, tuple(probabilities))
            for class_id, score, (x0, y0, x1, y1), rle, probabilities in rows
        )


def softmax(logits: Floats32) -> Floats32:
    """(R, K + 1) logits -> probabilities, float32; NaN where a logit is not finite."""
    with np.errstate(invalid="ignore"):
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: Floats32 = powers / powers.sum(axis=1, keepdims=True)
        return probabilities


def choose_detections(
    *,
    boxes: Floats32,
    probabilities: Floats32,
    image_hw: SizeHW,
    score_threshold: float,
    nms_iou: float,
    max_detections: int,
    cut_first: bool = True,
) -> Detections:
    """Every class of every region above the score threshold, suppressed class by class, the best of all.

    Args:
        boxes: (R, 4B) float32, px of the image, not yet cut to it.
        probabilities: (R, K + 1) float32.
        image_hw: size of the image before padding, px.
        score_threshold: scores must be above it.
        nms_iou: overlap above which the lower one of two of a class goes.
        max_detections: number to return at most; below 0 for all.
        cut_first: whether boxes are cut to the image before they are suppressed, not only afterwards.

    Returns:
        Detections. Regions with a number that is not finite are left out.
    """
    finite = np.flatnonzero(np.isfinite(boxes).all(axis=1) & np.isfinite(probabilities).all(axis=1))
    probabilities = probabilities[finite, :-1]
    boxes = boxes[finite].reshape(len(probabilities), boxes.shape[1] // 4, 4)
    boxes = clip_boxes(boxes, image_hw) if cut_first else boxes
    regions, class_ids = np.nonzero(probabilities > np.float32(score_threshold))
    boxes = boxes[regions, 0 if boxes.shape[1] == 1 else class_ids]
    found = Detections(boxes, probabilities[regions, class_ids], class_ids, probabilities[regions], finite[regions])
    limit = max_detections if max_detections >= 0 else None
    found = found.at(suppress(boxes, found.scores, groups=class_ids, iou_threshold=nms_iou, limit=limit))
    return dataclasses.replace(found, boxes=clip_boxes(found.boxes, image_hw))
