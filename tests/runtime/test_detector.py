"""The detector with graphs that answer what the test says; against Detectron2 in test_detector_oracle.py."""

import numpy as np
import pytest
from contracts import contract

from segtumor.errors import ModelError
from segtumor.runtime.breakdown import is_broken
from segtumor.runtime.inputs import model_images
from segtumor.runtime.mask_rcnn.detector import Detector, Maps
from segtumor.structures.masks import mask_from_rle

SURE = 20.0  # a logit whose probability is 1 in float32


class Graphs:
    """One good anchor per image, of 8 x 8 px at a cell of the level of stride 4; its class and a full mask.

    All others are moved out of the image. ``spoil`` may change what a graph returns: a function of the graph's name and
    its arrays.
    """

    def __init__(self, cells, class_id=1, num_masks=1, num_boxes=1, spoil=lambda graph, *arrays: None):
        self.cells, self.class_id, self.num_masks, self.num_boxes = cells, class_id, num_masks, num_boxes
        self.spoil = spoil
        self.calls = []

    def dense(self, images):
        self.images, (count, _, height, width) = images, images.shape
        objectness = [np.full((count, 1, height // s, width // s), -SURE, dtype=np.float32) for s in (4, 8)]
        deltas = [np.zeros((count, 4, height // s, width // s), dtype=np.float32) for s in (4, 8)]
        for level in deltas:
            level[:, 0] = 1000
        for index, cell in enumerate(self.cells):
            if cell is not None:
                objectness[0][index, 0, cell[0], cell[1]] = 1
                deltas[0][index, 0, cell[0], cell[1]] = 0
        self.features = (np.zeros((count, height // 4, width // 4, 2), dtype=np.float32),)
        self.spoil("features", *self.features)
        self.spoil("objectness", *objectness)
        self.spoil("deltas", *deltas)
        return Maps(self.features, tuple(objectness), tuple(deltas))

    def box_head(self, features, boxes):
        self.calls.append(("box_head", features, [b.tolist() for b in boxes]))
        count = sum(map(len, boxes))
        logits = np.zeros((count, 3), dtype=np.float32)
        logits[:, self.class_id] = SURE
        deltas = np.zeros((count, 4 * self.num_boxes), dtype=np.float32)
        self.spoil("class_logits", logits)
        self.spoil("box_deltas", deltas)
        return logits, deltas

    def mask_head(self, features, boxes):
        self.calls.append(("mask_head", features, [b.tolist() for b in boxes]))
        logits = np.full((sum(map(len, boxes)), self.num_masks, 4, 4), SURE, dtype=np.float32)
        self.spoil("mask_logits", logits)
        return logits


def window(height=16, width=24):
    return np.full((height, width), 0.5, dtype=np.float32)


def test_one_lesion_on_the_original_image():
    graphs = Graphs([(2, 3)])  # centre (14, 10) of 16 x 24
    ((finding,),) = Detector(graphs, contract()).detect([window()], [(32, 72)])
    assert finding.class_id == 1
    assert finding.score == pytest.approx(1)
    assert finding.box_xyxy == (30, 12, 54, 28)  # (10, 6, 18, 14), three times as wide and twice as high
    assert finding.probabilities == pytest.approx((0, 1), abs=1e-6)
    expected = np.zeros((32, 72), dtype=bool)
    expected[12:28, 30:54] = True
    expected[np.ix_((12, 27), (30, 31, 52, 53))] = False  # with zeros beyond the mask, corners are round
    assert np.array_equal(mask_from_rle(finding.rle), expected)
    assert type(finding.score) is float and type(finding.class_id) is int


def test_heads_get_each_box_on_its_map():
    graphs = Graphs([(2, 3)])
    Detector(graphs, contract()).detect([window()], [(16, 24)])
    boxes = [[[0, 10, 6, 18, 14]], []]
    assert [(name, found) for name, _, found in graphs.calls] == [("box_head", boxes), ("mask_head", boxes)]
    assert all(features is graphs.features for _, features, _ in graphs.calls)


def test_images_of_a_batch_keep_their_own_findings_and_one_may_have_none():
    graphs = Graphs([None, (0, 1), (3, 5)])
    found = Detector(graphs, contract()).detect([window()] * 3, [(16, 24), (16, 24), (32, 48)])
    assert [[finding.box_xyxy for finding in findings] for findings in found] == [
        [],
        [(2, 0, 10, 6)],
        [(36, 20, 48, 32)],
    ]
    assert graphs.calls[0][2][0] == [[1, 2, 0, 10, 6], [2, 18, 10, 24, 16]]


def test_nothing_found_calls_no_head():
    graphs = Graphs([None])
    assert Detector(graphs, contract()).detect([window()], [(16, 24)]) == [()]
    assert graphs.calls == []
    assert Detector(graphs, contract()).detect([], []) == []


def test_a_class_below_the_threshold_calls_no_mask_head():
    graphs = Graphs([(2, 3)], class_id=2)  # background
    assert Detector(graphs, contract()).detect([window()], [(16, 24)]) == [()]
    assert [name for name, *_ in graphs.calls] == ["box_head"]


def test_the_mask_of_the_class_is_taken():
    class Masks(Graphs):
        def mask_head(self, features, boxes):
            logits = super().mask_head(features, boxes)
            logits[:, 0] = -SURE
            return logits

    for class_id, area in ((0, 0), (1, 64)):
        specific = contract(regions={"class_agnostic_masks": False})
        graphs = Masks([(2, 3)], class_id=class_id, num_masks=2)
        ((finding,),) = Detector(graphs, specific).detect([window()], [(16, 24)])
        assert np.count_nonzero(mask_from_rle(finding.rle)) == area


#: What each output holds of the second of three images: of a region, the second row.
OUTPUTS = ("features", "objectness", "deltas", "class_logits", "box_deltas", "mask_logits")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e30])
@pytest.mark.parametrize("output", OUTPUTS)
def test_one_number_that_is_none_fails_its_image_and_no_neighbour(output, value):
    def spoil(graph, *arrays):
        if graph == output:
            arrays[-1][1].flat[-1] = value  # one number, of the last level where there are several

    cells, sizes = [(0, 1), (2, 3), (3, 5)], [(16, 24), (16, 24), (32, 48)]
    sound = Detector(Graphs(cells), contract()).detect([window()] * 3, sizes)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        first, broken, last = Detector(Graphs(cells, spoil=spoil), contract()).detect([window()] * 3, sizes)
    assert is_broken(broken) and "NaN or infinite" in str(broken)
    assert [first, last] == [sound[0], sound[2]] and len(sound[1]) == 1


@pytest.mark.parametrize("output", OUTPUTS)
def test_an_overflow_of_16_bit_floats_fails_its_image(output):
    class Half(Graphs):
        def dense(self, images):
            maps = super().dense(images)
            return Maps(*(tuple(a.astype(np.float16) for a in getattr(maps, name)) for name in MAPS))

    def spoil(graph, *arrays):
        if graph == output:
            arrays[0][0].flat[0] = 1e30 if graph in MAPS else np.inf

    with np.errstate(over="ignore"):
        (found,) = Detector(Half([(2, 3)], spoil=spoil), contract()).detect([window()], [(16, 24)])
    assert is_broken(found)


MAPS = ("features", "objectness", "deltas")


def test_an_image_without_proposals_is_normal_though_its_neighbour_is_broken():
    def spoil(graph, *arrays):
        if graph == "objectness":
            arrays[0][0] = np.nan

    graphs = Graphs([(2, 3), None], spoil=spoil)
    broken, normal = Detector(graphs, contract()).detect([window()] * 2, [(16, 24)] * 2)
    assert is_broken(broken) and normal == () and graphs.calls == []


@pytest.mark.parametrize("wrong", [{"num_masks": 2}, {"num_boxes": 2}])
def test_graphs_of_another_contract_are_refused(wrong):
    with pytest.raises(ModelError, match="do not fit its contract"):
        Detector(Graphs([(2, 3)], **wrong), contract()).detect([window()], [(16, 24)])


def test_images_are_normalised_by_channel_and_padded_with_zeros():
    gray = np.array([[0, 1, 0.5]], dtype=np.float32)
    images = model_images([gray], pixel_mean=(0, 55, 255), pixel_std=(1, 100, 255), size_divisibility=2)
    assert images.dtype == np.float32
    assert images.tolist() == [
        [
            [[0, 255, 127.5, 0], [0, 0, 0, 0]],
            [[pytest.approx(-0.55), 2, pytest.approx(0.725), 0], [0, 0, 0, 0]],
            [[-1, 0, -0.5, 0], [0, 0, 0, 0]],
        ]
    ]
    plain = model_images([gray], pixel_mean=(0,) * 3, pixel_std=(1,) * 3, size_divisibility=0)
    assert plain.shape == (1, 3, 1, 3)
