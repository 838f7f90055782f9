"""Detectron2 as it comes: our configurations with Detectron2's own numbers, for the side that is compared with.

The architecture (backbone, norm, one box and one mask for both classes) stays, so that both sides take the same
weights; the numbers are those of Detectron2's ``get_cfg`` and of its ``Base-RCNN-FPN.yaml``.
"""

#: Proposals of a level before and of an image after suppression: ``Base-RCNN-FPN.yaml``.
_PROPOSALS = {
    "PRE_NMS_TOPK_TRAIN": 2000,
    "PRE_NMS_TOPK_TEST": 1000,
    "POST_NMS_TOPK_TRAIN": 1000,
    "POST_NMS_TOPK_TEST": 1000,
    "NMS_THRESH": 0.7,
    "BATCH_SIZE_PER_IMAGE": 256,
    "POSITIVE_FRACTION": 0.5,
    "IOU_THRESHOLDS": [0.3, 0.7],
}
_REGIONS = {
    "BATCH_SIZE_PER_IMAGE": 512,
    "POSITIVE_FRACTION": 0.25,
    "SCORE_THRESH_TEST": 0.05,
    "NMS_THRESH_TEST": 0.5,
}
_SHORT_EDGE_PX, _MAX_LONG_EDGE_PX = 800, 1333
_DETECTIONS = 100


def stock_inference_config(cfg, *, short_edge_px=_SHORT_EDGE_PX, max_long_edge_px=_MAX_LONG_EDGE_PX):
    """A copy of ``cfg`` that predicts with Detectron2's numbers, 800 px, and plain order in memory.

    Args:
        cfg: configuration of a Mask R-CNN with a feature pyramid. Its anchors stay: its weights were trained with them.
        short_edge_px, max_long_edge_px: size of the input.
    """
    stock = _with_numbers(cfg)
    stock.INPUT.MIN_SIZE_TEST, stock.INPUT.MAX_SIZE_TEST = short_edge_px, max_long_edge_px
    return stock


def stock_training_config(cfg):
    """A copy of ``cfg`` that trains as Detectron2 does: its proposals, regions, anchors, heads, SGD."""
    stock = _with_numbers(with_stock_anchors(cfg))
    stock.MODEL.ROI_HEADS.NAME = "StandardROIHeads"
    stock.MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG = False
    stock.MODEL.ROI_MASK_HEAD.CLS_AGNOSTIC_MASK = False
    stock.SOLVER.OPTIMIZER = "SGD"
    return stock


def with_stock_anchors(cfg):
    """A copy of ``cfg`` with one anchor size of 32 to 512 px for each level and three shapes."""
    stock = _thawed(cfg)
    stock.MODEL.ANCHOR_GENERATOR.SIZES = [[32], [64], [128], [256], [512]]
    stock.MODEL.ANCHOR_GENERATOR.ASPECT_RATIOS = [[0.5, 1.0, 2.0]]
    return stock


def _with_numbers(cfg):
    stock = _thawed(cfg)
    for key, value in _PROPOSALS.items():
        stock.MODEL.RPN[key] = value
    for key, value in _REGIONS.items():
        stock.MODEL.ROI_HEADS[key] = value
    stock.MODEL.CHANNELS_LAST = False
    stock.TEST.DETECTIONS_PER_IMAGE = _DETECTIONS
    return stock


def _thawed(cfg):
    copy = cfg.clone()
    copy.defrost()
    return copy
