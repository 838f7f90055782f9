"""Suppression: tables by eye, and a plain implementation as second opinion."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtumor.runtime.mask_rcnn.suppression import box_overlaps, suppress
from segtumor.structures.boxes import box_iou

A, B, C = [0, 0, 10, 10], [0, 0, 10, 5], [20, 20, 30, 30]  # A and B overlap by 0.5


def test_overlaps_by_eye():
    overlaps = box_overlaps(np.array([A, C], dtype=np.float32), np.array([A, B, C], dtype=np.float32))
    assert overlaps.tolist() == [[1, 0.5, 0], [0, 0, 1]]


@pytest.mark.parametrize(("threshold", "kept"), [(0.5, [1, 2, 0]), (0.49, [1, 2]), (0, [1, 2]), (1, [1, 2, 0])])
def test_the_lower_of_two_goes_if_they_overlap_by_more_than_the_threshold(threshold, kept):
    assert suppress([A, B, C], [0.1, 0.9, 0.5], iou_threshold=threshold).tolist() == kept


def test_what_was_dropped_drops_nothing():
    chain = [[0, 0, 10, 1], [4, 0, 14, 1], [8, 0, 18, 1]]  # neighbours overlap by 6/14, the ends by 2/18
    assert suppress(chain, [0.9, 0.8, 0.7], iou_threshold=0.4).tolist() == [0, 2]


def test_groups_do_not_compete_and_equal_scores_keep_their_order():
    assert suppress([A, A, A], [0.5, 0.5, 0.5], iou_threshold=0.5).tolist() == [0]
    assert suppress([A, A, A], [0.5, 0.5, 0.9], iou_threshold=0.5, groups=[3, 1, 1]).tolist() == [2, 0]


def test_boxes_without_area_are_compared_with_nothing():
    assert suppress([[5, 5, 5, 5], [5, 5, 5, 5]], [0.2, 0.1], iou_threshold=0.5).tolist() == [0, 1]


def test_none():
    assert suppress(np.zeros((0, 4)), np.zeros(0), iou_threshold=0.5).tolist() == []


def test_a_threshold_that_float32_rounds_up_is_not_passed_by_an_overlap_that_equals_it():
    assert float(np.float32(0.6)) > 0.6
    overlapping = [[0, 0, 10, 10], [0, 0, 10, 6]]  # 0.6, which float32 rounds to above 0.6
    assert suppress(overlapping, [0.2, 0.1], iou_threshold=0.6).tolist() == [0]
    assert suppress(overlapping, [0.2, 0.1], iou_threshold=float(np.float32(0.6))).tolist() == [0, 1]


def greedy(boxes, scores, threshold, groups):
    kept = []
    for index in sorted(range(len(scores)), key=lambda i: -scores[i]):
        rivals = [k for k in kept if groups[k] == groups[index]]
        if not rivals or box_iou(boxes[rivals], boxes[[index]]).max() <= threshold:
            kept.append(index)
    return kept


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 200), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 0.7]), st.integers(1, 4))
def test_any_number_of_boxes_is_suppressed_as_the_plain_way_would(count, seed, threshold, num_groups):
    rng = np.random.default_rng(seed)
    corners = rng.random((count, 2)) * 60
    boxes = np.concatenate([corners, corners + 5 + rng.random((count, 2)) * 40], axis=1).astype(np.float32)
    scores, groups = rng.random(count).round(2), rng.integers(0, num_groups, count)
    expected = greedy(boxes, scores, threshold, groups)
    assert suppress(boxes, scores, iou_threshold=threshold, groups=groups).tolist() == expected
    assert suppress(boxes, scores, iou_threshold=threshold, groups=groups, limit=7).tolist() == expected[:7]
