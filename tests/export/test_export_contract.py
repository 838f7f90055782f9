"""Configurations to contracts: every number from where Detectron2 takes it."""

import pytest
from detectron2.modeling import ANCHOR_GENERATOR_REGISTRY
from detectron2.modeling.anchor_generator import RotatedAnchorGenerator

from segtumor.errors import ConfigError
from segtumor.export.contract import contract_of
from segtumor.models.build import create_model
from segtumor.runtime.contract import Contract

pytestmark = pytest.mark.model

NAMES = ("benign", "malignant")


def contract_for(cfg):
    return contract_of(cfg, create_model(cfg), NAMES)


def test_the_tiny_model(tiny_config):
    cfg = tiny_config({"TEST.CONFIDENCE_THRESHOLD": 0.25, "POSTPROCESSING.MIN_AREA_PX": 9})
    contract = contract_for(cfg)
    assert contract.class_names == NAMES and contract.confidence_threshold == 0.25
    assert contract.preprocessing.short_edge_px == 64 and contract.preprocessing.size_divisibility == 32
    assert contract.preprocessing.pixel_mean == pytest.approx((123.675, 116.28, 103.53))
    assert contract.anchors.strides_px == (4, 8, 16, 32, 64) and contract.regions.strides_px == (4, 8, 16, 32)
    assert contract.anchors.sizes_px == tuple(map(tuple, cfg.MODEL.ANCHOR_GENERATOR.SIZES))
    assert contract.anchors.aspect_ratios == ((0.5, 1.0, 2.0),) * 5  # one list for all levels
    assert contract.proposals.pre_nms_topk == cfg.MODEL.RPN.PRE_NMS_TOPK_TEST
    assert contract.proposals.box_weights == (1, 1, 1, 1) and contract.regions.box_weights == (10, 10, 5, 5)
    assert (contract.regions.canonical_box_px, contract.regions.canonical_level) == (224, 4)
    assert contract.regions.class_agnostic_boxes and contract.regions.class_agnostic_masks
    assert contract.postprocessing["min_area_px"] == 9 and contract.postprocessing["suppression_iou"] == 0.5


def test_it_is_read_back_as_it_was(tiny_config):
    contract = contract_for(tiny_config())
    again = Contract.from_dict(contract.as_dict(), "there")
    assert again == contract


def test_a_single_map(tiny_config):
    settings = {
        "MODEL.BACKBONE.NAME": "build_vgg_backbone",
        "MODEL.VGG.CHANNELS": [4] * 16,
        "MODEL.ANCHOR_GENERATOR.SIZES": [[16, 32, 64]],
        "MODEL.RPN.IN_FEATURES": ["conv5"],
        "MODEL.ROI_HEADS.IN_FEATURES": ["conv5"],
    }
    contract = contract_for(tiny_config(settings))
    assert contract.regions.strides_px == contract.anchors.strides_px == (16,)
    assert contract.anchors.sizes_px == ((16, 32, 64),) and contract.preprocessing.size_divisibility == 16


def test_anchors_of_another_kind_are_refused(tiny_config):
    cfg = tiny_config()
    model = create_model(cfg)
    assert "RotatedAnchorGenerator" in ANCHOR_GENERATOR_REGISTRY
    model.proposal_generator.anchor_generator = RotatedAnchorGenerator(
        sizes=[[16]], aspect_ratios=[[1.0]], strides=[4], angles=[[0]]
    )
    with pytest.raises(ConfigError, match="ANCHOR_GENERATOR"):
        contract_of(cfg, model, NAMES)
