"""EfficientNet-Lite against a second implementation, which computes from the names and shapes of a file alone."""

import math

import pytest
import torch
from detectron2.layers import FrozenBatchNorm2d
from detectron2.modeling import build_model
from repository import ROOT
from torch import nn
from torch.nn import functional

from segtumor.config import load_config
from segtumor.models.backbones.efficientnet_lite import EfficientNetLite, scaled_stages
from segtumor.models.weights import load_weights

pytestmark = pytest.mark.model

CONFIG = ROOT / "configs" / "Base-lite.yaml"
SMALL_HEADS = ["MODEL.ROI_BOX_HEAD.FC_DIM", "8", "MODEL.ROI_MASK_HEAD.NUM_CONV", "1"]
#: Of Lite0, block by block: kernel side, stride, output channels. The last blocks of a stride are the maps.
LITE0 = [
    *[(3, 1, 16)],
    *[(3, 2, 24), (3, 1, 24)],
    *[(5, 2, 40), (5, 1, 40)],
    *[(3, 2, 80), (3, 1, 80), (3, 1, 80)],
    *[(5, 1, 112), (5, 1, 112), (5, 1, 112)],
    *[(5, 2, 192), (5, 1, 192), (5, 1, 192), (5, 1, 192)],
    *[(3, 1, 320)],
]
MAP_AFTER_BLOCK = {2: "res2", 4: "res3", 10: "res4", 15: "res5"}


def file_of_lite0(seed=0):
    """Random weights under the names of the published file, so that every map is of the order of 1."""
    generator = torch.Generator().manual_seed(seed)
    state = {}

    def convolution(name, norm, outputs, inputs, side):
        scale = math.sqrt(0.003 / (inputs * side * side))  # so small that the norm's epsilon tells
        state[f"{name}.weight"] = torch.randn(outputs, inputs, side, side, generator=generator) * scale
        state[f"{norm}.weight"] = torch.rand(outputs, generator=generator) + 0.5
        state[f"{norm}.bias"] = torch.randn(outputs, generator=generator) * 0.3
        state[f"{norm}.bias"][0] = 8  # beyond what ReLU6 lets through
        state[f"{norm}.running_mean"] = torch.randn(outputs, generator=generator) * 0.02
        state[f"{norm}.running_var"] = torch.rand(outputs, generator=generator) * 0.01 + 0.002
        state[f"{norm}.num_batches_tracked"] = torch.tensor(5)

    convolution("_conv_stem", "_bn0", 32, 3, 3)
    inputs = 32
    for index, (side, _, outputs) in enumerate(LITE0):
        name, width = f"_blocks.{index}.", inputs * (6 if index else 1)
        if index:
            convolution(f"{name}_expand_conv", f"{name}_bn0", width, inputs, 1)
        convolution(f"{name}_depthwise_conv", f"{name}_bn1", width, 1, side)
        convolution(f"{name}_project_conv", f"{name}_bn2", outputs, width, 1)
        inputs = outputs
    convolution("_conv_head", "_bn1", 1280, 320, 1)
    return {**state, "_fc.weight": torch.zeros(10, 1280), "_fc.bias": torch.zeros(10)}


def same_convolution(images, weight, *, stride, groups):
    """TensorFlow's "SAME" by its definition: as many cells as ceil(side / stride), the odd pixel after the others."""
    pads = []
    for side, kernel in ((images.shape[-1], weight.shape[-1]), (images.shape[-2], weight.shape[-2])):
        total = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
        pads += [total // 2, total - total // 2]
    return functional.conv2d(functional.pad(images, pads), weight, stride=stride, groups=groups)


def reference_maps(state, images):
    def layer(x, name, norm, stride=1, *, by_channel=False, activate=True):
        x = same_convolution(x, state[f"{name}.weight"], stride=stride, groups=x.shape[1] if by_channel else 1)
        mean, variance, scale, shift = (
            state[f"{norm}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        x = (x - mean) / torch.sqrt(variance + 0.001) * scale + shift
        return x.clamp(0, 6) if activate else x

    maps, x = {}, layer(images, "_conv_stem", "_bn0", 2)
    for index, (_, stride, _) in enumerate(LITE0):
        name, before = f"_blocks.{index}.", x
        if index:
            x = layer(x, f"{name}_expand_conv", f"{name}_bn0")
        x = layer(x, f"{name}_depthwise_conv", f"{name}_bn1", stride, by_channel=True)
        x = layer(x, f"{name}_project_conv", f"{name}_bn2", activate=False)
        if stride == 1 and x.shape == before.shape:
            x = x + before
        if index in MAP_AFTER_BLOCK:
            maps[MAP_AFTER_BLOCK[index]] = x
    return maps


@pytest.fixture
def loaded(tmp_path):
    def loaded(state, *overrides):
        path = tmp_path / "efficientnet_lite0.pth"
        torch.save(state, path)
        model = build_model(load_config(CONFIG, [*SMALL_HEADS, *overrides]))
        return model, load_weights(model, path, strict=False)

    return loaded


@pytest.mark.parametrize(
    "overrides",
    [(), ("MODEL.EFFICIENTNET_LITE.NORM", "FrozenBN"), ("MODEL.BACKBONE.FREEZE_AT", "3")],
    ids=["trained", "frozen norms", "half frozen"],
)
def test_a_published_file_fills_the_backbone_and_computes_the_same_maps(loaded, overrides):
    state = file_of_lite0()
    model, report = loaded(state, *overrides)
    bottom_up = model.backbone.bottom_up.eval().double()
    assert not [name for name in report.initialised if name.startswith("backbone.bottom_up.")]
    unused = [name for name in report.unused if not name.endswith("num_batches_tracked")]
    assert {name.removeprefix("backbone.bottom_up.").split(".")[0] for name in unused} == {"last", "_fc"}
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        maps = bottom_up(images)
        expected = reference_maps({name: tensor.double() for name, tensor in state.items()}, images)
    assert list(maps) == list(expected) == ["res2", "res3", "res4", "res5"]
    for name, reference in expected.items():
        torch.testing.assert_close(maps[name], reference, rtol=1e-6, atol=1e-6 * float(reference.abs().max()))
        assert bottom_up.output_shape()[name].channels == reference.shape[1]
        assert images.shape[-1] // bottom_up.output_shape()[name].stride == reference.shape[-1]


def test_the_second_implementation_tells_another_padding():
    """What the comparison is worth: symmetric padding, which costs accuracy, gives other maps."""
    images, weight = torch.randn(1, 1, 8, 8), torch.randn(1, 1, 3, 3)
    same = same_convolution(images, weight, stride=2, groups=1)
    assert same.shape == (1, 1, 4, 4)
    assert not torch.allclose(same, functional.conv2d(images, weight, stride=2, padding=1))


def test_variant_0_is_the_published_table():
    blocks = [
        (kernel, stride if first == 0 else 1, channels)
        for count, kernel, stride, _, channels in scaled_stages(0)
        for first in range(count)
    ]
    assert blocks == LITE0


@pytest.mark.parametrize(
    ("variant", "counts", "channels"),
    [
        (1, [1, 3, 3, 4, 4, 5, 1], [16, 24, 40, 80, 112, 192, 320]),
        (2, [1, 3, 3, 4, 4, 5, 1], [16, 24, 48, 88, 120, 208, 352]),
    ],
)
def test_larger_variants_are_deeper_and_wider_but_at_their_ends(variant, counts, channels):
    stages = scaled_stages(variant)
    assert [stage[0] for stage in stages] == counts and [stage[-1] for stage in stages] == channels
    with torch.device("meta"):
        model = EfficientNetLite(variant=variant)
    maps = model(torch.empty(1, 3, 64, 32, device="meta"))
    assert {name: (value.shape[1], 64 // value.shape[2]) for name, value in maps.items()} == {
        name: (spec.channels, spec.stride) for name, spec in model.output_shape().items()
    }


def test_only_the_maps_asked_for_are_returned():
    with torch.device("meta"):
        model = EfficientNetLite(out_features=["res3", "res4"])
    assert list(model(torch.empty(1, 3, 32, 32, device="meta"))) == ["res3", "res4"] == list(model.output_shape())


@pytest.mark.parametrize(("freeze_at", "frozen_blocks"), [(0, 0), (1, 0), (2, 3), (3, 5), (4, 11), (5, 16), (6, 16)])
def test_freezing_stops_whole_stages_and_their_norms_from_the_input(freeze_at, frozen_blocks):
    with torch.device("meta"):
        model = EfficientNetLite(freeze_at=freeze_at)
    trains = [[p.requires_grad for p in part.parameters()] for part in (model.stem, *model.blocks)]
    still = [not any(part) for part in trains]
    assert all(all(part) for part, frozen in zip(trains, still, strict=True) if not frozen)
    assert still == [freeze_at > 0] + [index < frozen_blocks for index in range(16)]
    for part, frozen in zip((model.stem, *model.blocks), still, strict=True):
        norms = [m for m in part.modules() if isinstance(m, (nn.BatchNorm2d, FrozenBatchNorm2d))]
        assert norms and all(isinstance(norm, FrozenBatchNorm2d) == frozen for norm in norms)
        assert {norm.eps for norm in norms} == {0.001}


def test_mixed_precision_on_a_cpu_keeps_depthwise_convolutions_in_32_bits():
    torch.manual_seed(0)
    backbone = EfficientNetLite(out_features=["res2", "res5"]).eval()
    types = []
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            module.register_forward_hook(lambda _module, _inputs, output: types.append(output.dtype))
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = backbone(x)
        types.clear()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = backbone(x)
    assert len(types) == len(LITE0) and set(types) == {torch.float32}
    for name, values in expected.items():
        assert (found[name] - values).abs().max() < 0.05 * values.abs().max()
