"""A Mask R-CNN with an image head: what it learns from, what it says, and that it changes nothing else."""

import json

import numpy as np
import pytest
import torch

from segtumor.commands import export, infer, train
from segtumor.models.build import create_model, predictor_from_config
from segtumor.models.classifiers.losses import image_loss
from segtumor.models.detectors.image_head import ImageHead
from segtumor.models.weights import read_checkpoint

pytestmark = pytest.mark.model

WITH_IMAGE_HEAD = {"MODEL.META_ARCHITECTURE": "ImageHeadRCNN"}


def test_the_head_by_hand():
    head = ImageHead(in_features=["a", "b"], channels=[1, 1], hidden=4, num_classes=1, dropout=0.5).eval()
    with torch.no_grad():
        head.layers[0].weight.copy_(torch.eye(4))
        head.layers[0].bias.zero_()
        head.layers[3].weight.copy_(torch.tensor([[1.0, 0, 0, 0], [0, 1, 10, 100]]))
        head.layers[3].bias.copy_(torch.tensor([0.5, 0.0]))
    pooled = head.pooled({"a": torch.tensor([[[[1.0, 3.0]]]]), "b": torch.tensor([[[[4.0], [6.0]]]])})
    assert pooled.tolist() == [[2, 3, 5, 6]]
    logits, unlikeness = head(pooled)
    assert logits.tolist() == [[2.5, 653.0]] and 0 <= unlikeness.item() < 1e-6


@pytest.mark.parametrize(
    ("classes", "expected"), [([0, 1], np.log(2)), ([0, -1], np.log(2)), ([-1, -1], 0.0), ([1, 1], np.log(2))]
)
def test_images_of_unknown_class_teach_nothing(classes, expected):
    logits = torch.zeros(2, 2, requires_grad=True)
    loss = image_loss(logits, torch.tensor(classes))
    loss.backward()
    assert loss.item() == pytest.approx(expected)
    assert [bool(row.any()) for row in logits.grad] == [class_id >= 0 for class_id in classes]


def test_findings_are_those_of_the_model_without_it(tiny_config):
    windows = [np.random.default_rng(0).random((64, 64), dtype=np.float32)]
    torch.manual_seed(0)
    plain = create_model(tiny_config()).eval()
    with_head = create_model(tiny_config(WITH_IMAGE_HEAD)).eval()
    with_head.load_state_dict(plain.state_dict(), strict=False)
    settings = {"MODEL.ROI_HEADS.SCORE_THRESH_TEST": 0.0}
    readings = [
        predictor_from_config(tiny_config({**settings, **more}), model, ("benign", "malignant")).read_windows(
            windows, [(64, 64)]
        )[0]
        for more, model in (({}, plain), (WITH_IMAGE_HEAD, with_head))
    ]
    assert readings[0].findings == readings[1].findings and readings[0].findings
    assert readings[0].image_probabilities is None
    assert sum(readings[1].image_probabilities) == pytest.approx(1, abs=1e-6)
    assert readings[1].class_scores.tolist() == list(readings[1].image_probabilities)


def test_fields_of_images_are_learnt_beside_boxes_and_masks(phantoms, tiny_config_file, tiny_options, tmp_path, caplog):
    settings = {
        **WITH_IMAGE_HEAD,
        "MODEL.AUXILIARY.TASKS": "[view, age_group]",
        "SOLVER.MAX_ITER": 2,
        "OUTPUT_DIR": tmp_path / "run",
    }
    assert train.main(["--config-file", str(tiny_config_file), *tiny_options(settings)]) == 0
    last = json.loads((tmp_path / "run" / "metrics.json").read_text().splitlines()[-1])
    assert min(last[f"loss_{name}"] for name in ("view", "age_group", "mask", "image")) > 0
    picture = str(next((phantoms / "images").iterdir()))
    paths = {"run": tmp_path / "run", "export": tmp_path / "export"}
    assert export.main(["--run", str(paths["run"]), "--format", "onnx", "--output", str(paths["export"])]) == 0
    assert "what the model has learnt of view, age_group is left out of the export" in caplog.text
    said = {}
    for name, path in paths.items():
        output = tmp_path / f"found_{name}"
        assert infer.main(["--run", str(path), "--input", picture, "--output", str(output), "--no-overlays"]) == 0
        (said[name],) = json.loads((output / "predictions.json").read_text())["images"]
    assert said["run"]["attributes"].keys() == {"view", "age_group"} and "attributes" not in said["export"]
    probabilities = [list(said[name]["image_probabilities"].values()) for name in paths]
    assert probabilities[1] == pytest.approx(probabilities[0], abs=1e-4)


def test_from_training_to_inference(phantoms, tiny_config_file, tiny_options, tmp_path):
    settings = {
        **WITH_IMAGE_HEAD,
        "SOLVER.BEST_METRIC": "image/accuracy",
        "SOLVER.MAX_ITER": 2,
        "OUTPUT_DIR": tmp_path / "run",
    }
    assert train.main(["--config-file", str(tiny_config_file), *tiny_options(settings)]) == 0
    last = json.loads((tmp_path / "run" / "metrics.json").read_text().splitlines()[-1])
    assert last["loss_image"] > 0 and 0 <= last["val/image_accuracy"] <= 1
    document = json.loads((tmp_path / "run" / "inference" / "phantoms_test" / "predictions.json").read_text())
    images = [str(phantoms / "images" / image["file_name"]) for image in document["images"]]
    run = str(tmp_path / "run")
    head = read_checkpoint(tmp_path / "run" / "model_best.pth")["model"]
    assert 0 < head["image_head.typicality.limit"] < 1e6  # fitted after training, and kept
    assert infer.main(["--run", run, "--output", str(tmp_path / "found"), "--no-overlays", "--input", *images]) == 0
    again = json.loads((tmp_path / "found" / "predictions.json").read_text())
    for image, expected in zip(again["images"], document["images"], strict=True):
        assert image["image_probabilities"] == pytest.approx(expected["image_probabilities"], abs=1e-6)
