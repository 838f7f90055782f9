"""Weights that others named: every parameter arrives where the same network has it, and other networks are refused."""

import logging
import pickle

import numpy as np
import pytest
import torch
import torchvision
from detectron2.modeling import build_model
from repository import ROOT
from torch import nn
from torchvision.models.detection import MaskRCNN, fasterrcnn_mobilenet_v3_large_fpn, maskrcnn_resnet50_fpn
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.faster_rcnn import TwoMLPHead

from segtumor.config import load_config
from segtumor.errors import ModelError
from segtumor.models.backbones.torchvision_features import TorchvisionFeatures
from segtumor.models.layouts.table import TORCHVISION_PIXELS, layout_of, with_own_names
from segtumor.models.pixel_scale import learnt_scale
from segtumor.models.weights import load_weights, read_checkpoint

pytestmark = pytest.mark.model

CONFIGS = ROOT / "configs"
R18, R50, LITE = "mask_rcnn_R_18_FPN", "mask_rcnn_R_50_FPN", "Base-lite"
#: Heads of a few thousand parameters in place of millions.
NARROW = ["MODEL.ROI_BOX_HEAD.FC_DIM", "8", "MODEL.ROI_MASK_HEAD.CONV_DIM", "8", "MODEL.ROI_MASK_HEAD.NUM_CONV", "1"]
BY_CLASS = ["MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG", "False", "MODEL.ROI_MASK_HEAD.CLS_AGNOSTIC_MASK", "False"]
TORCHVISIONS = ["mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "densenet121"]


def model_of(name, *overrides):
    return build_model(load_config(CONFIGS / f"{name}.yaml", [*NARROW, *overrides])).eval()


def on_meta(build, *arguments, **keywords):
    """Names and shapes without memory."""
    with torch.device("meta"):
        return build(*arguments, **keywords)


def names_on_meta(name, *overrides):
    cfg = load_config(CONFIGS / f"{name}.yaml", overrides)
    cfg.MODEL.DEVICE = "meta"
    return {key: value.shape for key, value in on_meta(build_model, cfg).state_dict().items()}


def unsettled(model):
    """Statistics as after a training; fresh ones hide what is exchanged."""
    generator = torch.Generator().manual_seed(1)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.1, generator=generator)
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5, generator=generator)
    return model.eval()


def saved(content, path):
    torch.save(content, path)
    return path


# --- torchvision's detectors


def small_mask_rcnn(classes):
    """torchvision's Mask R-CNN on ResNet-18 with two classes and background, its heads narrow."""
    torch.manual_seed(0)
    backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None, norm_layer=nn.BatchNorm2d)
    heads = torchvision.models.detection.mask_rcnn
    return unsettled(
        MaskRCNN(
            backbone,
            box_head=TwoMLPHead(256 * 49, 8),
            box_predictor=torchvision.models.detection.faster_rcnn.FastRCNNPredictor(8, classes),
            mask_head=heads.MaskRCNNHeads(256, (8,), 1),
            mask_predictor=heads.MaskRCNNPredictor(8, 8, classes),
        )
    )


def test_torchvisions_mask_rcnn_gives_the_same_from_image_to_heads(tmp_path):
    theirs = small_mask_rcnn(classes=3)
    model = model_of(R18, *BY_CLASS)
    report = load_weights(model, saved(theirs.state_dict(), tmp_path / "maskrcnn.pth"), strict=False)
    assert report.initialised == report.renewed == () == report.unused
    assert "(torchvision detector, ResNet)" in report.sentence()
    images, regions = torch.randn(1, 3, 64, 96), torch.randn(3, 256, 7, 7)
    with torch.no_grad():
        maps, expected = model.backbone(images), theirs.backbone(images)
        for own, other in zip(("p2", "p3", "p4", "p5", "p6"), ("0", "1", "2", "3", "pool"), strict=True):
            torch.testing.assert_close(maps[own], expected[other], rtol=1e-4, atol=1e-4)
        same = list(expected.values())
        for got, wanted in zip(model.proposal_generator.rpn_head(same), theirs.rpn.head(same), strict=True):
            for pair in zip(got, wanted, strict=True):
                torch.testing.assert_close(*pair)
        scores, boxes = theirs.roi_heads.box_predictor(theirs.roi_heads.box_head(regions))
        own_scores, own_boxes = model.roi_heads.box_predictor(model.roi_heads.box_head(regions))
        torch.testing.assert_close(own_scores, scores[:, [1, 2, 0]])
        torch.testing.assert_close(own_boxes, boxes[:, 4:])
        masks = theirs.roi_heads.mask_predictor(theirs.roi_heads.mask_head(regions))
        torch.testing.assert_close(model.roi_heads.mask_head.layers(regions), masks[:, 1:])


def test_heads_of_other_classes_are_renewed_and_named(tmp_path):
    path = saved(small_mask_rcnn(classes=4).state_dict(), tmp_path / "maskrcnn.pth")
    report = load_weights(model_of(R18), path, strict=False)
    parts = {name.rpartition(".")[0].removeprefix("roi_heads.") for name in report.renewed}
    assert parts == {"box_predictor.cls_score", "box_predictor.bbox_pred", "mask_head.predictor"}
    assert report.initialised == report.renewed
    assert "of another shape in the file: roi_heads.box_predictor.cls_score.weight" in report.sentence()


@pytest.mark.parametrize("old", [False, True], ids=["as saved today", "as published"])
def test_every_parameter_of_the_published_coco_mask_rcnn_has_a_place(old):
    state = on_meta(maskrcnn_resnet50_fpn, weights=None, weights_backbone=None).state_dict()
    state = old_names(state) if old else state
    own = names_on_meta(R50, *BY_CLASS, "MODEL.ROI_HEADS.NUM_CLASSES", "90")
    renamed = with_own_names(state, own).state
    counters = {name for name in own if name.endswith("num_batches_tracked")}
    assert {name: tensor.shape for name, tensor in renamed.items() if name not in counters} == {
        name: shape for name, shape in own.items() if name not in counters
    }


def old_names(state):
    """As in the file that torchvision downloads, which was written before these layers were wrapped."""
    result = {}
    for name, tensor in state.items():
        for level in range(4):
            for part in ("inner_blocks", "layer_blocks"):
                name = name.replace(f"fpn.{part}.{level}.0.", f"fpn.{part}.{level}.")
            name = name.replace(f"roi_heads.mask_head.{level}.0.", f"roi_heads.mask_head.mask_fcn{level + 1}.")
        result[name.replace("rpn.head.conv.0.0.", "rpn.head.conv.")] = tensor
    return result


def test_the_body_of_the_published_coco_mobilenet_has_its_places():
    state = on_meta(fasterrcnn_mobilenet_v3_large_fpn, weights=None, weights_backbone=None).state_dict()
    overrides = ["MODEL.TORCHVISION.NAME", "mobilenet_v3_large"]
    own = names_on_meta("btxrd256_mobilenet_v2", *overrides)
    renamed = with_own_names(state, own)
    body = {name for name in own if name.startswith("backbone.bottom_up.") and "num_batches" not in name}
    assert body <= renamed.of_backbone
    assert all(renamed.state[name].shape == own[name] for name in body)


# --- classifiers


@pytest.mark.parametrize("name", TORCHVISIONS)
def test_names_of_torchvisions_classifiers_stay_and_are_recognised(name):
    state = on_meta(getattr(torchvision.models, name), weights=None).state_dict()
    assert layout_of(state).name.startswith("torchvision ")
    renamed = with_own_names(state, ["backbone.bottom_up.features.0.0.weight"])
    own = on_meta(TorchvisionFeatures, name=name).state_dict()
    assert {f"backbone.bottom_up.{key}" for key in own} <= renamed.of_backbone


def densenet_file(channels=3):
    torch.manual_seed(0)
    network = unsettled(torchvision.models.densenet121(weights=None, num_classes=2))
    if channels == 1:
        network.features.conv0 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    return network


def densenet_backbone():
    return build_model(
        load_config(
            CONFIGS / "btxrd256_mobilenet_v2.yaml",
            [*NARROW, "MODEL.TORCHVISION.NAME", "densenet121", "MODEL.RPN.PRE_NMS_TOPK_TEST", "5"],
        )
    ).eval()


def test_torchxrayvisions_densenet_sees_a_gray_image_as_before(tmp_path, caplog):
    theirs = densenet_file(channels=1)
    state = {**theirs.state_dict(), "op_threshs": torch.zeros(18)}
    model = densenet_backbone()
    report = load_weights(model, saved(state, tmp_path / "xrv.pth"), strict=False)
    assert report.layout == "TorchXRayVision DenseNet"
    assert not [name for name in report.initialised if name.startswith("backbone.bottom_up.")]
    gray = torch.randn(1, 1, 32, 64)
    with torch.no_grad():
        maps = model.backbone.bottom_up(gray.expand(-1, 3, -1, -1))
        torch.testing.assert_close(maps["res5"], theirs.features(gray), rtol=1e-3, atol=1e-3)
    (warning,) = [record.getMessage() for record in caplog.records if "another scale" in record.getMessage()]
    assert 'MODEL.PIXEL_MEAN "[127.5, 127.5, 127.5]" MODEL.PIXEL_STD "[0.124512, 0.124512, 0.124512]"' in warning


def test_published_densenets_have_older_names():
    state = on_meta(torchvision.models.densenet121, weights=None).state_dict()
    old = {name.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): tensor for name, tensor in state.items()}
    assert len(set(old) - set(state)) > 100
    assert set(with_own_names(old, []).state) == set(with_own_names(state, []).state)


def test_radimagenets_resnet50_is_torchvisions_by_number():
    reference = on_meta(torchvision.models.resnet50, weights=None)
    numbered = nn.Sequential(*list(reference.children())[:9]).state_dict()
    state = {f"backbone.{name}": tensor for name, tensor in numbered.items()}
    own = names_on_meta(R50)
    renamed = with_own_names(state, own)
    assert renamed.layout.name == "RadImageNet" and renamed.layout.pixels == ((127.5,) * 3,) * 2
    expected = with_own_names(reference.state_dict(), own).state
    # Each stage has shapes and depths of its own, so that names with shapes tell the layers.
    assert {name: tensor.shape for name, tensor in renamed.state.items()} == {
        name: tensor.shape for name, tensor in expected.items() if ".fc." not in name
    }


def test_radimagenets_densenet121_is_torchvisions_by_number():
    reference = on_meta(torchvision.models.densenet121, weights=None)
    numbered = nn.Sequential(*list(reference.children())[:-1]).state_dict()
    renamed = with_own_names(
        {f"backbone.{name}": tensor for name, tensor in numbered.items()}, ["backbone.bottom_up.x"]
    )
    assert renamed.layout.name == "RadImageNet"
    own = on_meta(TorchvisionFeatures, name="densenet121").state_dict()
    assert renamed.of_backbone == {f"backbone.bottom_up.{name}" for name in own}


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.module."])
def test_names_before_every_name_are_taken_off(prefix):
    state = on_meta(torchvision.models.resnet18, weights=None).state_dict()
    wrapped = {prefix + name: tensor for name, tensor in state.items()}
    own = names_on_meta(R18)
    assert with_own_names(wrapped, own).of_backbone == with_own_names(state, own).of_backbone != frozenset()


def test_a_model_that_has_such_a_layout_itself_keeps_its_names():
    state = on_meta(torchvision.models.vgg16, weights=None).state_dict()
    assert with_own_names(state, state).state == state


# --- Detectron2's model zoo


def arrays(state):
    return {name: tensor.numpy() for name, tensor in state.items()}


def test_a_detector_of_the_model_zoo_starts_a_model_with_other_classes(tmp_path, caplog):
    theirs = unsettled(model_of(R18, "MODEL.ROI_HEADS.NUM_CLASSES", "80", *BY_CLASS))
    path = tmp_path / "model_final.pkl"
    pixels = {"pixel_mean": torch.full((3, 1, 1), 110.5), "pixel_std": torch.ones(3, 1, 1)}
    state = {**theirs.state_dict(), **pixels}
    path.write_bytes(pickle.dumps({"model": arrays(state), "__author__": "Detectron2 Model Zoo"}, protocol=2))
    model = model_of(R18)
    report = load_weights(model, path, strict=False)
    assert {name.split(".")[-2] for name in report.renewed} == {"cls_score", "bbox_pred", "predictor"}
    assert 'MODEL.PIXEL_MEAN "[110.5, 110.5, 110.5]" MODEL.PIXEL_STD "[1.0, 1.0, 1.0]"' in caplog.text
    assert report.initialised == report.renewed
    loaded = model.state_dict()
    assert all(torch.equal(loaded[name], theirs.state_dict()[name]) for name in report.loaded)


def caffe2_names(state):
    """ResNet-18's backbone as Caffe2 named it: normalisation is a scale and a shift, without statistics."""
    letters = {"conv1": "branch2a", "conv2": "branch2b", "shortcut": "branch1"}
    result = {}
    for name, tensor in state.items():
        parts = name.split(".")
        if parts[-1].startswith(("running", "num_batches")):
            continue
        kind = {"weight": "s", "bias": "b"}[parts[-1]] if parts[-2] == "norm" else "w"
        infix = "_bn" if parts[-2] == "norm" else ""
        if parts[0] == "stem":
            result[f"{'res_conv1_bn_' if infix else 'conv1_'}{kind}"] = tensor
        else:
            result[f"{parts[0]}_{parts[1]}_{letters[parts[2]]}{infix}_{kind}"] = tensor
    return result


def test_imagenet_weights_of_the_model_zoo_have_caffe2s_names(tmp_path):
    torch.manual_seed(3)
    model, theirs = model_of(R18), model_of(R18)
    state = arrays(caffe2_names(theirs.backbone.bottom_up.state_dict()))
    state |= {"conv1_w_momentum": state["conv1_w"], "fc1000_w": np.zeros((10, 512), np.float32)}
    path = tmp_path / "R-18.pkl"
    path.write_bytes(pickle.dumps({"blobs": state, "cfg": "text"}, protocol=2))
    report = load_weights(model, path, strict=False)
    assert report.layout == "Caffe2 Detectron"
    fresh = [name for name in report.initialised if name.startswith("backbone.bottom_up.")]
    assert all(name.rpartition(".")[2].startswith(("running", "num_batches")) for name in fresh)
    images = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model.backbone.bottom_up(images), theirs.backbone.bottom_up(images))


def test_backbones_of_the_model_zoo_in_detectron2s_names_go_under_the_pyramid(tmp_path):
    theirs = unsettled(model_of(R18)).backbone.bottom_up.state_dict()
    path = tmp_path / "R-18.pkl"
    content = {"model": arrays(theirs), "__author__": "torchvision", "matching_heuristics": True}
    path.write_bytes(pickle.dumps(content, protocol=2))
    model = model_of(R18)
    report = load_weights(model, path, strict=False)
    assert report.layout == "Detectron2 ResNet" and report.unused == ()
    assert len(report.loaded) == len(theirs)


# --- what does not fit


def vgg_file(letter):
    network = on_meta(torchvision.models.vgg.make_layers, torchvision.models.vgg.cfgs[letter])
    return {f"features.{name}": torch.zeros(tensor.shape) for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize(
    ("state", "config", "message"),
    [
        (lambda: vgg_file("D"), "mask_rcnn_VGG19_FPN", r"torchvision VGG.*features\.\d+\.weight \(got shape"),
        (
            lambda: torchvision.models.resnet18(num_classes=1).state_dict(),
            LITE,
            r"\(torchvision ResNet\)",
        ),
        (lambda: torchvision.models.resnet18(num_classes=1).state_dict(), "Base-tiny", r"expected \(32,"),
    ],
    ids=["VGG16 for VGG19", "ResNet for EfficientNet", "ResNet-18 for a narrow one"],
)
def test_another_network_is_refused_and_nothing_is_loaded(tmp_path, state, config, message):
    path = saved(state(), tmp_path / "other.pth")
    model = model_of(config)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ModelError, match=rf"other\.pth: weights of another backbone.*{message}"):
        load_weights(model, path, strict=False)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_network_cut_short_starts_the_stages_that_it_has(tmp_path):
    state = torchvision.models.resnet18(num_classes=1).state_dict()
    path = saved({name: tensor for name, tensor in state.items() if "layer4" not in name}, tmp_path / "cut.pth")
    report = load_weights(model_of(R18), path, strict=False)
    fresh = [name for name in report.initialised if name.startswith("backbone.bottom_up.")]
    assert fresh and all(name.startswith("backbone.bottom_up.res5.") for name in fresh)


def test_half_precision_that_has_overflown_is_named(tmp_path):
    state = torchvision.models.resnet18(num_classes=1).state_dict()
    half = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    report = load_weights(model_of(R18), saved(half, tmp_path / "half.pth"), strict=False)
    assert "backbone.bottom_up.stem.conv1.weight" in report.loaded
    half["layer1.0.bn1.running_var"][3] = 70000.0
    path = saved(half, tmp_path / "half.pth")
    with pytest.raises(ModelError, match=r"infinite, in backbone\.bottom_up\.res2\.0\.conv1\.norm.*65504"):
        load_weights(model_of(R18), path, strict=False)


@pytest.mark.parametrize(
    ("config", "warned"), [(LITE, True), (R18, False)], ids=["of another scale", "of the same scale"]
)
def test_another_scale_of_pixels_is_a_warning(tmp_path, caplog, config, warned):
    path = saved(torchvision.models.resnet18(num_classes=1).state_dict(), tmp_path / "resnet18.pth")
    overrides = ["MODEL.BACKBONE.NAME", "build_resnet_fpn_backbone", "MODEL.RESNETS.STEM_OUT_CHANNELS", "64"]
    with caplog.at_level(logging.WARNING):
        load_weights(model_of(config, *overrides), path, strict=False)
    assert any('MODEL.PIXEL_MEAN "[123.675, 116.28, 103.53]"' in line for line in caplog.messages) == warned


def test_the_scale_of_pixels_is_known_of_others_weights_and_carried_by_own_ones():
    state = torchvision.models.resnet18(num_classes=1).state_dict()
    assert learnt_scale({"model": state}, "") == TORCHVISION_PIXELS
    assert learnt_scale({"model": {f"module.{name}": t for name, t in state.items()}}, "") == TORCHVISION_PIXELS
    assert learnt_scale({"model": state, "pixels": [[1, 2, 3], [4, 5, 6]]}, "") == ((1, 2, 3), (4, 5, 6))
    assert learnt_scale({"model": {"unknown.weight": torch.ones(2)}}, "") is None


@pytest.mark.parametrize(
    "scale", [[[1, 2, 3]], [[1, 2], [3, 4]], [[1, 2, 3], [1, 0, 1]], [[1, 2, np.nan], [1] * 3], "x"]
)
def test_what_is_no_scale_of_pixels_is_refused(scale):
    with pytest.raises(ModelError, match="not a scale of pixels"):
        learnt_scale({"model": {}, "pixels": scale}, "a.pth")


def test_a_state_dict_under_its_usual_name_is_found(tmp_path):
    state = torchvision.models.resnet18(num_classes=1).state_dict()
    path = saved({"state_dict": state, "epoch": 3}, tmp_path / "wrapped.pth")
    assert set(read_checkpoint(path)["model"]) == set(state)
