"""Crowd regions, counted apart from lesions."""

import pytest

from segtumor.annotations.regions import count_crowds, is_crowd


def _flags(*flags):
    return [{"iscrowd": flag} for flag in flags]


# {file name: iscrowd of its regions} -> regions that are crowds, lesions, images with any, images with nothing else
TABLE = [
    ({"a": [], "b": [0, 0]}, (0, 2, (), ()), False),
    ({"a": [1], "b": [0, 1], "c": [], "d": [0]}, (2, 2, ("a", "b"), ("a",)), False),
    ({"a": [1, 1], "b": [], "c": [True]}, (3, 0, ("a", "c"), ("a", "c")), True),
    ({}, (0, 0, (), ()), False),
]


@pytest.mark.parametrize(("images", "expected", "all_regions"), TABLE)
def test_crowds_are_counted_apart(images, expected, all_regions):
    crowds = count_crowds((name, _flags(*flags)) for name, flags in images.items())
    assert (tuple(crowds), crowds.all_regions) == (expected, all_regions)
    assert bool(crowds.sentence) == (crowds.n_regions > 0)


def test_a_missing_flag_is_no_crowd():
    assert [is_crowd(a) for a in ({}, *_flags(None, 0, 0.0, "1", 1, True, 1.0))] == [False] * 5 + [True] * 3


def test_the_sentence_has_the_numbers():
    crowds = count_crowds([("a", _flags(1, 1)), ("b", _flags(1, 0))])
    assert crowds.sentence.startswith("3 of 4 regions, in 2 images, are crowds (iscrowd 1)")
    assert crowds.sentence.endswith("1 images hold crowds only")
