"""The scale of pixels that weights have learnt from: mean and standard deviation of each channel, 0 to 255, red first.

Weights find nothing in pixels of another scale. So checkpoints of segtumor carry theirs, others' files tell it by their
layout, and whatever configuration weights are used with gets it. Not here: scaling itself (``models.pixel_model``).
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from segtumor.errors import ModelError
from segtumor.models.layouts.table import Pixels, layout_of, unwrapped

if TYPE_CHECKING:
    from detectron2.config import CfgNode

logger = logging.getLogger(__name__)
#: Names among the parameters, where old versions of Detectron2 keep the scale, and its model zoo.
STORED = "pixel_mean", "pixel_std"
#: Field of a checkpoint.
FIELD = "pixels"


def scale_of_config(cfg: "CfgNode") -> dict[str, list[list[float]]]:
    """{field of a checkpoint: the scale that a configuration sets}."""
    return {FIELD: [list(map(float, values)) for values in (cfg.MODEL.PIXEL_MEAN, cfg.MODEL.PIXEL_STD)]}


def learnt_scale(checkpoint: Mapping[str, Any], path: str | Path) -> Pixels | None:
    """What weights have learnt from, as far as their file tells.

    Args:
        checkpoint: as ``weights.read_checkpoint``.
        path: its file, for the message.

    Raises:
        ModelError: a mean or deviation that is none.
    """
    found = checkpoint.get(FIELD)
    if found is None:
        state = unwrapped(checkpoint["model"])
        layout = layout_of(state)
        found = _stored(state) or (layout.pixels if layout else None)
    if found is None:  # as in older files of segtumor, of which the configuration tells
        return None
    try:
        mean, std = (tuple(map(float, values)) for values in found)
    except (TypeError, ValueError):
        mean, std = (), ()
    if len(mean) != 3 or len(std) != 3 or not np.isfinite([*mean, *std]).all() or min(std) <= 0:
        expected = "three means, and three standard deviations above 0"
        raise ModelError("not a scale of pixels", where=path, got=f"{found!r:.80}", expected=expected)
    return mean, std


def adopt(cfg: "CfgNode", checkpoint: Mapping[str, Any], path: str | Path) -> str:
    """Give a configuration the scale that weights have learnt from; a phrase on what changed, or "".

    Args:
        cfg: frozen or not, and so it stays.
        checkpoint, path: as ``learnt_scale``, whose errors these are.
    """
    learnt, before = learnt_scale(checkpoint, path), (list(cfg.MODEL.PIXEL_MEAN), list(cfg.MODEL.PIXEL_STD))
    if learnt is None or _same(learnt, before):
        return ""
    mean, std = _rounded(learnt)
    frozen = cfg.is_frozen()
    cfg.defrost()
    cfg.MODEL.PIXEL_MEAN, cfg.MODEL.PIXEL_STD = mean, std
    if frozen:
        cfg.freeze()
    return (
        f"pixels scaled as the weights have learnt: MODEL.PIXEL_MEAN {mean} MODEL.PIXEL_STD {std}, not "
        f"{before[0]} and {before[1]}"
    )


def warn_of_scale(model: nn.Module, checkpoint: Mapping[str, Any], path: str | Path) -> None:
    """Warn where a model that was built already scales pixels otherwise than the weights that it takes."""
    learnt, own = learnt_scale(checkpoint, path), _stored({name: getattr(model, name, None) for name in STORED})
    if learnt is not None and own is not None and not _same(learnt, own):
        mean, std = _rounded(learnt)
        what = '%s: its weights have learnt from pixels of another scale: MODEL.PIXEL_MEAN "%s" MODEL.PIXEL_STD "%s"'
        logger.warning(what, path, mean, std)


def _stored(state: Mapping[str, Any]) -> Pixels | None:
    tensors = [state.get(name) for name in STORED]
    values = [tuple(tensor.flatten().tolist()) for tensor in tensors if isinstance(tensor, torch.Tensor)]
    return (values[0], values[1]) if [len(part) for part in values] == [3, 3] else None


def _rounded(scale: Pixels) -> list[list[float]]:
    """Mean and standard deviation as a configuration says them."""
    return [[float(f"{value:.6g}") for value in values] for values in scale]


def _same(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> bool:
    """But for rounding."""
    return bool(np.allclose(one, other, rtol=0.02))
