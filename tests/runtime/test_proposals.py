"""Proposals on maps of a few cells."""

import numpy as np
import pytest

from segtumor.runtime.mask_rcnn.proposals import best, choose_proposals

CELL = np.array([[-4, -4, 4, 4]], dtype=np.float32)


def proposals(objectness, deltas=None, **changed):
    """Of levels with one anchor of 8 x 8 px per cell, centred in cells of 8 px."""
    objectness = [np.asarray(level, dtype=np.float32)[None] for level in objectness]
    deltas = [np.zeros((4, *level.shape[1:]), dtype=np.float32) for level in objectness] if deltas is None else deltas
    settings = {
        "cells": [CELL] * len(objectness),
        "strides_px": [8] * len(objectness),
        "offset": 0.5,
        "box_weights": (1, 1, 1, 1),
        "image_hw": (16, 16),
        "pre_nms_topk": 10,
        "post_nms_topk": 10,
        "nms_iou": 0.7,
        "min_box_size_px": 0,
    }
    boxes, scores = choose_proposals(objectness=objectness, deltas=deltas, **{**settings, **changed})
    return boxes.tolist(), scores.tolist()


def test_the_highest_comes_first():
    boxes, scores = proposals([[[1, 3], [2, 0]]])
    assert scores == [3, 2, 1, 0]
    assert boxes == [[8, 0, 16, 8], [0, 8, 8, 16], [0, 0, 8, 8], [8, 8, 16, 16]]


def test_limits_are_per_level_before_and_for_all_levels_after():
    levels = [[[1, 3], [2, 0]], [[9, 8], [7, 6]]]
    assert proposals(levels, pre_nms_topk=1)[1] == [9, 3]
    assert proposals(levels, pre_nms_topk=2, post_nms_topk=3)[1] == [9, 8, 3]


def test_boxes_of_two_levels_do_not_suppress_each_other_and_those_of_one_do():
    assert len(proposals([[[1, 3], [2, 0]]] * 2)[1]) == 8
    deltas = np.zeros((4, 2, 2), dtype=np.float32)
    deltas[0, 0, 0] = 0.9  # the upper left box moves onto the upper right one
    assert proposals([[[1, 3], [2, 0]]], [deltas])[1] == [3, 2, 0]


def test_boxes_are_cut_to_the_image_and_must_have_an_extent_there():
    boxes, scores = proposals([[[1, 3], [2, 0]]], image_hw=(12, 8))
    assert scores == [2, 1]
    assert boxes == [[0, 8, 8, 12], [0, 0, 8, 8]]
    assert proposals([[[1, 3], [2, 0]]], image_hw=(12, 8), min_box_size_px=4)[1] == [1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_takes_a_place_and_is_dropped(bad):
    assert proposals([[[1, bad], [2, 0]]])[1] == [2, 1, 0]
    assert proposals([[[1, bad], [2, 0]]], pre_nms_topk=2)[1] == ([2, 1] if bad == -np.inf else [2])
    deltas = np.zeros((4, 2, 2), dtype=np.float32)
    deltas[1, 0, 1] = bad
    assert proposals([[[1, 3], [2, 0]]], [deltas])[1] == [2, 1, 0]


def test_nothing_left():
    assert proposals([[[np.nan, np.nan], [np.nan, np.nan]]]) == ([], [])


def test_the_best_of_many_with_ties():
    scores = np.array([1, 5, 3, 5, 3, 3, 0], dtype=np.float32)
    assert best(scores, 4).tolist() == [1, 3, 2, 4]
    assert best(scores, 1).tolist() == [1]
    assert best(scores, 7).tolist() == best(scores, 99).tolist() == [1, 3, 2, 4, 5, 0, 6]
    assert best(np.array([0, np.nan, 7, np.inf], dtype=np.float32), 3).tolist() == [1, 3, 2]
