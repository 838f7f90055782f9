"""The detector against Detectron2's own model, weights drawn at random: the same findings, whatever the model."""

import dataclasses

import cv2
import numpy as np
import pytest
import torch

from segtumor.export.contract import contract_of
from segtumor.export.graphs import EagerGraphs
from segtumor.models.build import create_model
from segtumor.models.detectron2_detector import ModelDetector
from segtumor.runtime.mask_rcnn.detector import Detector
from segtumor.structures.masks import mask_from_rle

pytestmark = pytest.mark.model

CLASS_WISE = {"MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG": False, "MODEL.ROI_MASK_HEAD.CLS_AGNOSTIC_MASK": False}
MANY = {"MODEL.RPN.PRE_NMS_TOPK_TEST": 1000, "MODEL.RPN.POST_NMS_TOPK_TEST": 1000, "TEST.DETECTIONS_PER_IMAGE": 100}
#: The last map of VGG alone, max pooling, one level of anchors.
VGG = {
    "MODEL.BACKBONE.NAME": "build_vgg_backbone",
    "MODEL.VGG.DEPTH": 16,
    "MODEL.VGG.OUT_FEATURES": ["conv5"],
    "MODEL.RPN.IN_FEATURES": ["conv5"],
    "MODEL.ROI_HEADS.IN_FEATURES": ["conv5"],
    "MODEL.ANCHOR_GENERATOR.SIZES": [[8, 16, 32]],
    "MODEL.ROI_BOX_HEAD.POOLER_TYPE": "ROIPool",
    "MODEL.ROI_MASK_HEAD.POOLER_TYPE": "ROIPool",
}


def pair(cfg, *, seed=0):
    """Detectron2's model and the detector with its weights, scaled so that there is much to find."""
    torch.manual_seed(seed)
    model = create_model(cfg).eval()
    head, predictor = model.proposal_generator.rpn_head, model.roi_heads.box_predictor
    with torch.no_grad():
        # What comes from a pyramid is some thirty times as strong as what comes from VGG's last map. Neither may
        # saturate: of equal scores, rounding alone would decide.
        gain = 30 if "vgg" in cfg.MODEL.BACKBONE.NAME else 1
        mask_layer = model.roi_heads.mask_head.predictor
        for layer, largest in (
            (head.objectness_logits, 6),
            (head.anchor_deltas, 6),
            (predictor.bbox_pred, 6 * gain),
            (predictor.cls_score, 2 * gain),
            (mask_layer, 30 * gain),
        ):
            layer.weight *= largest / layer.weight.abs().max()
        mask_layer.bias += 0.1  # nowhere a probability of exactly 0.5, which rounding alone would decide
    names = [f"class {number}" for number in range(cfg.MODEL.ROI_HEADS.NUM_CLASSES)]
    graphs = EagerGraphs(model, channels_last=False, fold=False)
    return ModelDetector(model), Detector(graphs, contract_of(cfg, model, names))


def windows(*, seed=0, count=2, size_hw=(52, 75)):
    """Blurred noise, of a size that the model pads."""
    rng = np.random.default_rng(seed)
    noise = rng.random((count, *size_hw)).astype(np.float32)
    return [np.clip(0.5 + 4 * (cv2.GaussianBlur(image, (0, 0), 3) - 0.5), 0, 1) for image in noise]


def assert_same(found, expected):
    """Findings of several images; scores, boxes and pixels up to rounding."""
    assert [len(findings) for findings in found] == [len(findings) for findings in expected]
    for ours, theirs in zip(sum(found, ()), sum(expected, ()), strict=True):
        assert ours.class_id == theirs.class_id
        assert ours.score == pytest.approx(theirs.score, abs=1e-5)
        assert ours.box_xyxy == pytest.approx(theirs.box_xyxy, abs=1e-2)
        assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-5)
        mask, other = mask_from_rle(ours.rle), mask_from_rle(theirs.rle)
        assert np.count_nonzero(mask != other) <= 1 + mask.sum() // 500  # pixels whose probability is 0.5


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {**CLASS_WISE, "MODEL.ROI_HEADS.NUM_CLASSES": 3},
        MANY,
        {"MODEL.PROPOSAL_GENERATOR.MIN_SIZE": 12, "MODEL.RPN.NMS_THRESH": 0.5},
        VGG,
        {**VGG, **CLASS_WISE, **MANY},
    ],
    ids=["pyramid", "class-wise", "many proposals", "no small proposals", "vgg", "vgg class-wise"],
)
def test_the_findings_are_those_of_detectron2(tiny_config, settings, seed):
    theirs, ours = pair(tiny_config(settings), seed=seed)
    batch, sizes_hw = windows(seed=seed), [(52, 75), (311, 190)]
    expected = theirs.detect(batch, sizes_hw)
    assert min(map(len, expected)) > 3
    assert any(mask_from_rle(finding.rle).any() for finding in expected[0])
    assert_same(ours.detect(batch, sizes_hw), expected)


def test_an_image_without_findings_beside_one_with_some(tiny_config):
    theirs, ours = pair(tiny_config())
    batch, sizes_hw = windows(), [(52, 75), (52, 75)]
    best = [findings[0].score for findings in theirs.detect(batch, sizes_hw)]
    for threshold, counts in ((sum(best) / 2, [best[0] > best[1], best[1] > best[0]]), (max(best), [False, False])):
        theirs.model.roi_heads.box_predictor.test_score_thresh = threshold
        regions = dataclasses.replace(ours.contract.regions, score_threshold=threshold)
        ours.contract = dataclasses.replace(ours.contract, regions=regions)
        expected = theirs.detect(batch, sizes_hw)
        assert [len(findings) > 0 for findings in expected] == counts
        assert_same(ours.detect(batch, sizes_hw), expected)


def test_no_proposal_at_all(tiny_config):
    theirs, ours = pair(tiny_config({"MODEL.PROPOSAL_GENERATOR.MIN_SIZE": 500}))
    batch, sizes_hw = windows(), [(52, 75), (52, 75)]
    assert ours.detect(batch, sizes_hw) == theirs.detect(batch, sizes_hw) == [(), ()]


def test_an_image_alone_has_the_findings_that_it_has_in_a_batch(tiny_config):
    _, ours = pair(tiny_config())
    batch, sizes_hw = windows(), [(52, 75), (104, 150)]
    together = ours.detect(batch, sizes_hw)
    assert_same([ours.detect([batch[i]], [sizes_hw[i]])[0] for i in range(2)], together)
