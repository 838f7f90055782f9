"""TorchXRayVision's DenseNet: torchvision's with one gray channel as input, of -1024 to 1024 (Cohen et al. 2022)."""

from collections.abc import Mapping
from typing import Any

from segtumor.models.layouts import densenet

_MEAN, _STD = 255 / 2, 255 / 2048
PIXELS = ((_MEAN, _MEAN, _MEAN), (_STD, _STD, _STD))


def recognises(state: Mapping[str, Any]) -> bool:
    """Whether the first convolution has one channel as input."""
    shape: tuple[int, ...] = tuple(getattr(state.get(densenet.KEY), "shape", ()))
    return len(shape) == 4 and shape[1] == 1


def of_three_channels(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same function of a gray image that is given three times: each channel adds a third."""
    return {**state, densenet.KEY: state[densenet.KEY].expand(-1, 3, -1, -1) / 3}
