import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segtumor.errors import ConfigError
from segtumor.structures import postprocessing as pp
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import box_from_mask, mask_from_rle, rle_from_mask
from segtumor.structures.postprocessing import Postprocessing

masks = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))
few = settings(max_examples=40, deadline=None)


def picture(*rows):
    """'#' is set, '.' is not."""
    return np.array([[character == "#" for character in row] for row in rows])


def finding(score, class_id, box_xyxy, probabilities=()):
    return Finding(class_id, score, box_xyxy, None, probabilities)


def masked(mask, score=0.9, class_id=0):
    return Finding(class_id, score, box_from_mask(mask) or (0.0, 0.0, 0.0, 0.0), rle_from_mask(mask))


# Holes


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("####", "#..#", "####"), ("####", "####", "####")),
        (("####", "#..#", "#..#"), ("####", "#..#", "#..#")),  # open to the border: a bay, not a hole
        ((".#.", "#.#", ".#."), (".#.", "###", ".#.")),  # a ring that is closed only diagonally
        (("...", "..."), ("...", "...")),
        (("#",), ("#",)),
    ],
)
def test_holes_are_filled_and_bays_are_not(before, after):
    np.testing.assert_array_equal(pp.fill_holes(picture(*before)), picture(*after))


@few
@given(masks)
def test_filling_agrees_with_scipy_and_does_not_touch_its_input(mask):
    from scipy.ndimage import binary_fill_holes

    copy = mask.copy()
    filled = pp.fill_holes(mask)
    np.testing.assert_array_equal(filled, binary_fill_holes(mask))
    np.testing.assert_array_equal(pp.fill_holes(filled), filled)
    np.testing.assert_array_equal(mask, copy)


# Parts


@pytest.mark.parametrize(
    ("options", "after"),
    [
        ({}, ("##...#", "##....", "##..##")),
        ({"min_area_px": 2}, ("##....", "##....", "##..##")),
        ({"min_area_px": 3}, ("##....", "##....", "##....")),
        ({"min_area_px": 99}, ("##....", "##....", "##....")),  # the largest stays, however small
        ({"min_fraction": 2 / 6}, ("##....", "##....", "##..##")),
        ({"min_fraction": 0.4}, ("##....", "##....", "##....")),
    ],
)
def test_small_parts_go_and_the_largest_stays(options, after):
    mask = picture("##...#", "##....", "##..##")
    np.testing.assert_array_equal(pp.remove_small_parts(mask, **options), picture(*after))


def test_diagonal_neighbours_are_one_part():
    mask = picture("#..", ".#.", "..#")
    np.testing.assert_array_equal(pp.remove_small_parts(mask, min_area_px=2), mask)


@few
@given(masks, st.floats(0, 1), st.integers(0, 20))
def test_removing_parts_keeps_whole_parts_and_is_idempotent(mask, fraction, area):
    from scipy.ndimage import label

    after = pp.remove_small_parts(mask, min_fraction=fraction, min_area_px=area)
    labels, count = label(mask, structure=np.ones((3, 3)))
    areas = [np.count_nonzero(labels == i + 1) for i in range(count)]
    for i, part_area in enumerate(areas):
        kept = np.unique(after[labels == i + 1])
        assert kept.size == 1, "a part was cut in two"
        if part_area < max(areas):
            assert kept[0] == (part_area >= area and part_area >= fraction * max(areas))
    assert after.any() == mask.any()
    np.testing.assert_array_equal(pp.remove_small_parts(after, min_fraction=fraction, min_area_px=area), after)


# Contours


def test_smoothing_removes_a_spike_and_fills_a_notch():
    mask = np.zeros((20, 20), dtype=bool)
    mask[5:15, 5:15] = True
    mask[4, 10] = True
    mask[14, 10] = False
    smooth = pp.smooth_contour(mask, 1.5)
    assert not smooth[4, 10]
    assert smooth[14, 10]


@pytest.mark.parametrize("rows", [("#",), ("....", ".##.", "...."), ("####",), ("....", "....")])
def test_smoothing_does_not_erase_tiny_or_thin_lesions(rows):
    np.testing.assert_array_equal(pp.smooth_contour(picture(*rows), 3), picture(*rows))


@few
@given(masks, st.sampled_from([1, 1.5, 2, 3]))
def test_smoothing_agrees_with_scipy_and_is_idempotent(mask, radius):
    from scipy.ndimage import binary_closing, binary_opening

    y, x = np.ogrid[-3:4, -3:4]
    disc = x * x + y * y <= radius * radius
    padded = np.pad(mask, 10)
    opened = binary_opening(padded, disc)
    expected = binary_closing(opened, disc) if 2 * opened.sum() >= mask.sum() else padded
    smooth = pp.smooth_contour(mask, radius)
    np.testing.assert_array_equal(np.pad(smooth, 10), expected)
    np.testing.assert_array_equal(pp.smooth_contour(smooth, radius), smooth)


# Suppression

LEFT, LEFT_TOO, RIGHT = (0, 0, 10, 10), (0, 0, 10, 9), (50, 0, 60, 10)


def test_one_lesion_is_not_benign_and_malignant_and_both_probabilities_are_kept():
    found = pp.suppress_across_classes([finding(0.4, 1, LEFT_TOO), finding(0.6, 0, LEFT), finding(0.5, 1, RIGHT)], 0.5)
    assert [(f.score, f.class_id, f.box_xyxy) for f in found] == [(0.6, 0, LEFT), (0.5, 1, RIGHT)]
    assert found[0].probabilities == (0.6, 0.4)
    assert found[1].probabilities == ()


def test_probabilities_of_the_model_are_left_alone():
    found = pp.suppress_across_classes([finding(0.6, 0, LEFT, (0.6, 0.3)), finding(0.5, 1, LEFT)], 0.5)
    assert [f.probabilities for f in found] == [(0.6, 0.3)]


def test_a_class_not_found_in_a_place_has_no_probability_there():
    found = pp.suppress_across_classes([finding(0.6, 0, LEFT), finding(0.3, 2, LEFT), finding(0.5, 1, RIGHT)], 0.5)
    np.testing.assert_array_equal(found[0].probabilities, (0.6, math.nan, 0.3))


def test_of_several_dropped_in_favour_of_one_the_highest_score_counts():
    found = pp.suppress_across_classes([finding(0.9, 0, LEFT), finding(0.2, 1, LEFT), finding(0.7, 1, LEFT)], 0.5)
    assert [f.probabilities for f in found] == [(0.9, 0.7)]


def test_the_threshold_itself_is_no_overlap_too_many():
    pair = [finding(0.9, 0, (0, 0, 2, 1)), finding(0.8, 1, (1, 0, 2, 1))]  # IoU 1/2
    assert len(pp.suppress_across_classes(pair, 0.5)) == 2
    assert len(pp.suppress_across_classes(pair, 0.49)) == 1
    assert len(pp.suppress_across_classes([finding(0.9, 0, LEFT)] * 2, 1.0)) == 2


def test_masks_decide_where_both_have_one():
    upper, lower = np.triu(np.ones((9, 9), bool), 1), np.tril(np.ones((9, 9), bool), -1)
    pair = [masked(upper, 0.9, 0), masked(lower, 0.8, 1)]  # their boxes overlap, they do not
    assert len(pp.suppress_across_classes(pair, 0.3)) == 2
    boxes_only = [pair[0], dataclasses.replace(pair[1], rle=None)]
    assert len(pp.suppress_across_classes(boxes_only, 0.3)) == 1


def test_nothing_gives_nothing():
    assert pp.suppress_across_classes((), 0.5) == ()
    assert pp.apply((), Postprocessing()) == ()


boxes = st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(1, 8), st.integers(1, 8)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)
any_findings = st.lists(st.builds(finding, st.sampled_from([0.1, 0.5, 0.5, 0.9]), st.integers(0, 2), boxes), max_size=8)


@few
@given(any_findings, st.floats(0, 1))
def test_suppression_leaves_separate_findings_by_falling_score(found, threshold):
    kept = pp.suppress_across_classes(found, threshold)
    overlap = pp.overlaps(kept, kept)
    np.fill_diagonal(overlap, 0)
    assert np.all(overlap <= threshold)
    assert [f.score for f in kept] == sorted((f.score for f in kept), reverse=True)
    assert max((f.score for f in kept), default=None) == max((f.score for f in found), default=None)
    assert [dataclasses.replace(f, probabilities=()) for f in pp.suppress_across_classes(kept, threshold)] == [
        dataclasses.replace(f, probabilities=()) for f in kept
    ]


# The whole


def test_score_and_area():
    found = [finding(0.5, 0, LEFT), finding(0.49, 0, LEFT)]
    assert pp.keep_above(found, 0.5) == (found[0],)
    small, empty = masked(picture("##", "..")), masked(picture("..", ".."))
    assert pp.drop_small([small, empty], 2) == (small,)
    assert pp.drop_small([small, empty], 3) == ()
    assert pp.drop_small([finding(0.5, 0, LEFT)], 100) == (finding(0.5, 0, LEFT),)


def test_masks_are_cleaned_and_boxes_follow():
    before = picture("......#", ".###...", ".#.#...", ".###...", ".......")
    (after,) = pp.apply([masked(before)], Postprocessing(min_part_fraction=0.2))
    cleaned = picture(".......", ".###...", ".###...", ".###...", ".......")
    np.testing.assert_array_equal(mask_from_rle(after.rle), cleaned)
    assert after.box_xyxy == (1.0, 1.0, 4.0, 4.0)


def test_a_mask_that_needs_nothing_keeps_the_box_of_the_model():
    whole = dataclasses.replace(masked(picture("....", ".##.", "....")), box_xyxy=(0.7, 0.8, 3.2, 2.1))
    assert pp.apply([whole], Postprocessing()) == (whole,)


def test_a_finding_with_an_empty_mask_goes_unless_asked_for():
    empty = masked(picture("..", ".."))
    assert pp.apply([empty], Postprocessing()) == ()
    assert pp.apply([empty], Postprocessing(min_area_px=0)) == (empty,)


@few
@given(st.lists(masks.map(lambda mask: np.pad(mask, ((0, 12 - mask.shape[0]), (0, 12 - mask.shape[1])))), max_size=4))
def test_applying_twice_changes_nothing_more(several):
    found = [masked(mask, score=0.9 - 0.1 * i, class_id=i % 2) for i, mask in enumerate(several)]
    once = pp.apply(found, Postprocessing(min_part_fraction=0.3))
    assert pp.apply(once, Postprocessing(min_part_fraction=0.3)) == once
    for kept in once:
        assert kept.box_xyxy == box_from_mask(mask_from_rle(kept.rle))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("min_score", 1.1),
        ("min_score", math.nan),
        ("min_score", "0.5"),
        ("suppression_iou", -0.1),
        ("min_part_fraction", 2),
        ("smooth_radius_px", -1),
        ("min_area_px", -1),
        ("min_area_px", True),
        ("fill_holes", "yes"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(field, value):
    with pytest.raises(ConfigError, match=field):
        Postprocessing(**{field: value})
