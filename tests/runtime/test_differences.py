"""Differences of findings that one can check by eye."""

import math

import numpy as np
import pytest
from contracts import contract

from segtumor.runtime.differences import differences, edges_of
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_from_mask


def finding(box, *, score=0.5, class_id=0, mask=None):
    """Mask: rows and columns (r0, r1, c0, c1) of a 10 x 10 image; None for the box."""
    x0, y0, x1, y1 = map(int, box)
    r0, r1, c0, c1 = mask or (y0, y1, x0, x1)
    pixels = np.zeros((10, 10), dtype=bool)
    pixels[r0:r1, c0:c1] = True
    return Finding(class_id, score, box, rle_from_mask(pixels))


def test_equal_findings_differ_by_nothing():
    findings = [finding((0, 0, 4, 4), score=0.9), finding((5, 5, 9, 9))]
    result = differences([findings, []], [findings[::-1], []])
    assert result["n_images"] == 2 and result["n_images_without_findings"] == 1
    assert (result["n_findings_reference"], result["n_findings_other"]) == (2, 2)
    assert result["n_unmatched_reference"] == result["n_unmatched_other"] == result["n_at_edge"] == 0
    assert (result["max_box_px"], result["max_score"], result["max_mask_px"]) == (0, 0, 0)
    assert (result["min_mask_iou"], result["median_mask_iou"], result["worst"]) == (1, 1, None)


def test_differences_are_measured_on_pairs():
    reference = [[], [finding((0, 0, 4, 4), score=0.9), finding((5, 5, 9, 9), mask=(5, 9, 5, 9))]]
    other = [[], [finding((0, 0, 4, 4.25), score=0.8), finding((5, 5, 9, 9), mask=(5, 9, 5, 8))]]
    result = differences(reference, other)
    assert result["max_box_px"] == 0.25 and result["max_score"] == pytest.approx(0.1)
    assert (result["min_mask_iou"], result["max_mask_px"], result["worst"]) == (0.75, 4, 1)
    assert result["median_mask_iou"] == pytest.approx(0.875)


def test_another_class_or_another_place_is_no_pair():
    box = (0, 0, 4, 4)
    result = differences([[finding(box)], [finding(box)]], [[finding(box, class_id=1)], [finding((5, 5, 9, 9))]])
    assert (result["n_unmatched_reference"], result["n_unmatched_other"]) == (2, 2)
    assert math.isnan(result["max_box_px"]) and math.isnan(result["min_mask_iou"])
    assert result["max_unmatched_score"] == 0.5


def test_the_nearest_box_is_the_pair_whatever_the_order():
    reference = [[finding((0, 0, 8, 8), score=0.9), finding((0, 0, 8, 7), score=0.8)]]
    other = [[finding((0, 0, 8, 7), score=0.8), finding((0, 0, 8, 8), score=0.9)]]
    assert differences(reference, other)["max_score"] == 0


def test_what_a_rounding_lists_or_not_is_counted_apart():
    result = differences([[finding((0, 0, 4, 4), score=0.0505)]], [[]], edges=[(0.051, 0.051)])
    assert (result["n_unmatched_reference"], result["n_at_edge"]) == (0, 1)
    assert math.isnan(result["max_unmatched_score"]) and result["worst"] is None
    assert (
        differences([[finding((0, 0, 4, 4), score=0.06)]], [[]], edges=[(0.051, 0.051)])["n_unmatched_reference"] == 1
    )


def test_a_list_lacks_only_what_lies_at_its_own_end():
    regions = contract(regions={"score_threshold": 0.1, "max_detections": 2}).regions
    short = [finding((0, 0, 4, 4), score=0.3)]
    full = [finding((5, 5, 9, 9), score=0.9), finding((5, 0, 9, 4), score=0.8)]
    edges = edges_of([short, full, []], [full, full, short], regions, tolerance=0.01)
    assert edges == [pytest.approx(pair) for pair in [(0.11, 0.81), (0.81, 0.81), (0.11, 0.11)]]
    # The full list may lack the one of 0.3; the short one had room for both of the full list.
    result = differences([short], [full], edges=edges[:1])
    assert (result["n_unmatched_reference"], result["n_unmatched_other"], result["n_at_edge"]) == (0, 2, 1)
    assert differences([full], [short], edges=[edges[0][::-1]])["n_unmatched_reference"] == 2


def test_a_score_that_is_no_number_is_excused_by_nothing():
    result = differences([[]], [[finding((0, 0, 4, 4), score=math.nan)]], edges=[(0.9, 0.9)])
    assert result["n_unmatched_other"] == 1


def test_few_pixels_of_a_small_mask_and_many_of_a_large_one_are_not_added_up():
    reference = [[finding((0, 0, 2, 2)), finding((0, 3, 10, 10))]]
    other = [[finding((0, 0, 2, 2), mask=(0, 2, 0, 1)), finding((0, 3, 10, 10), mask=(3, 10, 0, 9))]]
    result = differences(reference, other)
    assert (result["min_mask_iou"], result["max_mask_px"], result["min_changed_mask_iou"]) == (0.5, 7, 0.9)
    assert math.isnan(differences(reference, reference)["min_changed_mask_iou"])


def test_nothing_at_all_and_empty_masks():
    assert differences([], [])["n_images"] == 0 and differences([], [])["worst"] is None
    empty = [[finding((0, 0, 4, 4), mask=(0, 0, 0, 0))]]
    assert differences(empty, empty)["min_mask_iou"] == 1
    without = [[Finding(0, 0.5, (0, 0, 4, 4), None)]]
    assert math.isnan(differences(without, without)["min_mask_iou"])


def test_lists_of_other_lengths_are_a_mistake():
    with pytest.raises(ValueError):
        differences([[]], [])
