"""Contracts to JSON and back, and every way in which a file can be wrong."""

import json

import pytest
from contracts import contract
from documents import GONE, changed

from segtumor.errors import ModelError
from segtumor.runtime.contract import Contract

VALUES = contract().as_dict()


def test_a_contract_survives_json():
    assert Contract.from_dict(json.loads(json.dumps(VALUES)), "export.json") == contract()


def test_an_export_from_before_there_were_squares_is_read():
    values = contract().as_dict()
    del values["preprocessing"]["square"]
    assert Contract.from_dict(values, "x") == contract()


def test_whole_numbers_will_do_for_others():
    assert Contract.from_dict(json.loads(json.dumps(VALUES).replace("100.0", "100")), "export.json") == contract()


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("proposals", GONE, "proposals is missing"),
        ("regions.nms_iou", GONE, "regions.nms_iou is missing"),
        ("postprocessing.fill_holes", GONE, "postprocessing.fill_holes is missing"),
        ("regions.colour", 3, "regions.colour is unknown"),
        ("anchors", [1], "anchors is not right"),
        ("class_names", [], "class_names is not right"),
        ("class_names", ["benign", ""], "class_names[1] is not right"),
        ("class_names", ["benign", "benign"], "class_names is not right"),
        ("confidence_threshold", 1.5, "confidence_threshold is not right"),
        ("confidence_threshold", float("nan"), "confidence_threshold is not right"),
        ("preprocessing.short_edge_px", 64.5, "preprocessing.short_edge_px is not right"),
        ("preprocessing.short_edge_px", True, "preprocessing.short_edge_px is not right"),
        ("preprocessing.short_edge_px", 0, "preprocessing.short_edge_px is not right"),
        ("preprocessing.pixel_std", [1, 2], "preprocessing.pixel_std is not right"),
        ("preprocessing.pixel_std", [1, 0, 1], "preprocessing.pixel_std[1] is not right"),
        ("preprocessing.window_percentiles", [99, 1], "preprocessing.window_percentiles is not right"),
        ("anchors.sizes_px", [[8], []], "anchors.sizes_px[1] is not right"),
        ("anchors.sizes_px", [[8]], "anchors is not right"),
        ("anchors.offset", 1, "anchors.offset is not right"),
        ("proposals.nms_iou", "0.7", "proposals.nms_iou is not right"),
        pytest.param("proposals.post_nms_topk", 10**400, "proposals.post_nms_topk is not right", id="huge"),
        ("regions.strides_px", [4, 16], "regions.strides_px is not right"),
        ("regions.strides_px", [6, 12], "regions.strides_px is not right"),
        ("regions.class_agnostic_masks", 1, "regions.class_agnostic_masks is not right"),
        ("postprocessing.min_score", 2, "postprocessing.min_score is not right"),
        ("postprocessing", None, "postprocessing is not right"),
    ],
)
def test_the_first_wrong_field_is_named(path, value, named):
    with pytest.raises(ModelError) as caught:
        Contract.from_dict(changed(VALUES, path.split("."), value), "here/export.json")
    assert str(caught.value).startswith("here/export.json: ")
    assert named in str(caught.value)


@pytest.mark.parametrize("values", [None, [], "contract", 3])
def test_what_is_no_contract_at_all(values):
    with pytest.raises(ModelError, match="as a whole is not right"):
        Contract.from_dict(values, "export.json")
