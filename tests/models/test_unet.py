"""The U-Net: its loss against a second implementation, padding that counts nowhere, encoders of every kind."""

import numpy as np
import pytest
import torch
from repository import ROOT

from segtumor.config import load_config
from segtumor.models.build import create_model
from segtumor.models.kinds import set_classes
from segtumor.models.segmenters.unet import OUTSIDE, Decoder, dice_loss
from segtumor.models.weights import load_weights

pytestmark = pytest.mark.model

CONFIGS = ROOT / "configs"
ENCODERS = ("unet_R_18", "unet_lite0", "unet_VGG19_BN")


def model_of(name, *overrides):
    cfg = load_config(CONFIGS / f"{name}.yaml", overrides)
    set_classes(cfg, ["benign", "malignant"])
    torch.manual_seed(0)
    return cfg, create_model(cfg)


def certain(targets):
    """Logits (N, 3, H, W) that say exactly what (N, H, W) targets say."""
    return 1000.0 * torch.nn.functional.one_hot(targets.clamp(min=0), 3).permute(0, 3, 1, 2).float()


HALF = [[1, 1, 0, 0]] * 4


@pytest.mark.parametrize(
    ("said", "true", "loss"),
    [
        (HALF, HALF, 0.0),
        ([[0, 0, 1, 1]] * 4, HALF, 1.0),
        ([[1, 0, 0, 0]] * 4, HALF, 1 - 2 * 4 / (4 + 8)),
        ([[1, 1, 1, 1]] * 4, HALF, 1 - 2 * 8 / (16 + 8)),
        ([[0, 0, 0, 0]] * 4, [[0, 0, 0, 0]] * 4, 0.0),  # no class occurs: nothing is lost, nothing is learnt
        ([[1, 1, 2, 2]] * 4, [[1, 1, 0, 0]] * 4, 0.0),  # a class that does not occur is left to cross entropy
        ([[1, 1, 0, 0]] * 4, [[1, 1, 2, 2]] * 4, 0.5),
        ([[1, 1, 1, 1]] * 4, [[1, 1, OUTSIDE, OUTSIDE]] * 4, 0.0),
    ],
)
def test_dice_loss(said, true, loss):
    targets = torch.tensor([true])
    assert dice_loss(certain(torch.tensor([said])), targets).item() == pytest.approx(loss, abs=1e-6)


def test_dice_loss_is_one_minus_dice_of_soft_probabilities():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 5, 7, generator=generator)
    targets = torch.randint(0, 3, (2, 5, 7), generator=generator)
    probabilities = logits.softmax(1).numpy()
    dices = []
    for index in (1, 2):  # by its definition, pixel by pixel
        true = (targets == index).numpy()
        both = sum(probabilities[n, index][true[n]].sum() for n in range(2))
        dices.append(2 * both / (probabilities[:, index].sum() + true.sum()))
    assert dice_loss(logits, targets).item() == pytest.approx(1 - np.mean(dices), rel=1e-5)


@pytest.mark.parametrize(
    ("strides", "resolution"), [((4, 8, 16, 32), 2), ((2, 4, 8, 16), 2), ((1, 2, 4, 8, 16), 1), ((4, 8), 2)]
)
def test_the_decoder_reaches_half_the_resolution_or_the_finest_map(strides, resolution):
    channels = [8 + n for n in range(len(strides))]
    decoder = Decoder(channels=channels, strides=strides, width=8, num_outputs=3)
    maps = [torch.rand(2, c, 64 // stride, 32 // stride) for c, stride in zip(channels, strides, strict=True)]
    assert decoder(maps).shape == (2, 3, 64 // resolution, 32 // resolution)


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_is_learnt_and_answers_at_the_size_of_the_image(name):
    _, model = model_of(name)
    class_map = torch.zeros(50, 70, dtype=torch.int64)
    class_map[10:30, 20:50] = 2
    images = [{"image": torch.rand(3, 50, 70) * 255, "class_map": m} for m in (class_map, torch.zeros_like(class_map))]
    found = model.train()(images)
    assert set(found) == {"loss_pixels", "loss_dice"}
    sum(found.values()).backward()
    assert all(p.grad is not None for p in model.parameters())
    (maps, _) = model.eval()(images)
    assert maps["class_maps"].shape == (2, 50, 70)
    assert maps["class_maps"].min() >= 0 and maps["class_maps"].sum(0).max() <= 1 + 1e-5


def test_padding_counts_in_no_loss():
    _, model = model_of("unet_R_18")
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()  # so that an image's losses do not depend on its neighbours
    image = torch.rand(3, 64, 64) * 255
    class_map = torch.zeros(64, 64, dtype=torch.int64)
    class_map[8:24, 8:40] = 1
    one = model([{"image": image, "class_map": class_map}])
    mean = model.pixel_mean.expand(3, 64, 32)  # what padding with zeros is, before normalisation
    wide = model([{"image": torch.cat([image, mean], dim=2), "class_map": _padded(class_map)}])
    torch.testing.assert_close(one["loss_dice"], wide["loss_dice"], atol=0.02, rtol=0)


def _padded(class_map):
    return torch.nn.functional.pad(class_map, (0, 32, 0, 0), value=OUTSIDE)


def test_it_starts_from_the_shipped_detector(tmp_path):
    _, model = model_of("unet_lite0")
    detector = create_model(load_config(CONFIGS / "lite_phantoms.yaml"))
    torch.save({"model": detector.state_dict()}, tmp_path / "detector.pth")
    report = load_weights(model, tmp_path / "detector.pth", strict=False)
    assert {name for name in report.initialised if not name.startswith("decoder.")} == set()
