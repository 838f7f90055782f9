"""The three graphs against Detectron2's own modules, for every kind of backbone and pooling."""

import numpy as np
import pytest
import torch
from detectron2.structures import Boxes, Instances

from segtumor.errors import ConfigError
from segtumor.export.graphs import EagerGraphs, check_model
from segtumor.models.build import create_model

pytestmark = pytest.mark.model

_VGG = {"MODEL.VGG.NORM": "BN", "MODEL.VGG.CHANNELS": [8] * 16}
_SINGLE_MAP = {
    **_VGG,
    "MODEL.BACKBONE.NAME": "build_vgg_backbone",
    "MODEL.ANCHOR_GENERATOR.SIZES": [[16, 32]],
    "MODEL.RPN.IN_FEATURES": ["conv5"],
    "MODEL.ROI_HEADS.IN_FEATURES": ["conv5"],
}
KINDS = {
    "narrow ResNet-FPN": {},
    "VGG, one map, RoI pooling": {
        **_SINGLE_MAP,
        "MODEL.ROI_BOX_HEAD.POOLER_TYPE": "ROIPool",
        "MODEL.ROI_MASK_HEAD.POOLER_TYPE": "ROIPool",
    },
    "VGG, one map, old RoIAlign": {**_SINGLE_MAP, "MODEL.ROI_BOX_HEAD.POOLER_TYPE": "ROIAlign"},
    "VGG-FPN": {
        **_VGG,
        "MODEL.BACKBONE.NAME": "build_vgg_fpn_backbone",
        "MODEL.VGG.OUT_FEATURES": ["conv3", "conv4", "conv5", "pool5"],
        "MODEL.FPN.IN_FEATURES": ["conv3", "conv4", "conv5", "pool5"],
    },
    "EfficientNet-Lite-FPN": {"MODEL.BACKBONE.NAME": "build_efficientnet_lite_fpn_backbone"},
    "classwise boxes and masks": {
        "MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG": False,
        "MODEL.ROI_MASK_HEAD.CLS_AGNOSTIC_MASK": False,
    },
}


@pytest.fixture
def model_of(tiny_config):
    def model_of(settings):
        torch.manual_seed(0)
        return create_model(tiny_config(settings)).eval()

    return model_of


def boxes_per_map(count):
    """As many boxes as maps, of each image some, finest map first."""
    sizes = [(16, 20), (60, 50)] if count == 1 else [(16, 20), (130, 140), (250, 240), (460, 470)]
    rows = [[index % 2, 3.25, 5.5, 3.25 + w, 5.5 + h] for index, (w, h) in enumerate(sizes)]
    parts = [rows] if count == 1 else [[row] for row in rows]
    return tuple(np.array(part, dtype=np.float32) for part in parts)


def close(got, expected):
    expected = expected.numpy()
    return np.allclose(got, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max() + 1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fold", [True, False])
def test_graphs_are_the_parts_of_the_model(kind, fold, model_of):
    model = model_of(KINDS[kind])
    graphs = EagerGraphs(model, fold=fold, channels_last=fold)
    images = np.random.default_rng(0).normal(size=(2, 3, 64, 96)).astype(np.float32)
    maps = graphs.dense(images)
    heads = model.roi_heads
    with torch.no_grad():
        features = model.backbone(torch.from_numpy(images))
        objectness, deltas = model.proposal_generator.rpn_head(
            [features[name] for name in model.proposal_generator.in_features]
        )
    for name, got in zip(heads.box_in_features, maps.features, strict=True):
        assert close(got, features[name].permute(0, 2, 3, 1))
    assert all(close(*pair) for pair in zip(maps.objectness, objectness, strict=True))
    assert all(close(*pair) for pair in zip(maps.deltas, deltas, strict=True))

    parts = boxes_per_map(len(maps.features))
    rows = np.concatenate(parts)
    order = np.argsort(rows[:, 0], kind="stable")  # Detectron2 takes boxes by image
    boxes = [Boxes(torch.from_numpy(rows[rows[:, 0] == image, 1:])) for image in (0, 1)]
    pooled_features = [features[name] for name in heads.box_in_features]
    with torch.no_grad():
        logits, box_deltas = heads.box_predictor(heads.box_head(heads.box_pooler(pooled_features, boxes)))
        masks = heads.mask_head.layers(heads.mask_pooler(pooled_features, boxes))
    got_logits, got_deltas = graphs.box_head(maps.features, parts)
    assert close(got_logits[order], logits) and close(got_deltas[order], box_deltas)
    assert close(graphs.mask_head(maps.features, parts)[order], masks)
    assert got_logits.dtype == got_deltas.dtype == np.float32


def test_features_outlive_the_next_image(model_of):
    graphs = EagerGraphs(model_of({}))
    images = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    maps, parts = graphs.dense(images), boxes_per_map(4)
    parts = tuple(part * np.float32([0, 1, 1, 1, 1]) for part in parts)
    before, _ = graphs.box_head(maps.features, parts)
    graphs.dense(images[:, :, ::-1] + 1)
    assert np.array_equal(before, graphs.box_head(maps.features, parts)[0])


def test_the_graphs_say_what_they_are(model_of):
    assert EagerGraphs(model_of({})).describe() == {
        "runtime": "torch",
        "version": torch.__version__,
        "threads": torch.get_num_threads(),
    }


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"MODEL.ROI_HEADS.NAME": "CascadeROIHeads", "MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG": True}, "box_head|BOX"),
        ({"MODEL.META_ARCHITECTURE": "ProposalNetwork"}, "META_ARCHITECTURE"),
    ],
)
def test_other_kinds_of_models_are_refused(settings, where, model_of):
    with pytest.raises(ConfigError, match=where):
        check_model(model_of(settings))


def test_scores_by_sigmoid_are_refused(model_of):
    model = model_of({})
    model.roi_heads.box_predictor.use_sigmoid_ce = False
    check_model(model)
    model.roi_heads.box_predictor.use_sigmoid_ce = True
    with pytest.raises(ConfigError, match="USE_SIGMOID_CE"):
        check_model(model)


def test_training_goes_on_after_a_refusal_and_instances_stay(model_of):
    model = model_of({})
    EagerGraphs(model)
    with torch.no_grad():
        (output,) = model([{"image": torch.zeros(3, 64, 64), "height": 64, "width": 64}])
    assert isinstance(output["instances"], Instances)
