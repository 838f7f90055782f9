"""Whether a recognised file of weights suits the model that is to start from it."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from segtumor.errors import ModelError
from segtumor.models.layouts.table import Pixels, Renamed, layout_of, unwrapped

logger = logging.getLogger(__name__)
#: Settings that old checkpoints store with the weights.
PIXELS = "pixel_mean", "pixel_std"
_REMEDY = "configs/README.md says which configuration takes which weights"


def check_backbone(renamed: Renamed, own: Mapping[str, torch.Tensor], path: str | Path) -> None:
    """Refuse the weights of another network, of which some layers would fit by chance.

    Args:
        renamed: a file's parameters.
        own: {name: tensor} of the model.
        path: the file, for the message.

    Raises:
        ModelError: none of the file's parameters is in the model's backbone, or one is and has another shape.
    """
    name = renamed.layout.name if renamed.layout else "unknown layout"
    common = sorted(renamed.of_backbone.intersection(own))
    if not common:
        raise ModelError(f"weights of another backbone ({name})", where=path, remedy=_REMEDY)
    for parameter in common:
        shape = tuple(getattr(renamed.state[parameter], "shape", ()))
        if shape != own[parameter].shape:
            raise ModelError(
                f"weights of another backbone ({name}): {parameter}",
                where=path,
                got=f"shape {shape}",
                expected=f"{tuple(own[parameter].shape)}",
                remedy=_REMEDY,
            )


def pixels_of(checkpoint: Mapping[str, Any]) -> Pixels | None:
    """How pixels were scaled for weights that others have trained, as far as their file tells; None of segtumor's own
    files, whose configuration says it."""
    if checkpoint.get("class_names"):
        return None
    state = unwrapped(checkpoint["model"])
    layout = layout_of(state)
    return _stored_pixels(state) or (layout.pixels if layout else None)


def same_pixels(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> bool:
    """Whether two scales of pixels, each mean and standard deviation, are the same but for rounding."""
    return bool(np.allclose(one, other, rtol=0.02))


def warn_of_pixels(model: nn.Module, renamed: Renamed, path: str | Path) -> None:
    """Warn where the configuration scales pixels otherwise than the weights have learnt, as far as the file tells."""
    pixels = _stored_pixels(renamed.state) or (renamed.layout.pixels if renamed.layout else None)
    own = _stored_pixels({name: getattr(model, name, None) for name in PIXELS})
    if pixels is not None and own is not None and not same_pixels(own, pixels):
        mean, std = ([float(f"{value:.6g}") for value in values] for values in pixels)
        logger.warning(
            '%s: its weights have learnt from pixels of another scale: MODEL.PIXEL_MEAN "%s" MODEL.PIXEL_STD "%s"',
            path,
            mean,
            std,
        )


def _stored_pixels(state: Mapping[str, Any]) -> Pixels | None:
    """Mean and standard deviation among parameters, as older versions of Detectron2 keep them, and its model zoo."""
    tensors = [state.get(name) for name in PIXELS]
    values = [tuple(tensor.flatten().tolist()) for tensor in tensors if isinstance(tensor, torch.Tensor)]
    return (values[0], values[1]) if [len(part) for part in values] == [3, 3] else None
