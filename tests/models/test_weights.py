"""Weights from files: torchvision's arrive where they belong, and what is no set of weights is refused unread."""

import os
import pickle
import re

import numpy as np
import pytest
import torch
import torchvision
from detectron2.modeling import build_model
from repository import ROOT
from torch import nn

from segtumor.config import load_config
from segtumor.errors import ModelError
from segtumor.models.weights import fit_weights, load_weights, read_checkpoint

pytestmark = pytest.mark.model

CONFIGS = ROOT / "configs"


class Part(nn.Module):
    """Four tensors: two layers with weight and bias."""

    def __init__(self, width=2):
        super().__init__()
        self.first, self.second = nn.Linear(3, width), nn.Linear(width, 1)


def saved(content, path):
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    ("depth", "pairs"),
    [
        (
            18,
            {
                "conv1.weight": "stem.conv1.weight",
                "bn1.running_var": "stem.conv1.norm.running_var",
                "layer1.0.conv1.weight": "res2.0.conv1.weight",
                "layer2.0.downsample.0.weight": "res3.0.shortcut.weight",
                "layer2.0.downsample.1.running_mean": "res3.0.shortcut.norm.running_mean",
                "layer4.1.bn2.bias": "res5.1.conv2.norm.bias",
            },
        ),
        (
            50,
            {
                "conv1.weight": "stem.conv1.weight",
                "layer1.2.bn3.weight": "res2.2.conv3.norm.weight",
                "layer3.5.conv2.weight": "res4.5.conv2.weight",
                "layer4.0.downsample.1.bias": "res5.0.shortcut.norm.bias",
            },
        ),
    ],
)
def test_torchvisions_resnet_fills_the_whole_backbone(tmp_path, depth, pairs):
    torch.manual_seed(depth)
    reference = getattr(torchvision.models, f"resnet{depth}")(num_classes=3)
    for module in reference.modules():  # fresh statistics are all alike; these tell the layers apart
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    path = saved(reference.state_dict(), tmp_path / "resnet.pth")
    model = build_model(load_config(CONFIGS / f"mask_rcnn_R_{depth}_FPN.yaml", ["MODEL.ROI_BOX_HEAD.FC_DIM", "8"]))
    report = load_weights(model, path, strict=False)
    assert not [name for name in report.initialised if name.startswith("backbone.bottom_up.")]
    assert sorted(report.unused) == ["backbone.bottom_up.fc.bias", "backbone.bottom_up.fc.weight"]
    theirs, ours = reference.state_dict(), model.backbone.bottom_up.state_dict()
    assert all(torch.equal(ours[own], theirs[name]) for name, own in pairs.items())
    # The same function: their last map is our res5.
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = nn.Sequential(*list(reference.eval().children())[:-2])(images)
        torch.testing.assert_close(model.backbone.bottom_up.eval()(images)["res5"], expected, rtol=1e-4, atol=1e-4)


def vgg_state(hidden=None):
    """torchvision's names and shapes; ``hidden`` neurons in place of 4,096 keep the file small."""
    features = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["E"])
    state = {f"features.{name}": value for name, value in features.state_dict().items()}
    if hidden:
        for number, (inputs, outputs) in ((0, (25088, hidden)), (3, (hidden, hidden)), (6, (hidden, 1000))):
            state[f"classifier.{number}.weight"] = torch.randn(outputs, inputs)
            state[f"classifier.{number}.bias"] = torch.randn(outputs)
    return state


def test_torchvisions_vgg19_fills_the_backbone_and_the_box_head_of_fast_mask_rcnn(tmp_path):
    state = vgg_state(hidden=4)
    path = saved(state, tmp_path / "vgg19.pth")
    model = build_model(load_config(CONFIGS / "fast_mask_rcnn_VGG19.yaml", ["MODEL.ROI_BOX_HEAD.FC_DIM", "4"]))
    report = load_weights(model, path, strict=False)
    assert not [n for n in report.initialised if n.startswith(("backbone.", "roi_heads.box_head."))]
    assert sorted(report.unused) == ["backbone.classifier.6.bias", "backbone.classifier.6.weight"]
    own = model.state_dict()
    assert all(torch.equal(own[f"backbone.{name}"], value) for name, value in state.items() if "features" in name)
    assert torch.equal(own["roi_heads.box_head.fc1.weight"], state["classifier.0.weight"])
    assert torch.equal(own["roi_heads.box_head.fc2.bias"], state["classifier.3.bias"])


def test_torchvisions_vgg19_fills_the_backbone_under_a_pyramid(tmp_path):
    state = vgg_state()
    path = saved(state, tmp_path / "vgg19.pth")
    model = build_model(load_config(CONFIGS / "mask_rcnn_VGG19_FPN.yaml", ["MODEL.ROI_BOX_HEAD.FC_DIM", "4"]))
    report = load_weights(model, path, strict=False)
    assert len(report.loaded) == 32 and not report.unused
    assert not [name for name in report.initialised if name.startswith("backbone.bottom_up.")]
    assert torch.equal(model.state_dict()["backbone.bottom_up.features.34.weight"], state["features.34.weight"])


def test_own_weights_load_wrapped_and_bare(tmp_path):
    trained = Part()
    for content in (trained.state_dict(), {"model": trained.state_dict(), "iteration": 3}):
        model = Part()
        report = load_weights(model, saved(content, tmp_path / "own.pth"), strict=True)
        assert torch.equal(model.first.weight, trained.first.weight)
        assert report.sentence() == "4 tensors loaded, 0 newly initialised, 0 unused"


class Touch:
    """Unpickling it makes a file: what a hostile weights file could do."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("suffix", [".pkl", ".pth"])
@pytest.mark.parametrize("write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_a_file_that_would_run_code_is_refused_and_does_not_run(tmp_path, suffix, write):
    trace, path = tmp_path / "ran", tmp_path / f"hostile{suffix}"
    write({"model": {"first.weight": Touch(trace)}}, path)
    with pytest.raises(ModelError, match="hostile") as caught:
        read_checkpoint(path)
    assert not trace.exists() and caught.value.exit_code == 3


def test_a_pickle_of_arrays_is_read_and_one_without_is_refused(tmp_path):
    path = tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps({"model": {"first.bias": np.ones(2, np.float32)}}))
    assert torch.equal(read_checkpoint(path)["model"]["first.bias"], torch.ones(2))
    path.write_bytes(pickle.dumps({"model": {}}))
    with pytest.raises(ModelError, match="0 tensors loaded"):
        load_weights(Part(), path, strict=False)


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path, keep):
    path = saved(Part().state_dict(), tmp_path / "cut.pth")
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(ModelError, match="not a readable weights file"):
        read_checkpoint(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"nowhere\.pth: no such weights file"):
        read_checkpoint(tmp_path / "nowhere.pth")


@pytest.mark.parametrize(
    "content",
    [{}, [1, 2], {"model": {}}, {"model": {"first.weight": 3}}, {"epoch": 3}, torch.zeros(2), {"model": 5}],
    ids=repr,
)
def test_a_file_without_weights_is_refused(tmp_path, content):
    path = saved(content, tmp_path / "odd.pth")
    with pytest.raises(ModelError, match=r"odd\.pth"):
        load_weights(Part(), path, strict=False)


@pytest.mark.filterwarnings("ignore:Validating sparse tensor")  # by torch, before the tensor is refused
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (torch.Tensor.to_sparse, "first.weight is no plain tensor (got sparse_coo"),
        (lambda tensor: tensor.to("meta"), "first.weight is no plain tensor (got without values"),
        (lambda tensor: tensor.to(torch.complex64), "first.weight is no plain tensor (got strided, complex64"),
        (torch.Tensor.bool, "first.weight holds no fractions (got torch.bool"),
        (torch.Tensor.int, "first.weight holds no fractions (got torch.int32"),
    ],
)
def test_tensors_that_would_be_converted_in_silence_or_not_at_all_are_refused(tmp_path, change, message):
    state = Part().state_dict()
    path = saved({**state, "first.weight": change(state["first.weight"])}, tmp_path / "odd.pth")
    with pytest.raises(ModelError, match=re.escape(message)):
        load_weights(Part(), path, strict=False)


def test_parameters_without_names_are_refused_and_half_the_precision_is_not(tmp_path):
    state = Part().state_dict()
    with pytest.raises(ModelError, match="a parameter's name is no text"):
        read_checkpoint(saved({**state, 3: state["first.weight"]}, tmp_path / "odd.pth"))
    half = {name: tensor.half() for name, tensor in state.items()}
    assert len(load_weights(Part(), saved(half, tmp_path / "half.pth"), strict=True).loaded) == 4


@pytest.mark.parametrize("content", [b"<html></html>", b"version https://git-lfs.github.com/spec/v1\n"])
def test_what_is_no_weights_file_is_called_so(tmp_path, content):
    (tmp_path / "page.pth").write_bytes(content)
    with pytest.raises(ModelError, match="not a readable weights file: it is none") as caught:
        read_checkpoint(tmp_path / "page.pth")
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("names", [5, "benign", [1, 2], {"benign": 0}], ids=repr)
def test_class_names_that_are_none_are_refused(tmp_path, names):
    path = saved({"model": Part().state_dict(), "class_names": names}, tmp_path / "odd.pth")
    with pytest.raises(ModelError, match=r"odd\.pth: its class names are no list of names"):
        read_checkpoint(path)


def test_weights_of_another_model_are_refused_with_counts(tmp_path):
    path = saved({**Part().state_dict(), "third.weight": torch.zeros(1)}, tmp_path / "other.pth")
    model = Part(width=5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    # Of four tensors only second.bias, one number, has the same shape.
    with pytest.raises(ModelError, match="1 tensors loaded, 3 newly initialised, 4 unused"):
        load_weights(model, path, strict=True)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert load_weights(model, path, strict=False).loaded == ("second.bias",)


def test_weights_of_which_nothing_fits_are_refused_even_to_start_from(tmp_path):
    path = saved({"elsewhere.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(ModelError, match="0 tensors loaded"):
        load_weights(Part(), path, strict=False)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path, value):
    state = Part().state_dict()
    state["second.weight"][0, 1] = value
    model = Part()
    with pytest.raises(ModelError, match="NaN or infinite"):
        load_weights(model, saved(state, tmp_path / "nan.pth"), strict=True)
    assert torch.isfinite(model.second.weight).all()


def test_a_layer_of_zeros_is_refused_but_to_start_from(tmp_path):
    state = Part().state_dict()
    path = saved({**state, "first.weight": torch.zeros_like(state["first.weight"])}, tmp_path / "zeros.pth")
    with pytest.raises(ModelError, match=r"zeros\.pth: first\.weight is all zeros"):
        load_weights(Part(), path, strict=True)
    assert len(load_weights(Part(), path, strict=False).loaded) == 4


def test_pixel_statistics_of_old_checkpoints_are_settings_not_weights(tmp_path):
    state = {**Part().state_dict(), "pixel_mean": torch.zeros(3, 1, 1), "pixel_std": torch.ones(3, 1, 1)}
    fit_weights(Part(), state, path=tmp_path / "old.pth", strict=True)
