"""Exports of detectors of boxes alone, Faster R-CNN and RetinaNet, and of a classifier that takes a table."""

import numpy as np
import pytest
import torch

from segtumor.errors import ConfigError, ModelError
from segtumor.export.export import export
from segtumor.inference.load import load_model, with_embedding
from segtumor.models.build import create_model, load_trained_model, predictor_from_config
from segtumor.models.kinds import kind_of, set_classes
from segtumor.models.weights import write_checkpoint
from segtumor.runtime.contract import Contract, OneStageContract, Selection, TableContract
from segtumor.runtime.differences import differences
from segtumor.runtime.exported import open_export
from segtumor.runtime.mask_rcnn.detections import choose_detections
from segtumor.runtime.predictor import Predictor
from segtumor.structures.readings import ABOUT_TABLE
from segtumor.tabular.encoder import fit_table, plans_of

pytestmark = pytest.mark.model

NAMES = ["benign", "malignant"]
FORMATS = ["torchscript", "onnx", "openvino"]
#: Scores of random weights are low: without a limit all the work after the graphs is compared.
SYSTEMS = {
    "faster_rcnn": {"MODEL.MASK_ON": False, "MODEL.ROI_HEADS.SCORE_THRESH_TEST": 0.0},
    "faster_rcnn_image_head": {
        "MODEL.META_ARCHITECTURE": "ImageHeadRCNN",
        "MODEL.MASK_ON": False,
        "MODEL.ROI_HEADS.SCORE_THRESH_TEST": 0.0,
    },
    "retinanet": {
        "MODEL.META_ARCHITECTURE": "RetinaNet",
        "MODEL.RETINANET.IN_FEATURES": "['p3', 'p4', 'p5', 'p6']",
        "MODEL.ANCHOR_GENERATOR.SIZES": "[[16], [32], [64], [128]]",
        "MODEL.RETINANET.SCORE_THRESH_TEST": 0.0,
    },
}


#: With random weights there, scores differ, and so it is clear which boxes are the best.
LAST_LAYERS = ("cls_score.weight", "bbox_pred.weight", "image_head.layers.3.weight")


def run_of(cfg, folder, *, spread=()):
    """A model with random weights, those of some layers widened so that scores differ, on disk for ``cfg``."""
    torch.manual_seed(3)
    set_classes(cfg, NAMES)
    model = create_model(cfg).eval()
    for name, parameter in model.named_parameters():
        if name.endswith(tuple(spread)):
            torch.nn.init.normal_(parameter, std=0.05)
    cfg.MODEL.WEIGHTS = str(folder / "model.pth")
    write_checkpoint(cfg.MODEL.WEIGHTS, {"model": model.state_dict(), "class_names": NAMES})
    return cfg


def both_readings(cfg, folder, pixels, contexts=None):
    """What the model of ``cfg`` and its export say of a picture."""
    found = open_export(folder)
    predictors = (
        predictor_from_config(cfg, load_trained_model(cfg)[0], NAMES),
        Predictor.from_contract(found.contract, found.model),
    )
    return [one.read_windows([one.window(pixels)], [pixels.shape], contexts)[0] for one in predictors]


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("kind", SYSTEMS)
def test_boxes_without_masks_are_those_of_detectron2(kind, format_name, tiny_config, tmp_path):
    cfg = run_of(tiny_config(SYSTEMS[kind]), tmp_path, spread=LAST_LAYERS)
    manifest = export(cfg, tmp_path / "exported", format_name=format_name)
    assert manifest["model_kind"] == kind == kind_of(cfg).name
    parity = manifest["parity"]
    assert parity["n_findings_reference"] > 10 and parity["n_unmatched_reference"] == parity["n_unmatched_other"] == 0
    assert parity["max_box_px"] < 0.01 and parity["max_score"] < 1e-4
    # Another shape than was traced, and one that is padded.
    first, second = both_readings(cfg, tmp_path / "exported", np.random.default_rng(1).random((70, 90), np.float32))
    measured = differences([first.findings], [second.findings])
    assert measured["n_findings_reference"] == measured["n_findings_other"] > 0
    assert measured["n_unmatched_reference"] == measured["n_unmatched_other"] == 0
    assert measured["max_box_px"] < 0.01 and measured["max_score"] < 1e-5
    assert all(finding.rle is None for finding in (*first.findings, *second.findings))
    assert (second.image_probabilities is None) == ("image_head" not in kind)
    if second.image_probabilities is not None:
        assert second.image_probabilities == pytest.approx(first.image_probabilities, abs=1e-5)


def test_their_contracts_are_read_as_written(tiny_config, tmp_path):
    for kind, reader in (("faster_rcnn", Contract), ("retinanet", OneStageContract)):
        folder = tmp_path / kind
        folder.mkdir()
        export(run_of(tiny_config(SYSTEMS[kind]), folder, spread=LAST_LAYERS), folder / "exported", format_name="onnx")
        contract = open_export(folder / "exported").contract
        assert reader.from_dict(contract.as_dict(), "here") == contract
        if kind == "faster_rcnn":
            assert contract.regions.mask_pooling is None
            files = {path.name for path in (folder / "exported").iterdir()}
            assert files == {"export.json", "dense.onnx", "box_head.onnx"}
        else:
            assert contract.selection == Selection(0.0, 0.5, 20, cut_first=False)


def test_boxes_beyond_the_border_are_compared_as_the_model_compares_them():
    """Two boxes that are one inside the picture, and hardly overlap outside it: RetinaNet keeps both."""
    boxes = np.array([[-90, 0, 10, 10], [0, 0, 10, 10]], np.float32)
    settings = {"image_hw": (10, 10), "score_threshold": 0.1, "nms_iou": 0.5, "max_detections": 5}
    probabilities = np.array([[0.9, 0], [0.8, 0]], np.float32)
    kept = [
        choose_detections(boxes=boxes, probabilities=probabilities, cut_first=cut_first, **settings)
        for cut_first in (True, False)
    ]
    assert [len(one) for one in kept] == [1, 2]
    assert kept[1].boxes.tolist() == [[0, 0, 10, 10], [0, 0, 10, 10]]


COLUMNS = [["age", "zscore", "median"], ["sex", "onehot"]]
ROWS = [{"age": 10, "sex": "F"}, {"age": 20, "sex": "M"}, {"age": 60, "sex": "M"}, {"age": 40, "sex": "F"}]
CONTEXTS = [{}, {"age": 12, "sex": "F"}, {"age": 50, "sex": "M"}, {"age": 500, "sex": "unheard of"}]


def table_config(tiny_config):
    cfg = tiny_config(
        {
            "MODEL.META_ARCHITECTURE": "ImageClassifier",
            "MODEL.CLASSIFIER.NAME": "shufflenet_v2_x0_5",
            "MODEL.CLINICAL.COLUMNS": COLUMNS,
        }
    )
    plans = plans_of(COLUMNS, where="here")
    cfg.MODEL.CLINICAL.FITTED = fit_table(plans, ROWS, [False, True, True, False], [0, 1, 2, 3]).as_dicts()
    return cfg


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_classifier_with_a_table_takes_it_when_exported(format_name, tiny_config, tmp_path):
    cfg = run_of(table_config(tiny_config), tmp_path, spread=("head.weight", "table.layers.0.weight"))
    manifest = export(cfg, tmp_path / "exported", format_name=format_name)
    assert manifest["model_kind"] == "table_classifier" and manifest["parity"]["max_probability"] < 1e-4
    model = open_export(tmp_path / "exported").model
    assert model.context_columns == ("age", "sex")
    pixels, said = np.random.default_rng(1).random((64, 96), dtype=np.float32), []
    for context in CONTEXTS:
        own, other = both_readings(cfg, tmp_path / "exported", pixels, [context])
        assert other.image_probabilities == pytest.approx(own.image_probabilities, abs=1e-5)
        assert other.notes == own.notes and own.has_note(ABOUT_TABLE) is (len(context) == 0 or context["age"] == 500)
        said.append(other.image_probabilities)
    assert len({round(row[0], 5) for row in said}) > 2  # the table matters


def test_columns_that_training_did_not_write_are_refused(tiny_config, tmp_path):
    export(run_of(table_config(tiny_config), tmp_path), tmp_path / "exported", format_name="onnx")
    contract = open_export(tmp_path / "exported").contract
    assert TableContract.from_dict(contract.as_dict(), "here") == contract
    for wrong in ([{"name": "age"}], "age", None):
        with pytest.raises(ModelError, match="columns"):
            TableContract.from_dict({**contract.as_dict(), "columns": wrong}, "here")


def test_eight_bits_of_a_classifier_with_a_table(tiny_config, tmp_path):
    from PIL import Image

    (tmp_path / "pictures").mkdir()
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 255, (3, 64, 64), dtype=np.uint8)):
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{number}.png")
    cfg = run_of(table_config(tiny_config), tmp_path, spread=("head.weight", "table.layers.0.weight"))
    options = {"precision": "int8", "calibration": [tmp_path / "pictures"]}
    parity = export(cfg, tmp_path / "exported", format_name="onnx", **options)["parity"]
    assert 0 < parity["mean_probability"] <= parity["max_probability"] < 0.2
    pixels = np.random.default_rng(1).random((64, 64), dtype=np.float32)
    said = [both_readings(cfg, tmp_path / "exported", pixels, [c])[1].image_probabilities for c in CONTEXTS[:2]]
    assert said[0] != said[1]


def test_an_export_with_a_table_gives_no_embedding(tiny_config, tmp_path):
    export(run_of(table_config(tiny_config), tmp_path), tmp_path / "exported", format_name="onnx")
    with pytest.raises(ConfigError, match="gives no embedding"):
        with_embedding(load_model(run=tmp_path / "exported"))
