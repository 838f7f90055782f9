import pytest
import torch
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone.resnet import build_resnet_backbone

from segtumor.models.backbones.narrow_resnet import narrow_resnet

pytestmark = pytest.mark.model


def test_at_64_channels_it_is_detectron2s_resnet18(tiny_config_file):
    from segtumor.config import load_config

    cfg = load_config(tiny_config_file.parent / "mask_rcnn_R_18_FPN.yaml")
    with torch.device("meta"):
        reference = build_resnet_backbone(cfg, ShapeSpec(channels=3))
        model = narrow_resnet(width=64, norm="BN")
    assert {name: value.shape for name, value in model.state_dict().items()} == {
        name: value.shape for name, value in reference.state_dict().items()
    }
    assert model.output_shape() == reference.output_shape()


def test_maps_double_their_channels_and_halve_their_size():
    with torch.device("meta"):
        model = narrow_resnet(width=8, norm="BN", in_channels=1)
    maps = model(torch.empty(1, 1, 64, 96, device="meta"))
    assert {name: tuple(value.shape[1:]) for name, value in maps.items()} == {
        "res2": (8, 16, 24),
        "res3": (16, 8, 12),
        "res4": (32, 4, 6),
        "res5": (64, 2, 3),
    }
