"""Networks that judge an image, by name: those of torchvision's registry, EfficientNet-Lite, and ResNet-50 with VGG19.

torchvision's are built as published, and their parameters keep torchvision's names, so that its weights fit. Left out
are its transformers, which take one size of image only, and networks with several outputs (Inception, GoogLeNet).
Letters: N images of H x W; K outputs.
"""

import functools
from collections.abc import Callable, Mapping

import torch
import torchvision.models
from torch import nn
from torchvision.models import get_model, list_models, resnet50, vgg19

from segtumor.errors import ConfigError
from segtumor.models.backbones.efficientnet_lite import VARIANTS, EfficientNetLite

_FAMILIES = (
    *("convnext", "densenet", "efficientnet", "mnasnet", "mobilenet", "regnet", "resnet", "resnext", "shufflenet"),
    *("vgg", "wide_resnet"),
)
_LAST_CHANNELS = 1280


class EfficientNetLiteNetwork(EfficientNetLite):
    """EfficientNet-Lite with its last 1 x 1 convolution, mean over the image and one fully connected layer."""

    def __init__(self, *, variant: int, num_classes: int) -> None:
        super().__init__(variant=variant, out_features=("res5",))
        channels = self.output_shape()["res5"].channels
        self.last = nn.Sequential(
            nn.Conv2d(channels, _LAST_CHANNELS, 1, bias=False), nn.BatchNorm2d(_LAST_CHANNELS, eps=1e-3), nn.ReLU6(True)
        )
        self.classifier = nn.Linear(_LAST_CHANNELS, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:  # type: ignore[override]  # no backbone any more
        """(N, 3, H, W), multiples of 32 -> (N, K) logits."""
        last = self.last(super().forward(images)["res5"])
        logits: torch.Tensor = self.classifier(last.mean(dim=(2, 3)))
        return logits


class ResNetVGG(nn.Module):
    """ResNet-50 and VGG19 side by side, their pooled features joined before one fully connected layer."""

    def __init__(self, *, num_classes: int) -> None:
        super().__init__()
        self.resnet = nn.Sequential(*list(resnet50(weights=None).children())[:-1], nn.Flatten())
        self.vgg = nn.Sequential(vgg19(weights=None).features, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(2048 + 512, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) -> (N, K) logits."""
        logits: torch.Tensor = self.classifier(torch.cat([self.resnet(images), self.vgg(images)], dim=1))
        return logits


#: Networks that torchvision lacks; a new one is a line here.
_OWN: Mapping[str, Callable[..., nn.Module]] = {
    **{
        f"efficientnet_lite{variant}": functools.partial(EfficientNetLiteNetwork, variant=variant)
        for variant in VARIANTS
    },
    "resnet50_vgg19": ResNetVGG,
}


def network_names() -> tuple[str, ...]:
    """What ``build_network`` knows, in alphabetical order."""
    names = list_models(module=torchvision.models)
    return tuple(sorted([*_OWN, *(name for name in names if name.startswith(_FAMILIES))]))


def build_network(name: str, *, num_outputs: int, dropout: float) -> nn.Module:
    """A network with fresh weights, (N, 3, H, W) -> (N, ``num_outputs``) logits.

    Args:
        name: one of ``network_names``.
        dropout: proportion of values left out in training, [0, 1): by the layers that the network has for it, or before
            its last layer where it has none.

    Raises:
        ConfigError: no such network.
    """
    if name not in network_names():
        expected = "a network of torchvision such as densenet121, resnet50, resnext50_32x4d, vgg19, efficientnet_b0"
        raise ConfigError(
            "unknown network", where="MODEL.CLASSIFIER.NAME", got=name, expected=f"{expected}, or {', '.join(_OWN)}"
        )
    build = _OWN.get(name) or functools.partial(get_model, name, weights=None)
    network = build(num_classes=num_outputs)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Dropout)]
    for layer in layers:
        layer.p = dropout
    if not layers:
        last = [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear)][-1]
        network.set_submodule(last, nn.Sequential(nn.Dropout(dropout), network.get_submodule(last)))
    return network
