"""Detections from a few regions, two classes and background."""

import numpy as np
import pytest

from segtumor.runtime.mask_rcnn.detections import choose_detections, softmax

LEFT, RIGHT = [0, 0, 10, 10], [50, 0, 60, 10]


def detections(boxes, probabilities, **changed):
    settings = {"image_hw": (20, 55), "score_threshold": 0.05, "nms_iou": 0.5, "max_detections": 100}
    return choose_detections(
        boxes=np.array(boxes, dtype=np.float32).reshape(len(probabilities), np.size(boxes) // len(probabilities)),
        probabilities=np.array(probabilities, dtype=np.float32).reshape(-1, 3),
        **{**settings, **changed},
    )


def test_every_class_above_the_threshold_is_a_detection_and_keeps_all_probabilities():
    found = detections([LEFT, RIGHT], [[0.2, 0.7, 0.1], [0.05, 0.25, 0.7]])
    assert found.class_ids.tolist() == [1, 1, 0]  # 0.05 is not above 0.05
    assert found.boxes.tolist() == [LEFT, [50, 0, 55, 10], LEFT]
    assert np.allclose(found.scores, [0.7, 0.25, 0.2])
    assert np.allclose(found.probabilities, [[0.2, 0.7], [0.05, 0.25], [0.2, 0.7]])


def test_suppression_is_by_class_and_the_limit_for_all():
    probabilities = [[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]]
    assert detections([LEFT, LEFT], probabilities).scores.tolist() == pytest.approx([0.6, 0.4])
    assert detections([LEFT, LEFT], probabilities, max_detections=1).scores.tolist() == pytest.approx([0.6])
    assert len(detections([LEFT, LEFT], probabilities, max_detections=-1)) == 2
    assert len(detections([LEFT, LEFT], probabilities, max_detections=0)) == 0


def test_boxes_of_a_class_are_taken_where_there_are_some():
    found = detections([[*LEFT, *RIGHT]], [[0.3, 0.6, 0.1]])
    assert found.boxes.tolist() == [[50, 0, 55, 10], LEFT]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_regions_with_a_number_that_is_not_finite_are_left_out(bad):
    assert len(detections([[0, 0, bad, 10], LEFT], [[0.6, 0.3, 0.1], [0.0, 0.9, 0.1]])) == 1
    assert len(detections([RIGHT, LEFT], [[0.6, 0.3, bad], [0.0, 0.9, 0.1]])) == 1


def test_no_region_and_nothing_found():
    bad, low = [np.nan, 0.1, 0.9], [0.01, 0.01, 0.98]
    for found in (detections([LEFT], [bad]), detections([LEFT], [low])):
        assert len(found) == 0
        assert found.boxes.shape == (0, 4)
        assert found.probabilities.shape == (0, 2)


def test_at_another_size_a_box_can_lose_its_extent():
    found = detections([LEFT, [55, 3, 80, 9]], [[0.6, 0.0, 0.4], [0.5, 0.0, 0.5]])
    resized, has_extent = found.resized((20, 55), (40, 55))
    assert resized.boxes.tolist() == [[0, 0, 10, 20], [55, 6, 55, 18]]
    assert has_extent.tolist() == [True, False]


def test_softmax_of_large_and_bad_logits():
    assert np.allclose(softmax(np.array([[1000, 1000, -1000]], dtype=np.float32)), [[0.5, 0.5, 0]])
    assert np.isnan(softmax(np.array([[0, 0, np.nan], [np.inf, 0, 0]], dtype=np.float32))).any(axis=1).all()
    assert softmax(np.zeros((0, 3), dtype=np.float32)).shape == (0, 3)
