"""torchvision's Faster and Mask R-CNN with a feature pyramid to Detectron2's, old and new names alike.

Both code boxes alike and list anchors of one size per level in the same order. torchvision counts background as class
0, Detectron2 as the last one. Its RoIAlign lies half a cell beside Detectron2's, which a little training makes up for.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch

from segtumor.models.layouts import resnet

RESNET_KEY = "backbone.body.conv1.weight"
MOBILENET_KEY = "backbone.body.0.0.weight"
_ROIS, _RPN = "roi_heads.", "proposal_generator.rpn_head."


def _level(stem: str) -> Callable[[re.Match[str]], str]:
    return lambda match: f"backbone.fpn_{stem}{int(match[1]) + 2}{'.norm' if match[2] == '.1' else ''}."


_NAMES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"^backbone\.fpn\.inner_blocks\.(\d)(\.\d)?\.", _level("lateral")),
    (r"^backbone\.fpn\.layer_blocks\.(\d)(\.\d)?\.", _level("output")),
    (r"^rpn\.head\.conv\.(0\.0\.)?(?=weight|bias)", f"{_RPN}conv."),
    (r"^rpn\.head\.cls_logits\.", f"{_RPN}objectness_logits."),
    (r"^rpn\.head\.bbox_pred\.", f"{_RPN}anchor_deltas."),
    (r"^roi_heads\.box_head\.fc6\.", f"{_ROIS}box_head.fc1."),
    (r"^roi_heads\.box_head\.fc7\.", f"{_ROIS}box_head.fc2."),
    (r"^roi_heads\.mask_head\.(\d)\.0\.", lambda match: f"{_ROIS}mask_head.mask_fcn{int(match[1]) + 1}."),
    (r"^roi_heads\.mask_predictor\.conv5_mask\.", f"{_ROIS}mask_head.deconv."),
    (r"^roi_heads\.mask_predictor\.mask_fcn_logits\.", f"{_ROIS}mask_head.predictor."),
)
#: Parts with a row, or four, for background at the start.
_OF_CLASSES: dict[str, Callable[[Any], Any]] = {
    "roi_heads.box_predictor.cls_score.": lambda rows: torch.roll(rows, -1, 0),
    "roi_heads.box_predictor.bbox_pred.": lambda rows: rows[4:],
    "roi_heads.mask_predictor.mask_fcn_logits.": lambda rows: rows[1:],
}


def own_name(name: str) -> str:
    """``backbone.body.layer1.0.bn1.bias`` -> ``res2.0.conv1.norm.bias``; heads and pyramid to Detectron2's."""
    if name.startswith("backbone.body."):
        return resnet.own_name(name.removeprefix("backbone.body."))
    for pattern, replacement in _NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def own_name_of_mobilenet(name: str) -> str:
    """``backbone.body.0.0.weight`` -> ``features.0.0.weight``. Its pyramid has two levels of its own, which stay."""
    return re.sub(r"^backbone\.body\.", "features.", name)


def background_last(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Heads with background as the last class of the scores, and without it where boxes and masks are of classes."""
    return {name: _reordered(name, tensor) for name, tensor in state.items()}


def _reordered(name: str, tensor: Any) -> Any:
    change = next((change for start, change in _OF_CLASSES.items() if name.startswith(start)), None)
    return tensor if change is None else change(tensor)
