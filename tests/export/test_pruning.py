"""Channels that say nothing can go without a trace, in every model with VGG; and the choice of those that go."""

import math

import pytest
import torch
from detectron2.modeling import build_model
from detectron2.structures import Boxes
from repository import ROOT
from torch import nn

from segtumor.config import load_config
from segtumor.export.pruning import channels as pruning
from segtumor.models.backbones.vgg import VGG

pytestmark = pytest.mark.model

CONFIGS = ROOT / "configs"
SIDE_PX, WIDTH = 64, 6
PLAIN, PYRAMID, PYRAMID_BN = "fast_mask_rcnn_VGG19", "mask_rcnn_VGG19_FPN", "mask_rcnn_VGG19_BN_FPN"
MODELS = [(PLAIN, 19), (PLAIN, 16), (PYRAMID, 19), (PYRAMID_BN, 19), (PYRAMID_BN, 16)]
EVERY_MODEL = pytest.mark.parametrize(("name", "depth"), MODELS)
FC_WIDTH = 10


def tiny(name, depth, channels, *more):
    """The published model with few channels, random weights large enough that every layer shows in its outputs."""
    few = {"MODEL.VGG.CHANNELS": channels, "MODEL.FPN.OUT_CHANNELS": 8, "MODEL.ROI_MASK_HEAD.CONV_DIM": 8}
    few |= {"MODEL.VGG.DEPTH": depth, "MODEL.ROI_BOX_HEAD.FC_DIM": FC_WIDTH}
    cfg = load_config(CONFIGS / f"{name}.yaml", [str(t) for pair in few.items() for t in pair] + [str(t) for t in more])
    torch.manual_seed(0)
    model = build_model(cfg).eval()
    with torch.no_grad():
        for tensor in [*model.parameters(), *(b for n, b in model.named_buffers() if "running_mean" in n)]:
            fan_in = tensor[0].numel() if tensor.ndim > 1 else 1
            tensor.normal_(std=math.sqrt(2 / fan_in))
    return model


def count_of(depth):
    return {16: 13, 19: 16}[depth]


@torch.inference_mode()
def outputs(model):
    """Everything that the heads say of one image and two boxes, before any choice is made."""
    images = torch.randn(1, 3, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(1))
    boxes = [Boxes(torch.tensor([[4.0, 6, 50, 40], [0, 0, 30, 60]]))]
    maps, heads, proposals = model.backbone(images), model.roi_heads, model.proposal_generator
    box_maps, mask_maps = ([maps[n] for n in names] for names in (heads.box_in_features, heads.mask_in_features))
    objectness, deltas = proposals.rpn_head([maps[name] for name in proposals.in_features])
    logits, shifts = heads.box_predictor(heads.box_head(heads.box_pooler(box_maps, boxes)))
    masks = heads.mask_head.layers(heads.mask_pooler(mask_maps, boxes))
    return torch.cat([t.flatten() for t in [*objectness, *deltas, logits, shifts, masks]])


def layers_of(name, model, depth):
    state = model.state_dict()
    if name == PLAIN:
        readers = {5: pruning.head_readers(state, state["proposal_generator.rpn_head.conv.weight"].shape[1])}
    else:
        readers = pruning.pyramid_readers(["conv3", "conv4", "conv5", "pool5"])
    return pruning.vgg_layers(state, depth, readers)


def silence(state, layer, channels):
    """Set these output channels to zero in place: filters, biases, and scale and shift of the normalisation."""
    for name in (layer.name, layer.norm):
        for part in ("weight", "bias"):
            if name and f"{name}.{part}" in state:
                state[f"{name}.{part}"][channels] = 0


def half(width, seed):
    return torch.randperm(width, generator=torch.Generator().manual_seed(seed))[: width // 2].sort().values


def narrower(name, depth, state, channels, *more):
    if name == PLAIN:
        more = (*more, "MODEL.RPN.CONV_DIMS", [len(state["proposal_generator.rpn_head.conv.weight"])])
    model = tiny(name, depth, channels, *more)
    model.load_state_dict(state)
    return model


@EVERY_MODEL
def test_silent_channels_leave_without_a_trace(name, depth):
    model = tiny(name, depth, [WIDTH] * count_of(depth))
    layers, state = layers_of(name, model, depth), model.state_dict()
    silent = [half(WIDTH, seed) for seed in range(len(layers))]
    for layer, channels in zip(layers, silent, strict=True):
        silence(state, layer, channels)
    kept = pruning.keep_in_each([pruning.importance(state, layer) for layer in layers], 0.5, 1)
    assert [set(k.tolist()) | set(s.tolist()) for k, s in zip(kept, silent, strict=True)] == [set(range(WIDTH))] * len(
        layers
    )
    smaller = narrower(name, depth, pruning.pruned(state, layers, kept), [WIDTH // 2] * len(layers))
    before, after = outputs(model), outputs(smaller)
    assert before.std() > 0.1
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "depth"), [(PLAIN, 19), (PYRAMID_BN, 16)])
@pytest.mark.parametrize("place", [0, -1])
def test_channels_that_speak_leave_a_trace(name, depth, place):
    model = tiny(name, depth, [WIDTH] * count_of(depth))
    layers, state = layers_of(name, model, depth), model.state_dict()
    kept = [torch.arange(WIDTH)] * len(layers)
    kept[place] = torch.arange(WIDTH // 2)
    smaller = narrower(name, depth, pruning.pruned(state, layers, kept), [len(k) for k in kept])
    assert not torch.allclose(outputs(smaller), outputs(model), atol=1e-2)


@pytest.mark.parametrize("name", [PLAIN, PYRAMID_BN])
def test_silent_units_of_the_box_head_leave_without_a_trace(name):
    model = tiny(name, 16, [WIDTH] * 13)
    state = model.state_dict()
    layers = pruning.box_head_layers(state)
    assert [layer.label for layer in layers] == ["box_head.fc1", "box_head.fc2"]
    for seed, layer in enumerate(layers):
        silence(state, layer, half(FC_WIDTH, seed))
    kept = [pruning.keep_best(pruning.importance(state, layer), FC_WIDTH // 2) for layer in layers]
    smaller = pruning.pruned(state, layers, kept)
    assert smaller["roi_heads.box_predictor.cls_score.weight"].shape == (3, FC_WIDTH // 2)
    changed = narrower(name, 16, smaller, [WIDTH] * 13, "MODEL.ROI_BOX_HEAD.FC_DIM", FC_WIDTH // 2)
    torch.testing.assert_close(outputs(changed), outputs(model), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "more",
    [
        ("MODEL.ROI_MASK_HEAD.NUM_CONV", 0),
        ("MODEL.ROI_BOX_HEAD.NUM_CONV", 1, "MODEL.ROI_BOX_HEAD.CONV_DIM", 8),
        ("MODEL.VGG.NORM", "FrozenBN"),
    ],
)
def test_other_heads_and_norms_are_followed_too(more):
    model = tiny(PLAIN, 16, [WIDTH] * 13, *more)
    layers, state = layers_of(PLAIN, model, 16), model.state_dict()
    for layer in layers:
        silence(state, layer, half(WIDTH, 3))
    kept = pruning.keep_in_each([pruning.importance(state, layer) for layer in layers], 0.5, 1)
    smaller = narrower(PLAIN, 16, pruning.pruned(state, layers, kept), [WIDTH // 2] * 13, *more)
    torch.testing.assert_close(outputs(smaller), outputs(model), rtol=1e-5, atol=1e-5)


def test_the_weights_given_stay_as_they_are():
    model = tiny(PYRAMID_BN, 16, [WIDTH] * 13)
    state = model.state_dict()
    copies = {name: tensor.clone() for name, tensor in state.items()}
    layers = layers_of(PYRAMID_BN, model, 16)
    pruning.pruned(state, layers, [torch.tensor([1])] * len(layers))
    assert all(torch.equal(state[name], copies[name]) for name in copies)


def layer_with(norm):
    return pruning.Layer("conv", "norm" if norm else None, (), ())


def test_importance_is_the_sum_of_a_filters_weights_or_the_scale_behind_it():
    state = {"conv.weight": torch.tensor([[[[1.0, -2]]], [[[0.5, 0]]]]), "norm.weight": torch.tensor([-0.1, 3])}
    assert pruning.importance(state, layer_with(norm=False)).tolist() == [3, 0.5]
    torch.testing.assert_close(pruning.importance(state, layer_with(norm=True)), torch.tensor([0.1, 3]))


@pytest.mark.parametrize(
    ("width", "fraction", "multiple", "stay"),
    [
        (64, 0.5, 8, 32),
        (512, 0.3, 8, 360),  # 358.4, the nearest multiple of 8
        (48, 0.5, 16, 32),  # 24 lies in the middle of 16 and 32
        (64, 0.99, 8, 8),
        (64, 0.01, 8, 64),
        (6, 0.5, 8, 6),  # narrower than the multiple
        (6, 0.5, 1, 3),
        (1, 0.9, 1, 1),
    ],
)
def test_how_many_channels_stay(width, fraction, multiple, stay):
    assert pruning.keep_count(width, fraction, multiple) == stay


def test_the_most_important_stay_in_their_order_and_of_equal_ones_the_first():
    assert pruning.keep_best(torch.tensor([1.0, 5, 2, 5, 2]), 3).tolist() == [1, 2, 3]
    assert pruning.keep_best(torch.zeros(4), 2).tolist() == [0, 1]


def test_over_all_layers_the_weak_one_loses_more():
    scores = [torch.tensor([0.1, 0.2, 0.3, 0.9]), torch.tensor([0.8, 0.7, 0.6, 0.5])]
    assert [k.tolist() for k in pruning.keep_overall(scores, 0.375, 1)] == [[3], [0, 1, 2, 3]]
    assert [k.tolist() for k in pruning.keep_overall(scores, 0.375, 2)] == [[2, 3], [0, 1, 2, 3]]


def test_over_all_layers_none_is_left_without_channels():
    scores = [torch.linspace(0.01, 0.1, 40), torch.linspace(1, 2, 40)]
    kept = pruning.keep_overall(scores, 0.5, 1)
    assert [len(k) for k in kept] == [4, 40] and kept[0].tolist() == [36, 37, 38, 39]


def test_comparable_scores_do_not_depend_on_the_scale_of_a_layer():
    scores = [torch.tensor([3.0, 4]), torch.tensor([30.0, 40]), torch.zeros(2)]
    torch.testing.assert_close(pruning.comparable(scores), [torch.tensor([0.6, 0.8])] * 2 + [torch.zeros(2)])


@pytest.mark.parametrize(("depth", "norm"), [(19, ""), (16, "BN")])
@pytest.mark.parametrize("channels", ["published", "narrow"])
def test_costs_are_those_of_the_network(depth, norm, channels):
    channels = [] if channels == "published" else list(range(1, count_of(depth) + 1))
    with torch.device("meta"):
        model = VGG(depth=depth, norm=norm, channels=channels)
    macs = []
    for layer in model.features:
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda m, _, out: macs.append(m.weight.numel() * out.shape[2] * out.shape[3]))
    model(torch.empty(1, 3, 96, 70, device="meta"))
    cost = pruning.backbone_cost(depth, channels, (96, 70), norm=bool(norm))
    assert cost == pruning.Cost(sum(p.numel() for p in model.parameters()), sum(macs))
