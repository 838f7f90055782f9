import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtumor.annotations.flat_polygons import box_polygon, ellipse_polygon, scale_between, scale_polygon
from segtumor.annotations.remarks import LeftOutError
from segtumor.structures.polygons import polygon_area


@pytest.mark.parametrize(
    ("degrees", "pivot_xy", "expected"),
    [
        (0, None, [2, 1, 6, 1, 6, 3, 2, 3]),
        (360, None, [2, 1, 6, 1, 6, 3, 2, 3]),
        (90, None, [5, 0, 5, 4, 3, 4, 3, 0]),  # clockwise on the screen, about the centre (4, 2)
        (90, (2, 1), [2, 1, 2, 5, 0, 5, 0, 1]),
        (180, None, [6, 3, 2, 3, 2, 1, 6, 1]),
    ],
)
def test_boxes_turn_clockwise(degrees, pivot_xy, expected):
    assert box_polygon((2, 1, 4, 2), degrees, pivot_xy) == pytest.approx(expected)


def test_a_box_that_is_not_turned_is_exact():
    assert box_polygon((0.1, 0.2, 0.3, 0.4)) == [0.1, 0.2, 0.1 + 0.3, 0.2, 0.1 + 0.3, 0.2 + 0.4, 0.1, 0.2 + 0.4]


@settings(max_examples=50, deadline=None)
@given(st.floats(0.5, 1000), st.floats(0.5, 1000), st.floats(0, 360))
def test_ellipses_have_their_area_and_lie_on_the_curve(radius_x, radius_y, degrees):
    points = np.reshape(ellipse_polygon((50, 60), (radius_x, radius_y), degrees), (-1, 2))
    assert polygon_area(points) == pytest.approx(math.pi * radius_x * radius_y, rel=0.1)
    turn = math.radians(-degrees)
    back = (points - (50, 60)) @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    assert np.hypot(back[:, 0] / radius_x, back[:, 1] / radius_y) == pytest.approx(np.ones(len(points)))


@pytest.mark.parametrize("radius", [3, 40, 500])
def test_a_circle_deviates_by_a_fiftieth_of_a_pixel_at_most(radius):
    points = np.reshape(ellipse_polygon((0, 0), (radius, radius)), (-1, 2))
    middle = (points + np.roll(points, -1, axis=0)) / 2
    assert radius - np.hypot(*middle.T).min() <= 0.02


def test_outlines_drawn_on_a_smaller_copy_are_scaled():
    scale = scale_between((50, 100), (100, 200))
    assert scale_polygon([1, 2, 3, 4, 5, 6], scale) == [2, 4, 6, 8, 10, 12]
    with pytest.raises(LeftOutError, match="another shape"):
        scale_between((50, 100), (200, 100))
