"""A configuration and its model to the contract of an export: every number that inference needs, and no framework."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any

from detectron2.config import CfgNode
from detectron2.modeling import GeneralizedRCNN
from detectron2.modeling.anchor_generator import DefaultAnchorGenerator
from detectron2.modeling.poolers import ROIPooler

from segtumor.errors import ConfigError
from segtumor.export.graphs import pooling_of
from segtumor.models.build import postprocessing_settings
from segtumor.runtime.contract import Anchors, Contract, Preprocessing, Proposals, Regions


def contract_of(cfg: CfgNode, model: GeneralizedRCNN, class_names: Sequence[str]) -> Contract:
    """``runtime.contract.Contract`` of a Detectron2 ``GeneralizedRCNN``.

    Raises:
        ConfigError: settings that the framework-free detector does not know.
    """
    return Contract(
        class_names=tuple(class_names),
        confidence_threshold=float(cfg.TEST.CONFIDENCE_THRESHOLD),
        preprocessing=preprocessing_of(cfg, model.backbone.size_divisibility),
        anchors=_anchors(cfg, model),
        proposals=Proposals(
            pre_nms_topk=cfg.MODEL.RPN.PRE_NMS_TOPK_TEST,
            post_nms_topk=cfg.MODEL.RPN.POST_NMS_TOPK_TEST,
            nms_iou=float(cfg.MODEL.RPN.NMS_THRESH),
            min_box_size_px=float(cfg.MODEL.PROPOSAL_GENERATOR.MIN_SIZE),
            box_weights=_four(cfg.MODEL.RPN.BBOX_REG_WEIGHTS),
        ),
        regions=_regions(cfg, model),
        postprocessing=dataclasses.asdict(postprocessing_settings(cfg)),
    )


def preprocessing_of(cfg: CfgNode, size_divisibility: int) -> Preprocessing:
    """``runtime.contract.Preprocessing`` of a configuration and what its model pads images to, px."""
    if len(cfg.MODEL.PIXEL_MEAN) != 3:
        raise ConfigError("three channels are expected", where="MODEL.PIXEL_MEAN", got=cfg.MODEL.PIXEL_MEAN)
    low, high = cfg.INPUT.WINDOW_PERCENTILES
    return Preprocessing(
        short_edge_px=cfg.INPUT.MIN_SIZE_TEST,
        max_long_edge_px=cfg.INPUT.MAX_SIZE_TEST,
        window_percentiles=(float(low), float(high)),
        max_pixels=cfg.INPUT.MAX_PIXELS,
        pixel_mean=_three(cfg.MODEL.PIXEL_MEAN),
        pixel_std=_three(cfg.MODEL.PIXEL_STD),
        size_divisibility=size_divisibility,
        square=cfg.INPUT.SQUARE,
        steps=tuple(cfg.INPUT.PREPROCESSING),
        spacing_mm=cfg.INPUT.SPACING_MM,
        spacing_required=cfg.INPUT.SPACING_UNKNOWN == "refuse",
    )


def _anchors(cfg: CfgNode, model: GeneralizedRCNN) -> Anchors:
    generator = model.proposal_generator.anchor_generator
    if not isinstance(generator, DefaultAnchorGenerator):
        raise unknown_anchors(cfg.MODEL.ANCHOR_GENERATOR.NAME)
    count = len(generator.strides)
    return Anchors(
        sizes_px=_per_level(cfg.MODEL.ANCHOR_GENERATOR.SIZES, count),
        aspect_ratios=_per_level(cfg.MODEL.ANCHOR_GENERATOR.ASPECT_RATIOS, count),
        strides_px=tuple(map(int, generator.strides)),
        offset=float(generator.offset),
    )


def unknown_anchors(got: str) -> ConfigError:
    """What to raise for an anchor generator that an export cannot follow."""
    return ConfigError(
        "these anchors cannot be exported",
        where="MODEL.ANCHOR_GENERATOR.NAME",
        got=got,
        expected="DefaultAnchorGenerator",
    )


def _per_level(values: Sequence[Any], count: int) -> tuple[tuple[float, ...], ...]:
    """One tuple per level: Detectron2 repeats a single one for all levels, nested or not."""
    if not isinstance(values[0], (list, tuple)):
        values = [values]
    return tuple(_floats(level) for level in (list(values) * count if len(values) == 1 else values))


def _regions(cfg: CfgNode, model: GeneralizedRCNN) -> Regions:
    heads = model.roi_heads
    strides = [1 / level.spatial_scale for level in heads.box_pooler.level_poolers]
    if heads.mask_on:
        _check_assignment(heads.mask_pooler, heads.box_pooler)
    return Regions(
        strides_px=tuple(round(stride) for stride in strides),
        canonical_box_px=float(heads.box_pooler.canonical_box_size),
        canonical_level=int(heads.box_pooler.canonical_level),
        box_weights=_four(cfg.MODEL.ROI_BOX_HEAD.BBOX_REG_WEIGHTS),
        score_threshold=float(cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST),
        nms_iou=float(cfg.MODEL.ROI_HEADS.NMS_THRESH_TEST),
        max_detections=cfg.TEST.DETECTIONS_PER_IMAGE,
        class_agnostic_boxes=bool(cfg.MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG),
        class_agnostic_masks=bool(cfg.MODEL.ROI_MASK_HEAD.CLS_AGNOSTIC_MASK),
        box_pooling=pooling_of(heads.box_pooler),
        mask_pooling=pooling_of(heads.mask_pooler) if heads.mask_on else None,
    )


def _check_assignment(first: ROIPooler, second: ROIPooler) -> None:
    same = all(getattr(first, name) == getattr(second, name) for name in ("canonical_box_size", "canonical_level"))
    if not same or not math.isclose(first.level_poolers[0].spatial_scale, second.level_poolers[0].spatial_scale):
        raise ConfigError("boxes and masks are assigned to maps by different rules", where="MODEL.ROI_HEADS")


def _floats(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _three(values: Iterable[float]) -> tuple[float, float, float]:
    first, second, third = _floats(values)
    return first, second, third


def _four(values: Iterable[float]) -> tuple[float, float, float, float]:
    x, y, width, height = _floats(values)
    return x, y, width, height
