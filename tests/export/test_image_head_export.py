"""A model with an image head, exported: the same findings and image probabilities in every runtime."""

import json

import numpy as np
import pytest
import torch

from segtumor.errors import ConfigError, ModelError
from segtumor.export.export import export
from segtumor.models.build import create_model, predictor_from_config
from segtumor.models.exported_weights import weights_of_graph
from segtumor.models.weights import load_weights, read_checkpoint, write_checkpoint
from segtumor.runtime.exported import open_export
from segtumor.runtime.mask_rcnn.image_head import pooled_maps
from segtumor.runtime.predictor import Predictor
from segtumor.shipped.registry import starting_weights
from segtumor.structures.readings import UNLIKE_TRAINING

pytestmark = pytest.mark.model

NAMES = ["benign", "malignant"]
SETTINGS = {"MODEL.META_ARCHITECTURE": "ImageHeadRCNN", "MODEL.ROI_HEADS.SCORE_THRESH_TEST": 0.0}


def test_maps_are_pooled_by_hand():
    first, second = np.array([[[[1.0, 7], [3, 5]]]], np.float32), np.array([[[[-2.0]], [[4]]]], np.float32)
    assert pooled_maps([first, second]).tolist() == [[2, 6, 3, 7, 1, 4]]


@pytest.mark.parametrize("format_name", ["onnx", "openvino", "torchscript"])
def test_it_answers_as_the_model_does(tiny_config, tmp_path, format_name):
    torch.manual_seed(3)
    cfg = tiny_config(SETTINGS)
    cfg.MODEL.CLASS_NAMES = NAMES
    model = create_model(cfg).eval()
    torch.nn.init.normal_(model.image_head.layers[3].weight, std=1.0)
    model.image_head.typicality.limit.fill_(1e-3)
    cfg.MODEL.WEIGHTS = str(tmp_path / "model.pth")
    write_checkpoint(cfg.MODEL.WEIGHTS, {"model": model.state_dict(), "class_names": NAMES})
    manifest = export(cfg, tmp_path / "exported", format_name=format_name)
    assert manifest["model_kind"] == "mask_rcnn_image_head" and 0 <= manifest["parity"]["max_image_probability"] < 1e-4
    found = open_export(tmp_path / "exported")
    pixels = np.random.default_rng(1).random((64, 96), dtype=np.float32)
    readings = [
        predictor.read_windows([predictor.window(pixels)], [pixels.shape])[0]
        for predictor in (
            predictor_from_config(cfg, model, NAMES),
            Predictor.from_contract(found.contract, found.model),
        )
    ]
    first, second = (reading.image_probabilities for reading in readings)
    assert second == pytest.approx(first, abs=1e-5) and sum(second) == pytest.approx(1)
    assert [reading.has_note(UNLIKE_TRAINING) for reading in readings] == [True, True]
    assert len(readings[0].findings) == len(readings[1].findings) > 0
    assert [reading.marks_lesions for reading in readings] == [True, True]  # so that evaluation sees no classifier
    assert json.loads((tmp_path / "exported" / "export.json").read_text())["model_kind"] == "mask_rcnn_image_head"


@pytest.mark.parametrize("format_name", ["onnx", "openvino"])
def test_weights_in_16_bits_take_half_the_place(tiny_config, tmp_path, format_name):
    torch.manual_seed(3)
    cfg = tiny_config(SETTINGS)
    cfg.MODEL.CLASS_NAMES = NAMES
    cfg.MODEL.WEIGHTS = str(tmp_path / "model.pth")
    write_checkpoint(cfg.MODEL.WEIGHTS, {"model": create_model(cfg).state_dict(), "class_names": NAMES})
    whole, half = (
        export(cfg, tmp_path / precision, format_name=format_name, precision=precision)
        for precision in ("float32", "float16")
    )
    sizes = [sum(file["bytes"] for file in manifest["files"].values()) for manifest in (whole, half)]
    assert sizes[1] < 0.75 * sizes[0]  # the rest is the description of the graphs, large beside so few weights
    assert half["precision"] == "float16"
    assert 0 < half["parity"]["max_image_probability"] < 0.01


def saved(cfg, folder):
    """A fresh model for NAMES, its weights in a file that the configuration names."""
    torch.manual_seed(3)
    cfg.MODEL.CLASS_NAMES = NAMES
    cfg.MODEL.WEIGHTS = str(folder / "model.pth")
    model = create_model(cfg).eval()
    write_checkpoint(cfg.MODEL.WEIGHTS, {"model": model.state_dict(), "class_names": NAMES})
    return model


@pytest.mark.parametrize(
    "settings", [SETTINGS, {}, {"MODEL.BACKBONE.NAME": "build_efficientnet_lite_fpn_backbone", "MODEL.FPN.NORM": "BN"}]
)
def test_a_training_can_start_from_an_export_in_16_bits(tiny_config, tmp_path, settings):
    cfg = tiny_config(settings)
    expected = saved(cfg, tmp_path).state_dict()
    export(cfg, tmp_path / "half", format_name="onnx", precision="float16")
    found = read_checkpoint(starting_weights(tmp_path / "half"))
    assert found["class_names"] == NAMES and found["model"].keys() == expected.keys()
    for name, values in found["model"].items():
        assert values.shape == expected[name].shape
        assert torch.allclose(values.float(), expected[name].float(), rtol=2**-10, atol=1e-7), name
    report = load_weights(create_model(cfg), tmp_path / "half" / "export.json", strict=True)
    assert len(report.loaded) == len(expected)


def test_an_export_of_folded_weights_is_nothing_to_start_from(tiny_config, tmp_path):
    cfg = tiny_config(SETTINGS)
    saved(cfg, tmp_path)
    export(cfg, tmp_path / "whole", format_name="onnx")
    with pytest.raises(ModelError, match="holds no weights to train from"):
        read_checkpoint(starting_weights(tmp_path / "whole"))


def test_an_export_with_an_image_head_can_be_replaced(tiny_config, tmp_path):
    cfg = tiny_config(SETTINGS)
    saved(cfg, tmp_path)
    for _ in range(2):
        export(cfg, tmp_path / "exported", format_name="onnx", overwrite=True)


def test_weights_beyond_16_bits_are_refused(tiny_config, tmp_path):
    cfg = tiny_config(SETTINGS)
    cfg.MODEL.CLASS_NAMES = NAMES
    cfg.MODEL.WEIGHTS = str(tmp_path / "model.pth")
    model = create_model(cfg)
    model.image_head.layers[3].weight.data[0, 0] = 1e5
    write_checkpoint(cfg.MODEL.WEIGHTS, {"model": model.state_dict(), "class_names": NAMES})
    with pytest.raises(ConfigError, match="weights that 16 bits cannot"):
        export(cfg, tmp_path / "exported", format_name="onnx", precision="float16")
    assert not (tmp_path / "exported").exists()


def test_a_graph_of_another_kind_of_model_holds_no_weights_that_are_known(tiny_config, tmp_path):
    cfg = tiny_config(SETTINGS)
    saved(cfg, tmp_path)
    export(cfg, tmp_path / "half", format_name="onnx", precision="float16")
    graph = next((tmp_path / "half").glob("box_head.onnx"))
    assert weights_of_graph(graph) and weights_of_graph(graph.rename(graph.with_name("unheard_of.onnx"))) == {}
