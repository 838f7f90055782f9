"""Boxes at an angle, about their centre and about their corner."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtumor.formats.shapes.drawn_boxes import (
    CENTER,
    CORNER,
    box_drawn_apart,
    box_turned_about,
    rotated_box,
    rotated_box_of,
    rotated_box_polygon,
)


@pytest.mark.parametrize(
    ("about", "expected"),
    [(CENTER, [5, 0, 5, 4, 3, 4, 3, 0]), (CORNER, [2, 1, 2, 5, 0, 5, 0, 1])],
)
def test_a_quarter_turn(about, expected):
    assert rotated_box_polygon(rotated_box((2, 1, 4, 2), 90, about)) == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(
    st.tuples(*[st.floats(0, 1000)] * 2, *[st.floats(1, 500)] * 2),
    st.floats(0.5, 359),
    st.sampled_from([CENTER, CORNER]),
    st.sampled_from([CENTER, CORNER]),
)
def test_another_pivot_gives_the_same_corners(box, degrees, about, other):
    rotated = rotated_box(box, degrees, about)
    moved, angle = box_turned_about(rotated, other)
    assert rotated_box_polygon(rotated_box(moved, angle, other)) == pytest.approx(rotated_box_polygon(rotated))
    if about == other:
        assert moved == box


def test_the_field_counts_only_while_the_outline_is_that_box():
    rotated = rotated_box((2, 1, 4, 2), 30, CENTER)
    outline = rotated_box_polygon(rotated)
    assert rotated_box_of({"rotated_box": rotated, "segmentation": [outline]}) == rotated
    edited = [outline[0] + 1, *outline[1:]]
    assert rotated_box_of({"rotated_box": rotated, "segmentation": [edited]}) is None
    assert rotated_box_of({"segmentation": [outline]}) is None
    for wrong in ("no", {}, {**rotated, "about": "nose"}, {**rotated, "bbox": [1, 2]}, {**rotated, "degrees": None}):
        assert rotated_box_of({"rotated_box": wrong, "segmentation": [outline]}) is None


def test_a_drawn_box_differs_from_the_tight_one():
    outline = [1, 1, 3, 1, 3, 4]
    assert not box_drawn_apart([1, 1, 2, 3.005], outline)
    assert box_drawn_apart([1, 1, 2, 3.5], outline)
