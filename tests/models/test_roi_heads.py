"""Class weights and class probabilities of the box head, on proposals that one can count on one hand."""

import numpy as np
import pytest
import torch
from detectron2.layers import ShapeSpec
from detectron2.modeling.box_regression import Box2BoxTransform
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage

from segtumor.models.detectors.roi_heads import TumorOutputLayers

pytestmark = pytest.mark.model

BENIGN, MALIGNANT, BACKGROUND = 0, 1, 2
#: Far apart, so that nothing is suppressed.
BOXES = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10]])
LOGITS = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [-1.0, -1.0, 4.0], [0.5, 0.5, 0.0]])
CLASSES = torch.tensor([BENIGN, MALIGNANT, BACKGROUND, MALIGNANT])


def output_layers(class_weights=(), **keywords):
    settings = {"num_classes": 2, "cls_agnostic_bbox_reg": True, "test_score_thresh": 0.3, "test_nms_thresh": 0.5}
    transform = Box2BoxTransform(weights=(10.0, 10.0, 5.0, 5.0))
    layers = TumorOutputLayers(ShapeSpec(channels=4), box2box_transform=transform, **{**settings, **keywords})
    return layers.set_class_weights(class_weights)


def proposals(boxes=BOXES, classes=CLASSES):
    instances = Instances((100, 100))
    instances.proposal_boxes = instances.gt_boxes = Boxes(boxes)
    instances.gt_classes = classes[: len(boxes)]
    return [instances]


def losses(layers, logits=LOGITS, examples=None):
    with EventStorage():
        return layers.losses((logits, torch.zeros(len(logits), 4)), examples or proposals())


def weighted_mean_cross_entropy(weights):
    """In float64 NumPy, from the definition."""
    logits = LOGITS.double().numpy()
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    weight = np.asarray(weights, dtype=float)[CLASSES.numpy()]
    return -(weight * log_probabilities[range(4), CLASSES.numpy()]).sum() / weight.sum()


@pytest.mark.parametrize("weights", [(1, 1, 1), (1, 3, 0.5), (0, 0, 2), (10, 1, 1)])
def test_class_weights_give_the_weighted_mean_cross_entropy(weights):
    assert float(losses(output_layers(weights))["loss_cls"]) == pytest.approx(weighted_mean_cross_entropy(weights))


def test_without_class_weights_the_loss_is_the_plain_one():
    plain, equal = losses(output_layers()), losses(output_layers((2, 2, 2)))
    assert float(plain["loss_cls"]) == pytest.approx(weighted_mean_cross_entropy((1, 1, 1)))
    assert float(equal["loss_cls"]) == pytest.approx(float(plain["loss_cls"]))


def test_class_weights_leave_the_box_loss_alone():
    moved = proposals(BOXES + torch.tensor([1.0, 0, 1.0, 0]))
    moved[0].gt_boxes = Boxes(BOXES)
    plain, weighted = losses(output_layers(), examples=moved), losses(output_layers((1, 5, 1)), examples=moved)
    assert float(plain["loss_box_reg"]) == float(weighted["loss_box_reg"]) > 0


def test_loss_weight_scales_the_weighted_loss():
    scaled = losses(output_layers((1, 3, 0.5), loss_weight={"loss_cls": 0.25}))
    assert float(scaled["loss_cls"]) == pytest.approx(0.25 * weighted_mean_cross_entropy((1, 3, 0.5)))


def test_class_weights_are_no_weights_of_the_model():
    names = set(output_layers((1, 2, 3)).state_dict())
    assert names == set(output_layers().state_dict()) and not any("class_weights" in name for name in names)


def detections(logits=LOGITS, boxes=BOXES):
    (found,), _ = output_layers().inference((logits, torch.zeros(len(logits), 4)), proposals(boxes)[:1])
    return found


def test_probabilities_belong_to_the_detection_with_that_box():
    found = detections()
    expected = torch.softmax(LOGITS, dim=1)
    # Over 0.3: proposal 0 as benign, 1 as malignant, 3 as both; never 2, which is background.
    assert sorted(zip(found.pred_boxes.tensor[:, 0].tolist(), found.pred_classes.tolist(), strict=True)) == [
        (0.0, BENIGN),
        (20.0, MALIGNANT),
        (60.0, BENIGN),
        (60.0, MALIGNANT),
    ]
    for box, class_id, score, probabilities in zip(
        found.pred_boxes.tensor, found.pred_classes, found.scores, found.class_probabilities, strict=True
    ):
        proposal = int(box[0]) // 20
        torch.testing.assert_close(probabilities, expected[proposal, :BACKGROUND])
        assert float(score) == float(probabilities[class_id])
        assert float(probabilities.sum() + expected[proposal, BACKGROUND]) == pytest.approx(1)


def test_probabilities_stay_with_their_detection_when_a_proposal_is_not_finite():
    logits = LOGITS.clone()
    logits[0] = torch.nan
    found = detections(logits)
    assert len(found) == 3
    for class_id, score, probabilities in zip(found.pred_classes, found.scores, found.class_probabilities, strict=True):
        assert float(score) == float(probabilities[class_id])


def test_nothing_found_has_an_empty_table_of_probabilities():
    assert detections(torch.tensor([[0.0, 0.0, 9.0]] * 4)).class_probabilities.shape == (0, 2)
    assert detections(torch.zeros(0, 3), torch.zeros(0, 4)).class_probabilities.shape == (0, 2)
