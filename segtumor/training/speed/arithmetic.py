"""Counting the arithmetic of a network: multiply-adds of its convolutions and fully connected layers.

A FLOP is half of a multiply-add: one multiplication or one addition. Not counted: normalisation, activations, pooling.
"""

import math
from contextlib import ExitStack

import torch
from torch import nn


@torch.inference_mode()
def multiply_adds(module, *inputs):
    """Multiply-adds of one forward pass, int.

    Args:
        module: ``nn.Module``; is run once, not changed.
        inputs: what it is called with.
    """
    counts = []
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    with ExitStack() as hooks:
        for layer in module.modules():
            if isinstance(layer, kinds):
                handle = layer.register_forward_hook(lambda *call: counts.append(_of_layer(*call)))
                hooks.callback(handle.remove)
        module(*inputs)
    return sum(counts)


def _of_layer(layer, inputs, output):
    if isinstance(layer, nn.Linear):
        return output.numel() * layer.in_features
    kernel = math.prod(layer.kernel_size)
    if isinstance(layer, nn.ConvTranspose2d):  # every value of the input meets the whole kernel
        return inputs[0].numel() * kernel * layer.out_channels // layer.groups
    return output.numel() * kernel * layer.in_channels // layer.groups
