"""RoIAlign and RoI max pooling on maps that one can check by eye. Letters as in ``runtime.mask_rcnn.pooling``."""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtumor.runtime.contract import Pooling
from segtumor.runtime.mask_rcnn.pooling import RegionPooling, align, max_pool

#: A 4 x 4 map of one channel that rises by 1 to the right and by 10 downwards.
RAMP = np.add.outer(10 * np.arange(4), np.arange(4)).astype(np.float32)[None, :, :, None]
ZERO = np.zeros((1, 4, 4, 1), dtype=np.float32)


def aligned_at(box, *, side=1, feature=RAMP, stride_px=1, sampling_ratio=0, aligned=True):
    out = np.zeros((1, side, side, feature.shape[-1]), dtype=np.float32)
    rows = np.array([[0, *box]], dtype=np.float32)
    align(feature, rows, stride_px=stride_px, sampling_ratio=sampling_ratio, aligned=aligned, out=out)
    return out[0, ..., 0].tolist()


def largest_at(box, *, side=1, feature=RAMP, stride_px=1):
    out = np.zeros((1, side, side, feature.shape[-1]), dtype=np.float32)
    max_pool(feature, np.array([[0, *box]], dtype=np.float32), stride_px=stride_px, out=out)
    return out[0, ..., 0].tolist()


@pytest.mark.parametrize(
    ("box", "side", "expected"),
    [
        ((0, 0, 1, 1), 1, [[0]]),  # pixel (0, 0), whose centre lies at one half
        ((2, 1, 3, 2), 1, [[12]]),
        ((0, 0, 2, 2), 1, [[5.5]]),  # the mean of four pixels
        ((0, 0, 4, 4), 2, [[5.5, 7.5], [25.5, 27.5]]),
        ((0.5, 0, 1.5, 1), 1, [[0.5]]),  # half way between two pixels
        ((-8, 0, -4, 1), 1, [[0]]),  # beside the map
        ((3, 3, 5, 5), 1, [[33]]),  # half outside: samples up to one pixel beyond take the border's value
        ((2, 2, 2, 2), 1, [[0]]),  # empty: no samples
    ],
)
def test_align_by_eye(box, side, expected):
    assert aligned_at(box, side=side) == pytest.approx(np.array(expected), abs=1e-5)


def test_without_aligning_pixel_centres_are_whole_and_a_box_is_a_pixel_at_least():
    assert aligned_at((1, 1, 1, 1), aligned=False) == [[16.5]]  # one pixel wide from (1, 1): its middle is (1.5, 1.5)
    assert aligned_at((0.5, 0.5, 1.5, 1.5), aligned=False, sampling_ratio=1) == [[11]]


def test_the_stride_scales_boxes_to_the_map():
    assert aligned_at((16, 8, 24, 16), stride_px=8) == aligned_at((2, 1, 3, 2))
    assert largest_at((8, 0, 16, 7), stride_px=8) == largest_at((1, 0, 2, 1))


@pytest.mark.parametrize(
    ("box", "side", "expected"),
    [
        ((0, 0, 0, 0), 1, [[0]]),  # both corners belong to the box: one pixel
        ((1, 0, 2, 1), 1, [[12]]),
        ((0, 0, 3, 3), 2, [[11, 13], [31, 33]]),
        ((0, 0, 2, 2), 2, [[11, 12], [21, 22]]),  # cells overlap where they do not divide the box
        ((0.5, 0, 1.49, 0), 1, [[1]]),  # corners are rounded, halves away from zero
        ((9, 9, 12, 12), 1, [[0]]),  # beside the map
    ],
)
def test_largest_by_eye(box, side, expected):
    assert largest_at(box, side=side) == expected


def test_every_box_is_pooled_from_its_own_map_and_image():
    first = np.stack([ZERO[0], ZERO[0] + 1])
    pool = RegionPooling((4, 8), Pooling("align", 2, 0, True))
    boxes = (np.float32([[1, 0, 0, 8, 8], [0, 0, 0, 8, 8]]), np.zeros((0, 5), dtype=np.float32))
    assert pool((first, first + 5), boxes)[:, 0, 0, 0].tolist() == [1, 0]
    assert pool((first, first + 5), boxes[::-1])[:, 0, 0, 0].tolist() == [6, 5]
    assert pool((first, first), (boxes[1], boxes[1])).shape == (0, 2, 2, 1)


CORNER = st.floats(-3, 9, width=32)
BOXES = arrays.arrays(np.float32, (3, 4), elements=CORNER).map(
    lambda c: np.concatenate(
        [np.zeros((3, 1), np.float32), np.minimum(c[:, :2], c[:, 2:]), np.maximum(c[:, :2], c[:, 2:])], 1
    )
)


@settings(max_examples=50, deadline=None)
@given(BOXES, st.integers(1, 3), st.integers(0, 2), st.booleans())
def test_pooling_keeps_constants_bounds_and_axes(boxes, side, sampling_ratio, aligned):
    options = {"stride_px": 1, "sampling_ratio": sampling_ratio, "aligned": aligned}
    flat, bumpy, turned = (np.zeros((3, side, side, 1), dtype=np.float32) for _ in range(3))
    align(ZERO + 3, boxes, out=flat, **options)
    assert flat.max() <= 3.0001 and flat.min() >= 0  # less where samples lie outside
    align(RAMP, boxes, out=bumpy, **options)
    assert bumpy.max() <= RAMP.max() + 1e-3 and bumpy.min() >= 0
    swapped = np.ascontiguousarray(boxes[:, [0, 2, 1, 4, 3]])
    align(np.ascontiguousarray(RAMP.transpose(0, 2, 1, 3)), swapped, out=turned, **options)
    assert np.allclose(turned, bumpy.transpose(0, 2, 1, 3), atol=1e-4)
