"""Pooling against torchvision's operators."""

import numpy as np
import pytest
import torch
from torchvision.ops import roi_align, roi_pool

from segtumor.runtime.mask_rcnn.pooling import align, max_pool

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def case():
    """A map (2, 50, 60, 5) at stride 4, and 300 boxes: tiny and large, half and wholly outside, empty."""
    rng = np.random.default_rng(0)
    sides = rng.uniform(0.1, 300, (300, 2))
    corners = rng.uniform(-40, 280, (300, 2)) - sides / 2
    boxes = np.concatenate([rng.integers(0, 2, (300, 1)), corners, corners + sides], axis=1).astype(np.float32)
    boxes[:3, 1:] = [[5, 5, 5, 5], [-900, -900, -800, -800], [-4, -4, 240, 200]]
    boxes[3, 1:] = [-4, -4, 2, 2]  # ends where samples are one pixel outside
    return rng.standard_normal((2, 50, 60, 5)).astype(np.float32), boxes


def tensors(case):
    feature, boxes = case
    return torch.from_numpy(feature).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(boxes)


@pytest.mark.parametrize("side", [1, 7, 14])
@pytest.mark.parametrize("sampling_ratio", [0, 1, 2])
@pytest.mark.parametrize("aligned", [True, False])
def test_align(case, side, sampling_ratio, aligned):
    out = np.zeros((len(case[1]), side, side, 5), dtype=np.float32)
    align(*case, stride_px=4, sampling_ratio=sampling_ratio, aligned=aligned, out=out)
    expected = roi_align(*tensors(case), (side, side), 1 / 4, sampling_ratio, aligned).permute(0, 2, 3, 1).numpy()
    assert np.abs(expected).max() > 0.1  # there is something to compare
    assert np.allclose(out, expected, atol=5e-6)


@pytest.mark.parametrize("side", [1, 7, 14])
def test_max_pool(case, side):
    out = np.zeros((len(case[1]), side, side, 5), dtype=np.float32)
    max_pool(*case, stride_px=4, out=out)
    assert np.array_equal(out, roi_pool(*tensors(case), (side, side), 1 / 4).permute(0, 2, 3, 1).numpy())
