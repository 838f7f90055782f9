"""Epochs as a unit, layers that thaw, a rate that falls when validation stands still, also in a resumed run."""

import json

import pytest
import torch
from torch import nn

from segtumor.commands import train
from segtumor.errors import ConfigError
from segtumor.training.optimization.schedules import Plateau, Thaw, set_epochs

pytestmark = pytest.mark.model


def model():
    return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 1))


class At:
    """A training at an iteration."""

    def __init__(self, iteration, validation=None, rate=0.1):
        self.iter, self.validation = iteration, validation
        self.scheduler = type("Scheduler", (), {"base_lrs": [rate, 2 * rate]})()


@pytest.mark.parametrize(
    ("n_images", "batch", "epochs", "iterations", "period"),
    [(100, 32, 25, 100, 4), (96, 32, 2, 6, 3), (1, 8, 3, 3, 1), (100, 32, 0, 40_000, 0)],
)
def test_epochs(tiny_config, n_images, batch, epochs, iterations, period):
    cfg = tiny_config({"SOLVER.IMS_PER_BATCH": batch, "SOLVER.EPOCHS": epochs, "SOLVER.MAX_ITER": 40_000})
    cfg.TEST.EVAL_PERIOD = 0
    set_epochs(cfg, n_images)
    assert (iterations, period) == (cfg.SOLVER.MAX_ITER, cfg.TEST.EVAL_PERIOD)


@pytest.mark.parametrize(("iterations", "warns"), [(40_000, False), (6, False), (7, True)])
def test_iterations_beside_epochs_have_no_effect_and_that_is_said(tiny_config, caplog, iterations, warns):
    cfg = tiny_config({"SOLVER.IMS_PER_BATCH": 32, "SOLVER.EPOCHS": 2, "SOLVER.MAX_ITER": iterations})
    set_epochs(cfg, 96)
    assert ("SOLVER.MAX_ITER 7 has no effect" in caplog.text) is warns


@pytest.mark.parametrize(
    ("iteration", "training"), [(0, {"2"}), (39, {"2"}), (40, {"2", "1"}), (79, {"2", "1"}), (80, {"2", "1", "0"})]
)
def test_layers_thaw_in_their_turn(iteration, training):
    network = model()
    thaw = Thaw(network, [(0.0, "2."), (0.4, "1."), (0.8, "")], max_iter=100)
    thaw.trainer = At(iteration)
    thaw.before_step()
    assert {name.split(".")[0] for name, p in network.named_parameters() if p.requires_grad} == training


def test_what_never_trains_does_not_thaw():
    network = model()
    network[0].requires_grad_(False)
    thaw = Thaw(network, [(0.0, "")], max_iter=10)
    thaw.trainer = At(5)
    thaw.before_step()
    assert not network[0].weight.requires_grad and network[1].weight.requires_grad


@pytest.mark.parametrize(
    ("stages", "message"),
    [([(0.0, "3.")], "no parameter begins so"), ([(0.1, "2.")], "nothing would train at first")],
)
def test_stages_that_cannot_be_meant(stages, message):
    with pytest.raises(ConfigError, match=message):
        Thaw(model(), stages, max_iter=10)


class Standing:
    """A validation at every second iteration that has not improved for as many times as ``counts`` say."""

    def __init__(self, counts):
        self._counts = dict(counts)

    def measured(self, done):
        self.without_improvement = self._counts.get(done, 0)
        return done % 2 == 0


def test_the_rate_falls_whenever_validation_has_stood_still():
    plateau = Plateau(patience=2, factor=0.5)
    plateau.trainer = training = At(0, Standing({2: 0, 4: 1, 6: 2, 8: 3, 10: 4, 12: 0, 14: 1}))
    plateau.before_train()
    rates = []
    for training.iter in range(14):
        plateau.after_step()
        rates.append(training.scheduler.base_lrs[0])
    assert rates == [0.1] * 5 + [0.05] * 4 + [0.025] * 5
    again = Plateau(patience=2, factor=0.5)
    again.load_state_dict(plateau.state_dict())
    again.trainer = At(14)
    again.before_train()
    assert again.trainer.scheduler.base_lrs == pytest.approx([0.025, 0.05])


def settings(folder, iterations):
    return {
        "OUTPUT_DIR": folder,
        "SOLVER.MAX_ITER": iterations,
        "SOLVER.PLATEAU_PATIENCE": 1,
        "SOLVER.GAMMA": 0.5,
        "SOLVER.LR_SCHEDULER_NAME": "WarmupMultiStepLR",
        "SOLVER.STEPS": "[]",
        "SOLVER.THAW": "[[0.0, 'roi_heads'], [0.5, '']]",
        "SOLVER.BEST_METRIC": "segm/AP50",  # 0 at each validation of a model that finds nothing: no improvement
        "SOLVER.CHECKPOINT_PERIOD": 2,
        "TEST.EVAL_PERIOD": 1,
    }


def rates(folder):
    return [json.loads(line)["lr"] for line in (folder / "metrics.json").read_text().splitlines()]


def test_a_resumed_run_goes_on_with_the_rate_and_the_layers_it_had(phantoms, tiny_options, tiny_config_file, tmp_path):
    def run(folder, iterations, *options):
        argv = ["--config-file", str(tiny_config_file), *options, *tiny_options(settings(folder, iterations))]
        assert train.main(argv) == 0

    run(tmp_path / "whole", 6)
    run(tmp_path / "parts", 4)
    run(tmp_path / "parts", 6, "--resume")
    whole, parts = (torch.load(tmp_path / name / "model_final.pth", weights_only=True) for name in ("whole", "parts"))
    assert whole["plateau"] == parts["plateau"] and whole["plateau"]["reductions"] >= 2
    rate = [part["optimizer"]["param_groups"][0]["lr"] for part in (whole, parts)]
    assert rate[0] == pytest.approx(rate[1]) and rate[0] < 0.001


def test_adam_is_torchs(tiny_config):
    from segtumor.training.optimization.optimizer import build_optimizer

    optimizer = build_optimizer(tiny_config({"SOLVER.OPTIMIZER": "ADAM"}), model())
    assert isinstance(optimizer, torch.optim.Adam) and not isinstance(optimizer, torch.optim.AdamW)


def test_a_plateau_needs_a_validation_set(phantoms, tiny_options, tiny_config_file, tmp_path, capsys):
    options = {"SOLVER.PLATEAU_PATIENCE": 1, "DATASETS.VALIDATION": "[]", "OUTPUT_DIR": tmp_path / "run"}
    assert train.main(["--config-file", str(tiny_config_file), *tiny_options(options)]) == 2
    assert "PLATEAU_PATIENCE" in capsys.readouterr().err
