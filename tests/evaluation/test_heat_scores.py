"""Heat maps judged by lesions: a table that one can check by eye."""

import math

import numpy as np
import pytest

from segtumor.evaluation.facts.heat import HeatScores, score_heat

LESION = np.array([[0, 0, 0, 0], [0, 1, 1, 0]], dtype=bool)


@pytest.mark.parametrize(
    ("heat", "expected"),
    [
        ([[0, 0, 0, 0], [0, 1, 1, 0]], HeatScores(True, 1.0, 1.0)),
        ([[1, 1, 0, 0], [0, 0, 0, 0]], HeatScores(False, 0.0, 0.0)),
        ([[0, 0.5, 0, 0], [0, 1, 0.5, 0]], HeatScores(True, 0.75, 1 / 3)),  # of equal heat, the first pixel counts
        ([[0, 1, 0, 0], [0, 0.6, 0.4, 0]], HeatScores(False, 0.5, 1 / 3)),
    ],
)
def test_table(heat, expected):
    found = score_heat(np.array(heat, dtype=float), LESION)
    assert found.points_inside is expected.points_inside
    assert (found.energy_inside, found.iou) == pytest.approx((expected.energy_inside, expected.iou))


def test_no_heat_has_no_energy():
    assert math.isnan(score_heat(np.zeros((2, 4)), LESION).energy_inside)


@pytest.mark.parametrize(("heat", "lesions"), [(np.zeros((2, 3)), LESION), (np.zeros((2, 4)), LESION & False)])
def test_nothing_to_compare(heat, lesions):
    with pytest.raises(ValueError, match="px"):
        score_heat(heat, lesions)
