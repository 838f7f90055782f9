"""Longest diameters of small masks, by hand and against all pairs of corners."""

import itertools
import math

import numpy as np
import pytest

from segtumor.structures.diameters import longest_extent
from segtumor.structures.lesions import Lesion
from segtumor.structures.masks import rle_from_mask


def lesion(mask, box=(0.0, 0.0, 0.0, 0.0)):
    return Lesion(1, 0, box, None if mask is None else rle_from_mask(np.array(mask, dtype=bool)), 1.0)


@pytest.mark.parametrize(
    ("mask", "spacing", "length"),
    [
        ([[1]], (1, 1), math.sqrt(2)),
        ([[1, 1, 1]], (1, 1), math.sqrt(10)),
        ([[1, 1, 1]], (1, 0.5), math.sqrt(1 + 1.5**2)),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], (1, 1), math.sqrt(18)),
        ([[1, 0, 0, 1]], (2, 1), math.sqrt(4 + 16)),
        ([[0, 0]], (1, 1), 0),
    ],
)
def test_small_masks(mask, spacing, length):
    assert longest_extent(lesion(mask), spacing) == pytest.approx(length, rel=1e-6)


def test_a_box_is_as_long_as_its_longer_side():
    box = lesion(None, (2.0, 3.0, 12.0, 8.0))
    assert longest_extent(box) == 10 and longest_extent(box, (4, 1)) == 20


def test_against_all_pairs_of_corners():
    rng = np.random.default_rng(0)
    for _ in range(5):
        mask, spacing = rng.random((9, 7)) < 0.2, rng.uniform(0.1, 2, 2)
        steps = [*itertools.product((0, 1), repeat=2)]
        corners = [(r + i, c + j) * spacing for r, c in np.argwhere(mask) for i, j in steps]
        expected = max(math.dist(a, b) for a in corners for b in corners)
        assert longest_extent(lesion(mask), spacing) == pytest.approx(expected, rel=1e-6)
