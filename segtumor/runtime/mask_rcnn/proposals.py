"""Proposals: the places worth a second look, from the maps of the proposal head.

Equivalent to Detectron2's ``RPN.predict_proposals`` and ``find_top_rpn_proposals`` (Ren et al. 2015; on a pyramid, Lin
et al. 2017), for one image. Offsets are applied to the chosen anchors only, which is what takes Detectron2 its time.

Letters: A anchors of a cell, h, w size of a level's map, P proposals.
"""

from collections.abc import Sequence

import numpy as np

from segtumor.arrays import Floats32, Ints, SizeHW
from segtumor.runtime.mask_rcnn.anchors import anchors_at
from segtumor.runtime.mask_rcnn.box_coding import clip_boxes, decode_boxes, longer_than
from segtumor.runtime.mask_rcnn.suppression import suppress


def choose_proposals(
    *,
    objectness: Sequence[Floats32],
    deltas: Sequence[Floats32],
    cells: Sequence[Floats32],
    strides_px: Sequence[int],
    offset: float,
    box_weights: Sequence[float],
    image_hw: SizeHW,
    pre_nms_topk: int,
    post_nms_topk: int,
    nms_iou: float,
    min_box_size_px: float,
) -> tuple[Floats32, Floats32]:
    """The proposals of one image: the best anchors of each level, moved, cut to the image, suppressed by level.

    Args:
        objectness: for each level (A, h, w) float32, logits.
        deltas: for each level (4A, h, w) float32.
        cells: for each level (A, 4), of ``anchors.cell_anchors``.
        strides_px: stride of each level.
        offset: as in ``anchors.anchors_at``.
        box_weights: as in ``box_coding.decode_boxes``.
        image_hw: size of the image before padding, px.
        pre_nms_topk: anchors of a level that are looked at.
        post_nms_topk: proposals of all levels together.
        nms_iou: overlap above which the lower one of two on one level goes.
        min_box_size_px: proposals must have sides longer than that.

    Returns:
        (boxes (P, 4) float32 in px of the image, objectness (P,) float32), highest objectness first.
    """
    chosen = [
        _best_of_level(*level, offset=offset, box_weights=box_weights, topk=pre_nms_topk)
        for level in zip(objectness, deltas, cells, strides_px, strict=True)
    ]
    boxes = np.concatenate([level_boxes for level_boxes, _ in chosen])
    scores = np.concatenate([level_scores for _, level_scores in chosen])
    levels = np.repeat(np.arange(len(chosen)), [len(level_scores) for _, level_scores in chosen])
    sound = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    boxes = clip_boxes(boxes, image_hw)
    left = np.flatnonzero(sound & longer_than(boxes, min_box_size_px))
    boxes, scores, levels = boxes[left], scores[left], levels[left]
    kept = suppress(boxes, scores, groups=levels, iou_threshold=nms_iou, limit=post_nms_topk)
    return boxes[kept], scores[kept]


def _best_of_level(
    objectness: Floats32,
    deltas: Floats32,
    cell: Floats32,
    stride_px: int,
    *,
    offset: float,
    box_weights: Sequence[float],
    topk: int,
) -> tuple[Floats32, Floats32]:
    """Boxes (n, 4) and logits (n,) of the ``topk`` best anchors of one level, best first."""
    num_anchors, height, width = objectness.shape
    logits = objectness.transpose(1, 2, 0).ravel()  # by row, column, place in the cell
    positions = best(logits, topk)
    cells, kinds = np.divmod(positions, num_anchors)
    offsets = deltas.reshape(num_anchors, 4, height * width)[kinds, :, cells]
    anchors = anchors_at(positions, cell=cell, map_width=width, stride_px=stride_px, offset=offset)
    return decode_boxes(offsets, anchors, box_weights), logits[positions]


def best(scores: Floats32, topk: int) -> Ints:
    """Indices of the ``topk`` highest of (N,) scores, highest first; of equal ones, the first comes first.

    NaN counts as infinite, as in a descending sort of PyTorch: it takes a place and is dropped later.
    """
    scores = np.where(np.isnan(scores), np.float32(np.inf), scores)
    if len(scores) <= topk:
        return np.argsort(-scores, kind="stable")
    # A partition takes a tenth of the time of a sort, but orders nothing: sort what reaches the last score chosen.
    last = np.partition(scores, len(scores) - topk)[len(scores) - topk]
    candidates = np.flatnonzero(scores >= last)
    return candidates[np.argsort(-scores[candidates], kind="stable")[:topk]]
