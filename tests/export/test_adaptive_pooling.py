"""Adaptive average pooling as products of matrices, against torch's own."""

import pytest
import torch
from torch import nn

from segtumor.export.adaptive_pooling import AdaptivePool, with_adaptive_pools

pytestmark = pytest.mark.model


@pytest.mark.parametrize("output", [(7, 7), (1, 1), (2, 5), (6, 3)])
@pytest.mark.parametrize("size", [(7, 7), (2, 3), (1, 9), (14, 21), (10, 11)])
def test_it_is_torchs(size, output):
    maps = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(AdaptivePool(output)(maps), nn.functional.adaptive_avg_pool2d(maps, output))


def test_by_hand():
    maps = torch.tensor([[[[0.0, 6, 12]]]])
    assert AdaptivePool((1, 2))(maps).tolist() == [[[[3, 9]]]]  # 0 and 6, 6 and 12


def test_only_pools_to_several_pixels_are_replaced():
    model = with_adaptive_pools(
        nn.Sequential(nn.AdaptiveAvgPool2d(7), nn.AdaptiveAvgPool2d((2, 1)), nn.AdaptiveAvgPool2d(1))
    )
    assert [type(layer) for layer in model] == [AdaptivePool, AdaptivePool, nn.AdaptiveAvgPool2d]
    assert model(torch.zeros(1, 1, 20, 20)).shape == (1, 1, 1, 1)
