"""``tools/prune.py`` as it is typed, and the command that it prints."""

import shlex

import pytest
import torch

from segtumor.commands import prune, train
from segtumor.config import load_config
from segtumor.models.build import create_model
from segtumor.models.weights import write_checkpoint
from segtumor.runs import find_run

pytestmark = pytest.mark.model

VGG = {
    "MODEL.BACKBONE.NAME": "build_vgg_fpn_backbone",
    "MODEL.VGG.DEPTH": 16,
    "MODEL.VGG.NORM": "BN",
    "MODEL.VGG.OUT_FEATURES": ["conv3", "conv4", "conv5", "pool5"],
    "MODEL.VGG.CHANNELS": [16] * 13,
    "MODEL.FPN.IN_FEATURES": ["conv3", "conv4", "conv5", "pool5"],
    "MODEL.CLASS_NAMES": ["benign", "malignant"],
    "SOLVER.MAX_ITER": 1,
    "TEST.EVAL_PERIOD": 0,
    "DATASETS.VALIDATION": [],
    "DATASETS.TEST": [],
}


@pytest.fixture
def vgg_run(tiny_config, tmp_path):
    """A folder as a training of a tiny VGG would leave it; a blank in its name."""
    folder = tmp_path / "my run"
    folder.mkdir()
    cfg = tiny_config(VGG)
    (folder / "config.yaml").write_text(cfg.dump())
    torch.manual_seed(0)
    write_checkpoint(folder / "model_final.pth", {"model": create_model(cfg).state_dict()})
    return folder


def test_the_command_printed_fine_tunes_what_was_written(vgg_run, phantoms, capsys):
    output = vgg_run.parent / "my pruned"
    assert prune.main(["--run", str(vgg_run), "--fraction", "0.5", "--output", str(output), "--fc-dim", "8"]) == 0
    text = capsys.readouterr().out
    assert "features.0" in text and "box_head.fc1" in text and "a starting point, not a result" in text
    (line,) = [line for line in text.splitlines() if "train_net.py" in line]
    assert train.main(shlex.split(line)[2:]) == 0
    config, weights = find_run(f"{output}_finetuned")
    assert load_config(config).MODEL.VGG.CHANNELS == [8] * 13 and weights.name == "model_final.pth"
    log = (weights.parent / "log.txt").read_text()
    assert " 0 newly initialised, 0 unused" in log


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--fraction", "1.5"], "above 0 and below 1"),
        (["--fraction", "0.5", "--multiple", "0"], "1 or more"),
        (["--fraction", "0.5", "--fc-dim", "100000"], "fully connected width"),
    ],
)
def test_a_value_out_of_range_is_named(tiny_config, tmp_path, more, message, capsys):
    (tmp_path / "config.yaml").write_text(tiny_config(VGG).dump())
    (tmp_path / "model_best.pth").touch()
    output = tmp_path / "pruned"
    assert prune.main(["--run", str(tmp_path), "--output", str(output), *more]) == 2
    assert message in capsys.readouterr().err and not output.exists()


def test_a_run_of_another_backbone_is_refused(tiny_config, tmp_path, capsys):
    (tmp_path / "config.yaml").write_text(tiny_config().dump())
    (tmp_path / "model_best.pth").touch()
    assert prune.main(["--run", str(tmp_path), "--fraction", "0.5", "--output", str(tmp_path / "pruned")]) == 2
    assert "got build_narrow_resnet_fpn_backbone" in capsys.readouterr().err


def test_a_folder_without_a_run_is_refused(tmp_path, capsys):
    assert prune.main(["--run", str(tmp_path), "--fraction", "0.5", "--output", str(tmp_path / "pruned")]) == 2
    assert "not a training run" in capsys.readouterr().err
