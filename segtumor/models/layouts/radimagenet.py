"""RadImageNet's ResNet50 and DenseNet121 for PyTorch: torchvision's layers by number (Mei et al. 2022)."""

import re
from collections.abc import Mapping
from typing import Any

from segtumor.models.layouts import densenet, resnet

PIXELS = ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))
_RESNET_KEY = "backbone.4.0.conv1.weight"
_DENSENET_KEY = "backbone.0.conv0.weight"
#: Layers of torchvision's ResNet, without those that have no parameters.
_CHILDREN = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
_CHILD = re.compile(r"^backbone\.([014567])\.(?=\d+\.|weight|bias|running|num_batches)")


def recognises(state: Mapping[str, Any]) -> bool:
    """Whether the names are of one of the two."""
    return _RESNET_KEY in state or _DENSENET_KEY in state


def own_name(name: str) -> str:
    """``backbone.4.0.bn1.bias`` -> ``res2.0.conv1.norm.bias``, ``backbone.0.norm0.bias`` -> ``features.norm0.bias``."""
    child = _CHILD.match(name)
    if child:
        return resnet.own_name(f"{_CHILDREN[child[1]]}.{name[child.end() :]}")
    return densenet.own_name(re.sub(r"^backbone\.0\.", "features.", name))
