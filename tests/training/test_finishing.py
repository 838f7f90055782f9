"""Weights that no training ends with, made a run: ``train_net.py --finish-only``."""

import json

import pytest
import torch

from segtumor.errors import ConfigError, ModelError
from segtumor.models.weight_average import average_weights
from segtumor.models.weights import read_checkpoint
from segtumor.training.finishing import finish_only
from segtumor.training.train import train

pytestmark = pytest.mark.model
_IMAGE_HEAD = {"MODEL.META_ARCHITECTURE": "ImageHeadRCNN"}


@pytest.fixture(scope="module")
def run(datasets_root, tmp_path_factory, tiny_config):
    """Folder of a finished training of a model that fits something after it."""
    folder = tmp_path_factory.mktemp("runs") / "image_head"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DETECTRON2_DATASETS", str(datasets_root))
        train(tiny_config({**_IMAGE_HEAD, "OUTPUT_DIR": folder}))
    return folder


@pytest.fixture
def finished(phantoms, tiny_config, run, tmp_path):
    """Folder of a run of the mean of the run's best weights and themselves, whose fitted part was spoilt."""
    checkpoint = read_checkpoint(run / "model_best.pth")
    spoilt = {n: t + 1.0 if ".typicality." in n else t for n, t in checkpoint["model"].items()}
    torch.save({**checkpoint, "model": spoilt}, tmp_path / "spoilt.pth")
    average_weights([run / "model_best.pth", tmp_path / "spoilt.pth"], tmp_path / "mean.pth")
    cfg = tiny_config({**_IMAGE_HEAD, "OUTPUT_DIR": tmp_path / "finished"})
    assert list(finish_only(cfg, init_from=tmp_path / "mean.pth")) == ["phantoms_test"]
    return tmp_path / "finished"


def test_what_is_fitted_after_training_is_fitted_again(finished, run, tmp_path):
    here, there = (read_checkpoint(folder / "model_best.pth")["model"] for folder in (finished, run))
    mean = read_checkpoint(tmp_path / "mean.pth")["model"]
    assert not torch.equal(mean["image_head.typicality.mean"], there["image_head.typicality.mean"])
    assert here.keys() == there.keys()
    for name, tensor in there.items():
        torch.testing.assert_close(here[name], tensor, rtol=1e-4, atol=1e-4, msg=name)


@pytest.mark.parametrize("file", ["operating_points.json", "inference/phantoms_test/metrics.json"])
def test_thresholds_and_numbers_are_those_of_the_training(finished, run, file):
    here, there = (json.loads((folder / file).read_text()) for folder in (finished, run))
    same = "points" if "points" in there else "estimates"
    assert here[same] == there[same]


def test_it_is_a_run_that_knows_what_its_weights_have_learnt_from(finished, run):
    here, there = (json.loads((folder / "run.json").read_text()) for folder in (finished, run))
    for key in ("training_data", "datasets", "seed"):
        assert here[key] == there[key]
    assert here["cases"]["train"] == there["cases"]["train"]
    assert "without a step of training" in (finished / "log.txt").read_text()


@pytest.mark.parametrize(
    ("settings", "weights", "error", "message"),
    [
        ({}, None, ConfigError, "--init-from"),
        ({}, "model_best.pth", ModelError, "image_head"),  # of a model without one
        ({"MODEL.META_ARCHITECTURE": "HogClassifier"}, "model_best.pth", ConfigError, "fitted at once"),
        (
            {"DATASETS.VALIDATION": ("phantoms_val", "phantoms_test")},
            "model_best.pth",
            ConfigError,
            "one validation set",
        ),
    ],
)
def test_what_cannot_be_finished(phantoms, tiny_config, run, tmp_path, settings, weights, error, message):
    cfg = tiny_config({**settings, "OUTPUT_DIR": tmp_path / "new"})
    with pytest.raises(error, match=message):
        finish_only(cfg, init_from=weights and run / weights)
    assert not (tmp_path / "new" / "config.yaml").exists()


def test_a_folder_with_a_run_is_not_replaced_unasked(phantoms, tiny_config, run, tmp_path):
    (tmp_path / "model_final.pth").touch()
    with pytest.raises(ConfigError, match="already holds a run"):
        finish_only(tiny_config({**_IMAGE_HEAD, "OUTPUT_DIR": tmp_path}), init_from=run / "model_best.pth")


def test_weights_are_not_read_from_the_run_that_they_would_replace(phantoms, tiny_config, run):
    cfg = tiny_config({**_IMAGE_HEAD, "OUTPUT_DIR": run})
    with pytest.raises(ConfigError, match="lie in the folder"):
        finish_only(cfg, init_from=run / "model_best.pth", overwrite=True)
    assert (run / "model_best.pth").is_file()
