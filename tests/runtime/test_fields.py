"""Rules for the fields of a file."""

from dataclasses import dataclass

import pytest

from segtumor.runtime.fields import Fields, Rule, Several, WrongFieldError


@dataclass(frozen=True)
class Disc:
    radius: float
    centre: tuple


DISC = Fields(Disc, {"radius": Rule(float, "0 or more", 0), "centre": Several(Rule(int, "a whole number"), 2)})
SCENE = Fields(dict, {"discs": Several(DISC), "name": Rule(str, "a name")})


def test_a_dataclass_is_read_with_its_values_as_their_kind():
    disc = DISC.read({"radius": 2, "centre": [3, 4]}, "")
    assert disc == Disc(2.0, (3, 4))
    assert type(disc.radius) is float


@pytest.mark.parametrize(
    ("values", "field", "what"),
    [
        ({"discs": [], "name": "x"}, "discs", "is not right"),
        ({"discs": [{"radius": 1, "centre": [1, 2]}, 3], "name": "x"}, "discs[1]", "is not right"),
        ({"discs": [{"radius": 1, "centre": [1, 2.5]}], "name": "x"}, "discs[0].centre[1]", "is not right"),
        ({"discs": [{"radius": -1, "centre": [1, 2]}], "name": "x"}, "discs[0].radius", "is not right"),
        ({"discs": [{"radius": float("inf"), "centre": [1, 2]}], "name": "x"}, "discs[0].radius", "is not right"),
        ({"discs": [{"radius": True, "centre": [1, 2]}], "name": "x"}, "discs[0].radius", "is not right"),
        ({"discs": [{"centre": [1, 2]}], "name": "x"}, "discs[0].radius", "is missing"),
        ({"discs": [{"radius": 1, "centre": [1, 2]}], "name": ""}, "name", "is not right"),
        ({"discs": [{"radius": 1, "centre": [1, 2]}], "name": "x", "more": 1}, "more", "is unknown"),
        (None, "as a whole", "is not right"),
    ],
)
def test_the_first_wrong_field_is_named_by_its_path(values, field, what):
    with pytest.raises(WrongFieldError) as caught:
        SCENE.read(values, "")
    assert (caught.value.field, caught.value.what) == (field, what)
