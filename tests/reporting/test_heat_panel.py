"""A heat map over its radiograph: hot is bright, cold shows the bone, and it fits beside the overlay."""

import numpy as np
import pytest

from segtumor.reporting.pictures.heat_panel import draw_heat, side_by_side
from segtumor.reporting.pictures.overlay import draw_reading
from segtumor.reporting.pictures.overlay_view import View, overlay_base
from segtumor.structures.readings import Reading

NAMES = ("benign", "malignant")


@pytest.mark.parametrize("size_hw", [(100, 80), (30, 400), (3000, 2500)])
def test_hot_is_bright_and_cold_shows_the_bone(size_hw):
    heat = np.zeros(size_hw, dtype=np.float32)
    heat[: size_hw[0] // 2] = 1
    pixels = np.full(size_hw, 0.5, dtype=np.float32)
    picture = draw_heat(overlay_base(pixels), heat, "gradcam, image", ())
    column = picture[:, picture.shape[1] // 2].astype(int)
    rows = View.of(size_hw).scaled_wh[1]
    assert (np.abs(column - 128).max(axis=1) <= 1).sum() > 0.4 * rows  # gray as it was
    assert ((column[:, 0] - column[:, 2] > 40) & (column[:, 0] > 150)).sum() > 0.4 * rows  # yellow


def test_a_reading_is_drawn_with_its_maps_and_not_with_those_of_classes():
    heat = np.zeros((60, 80), dtype=np.float32)
    maps = {"benign": heat, "gradcam, image": heat, "gradcam, finding 1": heat}
    readings = [Reading(class_names=NAMES, size_hw=(60, 80), maps=some) for some in ({}, {"benign": heat}, maps)]
    widths = [draw_reading(np.zeros((60, 80)), reading, score_threshold=0.5).shape[1] for reading in readings]
    assert widths == [widths[0], widths[0], 3 * widths[0]]


def test_pictures_of_other_heights_stand_in_one_row():
    row = side_by_side([np.full((4, 2, 3), 200, np.uint8), np.full((6, 3, 3), 100, np.uint8)])
    assert row.shape == (6, 5, 3) and (row[:4, :2] == 200).all() and (row[4:, :2] < 50).all()


def test_a_map_of_another_radiograph_is_refused():
    with pytest.raises(ValueError, match="heat of"):
        draw_heat(overlay_base(np.zeros((10, 10))), np.zeros((5, 5)), "x", ())
