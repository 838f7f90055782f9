"""torchvision's networks as backbones: the maps are those of its own forward pass, and its weights fit by name."""

import pytest
import torch
import torchvision
from detectron2.layers import FrozenBatchNorm2d
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor

from segtumor.export.folding import fold_batch_norms
from segtumor.models.backbones.torchvision_features import FEATURE_NAMES, TorchvisionFeatures

pytestmark = pytest.mark.model

#: Nodes of torchvision's own graph whose values are the maps.
MAPS = {
    "mobilenet_v2": ("features.3", "features.6", "features.13", "features.17"),
    "mobilenet_v3_large": ("features.3", "features.6", "features.12", "features.15"),
    "efficientnet_b0": ("features.2", "features.3", "features.5", "features.7"),
    "densenet121": ("features.denseblock1", "features.denseblock2", "features.denseblock3", "features.norm5"),
}
#: Of a published file, what no map needs.
LEFT_OUT = {
    "mobilenet_v2": ("features.18.", "classifier."),
    "mobilenet_v3_large": ("features.16.", "classifier."),
    "efficientnet_b0": ("features.8.", "classifier."),
    "densenet121": ("classifier.",),
}


@pytest.mark.parametrize("name", MAPS)
def test_maps_are_those_of_torchvisions_own_forward_pass(name):
    torch.manual_seed(0)
    reference = getattr(torchvision.models, name)(weights=None).eval()
    for norm in reference.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_(0, 0.1)
            norm.running_var.uniform_(0.5, 1.5)
    model = TorchvisionFeatures(name=name).eval()
    missing, unused = model.load_state_dict(reference.state_dict(), strict=False)
    assert missing == [] and all(key.startswith(LEFT_OUT[name]) for key in unused)
    nodes = dict(zip(MAPS[name], FEATURE_NAMES, strict=True))
    images = torch.randn(1, 3, 64, 32)
    with torch.no_grad():
        maps, expected = model(images), create_feature_extractor(reference, nodes)(images)
        folded = fold_batch_norms(model)(images)
    assert list(maps) == list(FEATURE_NAMES)
    for key, spec in model.output_shape().items():
        assert torch.equal(maps[key], expected[key])
        torch.testing.assert_close(folded[key], maps[key], rtol=1e-3, atol=1e-4)
        assert maps[key].shape == (1, spec.channels, 64 // spec.stride, 32 // spec.stride)


@pytest.mark.parametrize("name", MAPS)
def test_only_the_maps_asked_for_are_returned(name):
    with torch.device("meta"):
        model = TorchvisionFeatures(name=name, out_features=["res3", "res4"])
    assert list(model(torch.empty(2, 3, 32, 32, device="meta"))) == ["res3", "res4"] == list(model.output_shape())


@pytest.mark.parametrize(("freeze_at", "layers"), [(0, 0), (1, 1), (2, 4), (3, 7), (4, 14), (5, 18), (6, 18)])
def test_freezing_stops_whole_stages_and_their_norms_from_the_input(freeze_at, layers):
    with torch.device("meta"):
        features = TorchvisionFeatures(name="mobilenet_v2", freeze_at=freeze_at).features
    assert [any(p.requires_grad for p in layer.parameters()) for layer in features] == [
        index >= layers for index in range(18)
    ]
    frozen = [any(isinstance(m, FrozenBatchNorm2d) for m in layer.modules()) for layer in features]
    assert frozen == [index < layers for index in range(18)]


def test_frozen_norms_keep_statistics_and_scale_while_convolutions_train():
    with torch.device("meta"):
        model = TorchvisionFeatures(name="mobilenet_v2", norm="FrozenBN")
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert all(module.weight.requires_grad for module in model.modules() if isinstance(module, nn.Conv2d))
