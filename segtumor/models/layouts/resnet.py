"""torchvision's ResNet to Detectron2's."""

import re
from collections.abc import Callable

KEY = "layer1.0.conv1.weight"
_NAMES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"^(conv1|bn1)\.", r"stem.\1."),
    (r"^layer(\d)\.", lambda match: f"res{int(match[1]) + 1}."),
    (r"\.downsample\.0\.", ".shortcut."),
    (r"\.downsample\.1\.", ".shortcut.norm."),
    (r"(^|\.)bn(\d)\.", r"\1conv\2.norm."),
)


def own_name(name: str) -> str:
    """``layer1.0.bn1.bias`` -> ``res2.0.conv1.norm.bias``."""
    for pattern, replacement in _NAMES:
        name = re.sub(pattern, replacement, name)
    return name
