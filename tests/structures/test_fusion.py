"""Findings of several looks made one: by hand, against boxes fused by a second implementation, and its symmetries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segtumor.structures.fusion import fuse, mirrored, strongest, with_agreement
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_from_mask

SIZE = (20, 30)


def boxed(score, box, class_id=0, probabilities=()):
    return Finding(class_id, score, tuple(map(float, box)), None, probabilities)


def masked(score, rows, columns, class_id=0, probabilities=()):
    mask = np.zeros(SIZE, dtype=bool)
    mask[slice(*rows), slice(*columns)] = True
    return Finding(class_id, score, rle=rle_from_mask(mask), probabilities=probabilities)


A, B, FAR = (0, 0, 10, 10), (0, 0, 10, 12), (15, 15, 20, 20)


@pytest.mark.parametrize(
    ("finding", "members", "expected"),
    [
        (boxed(0.8, A), [[boxed(0.1, A)]], 1),
        (boxed(0.8, A), [[boxed(0.8, A)], []], 1 / 2),  # the other saw nothing
        (boxed(0.8, A), [[boxed(0.8, A)], [boxed(0.8, FAR)]], 1 / 2),
        (boxed(0.8, A), [[boxed(0.8, A)], [boxed(0.8, B), boxed(0.9, FAR)]], (1 + 100 / 120) / 2),
        (boxed(0.8, A), [[boxed(0.8, A, class_id=1)], [Finding(0, 0.9)]], 1 / 2),  # of another class; without a place
        (masked(0.8, (0, 10), (0, 10)), [[masked(0.8, (0, 10), (5, 10))], [boxed(0.8, A)]], (1 / 2 + 1) / 2),
        (Finding(0, 0.8), [[boxed(0.8, A)]], None),
    ],
)
def test_agreement_by_hand(finding, members, expected):
    (found,) = with_agreement([finding], members)
    assert found.agreement == (None if expected is None else pytest.approx(expected))
    assert with_agreement([], members) == ()


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([], []),
        ([[], []], []),
        ([[boxed(0.8, A)]], [(0.8, A)]),  # one look alone stays as it is
        ([[boxed(0.8, A)], []], [(0.4, A)]),  # the other saw nothing
        ([[boxed(0.9, A)], [boxed(0.3, B)]], [(0.6, (0, 0, 10, 10.5))]),  # (0.9 * 10 + 0.3 * 12) / 1.2
        ([[boxed(0.9, A)], [boxed(0.3, FAR)]], [(0.45, A), (0.15, FAR)]),
        ([[boxed(0.5, A), boxed(0.5, A)], [boxed(0.5, A)]], [(0.5, A)]),  # never more than all
    ],
)
def test_by_hand(members, expected):
    found = [(f.score, f.box_xyxy) for f in fuse(members)]
    assert [score for score, _ in found] == pytest.approx([score for score, _ in expected])
    for (_, mine), (_, theirs) in zip(found, expected, strict=True):
        assert mine == pytest.approx(theirs)


def test_the_pixels_that_half_of_the_score_has():
    large, small = masked(0.9, (0, 10), (0, 10)), masked(0.6, (0, 10), (0, 8))
    (fused,) = fuse([[large], [small]])
    assert fused.box_xyxy == (0, 0, 10, 10) and fused.mask.sum() == 100
    (fused,) = fuse([[large], [small], [masked(0.6, (0, 10), (0, 8))]])
    assert fused.mask.sum() == 80 and fused.box_xyxy == (0, 0, 8, 10)


def test_the_class_is_the_most_probable_one():
    members = [
        [boxed(0.6, A, 0, (0.6, 0.1))],
        [boxed(0.5, A, 1, (0.1, 0.5))],
        [boxed(0.5, A, 1, (0.2, 0.5))],
    ]
    (fused,) = fuse(members)
    assert (fused.class_id, fused.score) == (1, pytest.approx(1.1 / 3))
    assert fused.probabilities == pytest.approx((0.3, 1.1 / 3))
    (fused,) = fuse([[boxed(0.6, A, 0)], [boxed(0.5, A, 1)], [boxed(0.5, A, 1)]])
    assert (fused.class_id, fused.score) == (1, pytest.approx(1.6 / 3))


def test_a_finding_without_a_place_is_not_fused():
    fused = fuse([[Finding(0, 0.8)], [Finding(0, 0.6)]])
    assert [f.score for f in fused] == pytest.approx([0.4, 0.3]) and not any(f.is_placed for f in fused)


def test_the_highest_score_of_each_place():
    found = strongest([[boxed(0.5, A)], [boxed(0.7, B)], [boxed(0.2, FAR)]])
    assert [(f.score, f.box_xyxy) for f in found] == [(0.7, B), (0.2, FAR)]


def second_implementation(members, limit):
    """Weighted boxes fusion as its paper has it, step by step, on plain lists."""
    boxes = sorted(((f.score, f.box_xyxy) for findings in members for f in findings), key=lambda b: -b[0])
    clusters = []
    for score, box in boxes:
        best, overlap = None, limit
        for cluster in clusters:
            iou = _iou(box, _mean(cluster))
            if iou > overlap:
                best, overlap = cluster, iou
        if best is None:
            clusters.append([(score, box)])
        else:
            best.append((score, box))
    n = len(members)
    found = [(sum(s for s, _ in c) / len(c) * min(n, len(c)) / n, _mean(c)) for c in clusters]
    return sorted(found, key=lambda b: -b[0])


def _mean(cluster):
    total = sum(score for score, _ in cluster)
    return tuple(sum(score * box[i] for score, box in cluster) / total for i in range(4))


def _iou(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, width) * max(0.0, height)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


@pytest.mark.parametrize("seed", range(20))
def test_boxes_are_fused_as_a_second_implementation_does(seed):
    rng = np.random.default_rng(seed)
    members = []
    for _ in range(int(rng.integers(1, 5))):
        corners = rng.uniform(0, 60, (int(rng.integers(0, 8)), 2)).round() // 15 * 15 + rng.normal(0, 2, 2)
        sides = rng.uniform(20, 30, corners.shape)
        found = np.concatenate([corners, corners + sides], axis=1)
        members.append([boxed(float(rng.uniform(0.05, 1)), box) for box in found])
    mine, theirs = fuse(members), second_implementation(members, 0.55)
    assert [f.score for f in mine] == pytest.approx([score for score, _ in theirs])
    for finding, (_, box) in zip(mine, theirs, strict=True):
        assert finding.box_xyxy == pytest.approx(box)


boxes = st.tuples(st.integers(0, 14), st.integers(0, 24), st.integers(1, 6), st.integers(1, 6))


@given(boxes)
def test_mirroring_twice_changes_nothing_and_once_mirrors_the_mask(box):
    top, left, height, width = box
    finding = masked(0.5, (top, top + height), (left, left + width))
    once = mirrored(finding, SIZE[1])
    assert np.array_equal(once.mask, finding.mask[:, ::-1])
    assert once.box_xyxy == (SIZE[1] - left - width, top, SIZE[1] - left, top + height)
    assert mirrored(once, SIZE[1]) == finding
