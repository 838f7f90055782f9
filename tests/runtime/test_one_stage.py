"""A one-stage detector's rows and prototypes to findings, small enough to check by eye."""

import numpy as np
import pytest
from contracts import contract as mask_rcnn_contract

from segtumor.errors import ModelError, NonFiniteOutputError
from segtumor.runtime.contract import OneStageContract, Selection
from segtumor.runtime.one_stage import NetworkOneStage, findings_of

SELECTION = Selection(score_threshold=0.1, nms_iou=0.5, max_detections=5)


def found(rows, prototypes=None, **changed):
    """Findings of a window of 8 x 16 px, padded to 16 x 16, of a radiograph of 16 x 32 px."""
    settings = {
        "window_hw": (8, 16),
        "padded_hw": (16, 16),
        "size_hw": (16, 32),
        "num_classes": 2,
        "selection": SELECTION,
    }
    rows = np.asarray(rows, dtype=np.float32)
    given = () if prototypes is None else (np.array(prototypes, dtype=np.float32),)
    return findings_of(rows, *given, **{**settings, **changed})


# Fractions of 16 px: a quarter is 4 px of the window and 8 px of the radiograph.
BOX = [0.25, 0.25, 0.5, 0.5]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[*BOX, 0.9, 0.0]], [(0, 0.9, (8, 8, 16, 16))]),
        ([[*BOX, 0.2, 0.6]], [(1, 0.6, (8, 8, 16, 16)), (0, 0.2, (8, 8, 16, 16))]),  # classes do not compete here
        ([[*BOX, 0.9, 0.0], [*BOX, 0.8, 0.0]], [(0, 0.9, (8, 8, 16, 16))]),  # suppressed
        ([[*BOX, 0.1, 0.1]], []),  # not above the threshold
        ([[0.5, 0.25, 1.5, 1.5, 0.5, 0.0]], [(0, 0.5, (16, 8, 32, 16))]),  # cut at the window, not at its padding
        ([[0.5, 0.6, 0.7, 0.9, 0.9, 0.0]], []),  # wholly in the padding below
        ([], []),
    ],
)
def test_boxes(rows, expected):
    rows = rows or np.zeros((0, 6))
    findings = found(rows)
    assert [(f.class_id, pytest.approx(f.score), pytest.approx(f.box_xyxy)) for f in findings] == expected
    assert all(f.rle is None and len(f.probabilities) == 2 for f in findings)


def test_a_mask_is_where_the_sum_of_prototypes_is_above_0_inside_the_box():
    prototypes = -np.ones((2, 4, 4))  # a cell is 4 px of the padded window, 8 px of the radiograph
    prototypes[0, :, :2] = 1  # the left half
    prototypes[1, :, 2:] = 1
    rows = [[0.0, 0.0, 1.0, 0.5, 0.9, 0, 1, 0], [0.25, 0.0, 1.0, 0.5, 0, 0.8, 0, 1]]
    left, right = found(rows, prototypes)
    expected = np.zeros((16, 32), dtype=bool)
    expected[:, :16] = True
    np.testing.assert_array_equal(left.mask, expected)
    np.testing.assert_array_equal(right.mask, ~expected)
    (nowhere,) = found([[*BOX, 0.9, 0, -1, -1]], np.ones((2, 4, 4)))
    assert not nowhere.mask.any() and nowhere.box_xyxy == (8, 8, 16, 16)


@pytest.mark.parametrize(("row", "column"), [(r, c) for r in range(2) for c in range(4)])
def test_a_mask_lies_where_its_prototype_does(row, column):
    prototypes = np.full((1, 4, 4), -1.0)
    prototypes[0, row, column] = 1
    (finding,) = found([[0, 0, 1, 1, 0.9, 0, 1]], prototypes)
    rows, columns = np.nonzero(finding.mask)
    assert (rows.mean() + 0.5, columns.mean() + 0.5) == (
        pytest.approx(8 * row + 4, abs=1.6),  # at an edge of the map, interpolation has one side only
        pytest.approx(8 * column + 4, abs=1.6),
    )


def test_what_is_not_finite_fails_the_radiograph():
    for bad in (np.nan, np.inf, 1e30):
        assert isinstance(found([[*BOX, 0.9, bad]]), NonFiniteOutputError)
        assert isinstance(found([[*BOX, 0.9, 0, 1]], np.full((1, 4, 4), bad)), NonFiniteOutputError)


def test_rows_of_another_shape_are_refused():
    with pytest.raises(ModelError, match=r"expected \(any, 7\)"):
        found([[*BOX, 0.9, 0.0]], np.ones((1, 4, 4)))


class Constant:
    """A network that answers the same of every image, and notes what it was given."""

    def __init__(self, *answers):
        self.answers = answers

    def answer(self, images):
        self.images = images
        return tuple(np.repeat(np.array(a, dtype=np.float32)[None], len(images), axis=0) for a in self.answers)


def test_windows_are_padded_as_the_contract_says():
    values = mask_rcnn_contract().as_dict()
    known = {name: values[name] for name in ("class_names", "confidence_threshold", "preprocessing", "postprocessing")}
    contract = OneStageContract.from_dict({**known, "selection": vars(SELECTION)}, "here")
    assert OneStageContract.from_dict(contract.as_dict(), "here") == contract
    network = Constant([[*BOX, 0.9, 0.0]])
    windows = [np.zeros((10, 12), dtype=np.float32)] * 2
    one, other = NetworkOneStage(network, contract).detect(windows, [(10, 12), (20, 24)])
    assert network.images.shape == (2, 3, 16, 16)
    assert (one[0].box_xyxy, other[0].box_xyxy) == ((4, 4, 8, 8), (8, 8, 16, 16))
    with pytest.raises(ModelError, match=r"selection\.nms_iou"):
        OneStageContract.from_dict({**known, "selection": {**vars(SELECTION), "nms_iou": 2}}, "here")
