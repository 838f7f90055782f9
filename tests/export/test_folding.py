"""Batch norms inside convolutions: the same outputs, fewer layers, the original untouched."""

import pytest
import torch
from detectron2.layers import Conv2d, FrozenBatchNorm2d
from torch import nn

from segtumor.export.folding import fold_batch_norms
from segtumor.models.backbones.efficientnet_lite import EfficientNetLite
from segtumor.models.backbones.narrow_resnet import narrow_resnet
from segtumor.models.backbones.vgg import VGG

pytestmark = pytest.mark.model

NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm, FrozenBatchNorm2d)


def unsettle(model):
    """Statistics and scales as after a training; fresh ones change nothing, folded or not."""
    generator = torch.Generator().manual_seed(0)
    for norm in model.modules():
        if isinstance(norm, NORMS):
            norm.running_mean.normal_(0, 0.5, generator=generator)
            norm.running_var.uniform_(0.3, 3, generator=generator)
            with torch.no_grad():
                norm.weight.uniform_(0.3, 2, generator=generator)
                norm.bias.normal_(0, 0.5, generator=generator)
    return model.eval()


def outputs(model, images):
    with torch.no_grad():
        result = model(images)
    return list(result.values()) if isinstance(result, dict) else [result]


def models():
    yield "on the convolution, BN", narrow_resnet(width=4, norm="BN")
    yield "on the convolution, frozen", narrow_resnet(width=4, norm="FrozenBN")
    yield "after it, BN", VGG(depth=16, norm="BN", channels=[4] * 13)
    yield "after it, frozen", VGG(depth=16, norm="FrozenBN", channels=[4] * 13)
    yield "with SAME padding", EfficientNetLite()
    yield "with bias", nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())


@pytest.mark.parametrize(("name", "model"), list(models()), ids=lambda value: value if isinstance(value, str) else "")
def test_folding_changes_nothing_but_rounding(name, model):
    unsettle(model.double())  # in float32 the rounding of many layers, with unlucky weights, looks like a mistake
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1)).to(next(model.parameters()))
    before = outputs(model, images)
    folded = fold_batch_norms(model)
    assert not [module for module in folded.modules() if isinstance(module, NORMS)]
    assert [module for module in model.modules() if isinstance(module, NORMS)]
    for expected, got in zip(before, outputs(folded, images), strict=True):
        assert torch.allclose(got, expected, rtol=1e-10, atol=1e-10 * float(expected.abs().max()))
    for expected, again in zip(before, outputs(model, images), strict=True):
        assert torch.equal(expected, again)


def test_a_norm_after_an_activation_stays():
    inner = Conv2d(3, 4, 3, activation=nn.ReLU())
    model = unsettle(nn.Sequential(inner, nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1), nn.ReLU(), nn.BatchNorm2d(4)))
    folded = fold_batch_norms(model)
    assert sum(isinstance(module, NORMS) for module in folded.modules()) == 2
    images = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(outputs(folded, images)[0], outputs(model, images)[0])


def test_other_normalisations_stay():
    model = narrow_resnet(width=32, norm="GN").eval()
    folded = fold_batch_norms(model)
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    assert sum(isinstance(module, nn.GroupNorm) for module in folded.modules()) > 10
    for expected, got in zip(outputs(model, images), outputs(folded, images), strict=True):
        assert torch.equal(expected, got)
