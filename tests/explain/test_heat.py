"""Heat maps against what they are by definition, and against weights that were shuffled."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from segtumor.errors import ConfigError
from segtumor.explain.heat import METHODS, Layer, heat_map, last_maps

pytestmark = pytest.mark.model


class Small(nn.Module):
    """Two convolutions, the mean over the image, one linear layer: the network that CAM was made for."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 3, padding=1, stride=2)
        self.last = nn.Linear(5, 2)

    def forward(self, images):
        self.maps = functional.relu(self.second(functional.relu(self.first(images))))
        return self.last(self.maps.mean(dim=(2, 3)))


@pytest.fixture
def images():
    return torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(3))


def explained(method, network, images, index=1, layer=None):
    return heat_map(method, lambda x: network.eval()(x)[0, index], images, layer or Layer(network.second))


def scaled(heat):
    return heat / heat.max()


def upsampled(maps):
    return functional.interpolate(maps[None, None], size=(16, 24), mode="bilinear")[0, 0]


def test_gradcam_of_such_a_network_is_cam(images):
    """Selvaraju et al. 2017, section 3.1: with a mean and a linear layer, the weights are those of the linear layer."""
    network = Small()
    network(images)
    before_relu = network.second(functional.relu(network.first(images))).detach()
    reached = (before_relu > 0).any(dim=1)[0]
    cam = torch.einsum("c,chw->hw", _mean_slopes(network, before_relu), before_relu[0]).relu() * reached
    torch.testing.assert_close(explained("gradcam", network, images), scaled(upsampled(cam.detach())))


def _mean_slopes(network, before_relu):
    weights, cells = network.last.weight[1], before_relu[0, 0].numel()
    return weights / cells * (before_relu[0] > 0).float().mean(dim=(1, 2))


def test_layercam_weights_every_cell_by_itself(images):
    network = Small()
    before_relu = network.second(functional.relu(network.first(images))).detach()[0]
    slopes = network.last.weight[1][:, None, None] / before_relu[0].numel() * (before_relu > 0)
    cam = (slopes.relu() * before_relu).sum(dim=0).relu().detach()
    torch.testing.assert_close(explained("layercam", network, images), scaled(upsampled(cam)))


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.ReLU6(), nn.ReLU(inplace=True), functional.relu, torch.relu])
def test_guided_backpropagation_passes_positive_gradients_through_positive_activations(activation):
    torch.manual_seed(0)
    first, second = nn.Linear(6, 8), nn.Linear(8, 1)
    images = torch.randn(1, 1, 1, 6)

    def score(x):
        return second(activation(first(x.flatten(1))))[0, 0]

    found = heat_map("guided", score, images, Layer(first))
    hidden = first(images.flatten(1))[0]
    passed = second.weight[0].relu() * (hidden > 0)  # by hand: of the ReLU, then of the linear layer
    torch.testing.assert_close(found[0], scaled((passed @ first.weight).abs().detach()), atol=0.01, rtol=0)
    plain = torch.autograd.grad(score(pixels := images.clone().requires_grad_()), pixels)[0]  # nothing is left behind
    torch.testing.assert_close(plain.flatten(), ((second.weight[0] * (hidden > 0)) @ first.weight).detach())


def test_occlusion_is_hot_where_covering_matters():
    images = torch.zeros(1, 3, 42, 28)
    images[:, :, 21:30, 7:14] = 1
    heat = heat_map("occlusion", lambda x: x[0, 0, 21:30, 7:14].mean(), images, Layer(nn.Identity()))
    assert heat.shape == (42, 28) and heat.max() == 1
    assert heat[21:30, 7:14].min() > 0.3 and heat[:10].max() == 0 and heat[:, 24:].max() == 0


def test_what_does_not_depend_on_the_image_has_no_heat(images):
    network = Small()
    for method in METHODS:
        heat = heat_map(method, lambda x: 0 * network(x)[0, 0], images, Layer(network.second))
        assert heat.shape == (16, 24) and heat.max() == 0, method


@pytest.mark.parametrize("method", METHODS)
def test_other_weights_give_another_map(method, images):
    """The sanity check of Adebayo et al. 2018: a map that ignores the weights explains the picture, not the model."""
    maps = [explained(method, Small(seed), images).flatten().numpy() for seed in range(4)]
    assert max(abs(np.corrcoef(maps[0], other)[0, 1]) for other in maps[1:]) < 0.9
    assert np.array_equal(maps[0], explained(method, Small(0), images).flatten().numpy())


def test_frozen_weights_and_modes_are_left_as_they_are(images):
    network = Small().eval().requires_grad_(False)
    assert explained("gradcam", network, images).max() == 1
    assert not any(p.requires_grad or p.grad is not None for p in network.parameters())
    assert not network.second._forward_hooks


def test_the_last_maps_before_a_network_forgets_where_things_are(images):
    network = Small()
    assert last_maps(network, images).module is network.second
    with pytest.raises(ConfigError, match="no feature map"):
        last_maps(nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 24, 2)), images)
