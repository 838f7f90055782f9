import json
from pathlib import Path

import pytest
import torch
import yaml
from repository import ROOT

from segtumor.config import load_config
from segtumor.errors import ConfigError, ModelError
from segtumor.export.pruning.runs import prune_run
from segtumor.files import sha256_of_file
from segtumor.models.build import create_model
from segtumor.models.weights import load_weights, write_checkpoint
from segtumor.runs import find_run
from segtumor.training.run_folder import check_run_folder

pytestmark = pytest.mark.model

CONFIGS = ROOT / "configs"
SETTINGS = {
    "MODEL.VGG.DEPTH": 16,
    "MODEL.VGG.CHANNELS": [8] * 13,
    "MODEL.FPN.OUT_CHANNELS": 8,
    "MODEL.ROI_BOX_HEAD.FC_DIM": 12,
    "MODEL.ROI_MASK_HEAD.CONV_DIM": 8,
    "MODEL.WEIGHTS": "start.pth",
    "MODEL.CLASS_NAMES": ["benign", "malignant"],
    "SEED": 7,
}


def config(name, settings=()):
    pairs = {**SETTINGS, **dict(settings)}.items()
    return load_config(CONFIGS / f"{name}.yaml", [str(text) for pair in pairs for text in pair])


@pytest.fixture
def trained(tmp_path):
    """Function of a configuration's name and settings -> configuration, and weights as a training would leave them."""

    def trained(name="mask_rcnn_VGG19_BN_FPN", settings=()):
        cfg, path = config(name, settings), tmp_path / "model_best.pth"
        state = create_model(cfg).state_dict()
        generator = torch.Generator().manual_seed(0)
        for tensor in state.values():  # scales of normalisation are all 1 before a training
            if tensor.is_floating_point():
                tensor.uniform_(generator=generator)
        write_checkpoint(path, {"model": state, "class_names": ["benign", "malignant"]})
        return cfg, path

    return trained


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("fast_mask_rcnn_VGG19", "layer"),
        ("fast_mask_rcnn_VGG19", "global"),
        ("mask_rcnn_VGG19_FPN", "layer"),
        ("mask_rcnn_VGG19_BN_FPN", "global"),
    ],
)
def test_what_is_written_fits_together(trained, tmp_path, name, scope):
    cfg, weights = trained(name)
    output = tmp_path / "pruned"
    report = prune_run(cfg, weights, output, fraction=0.5, scope=scope, multiple=2, fc_dim=5)
    assert {path.name for path in output.iterdir()} == {"config.yaml", "model_pruned.pth", "pruning.json"}
    written = load_config(output / "config.yaml")
    model = create_model(written)
    load_weights(model, output / "model_pruned.pth", strict=True, class_names=["benign", "malignant"])
    after = [entry["after"] for entry in report["layers"]]
    assert after == [*written.MODEL.VGG.CHANNELS, 5, 5]
    assert all(count % 2 == 0 for count in after[:13]) and sum(after[:13]) < 13 * 8
    assert scope == "global" or after[:13] == [4] * 13
    assert report["model_parameters"]["after"] == sum(p.numel() for p in model.parameters())


def test_the_report_says_what_was_done_to_what(trained, tmp_path):
    cfg, weights = trained()
    report = prune_run(cfg, weights, tmp_path / "pruned", fraction=0.5, multiple=4)
    assert json.loads((tmp_path / "pruned" / "pruning.json").read_text()) == report
    assert report["source"] == {"weights": "model_best.pth", "weights_sha256": sha256_of_file(weights)}
    assert report["settings"] == {"fraction": 0.5, "scope": "layer", "multiple": 4, "fc_dim": None}
    assert report["layers"][0] == {"name": "features.0", "before": 8, "after": 4} and len(report["layers"]) == 13
    assert "batch normalisation" in report["importance"]
    side = cfg.INPUT.MIN_SIZE_TEST
    first = side * side * 9 * 3
    assert report["backbone"]["macs"]["before"] - report["backbone"]["macs"]["after"] > first * 4
    assert report["backbone"]["image_size_hw"] == [side, side]


def test_the_rest_of_the_configuration_stays_and_the_one_given_too(trained, tmp_path):
    cfg, weights = trained()
    before = cfg.dump()
    prune_run(cfg, weights, tmp_path / "pruned", fraction=0.5, multiple=1)
    assert cfg.dump() == before
    written = load_config(tmp_path / "pruned" / "config.yaml")
    assert written.MODEL.WEIGHTS == ""
    assert Path(written.OUTPUT_DIR) == tmp_path / "pruned_finetuned"
    written.MODEL.WEIGHTS, written.OUTPUT_DIR, written.MODEL.VGG.CHANNELS = "start.pth", cfg.OUTPUT_DIR, [8] * 13
    assert yaml.safe_load(written.dump()) == yaml.safe_load(before)  # YAML does not tell tuples from lists


def test_a_pruned_model_can_be_pruned_again(trained, tmp_path):
    cfg, weights = trained("fast_mask_rcnn_VGG19")
    prune_run(cfg, weights, tmp_path / "once", fraction=0.5, multiple=1)
    once = load_config(tmp_path / "once" / "config.yaml")
    report = prune_run(once, tmp_path / "once" / "model_pruned.pth", tmp_path / "twice", fraction=0.5, multiple=1)
    assert {(entry["before"], entry["after"]) for entry in report["layers"]} == {(4, 2)}


def test_the_result_is_no_finished_run_and_is_not_trained_over(trained, tmp_path):
    cfg, weights = trained()
    prune_run(cfg, weights, tmp_path / "pruned", fraction=0.5, multiple=4)
    with pytest.raises(ConfigError, match="no weights yet"):
        find_run(tmp_path / "pruned")
    with pytest.raises(ConfigError, match="already holds a run"):
        check_run_folder(tmp_path / "pruned", resume=False, overwrite=False)


@pytest.mark.parametrize(
    ("settings", "arguments", "message"),
    [
        ({"MODEL.BACKBONE.NAME": "build_resnet_fpn_backbone"}, {}, "got build_resnet_fpn_backbone"),
        ({"MODEL.VGG.NORM": "GN"}, {}, "group normalisation"),
        ({}, {"fraction": 0.0}, "above 0 and below 1"),
        ({}, {"fraction": 1.0}, "above 0 and below 1"),
        ({}, {"fraction": float("nan")}, "above 0 and below 1"),
        ({}, {"multiple": 0}, "1 or more"),
        ({}, {"scope": "stage"}, "layer or global"),
        ({}, {"fc_dim": 12}, "1 to 11"),
        ({}, {"fc_dim": 0}, "1 to 11"),
    ],
)
def test_what_cannot_be_pruned_is_refused_before_anything_is_read(tmp_path, settings, arguments, message):
    with pytest.raises(ConfigError, match=message):
        prune_run(
            config("mask_rcnn_VGG19_FPN", settings),
            tmp_path / "none.pth",
            tmp_path / "pruned",
            **{"fraction": 0.5, **arguments},
        )
    assert not (tmp_path / "pruned").exists()


def test_heads_on_maps_of_several_stages_are_refused(trained, tmp_path):
    more = {"MODEL.VGG.OUT_FEATURES": ["conv4", "conv5"], "MODEL.ROI_HEADS.IN_FEATURES": ["conv4"]}
    cfg, weights = trained("fast_mask_rcnn_VGG19", more)
    with pytest.raises(ConfigError, match="conv4, conv5"):
        prune_run(cfg, weights, tmp_path / "pruned", fraction=0.5)


def test_weights_of_another_model_are_refused(trained, tmp_path):
    _, weights = trained("mask_rcnn_VGG19_FPN")
    with pytest.raises(ModelError, match="do not fit"):
        prune_run(config("mask_rcnn_VGG19_BN_FPN"), weights, tmp_path / "pruned", fraction=0.5)
    assert not (tmp_path / "pruned").exists()


def test_a_folder_that_holds_something_is_left_alone(trained, tmp_path):
    cfg, weights = trained()
    (tmp_path / "pruned").mkdir()
    (tmp_path / "pruned" / "thesis.txt").touch()
    with pytest.raises(ConfigError, match="already holds something"):
        prune_run(cfg, weights, tmp_path / "pruned", fraction=0.5)
    assert [path.name for path in (tmp_path / "pruned").iterdir()] == ["thesis.txt"]


def test_settings_that_remove_nothing_are_refused(trained, tmp_path):
    cfg, weights = trained()
    with pytest.raises(ConfigError, match="no channel would go"):
        prune_run(cfg, weights, tmp_path / "pruned", fraction=0.5, multiple=8)
    assert not (tmp_path / "pruned").exists()
