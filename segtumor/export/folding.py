"""Batch normalisation folded into the convolution before it, for models that only predict.

With fixed statistics a normalisation multiplies and shifts each channel, which the convolution can do itself: a third
of a residual network's layers disappear. Not here: normalisations without fixed statistics (group, layer), which stay.
"""

import copy
import itertools
from typing import Any, TypeGuard, TypeVar

from detectron2.layers import FrozenBatchNorm2d
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

M = TypeVar("M", bound=nn.Module)
_FOLDABLE = (nn.BatchNorm2d, nn.SyncBatchNorm, FrozenBatchNorm2d)


def fold_batch_norms(model: M) -> M:
    """A copy of ``model`` in evaluation mode, without gradients, whose batch norms are part of its convolutions.

    Folded are the ``norm`` of Detectron2's convolutions, and a batch norm that follows a convolution in an
    ``nn.Sequential``; the latter leaves an ``nn.Identity``, so that layers keep their numbers. Outputs agree with those
    of ``model.eval()`` but for rounding. ``model`` is not changed.
    """
    folded = copy.deepcopy(model).eval().requires_grad_(False)
    for module in folded.modules():
        if isinstance(module, nn.Conv2d) and _is_foldable(getattr(module, "norm", None)):
            _fold(module, module.norm)
            module.norm = None  # type: ignore[assignment]  # Detectron2's convolutions have it or not
        if isinstance(module, nn.Sequential):
            _fold_neighbours(module)
    return folded


def _fold_neighbours(sequence: nn.Sequential) -> None:
    for (_, layer), (name, successor) in itertools.pairwise(list(sequence.named_children())):
        if _is_plain_convolution(layer) and _is_foldable(successor):
            _fold(layer, successor)
            setattr(sequence, name, nn.Identity())


def _is_plain_convolution(layer: nn.Module) -> TypeGuard[nn.Conv2d]:
    # Detectron2's convolutions may apply a norm and an activation of their own before the successor sees anything.
    return (
        isinstance(layer, nn.Conv2d) and getattr(layer, "norm", None) is None and not getattr(layer, "activation", None)
    )


def _is_foldable(norm: Any) -> bool:
    return isinstance(norm, _FOLDABLE) and norm.running_var is not None


def _fold(convolution: nn.Conv2d, norm: Any) -> None:
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )
