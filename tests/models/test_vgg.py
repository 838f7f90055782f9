import pytest
import torch
import torchvision
from torch import nn

from segtumor.errors import ConfigError
from segtumor.models.backbones.vgg import FEATURE_NAMES, VGG

pytestmark = pytest.mark.model

#: Parameters of the 16 convolutions as the paper on Fast Mask R-CNN with VGG19 lists them (its Table 1).
PAPER_PARAMETERS = [1792, 36928, 73856, 147584, 295168] + [590080] * 3 + [1180160] + [2359808] * 7
#: Height = width and channels of each map for an input of 224 px (Table 1).
PAPER_SHAPES = {
    "conv1": (64, 224),
    "conv2": (128, 112),
    "conv3": (256, 56),
    "conv4": (512, 28),
    "conv5": (512, 14),
    "pool5": (512, 7),
}


def on_meta(build, *arguments, **keywords):
    """A network without memory or arithmetic: enough for shapes and counts."""
    with torch.device("meta"):
        return build(*arguments, **keywords)


def test_parameters_of_every_convolution_are_the_papers():
    convolutions = [layer for layer in on_meta(VGG).features if isinstance(layer, nn.Conv2d)]
    assert [sum(p.numel() for p in layer.parameters()) for layer in convolutions] == PAPER_PARAMETERS


def test_shapes_at_224_px_are_the_papers():
    model = on_meta(VGG, out_features=FEATURE_NAMES)
    maps = model(torch.empty(2, 3, 224, 224, device="meta"))
    assert {name: tuple(value.shape) for name, value in maps.items()} == {
        name: (2, channels, side, side) for name, (channels, side) in PAPER_SHAPES.items()
    }
    for name, spec in model.output_shape().items():
        assert (spec.channels, 224 // spec.stride) == PAPER_SHAPES[name]


@pytest.mark.parametrize(("out_features", "divisibility"), [(["conv5"], 16), (["conv3", "pool5"], 32), (["conv1"], 1)])
def test_only_the_maps_asked_for_are_returned(out_features, divisibility):
    model = on_meta(VGG, out_features=out_features)
    assert list(model(torch.empty(1, 3, 64, 32, device="meta"))) == out_features == list(model.output_shape())
    assert model.size_divisibility == divisibility


@pytest.mark.parametrize(
    ("depth", "norm", "reference"),
    [(19, "", "vgg19"), (19, "BN", "vgg19_bn"), (16, "", "vgg16"), (16, "BN", "vgg16_bn")],
)
def test_names_and_shapes_are_torchvisions(depth, norm, reference):
    theirs = on_meta(getattr(torchvision.models, reference)).state_dict()
    ours = on_meta(VGG, depth=depth, norm=norm).state_dict()
    assert {name: value.shape for name, value in ours.items()} == {
        name: value.shape for name, value in theirs.items() if name.startswith("features.")
    }


@pytest.mark.parametrize("norm", ["", "BN"])
def test_maps_equal_torchvisions_with_the_same_weights(norm):
    torch.manual_seed(0)
    plan = torchvision.models.vgg.cfgs["E"]
    reference = torchvision.models.vgg.make_layers(plan, batch_norm=bool(norm)).eval()
    model = VGG(norm=norm, out_features=FEATURE_NAMES).eval()
    model.features.load_state_dict(reference.state_dict())
    images = torch.randn(1, 3, 32, 48)
    pools = [index for index, layer in enumerate(reference) if isinstance(layer, nn.MaxPool2d)]
    with torch.no_grad():
        maps = model(images)
        for number, pool in enumerate(pools, start=1):
            torch.testing.assert_close(maps[f"conv{number}"], reference[:pool](images), rtol=0, atol=0)
        torch.testing.assert_close(maps["pool5"], reference(images), rtol=0, atol=0)


@pytest.mark.parametrize(("freeze_at", "frozen"), [(0, 0), (1, 2), (2, 4), (3, 8), (4, 12), (5, 16)])
def test_freezing_stops_whole_stages_from_the_input(freeze_at, frozen):
    convolutions = [layer for layer in on_meta(VGG, freeze_at=freeze_at).features if isinstance(layer, nn.Conv2d)]
    trains = [[p.requires_grad for p in layer.parameters()] for layer in convolutions]
    assert trains == [[False, False]] * frozen + [[True, True]] * (16 - frozen)


@pytest.mark.parametrize(("depth", "count"), [(16, 13), (19, 16)])
@pytest.mark.parametrize("norm", ["", "BN"])
def test_each_convolution_has_the_channels_asked_for(depth, count, norm):
    channels = list(range(1, count + 1))
    model = on_meta(VGG, depth=depth, norm=norm, channels=channels, out_features=FEATURE_NAMES)
    convolutions = [layer for layer in model.features if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == channels
    assert [layer.in_channels for layer in convolutions] == [3, *channels[:-1]]
    for name, value in model(torch.empty(1, 3, 64, 64, device="meta")).items():
        assert value.shape[1] == model.output_shape()[name].channels


@pytest.mark.parametrize("count", [1, 13, 17])
def test_channels_of_another_length_are_refused(count):
    with pytest.raises(ConfigError, match=rf"MODEL\.VGG\.CHANNELS.*got {count} numbers; expected 16 for depth 19"):
        VGG(channels=[8] * count)
