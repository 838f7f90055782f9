"""torchvision's VGG, whose convolutions have the same names here; and a VGG16 as the start of a VGG19."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from segtumor.errors import ModelError

KEY = "features.0.weight"
# VGG's two hidden fully connected layers are the box head of Fast R-CNN (Girshick 2015, section 2.3).
_HEADS = {"classifier.0.": "roi_heads.box_head.fc1.", "classifier.3.": "roi_heads.box_head.fc2."}
#: Numbers of the plain networks' convolutions, stage by stage; activations and pooling take the numbers between.
_VGG16 = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
_VGG19 = ((0, 2), (5, 7), (10, 12, 14, 16), (19, 21, 23, 25), (28, 30, 32, 34))


def own_name(name: str) -> str:
    """``classifier.0.bias`` -> ``roi_heads.box_head.fc1.bias``; ``features.*`` stay."""
    for theirs, own in _HEADS.items():
        name = name.replace(theirs, own)
    return name


def deepened(state: Mapping[str, Any]) -> dict[str, Any]:
    """A VGG19 that computes what this VGG16 does: the fourth convolution of three stages is the identity.

    Behind a ReLU nothing is lost by it (Net2Net, Chen et al. 2016). Names are torchvision's, before and after.

    Raises:
        ModelError: the convolutions are not those of a plain VGG16.
    """
    expected = {f"features.{number}.{kind}" for stage in _VGG16 for number in stage for kind in ("weight", "bias")}
    if {name for name in state if name.startswith("features.")} != expected:
        raise ModelError("not a VGG16 without batch norms", expected="torchvision's names, features.0 to features.28")
    result = {name: tensor for name, tensor in state.items() if name not in expected}
    for old, new in zip(_VGG16, _VGG19, strict=True):
        for number, place in zip(old, new, strict=False):
            result |= {f"features.{place}.{kind}": state[f"features.{number}.{kind}"] for kind in ("weight", "bias")}
        if len(new) > len(old):
            result |= _identity(new[-1], like=state[f"features.{old[-1]}.weight"])
    return result


def _identity(place: int, *, like: torch.Tensor) -> dict[str, torch.Tensor]:
    channels = like.shape[0]
    weight = nn.init.dirac_(torch.empty(channels, channels, 3, 3)).to(like.dtype)
    return {f"features.{place}.weight": weight, f"features.{place}.bias": torch.zeros(channels, dtype=like.dtype)}
