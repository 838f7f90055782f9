"""Whether a recognised file of weights suits the model that is to start from it."""

from collections.abc import Mapping
from pathlib import Path

import torch

from segtumor.errors import ModelError
from segtumor.models.layouts.table import Renamed

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
