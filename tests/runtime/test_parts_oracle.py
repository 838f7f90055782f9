"""Detectron2 and torchvision as second opinion on every part between the graphs."""

import numpy as np
import pytest
import torch
from detectron2.layers import batched_nms
from detectron2.layers.mask_ops import paste_masks_in_image
from detectron2.modeling.anchor_generator import DefaultAnchorGenerator
from detectron2.modeling.box_regression import Box2BoxTransform
from detectron2.modeling.poolers import assign_boxes_to_levels
from detectron2.modeling.proposal_generator.proposal_utils import find_top_rpn_proposals
from detectron2.modeling.roi_heads.fast_rcnn import fast_rcnn_inference
from detectron2.structures import Boxes
from torchvision.ops import nms

from segtumor.runtime.mask_rcnn.anchors import anchors_at, cell_anchors
from segtumor.runtime.mask_rcnn.box_coding import decode_boxes
from segtumor.runtime.mask_rcnn.detections import choose_detections
from segtumor.runtime.mask_rcnn.levels import box_levels
from segtumor.runtime.mask_rcnn.pasting import paste_mask
from segtumor.runtime.mask_rcnn.proposals import choose_proposals
from segtumor.runtime.mask_rcnn.suppression import suppress

pytestmark = pytest.mark.model

seeds = pytest.mark.parametrize("seed", range(4))


def random_boxes(rng, count, *, extent=200, mean_side=40):
    corners = rng.uniform(-10, extent, (count, 2))
    return np.concatenate([corners, corners + rng.exponential(mean_side, (count, 2))], axis=1).astype(np.float32)


def all_anchors(map_hw, *, cell, stride_px, offset):
    positions = np.arange(map_hw[0] * map_hw[1] * len(cell))
    return anchors_at(positions, cell=cell, map_width=map_hw[1], stride_px=stride_px, offset=offset)


@pytest.mark.parametrize("offset", [0.0, 0.3, 0.5])
@pytest.mark.parametrize(
    ("sizes", "ratios", "strides"),
    [
        ([[8, 11], [16, 23], [32, 45]], [[0.5, 1.0, 2.0]], [4, 8, 16]),
        ([[16, 32, 64, 128]], [[0.5, 1.0, 2.0]], [16]),
        ([[32], [64]], [[1.0], [0.3, 3.0]], [8, 32]),
    ],
)
def test_anchors(sizes, ratios, strides, offset):
    maps = [torch.zeros(1, 1, 13 - 3 * i, 17 - 4 * i) for i in range(len(strides))]
    generator = DefaultAnchorGenerator(sizes=sizes, aspect_ratios=ratios, strides=strides, offset=offset)
    ratios = ratios * len(strides) if len(ratios) == 1 else ratios
    for expected, size, ratio, stride, level in zip(generator(maps), sizes, ratios, strides, maps, strict=True):
        grid = all_anchors(level.shape[2:], cell=cell_anchors(size, ratio), stride_px=stride, offset=offset)
        assert np.allclose(grid, expected.tensor.numpy(), rtol=1e-6, atol=1e-5)
        if offset != 0.3:
            assert np.array_equal(grid, expected.tensor.numpy())


@seeds
@pytest.mark.parametrize("num_boxes", [1, 3])
def test_decoding(seed, num_boxes):
    rng = np.random.default_rng(seed)
    weights, boxes = (10.0, 10.0, 5.0, 5.0), random_boxes(rng, 50)
    deltas = (rng.normal(size=(50, 4 * num_boxes)) * 20).astype(np.float32)  # many beyond the limit of growth
    expected = Box2BoxTransform(weights).apply_deltas(torch.from_numpy(deltas), torch.from_numpy(boxes))
    assert np.allclose(decode_boxes(deltas, boxes, weights), expected.numpy(), rtol=1e-5, atol=1e-3)


@seeds
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.7])
def test_suppression(seed, threshold):
    rng = np.random.default_rng(seed)
    boxes, scores = random_boxes(rng, 400), rng.random(400).round(2).astype(np.float32)  # many ties
    tensors = torch.from_numpy(boxes), torch.from_numpy(scores)
    assert suppress(boxes, scores, iou_threshold=threshold).tolist() == nms(*tensors, threshold).tolist()


@pytest.mark.parametrize("threshold", [0.1, 0.25, 0.3, 0.5, 0.6, 0.7, 0.75, 0.9])
def test_suppression_at_the_threshold_itself(threshold):
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 5, (300, 2))
    boxes = np.concatenate([corners, corners + rng.integers(1, 11, (300, 2))], axis=1).astype(np.float32)
    scores = rng.random(300).astype(np.float32)
    expected = nms(torch.from_numpy(boxes), torch.from_numpy(scores), threshold)
    assert suppress(boxes, scores, iou_threshold=threshold).tolist() == expected.tolist()


@seeds
@pytest.mark.parametrize("count", [0, 1, 300, 1500])  # torchvision goes two ways, below and above 1,000
def test_suppression_in_groups(seed, count):
    rng = np.random.default_rng(seed)
    boxes, scores, groups = random_boxes(rng, count), rng.random(count, np.float32), rng.integers(0, 3, count)
    expected = batched_nms(*map(torch.from_numpy, (boxes, scores, groups)), 0.5)
    assert suppress(boxes, scores, groups=groups, iou_threshold=0.5).tolist() == expected.tolist()


def random_levels(rng, count, cells, strides, image_hw):
    """Maps of the proposal head, as NumPy; some values are not finite."""
    sizes = [(-(-image_hw[0] // stride), -(-image_hw[1] // stride)) for stride in strides]
    objectness = [rng.normal(size=(count, len(cells[0]), *size)).astype(np.float32) for size in sizes]
    deltas = [rng.normal(size=(count, 4 * len(cells[0]), *size)).astype(np.float32) for size in sizes]
    objectness[0][:, 0, 0, :3] = [np.nan, np.inf, -np.inf]
    deltas[0][:, 2, 1, :3] = [np.nan, np.inf, -np.inf]
    return objectness, deltas


def flat_levels(objectness, deltas):
    """The maps in the order of the anchors, as Detectron2's proposal generator lays them out."""
    logits = [torch.from_numpy(level).permute(0, 2, 3, 1).flatten(1) for level in objectness]
    offsets = [torch.from_numpy(level).unflatten(1, (-1, 4)).permute(0, 3, 4, 1, 2).flatten(1, 3) for level in deltas]
    return logits, offsets


@seeds
@pytest.mark.parametrize(("pre", "post"), [(30, 20), (2000, 1000)])
def test_proposals(seed, pre, post):
    rng, image_hw, strides, weights = np.random.default_rng(seed), (70, 93), (8, 16, 32), (1.0, 1.0, 1.0, 1.0)
    cells = [cell_anchors((size,), (0.5, 1, 2)) for size in (16, 32, 64)]
    objectness, deltas = random_levels(rng, 2, cells, strides, image_hw)
    logits, offsets = flat_levels(objectness, deltas)
    grids = [
        torch.from_numpy(all_anchors(level.shape[2:], cell=cell, stride_px=stride, offset=0.5))
        for level, cell, stride in zip(objectness, cells, strides, strict=True)
    ]
    decoded = [
        torch.stack([Box2BoxTransform(weights).apply_deltas(image, grid) for image in level])
        for level, grid in zip(offsets, grids, strict=True)
    ]
    expected = find_top_rpn_proposals(decoded, logits, [image_hw] * 2, 0.7, pre, post, 5.0, False)
    for index, instances in enumerate(expected):
        boxes, scores = choose_proposals(
            objectness=[level[index] for level in objectness],
            deltas=[level[index] for level in deltas],
            cells=cells,
            strides_px=strides,
            offset=0.5,
            box_weights=weights,
            image_hw=image_hw,
            pre_nms_topk=pre,
            post_nms_topk=post,
            nms_iou=0.7,
            min_box_size_px=5.0,
        )
        assert len(scores) > 10
        assert np.array_equal(scores, instances.objectness_logits.numpy())
        assert np.allclose(boxes, instances.proposal_boxes.tensor.numpy(), atol=1e-3)


@seeds
def test_levels(seed):
    rng = np.random.default_rng(seed)
    boxes = random_boxes(rng, 2000, mean_side=200)
    boxes[:50, 2:] = boxes[:50, :2]  # without extent
    expected = assign_boxes_to_levels([Boxes(torch.from_numpy(boxes))], 2, 5, 224, 4)
    levels = box_levels(boxes, strides_px=(4, 8, 16, 32), canonical_box_px=224, canonical_level=4)
    assert levels.tolist() == expected.tolist()


def test_levels_of_squares_at_the_limits():
    sides = np.array([1, 28, 56, 111.99, 112, 223.99, 224, 447.99, 448, 896], dtype=np.float32)
    boxes = np.stack([0 * sides, 0 * sides, sides, sides], axis=1)
    expected = assign_boxes_to_levels([Boxes(torch.from_numpy(boxes))], 3, 4, 224, 4)
    levels = box_levels(boxes, strides_px=(8, 16), canonical_box_px=224, canonical_level=4)
    assert levels.tolist() == expected.tolist()


@seeds
@pytest.mark.parametrize("num_boxes", [1, 3])
@pytest.mark.parametrize(("count", "limit"), [(60, 20), (60, -1), (900, 100), (1, 100), (0, 100)])
def test_detections(seed, num_boxes, count, limit):
    rng, image_hw = np.random.default_rng(seed), (150, 180)
    boxes = np.concatenate([random_boxes(rng, count) for _ in range(num_boxes)], axis=1)
    probabilities = rng.dirichlet([0.5] * 4, count).astype(np.float32).reshape(count, 4)
    boxes[3:4, 1], probabilities[5:6, 2] = np.inf, np.nan
    tensors = torch.from_numpy(boxes), torch.from_numpy(probabilities)
    ((expected,), _) = fast_rcnn_inference(*[[t] for t in tensors], [image_hw], 0.05, 0.5, limit)
    found = choose_detections(
        boxes=boxes,
        probabilities=probabilities,
        image_hw=image_hw,
        score_threshold=0.05,
        nms_iou=0.5,
        max_detections=limit,
    )
    assert np.array_equal(found.scores, expected.scores.numpy())
    assert np.array_equal(found.boxes, expected.pred_boxes.tensor.numpy())
    assert np.array_equal(found.class_ids, expected.pred_classes.numpy())
    assert np.array_equal(found.probabilities[np.arange(len(found)), found.class_ids], found.scores)


@seeds
@pytest.mark.parametrize("mean_side", [0.7, 5, 60, 800])
def test_pasting(seed, mean_side):
    rng, size_hw, mask_size = np.random.default_rng(seed), (230, 310), 28
    boxes = random_boxes(rng, 12, mean_side=mean_side)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], 0.2)  # Detectron2 fails on boxes wholly outside
    masks = (rng.random((12, mask_size, mask_size), np.float32) > 0.5) * rng.random((12, 1, 1), np.float32)
    masks[::2] = rng.random((6, mask_size, mask_size), np.float32)
    for mask, box, expected in zip(masks, boxes, paste(masks, boxes, size_hw, 0.5), strict=True):
        crop, top, left = paste_mask(mask, box, size_hw)
        image = np.zeros(size_hw, dtype=bool)
        image[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
        # Where a probability is within 1e-6 of 0.5, rounding decides: what is set at 0.5 + 1e-6 must be set here, and
        # nothing else may be but what is set at 0.5 - 1e-6.
        surely, perhaps = (paste(mask[None], box[None], size_hw, 0.5 + step)[0] for step in (1e-6, -1e-6))
        assert not (surely & ~image).any()
        assert not (image & ~perhaps).any()
        assert np.count_nonzero(image != expected) <= 2


def paste(masks, boxes, size_hw, threshold):
    return paste_masks_in_image(torch.from_numpy(masks), torch.from_numpy(boxes), size_hw, threshold).numpy()
