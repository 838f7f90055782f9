"""ResNet-18 with fewer channels: for phantoms, tests and machines without a GPU.

Detectron2's own builder fixes the width of ResNet-18; its blocks do not, and are used here unchanged.
"""

from collections.abc import Sequence

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY
from detectron2.modeling.backbone.fpn import FPN
from detectron2.modeling.backbone.resnet import BasicBlock, BasicStem, ResNet

from segtumor.models.backbones.pyramid import pyramid_on

_BLOCKS_PER_STAGE = 2


def narrow_resnet(
    *, width: int, norm: str, in_channels: int = 3, out_features: Sequence[str] = ("res2", "res3", "res4", "res5")
) -> ResNet:
    """ResNet-18 whose stages have ``width``, 2, 4 and 8 times ``width`` channels (64 would be the original).

    Args:
        width: channels of the stem and of res2.
        norm: Detectron2 normalisation, e.g. "BN".
        in_channels: channels of the input.
        out_features: maps to return, among res2 ... res5 (strides 4, 8, 16, 32).
    """
    stages, channels = [], width
    for index in range(4):
        stages.append(
            ResNet.make_stage(
                BasicBlock,
                _BLOCKS_PER_STAGE,
                stride_per_block=[1 if index == 0 else 2] + [1] * (_BLOCKS_PER_STAGE - 1),
                in_channels=channels,
                out_channels=width * 2**index,
                norm=norm,
            )
        )
        channels = width * 2**index
    return ResNet(BasicStem(in_channels=in_channels, out_channels=width, norm=norm), stages, out_features=out_features)


@BACKBONE_REGISTRY.register()
def build_narrow_resnet_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> FPN:
    """``narrow_resnet`` with a feature pyramid; p6 by max pooling.

    Of ``MODEL.RESNETS`` it reads STEM_OUT_CHANNELS (the width), NORM and OUT_FEATURES; nothing is frozen.
    """
    bottom_up = narrow_resnet(
        width=cfg.MODEL.RESNETS.STEM_OUT_CHANNELS,
        norm=cfg.MODEL.RESNETS.NORM,
        in_channels=input_shape.channels,
        out_features=cfg.MODEL.RESNETS.OUT_FEATURES,
    )
    return pyramid_on(bottom_up, cfg)
