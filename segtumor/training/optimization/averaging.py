"""An exponential moving average of the weights, which is validated and kept as the best model in place of the weights.

The weights of single steps jump about; their average over the last 1 / (1 - decay) steps does not, and finds more with
the same training (Polyak & Juditsky 1992; Tarvainen & Valpola 2017).
"""

from collections.abc import Sequence

import torch
from detectron2.engine import HookBase
from torch import nn
from torch.optim.swa_utils import AveragedModel

#: The first steps count for more, so that the average forgets the fresh weights: decay of step n is (1 + n) / (10 + n)
#: until that reaches the decay asked for.
_WARM_UP = 10


def moving_average(model: nn.Module, decay: float) -> AveragedModel:
    """A copy of ``model`` that ``update_parameters`` brings nearer to it: parameters and the statistics of batch norms.

    Args:
        model: its weights at the first update are the first average.
        decay: of the average at each update, in (0, 1).
    """

    def average(averaged: Sequence[torch.Tensor], current: Sequence[torch.Tensor], count: torch.Tensor | int) -> None:
        weight = 1 - min(decay, (1 + float(count)) / (_WARM_UP + float(count)))
        for mean, value in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, weight)
            else:  # counters
                mean.copy_(value)

    return AveragedModel(model, multi_avg_fn=average, use_buffers=True)


class Averaging(HookBase):
    """Updates an average after every step; comes before validation."""

    def __init__(self, average: AveragedModel) -> None:
        self._average = average

    def after_step(self) -> None:
        """Take the new weights into the average."""
        self._average.update_parameters(self.trainer.model)
