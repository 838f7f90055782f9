"""The error where training no longer computes numbers, wherever it is noticed: one sentence, exit code 5."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from segtumor.errors import NonFiniteLossError
from segtumor.models.kinds import Example, LossesOf

_SHOWN = 3


def not_finite(what: str, *, where: str, images: Iterable[str] = ()) -> NonFiniteLossError:
    """The error for values that became NaN or infinite; raise it."""
    names = ", ".join(images)
    return NonFiniteLossError(
        f"{what} became NaN or infinite",
        where=where,
        got=f"images {names}" if names else None,
        remedy=f"{'Look at these images; else lower' if names else 'Lower'} SOLVER.BASE_LR "
        "or raise SOLVER.WARMUP_ITERS",
    )


def finite_losses(
    losses_of: LossesOf, model: nn.Module, batch: list[Example], *, where: str
) -> tuple[Mapping[str, torch.Tensor], dict[str, float]]:
    """The losses of a model on a batch: tensors, and the same as numbers.

    Raises:
        NonFiniteLossError: a loss, or what the proposal network predicts, is NaN or infinite.
    """
    try:
        losses = losses_of(model, batch)
    except FloatingPointError as error:  # raised by the proposal network on NaN or infinite boxes
        raise not_finite("proposals", where=where, images=_names(batch)) from error
    values = {name: value.item() for name, value in losses.items()}
    wrong = [name for name, value in values.items() if not math.isfinite(value)]
    if wrong:
        raise not_finite(", ".join(wrong), where=where, images=_names(batch))
    return losses, values


def _names(batch: list[Example]) -> list[str]:
    return [example["file_name"] for example in batch]


def check_finite(state: Mapping[str, Any], *, where: str) -> None:
    """Refuse to keep a state that holds NaN or infinity: of weights, running statistics or the optimizer.

    Raises:
        NonFiniteLossError: names the first tensors.
    """
    wrong = names_of_not_finite(state)
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise not_finite(f"{', '.join(wrong[:_SHOWN])}{more}", where=where)


def names_of_not_finite(state: Mapping[str, Any]) -> list[str]:
    """Dotted names of the tensors of a nested state that hold NaN or infinity."""
    return [name for name, tensor in _tensors(state, "") if not torch.isfinite(tensor).all()]


def _tensors(node: Any, name: str) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(node, torch.Tensor):
        if node.is_floating_point() and node.device.type != "meta":
            yield name, node
        return
    items = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, (list, tuple)) else ()
    for key, value in items:
        yield from _tensors(value, f"{name}.{key}" if name else str(key))
