"""Runs of an RLE against pycocotools, and codes that are none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from segtumor.structures.rle import rle_runs


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 70_000), min_size=1, max_size=12))
def test_runs_are_those_that_pycocotools_encoded(runs):
    # One column, so that the sum of the runs is the height.
    code = coco_mask.frPyObjects({"size": [sum(runs), 1], "counts": runs}, sum(runs), 1)["counts"].decode()
    assert rle_runs(code).tolist() == runs
    assert rle_runs(runs).tolist() == runs


@pytest.mark.parametrize("code", ["\x20", "P", "PPPPPPPPPPPPPPPP0", "@", "", [], [1, -1], [1.5], None, b"0"])
def test_what_is_no_code_has_no_runs(code):
    assert rle_runs(code) is None
