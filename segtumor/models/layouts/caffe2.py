"""Files of Detectron's Caffe2 days, among them ImageNet weights of Detectron2's zoo: Detectron2 itself renames them."""

from collections.abc import Mapping
from typing import Any

import torch
from detectron2.checkpoint.c2_model_loading import convert_c2_detectron_names

KEY = "conv1_w"
#: Blue first: of a gray radiograph only the order of these six numbers matters.
PIXELS = ((103.53, 116.28, 123.675), (1.0, 1.0, 1.0))
_PREFIXES = {
    "fpn_": "backbone.",
    "box_head.": "roi_heads.",
    "mask_head.": "roi_heads.",
    "cls_score.": "roi_heads.box_predictor.",
    "bbox_pred.": "roi_heads.box_predictor.",
}


def renamed(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Detectron2's names, background moved to the end; without the momentum of the optimizer and what is no tensor."""
    weights = {
        name: tensor
        for name, tensor in state.items()
        if isinstance(tensor, torch.Tensor) and not name.endswith("_momentum")
    }
    result: dict[str, Any] = convert_c2_detectron_names(weights)[0]
    return result


def own_name(name: str) -> str:
    """``cls_score.bias`` -> ``roi_heads.box_predictor.cls_score.bias``; those of the backbone stay."""
    return next((prefix + name for start, prefix in _PREFIXES.items() if name.startswith(start)), name)
