import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtumor.evaluation.facts.matching import assign, match_image, pair_iou


def match(result, score_threshold=0.5, iou_threshold=0.5):
    return match_image(result, score_threshold=score_threshold, iou_threshold=iou_threshold)


def best_total(iou):
    """Largest sum of IoU over all one-to-one pairings, by trying them all."""
    short = iou if iou.shape[0] <= iou.shape[1] else iou.T
    columns = itertools.permutations(range(short.shape[1]), short.shape[0])
    return max(sum(short[i, j] for i, j in enumerate(order)) for order in columns)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 4), st.integers(0, 4), st.integers(0, 2**32 - 1))
def test_assignment_is_the_best_of_all(n_findings, n_lesions, seed):
    rng = np.random.default_rng(seed)
    iou = rng.random((n_findings, n_lesions)) * (rng.random((n_findings, n_lesions)) < 0.6)
    pairs = assign(iou)
    assert sum(iou[pair] for pair in pairs) == pytest.approx(best_total(iou))
    assert all(iou[pair] > 0 for pair in pairs)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)


def test_the_sum_counts_not_the_single_best(build):
    # The first finding overlaps the left lesion most, but the second overlaps only the left one.
    left, right = build.lesion(0, 0, 0, 4, 4), build.lesion(0, 4, 0, 8, 4)
    both, only_left = build.finding(0, 0.9, 1, 0, 6, 4), build.finding(0, 0.8, 0, 0, 3, 4)
    matched = match(build.image([left, right], [both, only_left]))
    assert [m.finding for m in matched.matches] == [only_left, both]
    assert [m.iou for m in matched.matches] == [12 / 16, 8 / 28]
    assert [m.hit for m in matched.matches] == [True, False]
    assert matched.false_positives == (both,)
    assert matched.n_missed == 1


def test_one_finding_over_two_lesions_hits_one(build):
    lesions = [build.lesion(0, 0, 0, 4, 4), build.lesion(1, 0, 0, 4, 4)]
    matched = match(build.image(lesions, [build.finding(0, 0.9, 0, 0, 4, 4)]))
    assert len(matched.hits) == 1
    assert matched.n_missed == 1


def test_threshold_is_inclusive(build):
    result = build.image([build.lesion(0, 0, 0, 4, 4)], [build.finding(0, 0.5, 0, 0, 4, 2)])
    assert len(match(result).hits) == 1  # score 0.5 and IoU 8/16
    assert match(result, score_threshold=0.51).findings == ()
    assert match(result, iou_threshold=0.51).false_positives == result.findings


def test_max_score_is_over_all_findings(build):
    assert match(build.image([], [build.finding(0, 0.2, 0, 0, 1, 1)])).max_score == 0.2
    assert np.isnan(match(build.image()).max_score)


def test_boxes_stand_in_for_missing_masks(build):
    lesions = [build.lesion(0, 0, 0, 4, 4), build.lesion(0, 5, 5, 9, 9, mask=False)]
    findings = [build.finding(0, 0.9, 0, 0, 4, 2, mask=False), build.finding(0, 0.8, 5, 5, 9, 9)]
    iou, by_mask = pair_iou(findings, lesions)
    assert iou.tolist() == [[0.5, 0], [0, 1]]
    assert by_mask.tolist() == [[False, False], [True, False]]
    assert pair_iou([], lesions)[0].shape == (0, 2)
    assert pair_iou(findings, [])[0].shape == (2, 0)


def test_masks_count_where_boxes_agree(build):
    lesion, finding = build.lesion(0, 0, 0, 4, 4), build.finding(0, 0.9, 0, 0, 4, 1)
    shown = type(finding)(0, 0.9, lesion.box_xyxy, finding.rle)  # the same box, a quarter of the mask
    assert pair_iou([shown], [lesion])[0].tolist() == [[0.25]]


@pytest.mark.parametrize("mask", [True, False])
def test_crowd_is_neither_hit_nor_missed(build, mask):
    crowd = build.lesion(0, 0, 0, 8, 8, mask=mask, crowd=True)
    inside, across = build.finding(0, 0.9, 1, 1, 3, 3), build.finding(0, 0.8, 7, 0, 10, 3)  # a third inside
    matched = match(build.image([crowd], [inside, across]))
    assert matched.lesions == matched.matches == ()
    assert matched.false_positives == (across,)


def test_one_pixel_at_the_border(build):
    result = build.image([build.lesion(0, 9, 9, 10, 10)], [build.finding(0, 1.0, 9, 9, 10, 10)])
    assert match(result).matches[0].iou == 1.0
