"""Adaptive average pooling in arithmetic that every format has, for maps of any size.

ONNX has no such operator: torch writes one only for sizes that it knows and that the output's divides.
"""

import torch
from torch import nn


class AdaptivePool(nn.Module):
    """What ``nn.AdaptiveAvgPool2d`` computes, as two products with matrices.

    Args:
        size_hw: of the output.
    """

    def __init__(self, size_hw: tuple[int, int]) -> None:
        super().__init__()
        self.size_hw = size_hw

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(N, C, h, w) -> (N, C, *size_hw)."""
        height, width = maps.shape[-2:]
        rows, columns = self.size_hw
        pooled: torch.Tensor = _shares(height, rows) @ maps @ _shares(width, columns).T
        return pooled


def _shares(size: int, count: int) -> torch.Tensor:
    """(count, size): of each output the share of each input, which sum to 1."""
    outputs, inputs = torch.arange(count)[:, None], torch.arange(size)[None]
    begin = torch.div(outputs * size, count, rounding_mode="floor")
    end = torch.div((outputs + 1) * size + count - 1, count, rounding_mode="floor")
    return ((inputs >= begin) & (inputs < end)).float() / (end - begin).float()


def with_adaptive_pools(model: nn.Module) -> nn.Module:
    """The model with every ``nn.AdaptiveAvgPool2d`` to more than one pixel replaced, in place."""
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.AdaptiveAvgPool2d):
            rows, columns = layer.output_size if isinstance(layer.output_size, tuple) else (layer.output_size,) * 2
            if rows is not None and columns is not None and rows * columns > 1:
                model.set_submodule(name, AdaptivePool((rows, columns)))
    return model
