"""torchvision's DenseNet, whose published files were written before its layers were renamed."""

import re

KEY = "features.conv0.weight"
_OLD = re.compile(r"(\.denselayer\d+\.(?:norm|conv))\.([12])\.")


def own_name(name: str) -> str:
    """``features.denseblock1.denselayer1.norm.1.bias`` -> ``features.denseblock1.denselayer1.norm1.bias``."""
    return _OLD.sub(r"\1\2.", name)
