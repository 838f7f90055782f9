"""Monte-Carlo dropout: a model with its dropout left on, as one member of an ensemble (Gal & Ghahramani, ICML 2016).

Every image is seen alone by the same thinned networks: the generator is seeded with the member's number before each, so
that an answer depends neither on the other images of a batch nor on their order. Not here: what becomes of the members'
answers (``segtumor.inference.combined``).
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from segtumor.errors import ConfigError, NonFiniteOutputError
from segtumor.runtime.protocols import Model, SizeHW, Window
from segtumor.runtime.reading_models import Wrapper
from segtumor.structures.readings import Reading
from segtumor.tabular.encoder import Context


class DropoutSample(Wrapper):
    """A model whose dropout drops while it reads.

    Args:
        module: of torch, behind the model.
        model: the same, with a method of ``runtime.protocols``.
        class_names: by ``class_id``.
        number: which values are dropped, 0 or more.

    Raises:
        ConfigError: the module has no dropout that drops anything.
    """

    def __init__(self, module: nn.Module, model: Model, class_names: Sequence[str], *, number: int) -> None:
        self._layers = dropout_layers(module)
        if not self._layers:
            raise ConfigError(
                "this model has no dropout to leave on",
                where="--mc-dropout",
                expected="a model with dropout above 0, such as a classifier (MODEL.CLASSIFIER.DROPOUT)",
                remedy="Use --tta, or an ensemble of several runs",
            )
        super().__init__([model], class_names)
        self._number = number

    def read_with_contexts(
        self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW], contexts: Sequence[Context]
    ) -> list[Reading | NonFiniteOutputError]:
        """See ``runtime.protocols.ContextModel``."""
        readings: list[Reading | NonFiniteOutputError] = []
        for window, size_hw, context in zip(windows, sizes_hw, contexts, strict=True):
            with torch.random.fork_rng(), _dropping(self._layers):
                torch.manual_seed(self._number)
                readings += self._reads[0]([window], [size_hw], [context])
        return readings


def dropout_layers(module: nn.Module) -> list[nn.Module]:
    """The layers that leave values, or whole maps, out in training."""
    kinds = (nn.Dropout, nn.Dropout2d)
    return [layer for layer in module.modules() if isinstance(layer, kinds) and layer.p > 0]


@contextlib.contextmanager
def _dropping(layers: Sequence[nn.Module]) -> Iterator[None]:
    """Let the layers drop in evaluation mode, in which all others, batch norms above all, must stay."""
    handles = [layer.register_forward_hook(_drop) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _drop(layer: Any, inputs: Any, _output: Any) -> torch.Tensor:
    drop = functional.dropout2d if isinstance(layer, nn.Dropout2d) else functional.dropout
    return drop(inputs[0], layer.p, training=True)
