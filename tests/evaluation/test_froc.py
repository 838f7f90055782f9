import math
from dataclasses import replace

import numpy as np
import pytest

from segtumor.errors import DataError
from segtumor.evaluation.facts.froc_events import froc_events
from segtumor.evaluation.facts.matching import pair_iou
from segtumor.evaluation.facts.settings import FROC_CRITERIA
from segtumor.evaluation.measures.froc import FROC_RATES, froc, resample_events
from segtumor.structures.masks import rle_from_mask


def resampled_froc(results, case_of_image, weights, *, criterion="iou"):
    return resample_events(froc_events(results, criterion=criterion), case_of_image, weights)


def seven_and_mean(found):
    return [*found.at.values(), found.mean]


@pytest.fixture
def eight_images(build):
    """Two tumor images with three lesions, six normal ones: an eighth of a false positive per image is one of them."""
    first = build.image(
        [build.lesion(0, 0, 0, 4, 4), build.lesion(1, 6, 6, 10, 10)],
        [
            build.finding(1, 0.9, 0, 0, 4, 4),  # hits the first lesion, with the wrong class
            build.finding(0, 0.8, 0, 0, 4, 3),  # hits it again: neither hit nor false positive
            build.finding(0, 0.5, 6, 6, 10, 10),  # hits the second one
            build.finding(0, 0.2, 5, 0, 9, 3),  # false
        ],
    )
    second = build.image([build.lesion(0, 2, 2, 6, 6)], [build.finding(0, 0.6, 7, 7, 9, 9)])  # missed, and false
    normal = [build.image([], [build.finding(0, score, 1, 1, 4, 4)]) for score in (0.7, 0.1)]
    return [first, second, *normal, *(build.image() for _ in range(4))]


def test_the_curve_by_eye(eight_images):
    found = froc(eight_images)
    assert found.thresholds.tolist() == [math.inf, 0.9, 0.7, 0.6, 0.5, 0.2, 0.1]
    assert (8 * found.false_positives_per_image).tolist() == [0, 0, 1, 2, 2, 3, 4]
    assert (3 * found.sensitivity).tolist() == pytest.approx([0, 1, 1, 1, 2, 2, 2])
    assert list(found.at) == list(FROC_RATES)
    assert seven_and_mean(found) == pytest.approx([1 / 3, *[2 / 3] * 6, 13 / 21])


def test_interpolation_is_on_request(build):
    images = [build.image([], [build.finding(0, 0.5, 0, 0, 2, 2)] * 4)]  # four false positives at once
    images += [build.image([build.lesion(0, 0, 0, 4, 4)], [build.finding(0, 0.5, 0, 0, 4, 4)])]
    assert list(froc(images).at.values()) == [0, 0, 0, 0, 1, 1, 1]  # two per image on the way to the lesion
    by_line = [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 1, 1]
    assert list(froc(images, interpolate=True).at.values()) == pytest.approx(by_line)


def test_findings_of_one_score_enter_together(build):
    image = build.image(
        [build.lesion(0, 0, 0, 4, 4)], [build.finding(0, 0.5, 0, 0, 4, 4), build.finding(0, 0.5, 6, 6, 9, 9)]
    )
    found = froc([image])
    assert found.thresholds.tolist() == [math.inf, 0.5]
    assert list(found.at.values()) == [0, 0, 0, 1, 1, 1, 1]


def test_the_best_of_several_findings_counts(build):
    lesion = build.lesion(0, 0, 0, 4, 4)
    image = build.image([lesion], [build.finding(0, score, 0, 0, 4, 4) for score in (0.3, 0.8, 0.5)])
    events = froc_events([image])
    assert events.hit_scores.tolist() == [0.8]
    assert events.false_scores.tolist() == []


def test_one_finding_may_hit_two_lesions(build):
    lesions = [build.lesion(0, 0, 0, 4, 4), build.lesion(1, 0, 0, 4, 4)]
    assert froc([build.image(lesions, [build.finding(0, 0.9, 0, 0, 4, 4)])]).mean == 1


def test_the_iou_threshold_is_inclusive(build):
    image = build.image([build.lesion(0, 0, 0, 4, 4)], [build.finding(0, 0.5, 0, 0, 4, 2)])
    assert froc([image]).mean == 1  # 8/16
    assert froc([image], iou_threshold=0.51).mean == 0


def test_criteria_differ(build):
    # An L-shaped lesion of 7 px in a box of 4 x 4, and a finding in the empty corner of that box.
    corner = np.zeros(build.size_hw, dtype=bool)
    corner[0:4, 0], corner[3, 0:4] = True, True
    lesion = replace(build.lesion(0, 0, 0, 4, 4), rle=rle_from_mask(corner))

    def means(finding):
        return [froc([build.image([lesion], [finding])], criterion=criterion).mean for criterion in FROC_CRITERIA]

    assert means(build.finding(0, 0.9, 1, 0, 4, 3)) == [0, 1, 0]
    assert means(build.finding(0, 0.9, 0, 1, 1, 3)) == [0, 1, 1]  # centre (0.5, 2), IoU 2/7
    assert means(build.finding(0, 0.9, 0, 0, 1, 4)) == [1, 1, 1]  # 4/7
    lesion = build.lesion(0, 0, 0, 4, 4, mask=False)
    assert means(build.finding(0, 0.9, 0, 0, 4, 2, mask=False)) == [1, 1, 1]  # boxes stand in
    assert means(build.finding(0, 0.9, 3, 3, 5, 5)) == [0, 0, 0]  # the right and lower edges are outside
    assert means(build.finding(0, 0.9, 3, 3, 4, 4)) == [0, 1, 1]


def test_the_border_and_beyond(build):
    lesions = [build.lesion(0, 0, 0, 1, 1), build.lesion(0, 9, 9, 10, 10)]
    findings = [build.finding(0, 0.9, 0, 0, 1, 1), build.finding(0, 0.8, 9, 9, 10, 10)]
    # Their centres lie outside the image, or on its right or lower edge.
    beyond = ((-2, -2, 0, 0), (9, 9, 11, 11), (9, 9.5, 10, 10.5), (9.5, 9, 10.5, 10))
    findings += [build.finding(0, 0.7, *box, mask=False) for box in beyond]
    for criterion in FROC_CRITERIA:
        events = froc_events([build.image(lesions, findings)], criterion=criterion)
        assert events.hit_scores.tolist() == [0.9, 0.8]
        assert events.false_scores.tolist() == [0.7] * 4


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("criterion", FROC_CRITERIA)
def test_crowd_is_no_lesion_and_hides_findings(build, criterion, mask):
    crowd = build.lesion(0, 0, 0, 8, 8, mask=mask, crowd=True)
    inside, across = build.finding(0, 0.9, 1, 1, 3, 3), build.finding(0, 0.8, 7, 0, 10, 3)  # a third inside
    events = froc_events([build.image([crowd], [inside, across])], criterion=criterion)
    assert events.hit_scores.tolist() == []
    assert events.false_scores.tolist() == [0.8]


def test_without_lesions_undefined_and_without_findings_zero(build):
    nothing = froc([])
    assert np.isnan(seven_and_mean(nothing)).all() and np.isnan(nothing.false_positives_per_image).all()
    normal = froc([build.image([], [build.finding(0, 0.5, 0, 0, 2, 2)])])
    assert normal.false_positives_per_image.tolist() == [0, 1]
    assert np.isnan(normal.sensitivity).all() and np.isnan(seven_and_mean(normal)).all()
    silent = [build.image([build.lesion(0, 0, 0, 4, 4)])]
    assert seven_and_mean(froc(silent)) == seven_and_mean(froc(silent, interpolate=True)) == [0] * 8
    assert resampled_froc(silent, [0], [[1.0], [2.0], [0.0]])[:, 7].tolist()[:2] == [0, 0]
    assert resampled_froc([], [], np.ones((2, 0))).shape == (2, 8)


def random_images(build, rng, n_images):
    """Normal and tumor images with up to two lesions, one in ten a crowd region, and few different scores."""

    def box():
        x0, y0 = rng.integers(0, 7, 2)
        return x0, y0, x0 + rng.integers(1, 4), y0 + rng.integers(1, 4)

    images = []
    for _ in range(n_images):
        boxes = [box() for _ in range(rng.integers(0, 3))]
        lesions = [build.lesion(0, *b, crowd=rng.random() < 0.1, mask=rng.random() < 0.8) for b in boxes]
        boxes += [box() for _ in range(rng.integers(0, 3))]
        findings = [build.finding(0, rng.integers(1, 9) / 8, *b) for b in boxes if rng.random() < 0.8]
        images.append(build.image(lesions, findings))
    return images


@pytest.fixture
def random_scenes(build):
    return lambda seed: random_images(build, np.random.default_rng(seed), 6)


def naive_froc(images, iou_threshold):
    """Threshold by threshold, finding by finding."""
    scores = sorted({finding.score for image in images for finding in image.findings}, reverse=True)
    n_lesions = sum(not lesion.iscrowd for image in images for lesion in image.truth.lesions)
    at = dict.fromkeys(FROC_RATES, 0.0 if n_lesions else math.nan)
    for threshold in scores:
        n_hit = n_false = 0
        for image in images:
            lesions = [lesion for lesion in image.truth.lesions if not lesion.iscrowd]
            hit = set()
            for finding in image.findings:
                if finding.score < threshold:
                    continue
                iou = pair_iou([finding], lesions)[0][0]
                hit |= set(np.flatnonzero(iou >= iou_threshold))
                n_false += not (iou >= iou_threshold).any()
            n_hit += len(hit)
        for rate in FROC_RATES:
            if n_lesions and n_false / len(images) <= rate:
                at[rate] = max(at[rate], n_hit / n_lesions)
    return list(at.values())


SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
def test_equals_a_loop_over_thresholds(random_scenes, seed):
    images = [
        replace(image, truth=replace(image.truth, lesions=tuple(x for x in image.truth.lesions if not x.iscrowd)))
        for image in random_scenes(seed)
    ]
    expected = naive_froc(images, 0.5)
    assert list(froc(images).at.values()) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("criterion", FROC_CRITERIA)
def test_resampling_equals_repeated_images(random_scenes, seed, criterion):
    rng, images = np.random.default_rng(seed), random_scenes(seed)
    case_of_image = rng.integers(0, 4, len(images))  # some cases with several images, some with none
    weights = np.concatenate([np.ones((1, 4)), rng.multinomial(4, [0.25] * 4, 6).astype(float)])
    found = resampled_froc(images, case_of_image, weights, criterion=criterion)
    for row, drawn in zip(found, weights, strict=True):
        repeated = [image for image, case in zip(images, case_of_image, strict=True) for _ in range(int(drawn[case]))]
        assert row.tolist() == pytest.approx(seven_and_mean(froc(repeated, criterion=criterion)), nan_ok=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_never_falls_with_the_rate(random_scenes, seed):
    found = froc(random_scenes(seed), criterion="centre")
    assert (np.diff(found.false_positives_per_image) >= 0).all()
    assert (np.diff(found.sensitivity) >= 0).all() and (np.diff(list(found.at.values())) >= 0).all()
    assert (np.diff(found.thresholds[1:]) < 0).all()
    by_line = froc(random_scenes(seed), criterion="centre", interpolate=True)
    assert by_line.mean >= found.mean


def test_events_serve_several_resamplings(eight_images):
    events = froc_events(eight_images)
    found = resample_events(events, np.arange(8), np.ones((1, 8)))
    assert found[0].tolist() == pytest.approx(seven_and_mean(froc(eight_images)))
    without_second = np.array([[1, 0, 1, 1, 1, 1, 1, 1.0]])  # its lesion and false positive are gone, and one image
    expected = froc(eight_images[:1] + eight_images[2:])
    assert resample_events(events, np.arange(8), without_second)[0].tolist() == pytest.approx(seven_and_mean(expected))


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_refuses_a_score_that_is_no_number(build, score):
    image = replace(build.image(), findings=(build.finding(0, score, 0, 0, 4, 4),))
    with pytest.raises(DataError, match="score"):
        froc([image])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"criterion": "dice"}, "criterion"),
        ({"iou_threshold": 0}, "IoU threshold"),
        ({"iou_threshold": 1.1}, "IoU threshold"),
    ],
)
def test_refuses_impossible_options(options, words):
    with pytest.raises(DataError, match=words):
        froc([], **options)


@pytest.mark.parametrize(
    ("case_of_image", "weights", "words"),
    [
        ([0, 1], [[1.0, 1.0]], "one case per image"),
        ([2], [[1.0, 1.0]], "no weight"),
        ([-1], [[1.0, 1.0]], "no weight"),
        ([0], [1.0], "weights"),
        ([0], [[-1.0]], "weights"),
        ([0], [[math.nan]], "weights"),
    ],
)
def test_refuses_weights_that_do_not_fit(build, case_of_image, weights, words):
    with pytest.raises(DataError, match=words):
        resampled_froc([build.image()], case_of_image, weights)
