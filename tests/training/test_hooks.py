"""Best model and early stopping, driven by made-up validation results."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from segtumor.errors import ConfigError
from segtumor.models.weights import read_checkpoint
from segtumor.training.checkpoints.checkpoint import Checkpointer
from segtumor.training.hooks import METRICS, Validation
from segtumor.training.trainer import Trainer

pytestmark = pytest.mark.model

NAN = float("nan")


def validation(values, *, metric="dice", patience=0, period=1):
    """A Validation whose measurements are ``values``, one after another."""
    hook = Validation(
        period=period,
        dataset=None,
        predictor=None,
        loss_batches=None,
        best_metric=metric,
        patience=patience,
        batch_size=1,
        max_pixels=1,
        score_threshold=0.5,
        iou_threshold=0.5,
        seed=0,
    )
    upcoming = iter(values)
    hook._values = lambda done: {**dict.fromkeys([*METRICS, "loss"], 0.0), metric: next(upcoming)}
    return hook


class Run:
    """Stands in for a trainer: counts iterations, notes what is stored, which models are kept and why it stops."""

    def __init__(self, hook, max_iter):
        self.max_iter, self.kept, self.stored, self.reason = max_iter, [], [], None
        self.validated_model = None
        self.storage = SimpleNamespace(put_scalars=lambda **values: self.stored.append(values))
        self.checkpointer = SimpleNamespace(save_weights=lambda name, **values: self.kept.append((name, values)))
        hook.trainer = self
        for self.iter in range(max_iter):
            hook.after_step()
            if self.reason:
                break

    def stop(self, reason):
        self.reason = reason

    @property
    def best_iterations(self):
        return [values["iteration"] for _, values in self.kept]


@pytest.mark.parametrize(
    ("metric", "values", "patience", "best_iterations", "stops_at"),
    [
        ("dice", [0.1, 0.5, 0.4, 0.6], 0, [0, 1, 3], None),
        ("dice", [0.1, 0.5, 0.4, 0.3, 0.9], 2, [0, 1], 3),
        ("dice", [0.1, 0.1, 0.1, 0.1], 3, [0], 3),  # equal is no improvement
        ("dice", [0.5, 0.4, 0.6, 0.5, 0.7], 2, [0, 2, 4], None),  # an improvement starts the count again
        ("loss", [2.0, 1.0, 1.5, 0.5], 0, [0, 1, 3], None),  # of a loss, less is better
        ("loss", [1.0, 2.0, 3.0], 1, [0], 1),
        ("segm/AP50", [50.0, NAN, 60.0], 2, [0, 2], None),  # undefined is no improvement
        ("dice", [0.5, NAN, NAN, 0.9], 2, [0], 2),
        ("segm/AP50", [NAN, NAN, NAN, 0.0, NAN], 2, [0, 1, 2, 3], None),  # while nothing is defined, the last is kept
    ],
)
def test_best_model_and_early_stopping(metric, values, patience, best_iterations, stops_at):
    run = Run(validation(values, metric=metric, patience=patience), len(values))
    assert run.best_iterations == best_iterations
    assert (run.reason is not None) == (stops_at is not None)
    if stops_at is not None:
        assert run.iter == stops_at and metric in run.reason
    assert {name for name, _ in run.kept} == {"model_best.pth"}


@pytest.mark.parametrize(("period", "max_iter", "measured"), [(2, 6, 3), (4, 6, 2), (10, 6, 1), (3, 6, 2), (1, 3, 3)])
def test_it_measures_every_period_and_after_the_last_iteration(period, max_iter, measured):
    run = Run(validation([0.1] * 9, period=period), max_iter)
    assert len(run.stored) == measured
    assert run.stored[0]["val/dice"] == 0.1 and "val/segm_AP50" in run.stored[0]


def test_undefined_values_are_not_stored():
    run = Run(validation([NAN]), 1)
    assert "val/dice" not in run.stored[0] and "val/loss" in run.stored[0]


def test_the_memory_of_the_best_survives_a_resumed_run():
    first = validation([0.5, 0.4], patience=2)
    Run(first, 2)
    second = validation([0.45, 0.9], patience=2)
    second.load_state_dict(first.state_dict())
    run = Run(second, 2)
    assert run.kept == [] and run.reason and run.iter == 0


def test_an_unknown_metric_names_the_known_ones():
    with pytest.raises(ConfigError, match="segm/AP50"):
        validation([], metric="accuracy")


class OneNumber(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, batch):
        return {"loss_cls": self.weight.sum()}


def real_run(folder, hook, *, max_iter=4, checkpoint_period=100):
    model = OneNumber()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Trainer(
        model,
        loader=SimpleNamespace(after=lambda taken: iter([[{"file_name": "a.png"}]] * max_iter)),
        optimizer=optimizer,
        scheduler=torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0),
        folder=str(folder),
        max_iter=max_iter,
        checkpoint_period=checkpoint_period,
        extra={},
        mixed_precision=False,
    )
    assert isinstance(run.checkpointer, Checkpointer)
    run.add_validation(hook)
    run.add_hooks()
    run.train()
    return run


def test_the_best_model_is_the_best_not_the_last(tmp_path):
    run = real_run(tmp_path, validation([0.1, 0.9, 0.2, 0.3]))
    best = read_checkpoint(tmp_path / "model_best.pth")
    assert best["iteration"] == 1 and best["dice"] == 0.9
    assert best["model"]["weight"].item() == pytest.approx(0.8)  # after two of four steps of 0.1
    assert run.model.weight.item() == pytest.approx(0.6)


def test_a_checkpoint_knows_the_validation_of_its_own_iteration(tmp_path):
    real_run(tmp_path, validation([0.1, 0.9]), max_iter=2, checkpoint_period=2)
    assert read_checkpoint(tmp_path / "model_last.pth")["validation"]["best"] == 0.9


def test_early_stopping_ends_the_training(tmp_path):
    run = real_run(tmp_path, validation([0.5, 0.4, 0.3, 0.9], patience=2))
    assert run.iter == 3 and run.stop_reason == "dice has not improved in 2 validations"
