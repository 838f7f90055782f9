"""Classifiers of whole images: published sizes, what is learnt from, weights of torchvision and of detectors."""

import numpy as np
import pytest
import torch
import torchvision.models
from detectron2.utils.events import EventStorage

from segtumor.config import new_config
from segtumor.errors import ConfigError, ModelError
from segtumor.models.build import create_model, predictor_from_config
from segtumor.models.classifiers.networks import build_network, network_names
from segtumor.models.kinds import set_classes
from segtumor.models.weights import load_weights

pytestmark = pytest.mark.model

#: Parameters with ImageNet's 1,000 classes, as torchvision's documentation has them; EfficientNet-Lite0 as Google's.
PUBLISHED = {
    "densenet121": 7_978_856,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnext50_32x4d": 25_028_904,
    "vgg19": 143_667_240,
    "efficientnet_b0": 5_288_548,
    "efficientnet_lite0": 4_652_008,
}


def config(name, classes=("benign", "malignant"), **settings):
    cfg = new_config()
    cfg.MODEL.META_ARCHITECTURE, cfg.MODEL.DEVICE = "ImageClassifier", "cpu"
    cfg.MODEL.CLASSIFIER.NAME = name
    for key, value in settings.items():
        setattr(cfg.MODEL.CLASSIFIER, key, value)
    set_classes(cfg, list(classes))
    return cfg


def batch(*classes, size_hw=(64, 64)):
    rng = torch.Generator().manual_seed(len(classes))
    return [{"image": torch.rand(3, *size_hw, generator=rng) * 255, "image_class": index} for index in classes]


def losses(model, examples):
    with EventStorage() as storage:
        return model.train()(examples), storage


@pytest.mark.parametrize(("name", "count"), PUBLISHED.items())
def test_networks_have_their_published_size(name, count):
    with torch.device("meta"):
        network = build_network(name, num_outputs=1000, dropout=0.2)
    assert sum(p.numel() for p in network.parameters()) == count


def test_the_hybrid_joins_the_features_of_both():
    with torch.device("meta"):
        network = build_network("resnet50_vgg19", num_outputs=3, dropout=0)
        parts = torchvision.models.resnet50(), torchvision.models.vgg19().features
    own = sum(sum(p.numel() for p in part.parameters()) for part in parts) - (2048 * 1000 + 1000)
    assert sum(p.numel() for p in network.parameters()) == own + (2048 + 512) * 3 + 3


def test_an_unknown_network_is_refused():
    with pytest.raises(ConfigError, match="unknown network"):
        build_network("vit_b_16", num_outputs=2, dropout=0)  # a transformer: it takes one size of image
    assert {"resnet50_vgg19", "efficientnet_lite2", "wide_resnet50_2", "convnext_tiny"} <= set(network_names())


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18", "shufflenet_v2_x0_5"])
def test_dropout_acts_in_training_alone(name):
    torch.manual_seed(0)
    network = build_network(name, num_outputs=3, dropout=0.9)
    layers = [layer for layer in network.modules() if isinstance(layer, torch.nn.Dropout)]
    assert [layer.p for layer in layers] == [0.9]
    images = torch.rand(1, 3, 64, 64)
    network.eval()
    assert torch.equal(network(images), network(images))
    for layer in layers:
        layer.train()
    assert not torch.equal(network(images), network(images))


def test_the_loss_is_the_weighted_mean_of_the_known_classes():
    torch.manual_seed(0)
    model = create_model(config("shufflenet_v2_x0_5", DROPOUT=0.0, CLASS_WEIGHTS=[1.0, 5.0, 2.0]))  # normal last
    for module in model.modules():  # so that training and evaluation compute alike
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.0
    examples = batch(0, 2, -1, 1)
    images = model.images(examples).tensor
    found, storage = losses(model, examples)
    logits = model.network(images)
    theirs = torch.nn.functional.cross_entropy(
        logits, torch.tensor([0, 2, -1, 1]), torch.tensor([2.0, 1.0, 5.0]), ignore_index=-1
    )
    torch.testing.assert_close(found["loss_class"], theirs)
    known = [0, 1, 3]
    right = logits[known].argmax(1) == torch.tensor([0, 2, 1])
    assert storage.history("train/accuracy").latest() == pytest.approx(right.float().mean().item())
    truth = torch.eye(3)[[0, 2, 1]]
    brier = ((logits[known].softmax(1) - truth) ** 2).sum(1).mean().item() / 2
    assert storage.history("train/brier").latest() == pytest.approx(brier, rel=1e-5)


def test_images_of_unknown_class_alone_teach_nothing():
    model = create_model(config("shufflenet_v2_x0_5"))
    found, storage = losses(model, batch(-1, -1))
    assert found["loss_class"].item() == 0 and "train/accuracy" not in storage.histories()
    found["loss_class"].backward()


@pytest.mark.parametrize("name", ["efficientnet_lite0", "shufflenet_v2_x0_5"])
def test_it_reads_windows_of_any_shape_each_by_itself(name):
    cfg = config(name)
    torch.manual_seed(0)
    predictor = predictor_from_config(cfg, create_model(cfg), ["benign", "malignant"])
    rng = np.random.default_rng(0)
    windows = [rng.random(shape, dtype=np.float32) for shape in ((50, 70), (64, 64), (50, 70))]
    together = predictor.read_windows(windows, [(10, 10)] * 3)
    for window, reading in zip(windows, together, strict=True):
        (alone,) = predictor.read_windows([window], [(10, 10)])
        assert reading.image_probabilities == pytest.approx(alone.image_probabilities, abs=1e-5)
        assert sum(reading.image_probabilities) == pytest.approx(1) and not reading.findings


@pytest.mark.parametrize("name", ["densenet121", "mobilenet_v2", "resnet18", "vgg11_bn"])
def test_torchvisions_weights_compute_the_same_features(name, tmp_path):
    torch.manual_seed(0)
    theirs = torchvision.models.get_model(name, weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    cfg = config(name)
    model = create_model(cfg).eval()
    report = load_weights(model, tmp_path / "theirs.pth", strict=False)
    assert len(report.initialised) == 2  # weight and bias of the last layer, which is for other classes
    last, own = [[m for m in n.modules() if isinstance(m, torch.nn.Linear)][-1] for n in (theirs, model.network)]
    seen = []
    for layer in (last, own):
        layer.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        theirs(images), model.network(images)
    torch.testing.assert_close(seen[0], seen[1])


def test_the_weights_of_another_network_are_refused(tmp_path):
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), tmp_path / "resnet18.pth")
    with pytest.raises(ModelError, match="another backbone"):
        load_weights(create_model(config("mobilenet_v2")), tmp_path / "resnet18.pth", strict=False)
    with pytest.raises(ModelError, match="another backbone"):
        load_weights(create_model(config("resnet50")), tmp_path / "resnet18.pth", strict=False)


def test_a_classifier_starts_from_the_backbone_of_a_detector(tmp_path):
    from repository import ROOT

    from segtumor.config import load_config

    cfg = load_config(ROOT / "configs" / "lite_phantoms.yaml")
    detector = create_model(cfg)
    torch.save({"model": detector.state_dict()}, tmp_path / "detector.pth")
    model = create_model(config("efficientnet_lite0"))
    report = load_weights(model, tmp_path / "detector.pth", strict=False)
    own = dict(detector.backbone.bottom_up.state_dict())
    assert {name.removeprefix("network.") for name in report.loaded} == set(own)
    for name, tensor in own.items():
        torch.testing.assert_close(model.network.state_dict()[name], tensor)
