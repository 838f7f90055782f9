"""How unlike the training images an image is, by what the network sees in it.

A network answers about a photograph as firmly as about a radiograph. Here the pooled feature maps of the training
images are described by a probabilistic principal component analysis (Tipping & Bishop 1999): a Gaussian whose
covariance is free along the main axes and the same in all other directions. An image is as unlike as it is far from
their mean in that Gaussian. It is fitted once, after training; its limit comes from validation images.

Letters: M images, D pooled values, A axes.
"""

import torch
from torch import nn

#: Main axes; of M training images there are at most M - 1.
_AXES = 256
#: Proportion of validation images below the limit.
_BELOW_LIMIT = 0.975
#: Values of smaller standard deviation do not vary, and would count for too much.
_LEAST_DEVIATION = 1e-3


class Typicality(nn.Module):
    """Pooled maps to unlikeness. Until it is fitted, nothing is unlike.

    Args:
        width: D.
    """

    mean: torch.Tensor
    deviation: torch.Tensor
    axes: torch.Tensor
    rest: torch.Tensor
    limit: torch.Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))
        #: Columns are orthogonal, of length 1 / standard deviation along them.
        self.register_buffer("axes", torch.eye(width, _AXES))
        #: 1 / variance in every other direction, less that of an axis along the axes.
        self.register_buffer("rest", torch.ones(()))
        self.register_buffer("limit", torch.full((), torch.finfo(torch.float32).max))

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        """(N, D) -> (N,) distance, 1 at the limit, above it unlike the training images."""
        return self.distance(pooled) / self.limit

    def distance(self, pooled: torch.Tensor) -> torch.Tensor:
        """(N, D) -> (N,) Mahalanobis distance."""
        centred = (pooled - self.mean) / self.deviation
        along = centred @ self.axes
        lengths = self.axes.square().sum(dim=0).clamp(min=torch.finfo(torch.float32).tiny)
        others = centred.square().sum(dim=1) - (along.square() / lengths).sum(dim=1)
        return (along.square().sum(dim=1) + others.clamp(min=0) * self.rest).sqrt()

    def fit(self, training: torch.Tensor, validation: torch.Tensor) -> None:
        """Describe training images, and set the limit so that 97.5% of the validation images are below it.

        Args:
            training: (M, D), M at least 3.
            validation: (V, D), V at least 1, of other cases.
        """
        training, count = training.double(), min(_AXES, len(training) - 2, training.shape[1])
        mean, deviation = training.mean(dim=0), training.std(dim=0).clamp(min=_LEAST_DEVIATION)
        _, singular, directions = torch.linalg.svd((training - mean) / deviation, full_matrices=False)
        variances = singular.square() / (len(training) - 1)
        others = variances[count:].sum() / max(1, training.shape[1] - count)
        rest = 1 / others if training.shape[1] > count else torch.zeros(())
        axes = torch.zeros_like(self.axes, dtype=torch.float64)
        axes[:, :count] = directions[:count].T / variances[:count].clamp(min=others).sqrt()
        for name, value in (("mean", mean), ("deviation", deviation), ("axes", axes), ("rest", rest)):
            getattr(self, name).copy_(value)
        self.limit.copy_(self.distance(validation.to(self.mean)).quantile(_BELOW_LIMIT))
