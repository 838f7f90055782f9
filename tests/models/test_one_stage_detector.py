"""The one-stage detector: published sizes, boxes and places by hand, losses, and that it learns."""

import numpy as np
import pytest
import torch
from detectron2.structures import BitMasks, Boxes, Instances
from repository import ROOT

from segtumor.config import load_config
from segtumor.errors import ConfigError
from segtumor.models.build import create_model
from segtumor.models.detectors.yolo.anchors import by_level, covered_share, fit_anchors, of_levels
from segtumor.models.detectors.yolo.assignment import assign
from segtumor.models.detectors.yolo.fitting import set_anchors
from segtumor.models.detectors.yolo.head import Head
from segtumor.models.detectors.yolo.losses import Lesions, box_pixels, losses
from segtumor.models.kinds import set_classes
from segtumor.runs import CONFIG
from segtumor.training.tables import complete_fitted

pytestmark = pytest.mark.model

CONFIGS = ROOT / "configs"
WEIGHTS = {"box": 1.0, "objectness": 1.0, "class": 1.0, "mask": 1.0}


def model_of(name, *overrides, classes=("benign", "malignant")):
    cfg = load_config(CONFIGS / f"{name}.yaml", overrides)
    set_classes(cfg, list(classes))
    torch.manual_seed(0)
    return cfg, create_model(cfg)


@pytest.mark.parametrize(
    ("size", "parameters"),
    [("n", 1_872_157), ("s", 7_235_389), ("m", 21_190_557), ("l", 46_563_709), ("x", 86_749_405)],
)
def test_parameters_as_published(size, parameters):
    """YOLOv5, release 6, with 80 classes and boxes alone, before batch norms are folded."""
    classes = [f"class {number}" for number in range(80)]
    cfg = load_config(CONFIGS / f"yolov5{size}.yaml", ["MODEL.MASK_ON", "False"])
    set_classes(cfg, classes)
    cfg.MODEL.DEVICE = "meta"  # shapes without numbers
    with torch.device("meta"):
        model = create_model(cfg)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def head_of(anchors, *, num_classes=2, num_prototypes=0):
    return Head(
        channels=[4] * 3,
        strides=[8, 16, 32],
        anchors_wh=anchors,
        num_classes=num_classes,
        num_prototypes=num_prototypes,
    )


ANCHORS = [[[10.0, 20.0]], [[40.0, 40.0]], [[100.0, 60.0]]]


@pytest.mark.parametrize(
    ("offsets", "cell", "level", "box"),
    [
        # 0 is half of the way: the middle of the cell, a side as the anchor's.
        ([0, 0, 0, 0], (0, 0), 0, (4 - 5, 4 - 10, 4 + 5, 4 + 10)),
        ([0, 0, 0, 0], (3, 1), 1, (56 - 20, 24 - 20, 56 + 20, 24 + 20)),
        # At the limits half a cell outside, and four times the anchor or nothing.
        ([99, -99, 99, -99], (1, 1), 0, (20 - 20, 4, 20 + 20, 4)),
    ],
)
def test_boxes(offsets, cell, level, box):
    head = head_of(ANCHORS)
    anchor = head.anchors[level]
    found = head.boxes(torch.tensor([offsets], dtype=torch.float32), torch.tensor([cell]), level, anchor)
    torch.testing.assert_close(found, torch.tensor([box], dtype=torch.float32), atol=1e-4, rtol=0)


def test_rows_are_fractions_of_the_padded_size_in_the_order_of_the_cells():
    head = head_of(ANCHORS, num_prototypes=1)
    outputs = [torch.zeros(1, 1, 64 // stride, 96 // stride, 8) for stride in (8, 16, 32)]
    rows = head.rows(outputs, (64, 96))
    assert rows.shape == (1, 8 * 12 + 4 * 6 + 2 * 3, 4 + 2 + 1)
    centres = (rows[0, :, :2] + rows[0, :, 2:4]) / 2 * torch.tensor([96, 64])
    expected = [(8 * c + 4, 8 * r + 4) for r in range(8) for c in range(12)]
    torch.testing.assert_close(centres[: len(expected)], torch.tensor(expected, dtype=torch.float32))
    torch.testing.assert_close(rows[..., 4:6], torch.full((1, 126, 2), 0.25))  # one half times one half


@pytest.mark.parametrize(
    ("box", "cells"),
    [
        ((12, 12, 36, 36), {(3, 3), (2, 3), (3, 2)}),  # centre 24, 24 on a corner: the cells before it
        ((14, 14, 42, 42), {(3, 3)}),  # centre 28, 28, the middle of its cell: as far from all neighbours
        ((15, 13, 43, 41), {(3, 3), (4, 3), (3, 2)}),
        ((0, 0, 10, 10), {(0, 0), (1, 0), (0, 1)}),
        ((0, 0, 6, 6), {(0, 0)}),  # towards the corner of the image, where there is no neighbour
        ((54, 54, 64, 64), {(7, 7), (6, 7), (7, 6)}),
        ((0, 0, 2, 2), set()),  # more than four times smaller than the anchor
        ((0, 0, 64, 64), set()),
    ],
)
def test_places(box, cells):
    boxes = torch.tensor([box], dtype=torch.float32)
    places = assign(boxes, torch.tensor([0]), torch.tensor([[12.0, 12.0]]), stride=8, size_hw=(8, 8))
    assert set(zip(places.columns.tolist(), places.rows.tolist(), strict=True)) == cells
    assert places.lesions.tolist() == [0] * len(cells) == places.anchors.tolist()


def test_losses_vanish_where_all_is_right():
    head = head_of([[[16.0, 16.0]], [[500.0, 500.0]], [[900.0, 900.0]]], num_prototypes=1)
    lesions = Lesions(
        boxes=torch.tensor([[8.0, 16.0, 24.0, 32.0]]),
        class_ids=torch.tensor([1]),
        image_ids=torch.tensor([0]),
        masks=box_pixels(torch.tensor([[2.0, 4.0, 6.0, 8.0]]), (16, 16)).float(),
    )
    outputs = [torch.zeros(1, 1, 64 // stride, 64 // stride, 8) for stride in (8, 16, 32)]
    for output in outputs:
        output[..., 4] = -50
        output[..., 5] = -50
        output[..., 6] = output[..., 7] = 50
    # Centre (16, 24) on the corner of four cells: three of them learn it, each from its own place.
    for column, row in ((2, 3), (1, 3), (2, 2)):
        cell = outputs[0][0, 0, row, column]
        cell[4] = 50
        for axis, (centre, place) in enumerate([(16, column), (24, row)]):
            share = (centre / 8 - place + 0.5) / 2
            cell[axis] = float(np.log(share / (1 - share)))
    prototypes = 2 * lesions.masks[None] - 1
    good = losses(head, outputs, prototypes, lesions, WEIGHTS)
    assert set(good) == {"loss_box", "loss_objectness", "loss_class", "loss_mask"}
    assert all(value.item() < 1e-4 for value in good.values()), good
    bad = losses(head, outputs, -prototypes, lesions, WEIGHTS)
    assert bad["loss_mask"] > 10
    outputs[0][0, 0, 7, 7, 4] = 50  # a lesion where none is
    assert losses(head, outputs, prototypes, lesions, WEIGHTS)["loss_objectness"] > 1


def test_without_lesions_only_objectness_is_lost():
    _, model = model_of("yolov5n_phantoms")
    found = model.train()([example(np.zeros((48, 64), np.float32), np.zeros((0, 48, 64), bool), [])] * 2)
    assert found["loss_objectness"] > 0
    assert found["loss_box"] == found["loss_class"] == found["loss_mask"] == 0
    sum(found.values()).backward()


@pytest.mark.parametrize("backbone", ["yolov5n_phantoms", "yolo_lite0"])
def test_every_part_learns_and_answers_at_the_size_of_the_image(backbone):
    _, model = model_of(backbone)
    mask = np.zeros((1, 50, 70), bool)
    mask[0, 10:30, 20:50] = True
    found = model.train()([example(np.zeros((50, 70), np.float32), mask, [1])] * 2)
    sum(found.values()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    (output,) = model.eval()([{"image": torch.zeros(3, 50, 70)}])
    assert output["prototypes"].shape == (32, 16, 24)  # of the padded 64 x 96 px
    assert output["rows"].shape == (3 * (8 * 12 + 4 * 6 + 2 * 3), 4 + 2 + 32)


def test_fitted_anchors():
    boxes = [[10, 10]] * 5 + [[20, 40]] * 5 + [[100, 50]] * 5
    known = [[1, 1], [2, 2], [3, 3]]
    np.testing.assert_allclose(fit_anchors(boxes, known, seed=0), [[10, 10], [20, 40], [100, 50]], rtol=1e-6)
    np.testing.assert_allclose(fit_anchors([[20, 20]], known, seed=0), [[10, 10], [20, 20], [30, 30]])
    np.testing.assert_array_equal(fit_anchors([], known, seed=0), known)
    anchors = fit_anchors(np.random.default_rng(0).uniform(5, 200, (400, 2)), np.ones((9, 2)), seed=3)
    assert anchors.shape == (9, 2) and (np.diff(anchors.prod(axis=1)) >= 0).all()
    assert np.array_equal(anchors, of_levels(by_level(anchors, 3)).round(1)) or np.allclose(
        anchors, of_levels(by_level(anchors, 3)), atol=0.05
    )


@pytest.mark.parametrize(
    ("boxes", "share"), [([[10, 10]], 1), ([[39, 10]], 1), ([[41, 10]], 0), ([[10, 2]], 0), ([[10, 10], [99, 9]], 0.5)]
)
def test_covered_share(boxes, share):
    assert covered_share(boxes, [[10, 10], [8, 8]]) == share


def test_anchors_come_from_the_training_set_at_its_size():
    cfg = load_config(CONFIGS / "yolov5n_phantoms.yaml", ["INPUT.MIN_SIZE_TRAIN", "[160]"])
    records = [
        {"height": 320, "width": 320, "annotations": [{"bbox": [0, 0, side, 2 * side]}]} for side in range(20, 40)
    ]
    set_anchors(cfg, records)
    anchors = of_levels(cfg.MODEL.YOLO.ANCHORS)
    assert 10 <= anchors[0, 0] <= anchors[-1, 0] <= 20 and np.allclose(anchors[:, 1], 2 * anchors[:, 0], rtol=0.02)
    cfg.MODEL.YOLO.FIT_ANCHORS = False
    set_anchors(cfg, records[:1])
    assert np.array_equal(anchors, of_levels(cfg.MODEL.YOLO.ANCHORS))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("MODEL.YOLO.ANCHORS", "[[8, 8, 8], [8, 8, 8], [8, 8, 8]]"), "pairs of width and height"),
        (("MODEL.YOLO.IN_FEATURES", '["res2", "res3", "res4"]'), "three maps"),
        (("MODEL.YOLO.SIZE_MULTIPLE", "48"), "SIZE_MULTIPLE"),
    ],
)
def test_wrong_settings(overrides, message):
    with pytest.raises(ConfigError, match=message):
        model_of("yolov5n_phantoms", *overrides)


def test_an_evaluation_takes_the_anchors_of_its_run(tmp_path):
    """Another configuration has others, with which the weights mean nothing."""
    own, fitted = (load_config(CONFIGS / "yolov5n_phantoms.yaml") for _ in range(2))
    fitted.MODEL.YOLO.ANCHORS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    complete_fitted(own, tmp_path)  # weights from elsewhere: nothing to take
    assert own.MODEL.YOLO.ANCHORS[0][0] == 10
    (tmp_path / CONFIG).write_text(fitted.dump())
    complete_fitted(own, tmp_path)
    assert own.MODEL.YOLO.ANCHORS == fitted.MODEL.YOLO.ANCHORS


def example(pixels, masks, class_ids):
    instances = Instances(pixels.shape)
    boxes = [
        (m.nonzero()[1].min(), m.nonzero()[0].min(), m.nonzero()[1].max() + 1, m.nonzero()[0].max() + 1) for m in masks
    ]
    instances.gt_boxes = Boxes(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4))
    instances.gt_classes = torch.tensor(class_ids, dtype=torch.int64)
    instances.gt_masks = BitMasks(torch.from_numpy(masks))
    return {"image": torch.from_numpy(np.repeat(pixels[None] * 255, 3, axis=0)), "instances": instances}
