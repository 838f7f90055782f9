"""Configurations as text, for measurements in processes of their own."""

from detectron2.config import CfgNode

import segtumor.models.backbones.narrow_resnet
import segtumor.models.backbones.vgg
import segtumor.models.detectors.roi_heads  # noqa: F401  the three register the model parts that configurations name


def config_from_text(text):
    """A whole configuration from ``cfg.dump()``; plain values, no file, no defaults."""
    return CfgNode.load_cfg(text)
