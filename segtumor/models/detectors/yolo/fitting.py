"""The anchors of a training set's lesions, into its configuration."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from detectron2.config import CfgNode

from segtumor.imaging.resizing import resized_hw
from segtumor.models.detectors.yolo.anchors import by_level, covered_share, fit_anchors, of_levels

logger = logging.getLogger(__name__)


def set_anchors(cfg: CfgNode, records: Sequence[Mapping[str, Any]]) -> None:
    """Replace ``MODEL.YOLO.ANCHORS`` by anchors for these training records, where ``MODEL.YOLO.FIT_ANCHORS``."""
    if not cfg.MODEL.YOLO.FIT_ANCHORS:
        return
    levels = cfg.MODEL.YOLO.ANCHORS
    sizes = _sizes_wh(cfg, records)
    anchors = fit_anchors(sizes, of_levels(levels), seed=max(cfg.SEED, 0))
    before, after = (covered_share(sizes, boxes) for boxes in (of_levels(levels), anchors))
    cfg.MODEL.YOLO.ANCHORS = by_level(anchors, len(levels))
    logger.info(
        "Anchors fitted to %d lesions: %.1f %% of them can be learnt, %.1f %% with those of the configuration",
        *(len(sizes), 100 * after, 100 * before),
    )


def _sizes_wh(cfg: CfgNode, records: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """Width and height of every lesion, px at the middle one of the model's sizes."""
    edges = sorted(cfg.INPUT.MIN_SIZE_TRAIN)
    edge, sizes = edges[len(edges) // 2], []
    for record in records:
        size_hw = record["height"], record["width"]
        height, width = resized_hw(size_hw, edge, cfg.INPUT.MAX_SIZE_TRAIN, square=cfg.INPUT.SQUARE)
        boxes = [a["bbox"] for a in record["annotations"] if not a.get("iscrowd", 0)]  # x, y, width, height
        sizes += [(w * width / size_hw[1], h * height / size_hw[0]) for _, _, w, h in boxes if w > 0 and h > 0]
    return sizes
