"""Numbers in other units come back unchanged."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtumor.formats.shapes.unit_round_trips import number_read_as, without_noise


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.1 + 0.2, 0.3), (230.57 - 100.13, 130.44), (1 / 3, 1 / 3), (0.0, 0.0), (1e6 + 1e-10, 1e6), (5, 5)],
)
def test_noise_is_taken_from_round_numbers_only(value, expected):
    assert without_noise(value) == expected


def test_the_shortest_number_is_written():
    assert number_read_as(64.0, 40.000000000000006, lambda percent: without_noise(percent * 160 / 100)) == 40.0
    assert number_read_as(1.0, 7.0, lambda number: math.nan) == 7.0  # there is none: the guess


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 20000), st.integers(1, 20000))
def test_percent_that_were_read_give_the_same_px_again(percent, size):
    def px_of(number):
        return without_noise(number * size / 100)

    px = px_of(percent)
    assert px_of(number_read_as(px, px * 100 / size, px_of)) == px


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**10), st.integers(1, 20000))
def test_px_of_six_decimals_survive_percent(millionths, size):
    def px_of(number):
        return without_noise(number * size / 100)

    px = millionths / 10**6
    assert px_of(number_read_as(px, px * 100 / size, px_of)) == px
