"""Whether a recognised file of weights suits the model that is to start from it."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from segtumor.errors import ModelError
from segtumor.models.layouts.table import Layout, Renamed

logger = logging.getLogger(__name__)
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


def warn_of_pixels(model: nn.Module, layout: Layout, path: str | Path) -> None:
    """Warn where the configuration scales pixels otherwise than the weights have learnt."""
    buffers = [getattr(model, name, None) for name in ("pixel_mean", "pixel_std")]
    if layout.pixels is None or not all(isinstance(buffer, torch.Tensor) for buffer in buffers):
        return
    own = [buffer.flatten().tolist() for buffer in buffers if isinstance(buffer, torch.Tensor)]
    if not np.allclose(own, layout.pixels, rtol=0.02):
        mean, std = ([float(f"{value:.6g}") for value in values] for values in layout.pixels)
        logger.warning(
            '%s: its weights have learnt from pixels of another scale: MODEL.PIXEL_MEAN "%s" MODEL.PIXEL_STD "%s"',
            path,
            mean,
            std,
        )
