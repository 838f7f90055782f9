"""Runs of an RLE against pycocotools, and codes that are none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from segtumor.structures.rle import flat_from_runs, rle_runs, run_lengths


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


@pytest.mark.parametrize("flat", [[0], [1], [0, 1], [1, 0], [1, 1, 0, 0, 0, 1], [0, 0, 1]])
def test_run_lengths_begin_with_what_is_unset(flat):
    runs = run_lengths(flat)
    assert runs.sum() == len(flat) and (runs[0] == 0) == bool(flat[0]) and (runs[1:] > 0).all()
    assert np.array_equal(flat_from_runs(runs), np.array(flat, dtype=bool))
