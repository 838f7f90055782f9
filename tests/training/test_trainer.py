"""The loop itself, on a model that trains a step in a blink."""

import itertools
import json
import os
import signal

import pytest
import torch
from detectron2.engine import HookBase
from torch import nn

from segtumor.errors import BadImageError, NonFiniteLossError
from segtumor.models.weights import read_checkpoint
from segtumor.training.checkpoints.resuming import newest_checkpoint
from segtumor.training.trainer import Trainer

pytestmark = pytest.mark.model


class OneNumber(nn.Module):
    """Its loss is the mean of its inputs times its only weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, batch):
        return {"loss_cls": self.weight.sum() * sum(example["value"] for example in batch) / len(batch)}


class Count(HookBase):
    """Remembers the iterations it saw; asks to stop after one of them."""

    def __init__(self, stop_after=None):
        self.seen, self._stop_after = [], stop_after

    def after_step(self):
        self.seen.append(self.trainer.iter)
        if self.trainer.iter == self._stop_after:
            self.trainer.stop("enough")


def batches(values):
    for number, value in enumerate(values):
        yield [{"value": value, "file_name": f"image_{number}.png"}]


class Loader:
    """Batches of one value each."""

    def __init__(self, values):
        self._values = values

    def after(self, taken):
        return itertools.islice(batches(self._values), taken, None)


def trainer(folder, values=None, *, max_iter=4, checkpoint_period=100, mixed_precision=False, model=None):
    model = model or OneNumber()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return Trainer(
        model,
        loader=Loader(itertools.repeat(1.0) if values is None else values),
        optimizer=optimizer,
        scheduler=torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5),
        folder=str(folder),
        max_iter=max_iter,
        checkpoint_period=checkpoint_period,
        extra={"class_names": ["benign"]},
        mixed_precision=mixed_precision,
    )


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.json").read_text().splitlines()]


def test_four_steps_by_hand(tmp_path):
    run = trainer(tmp_path)
    run.add_hooks()
    run.train()
    # The gradient is 1; the rate halves after two steps: 1 - 0.1 - 0.1 - 0.05 - 0.05.
    assert run.model.weight.item() == pytest.approx(0.7)
    assert run.iter == 4 and run.stop_reason is None
    last = metrics(tmp_path)[-1]
    assert last["total_loss"] == last["loss_cls"] and last["iteration"] == 3
    assert {"lr", "data_time"} <= set(last)


class Product(OneNumber):
    """1.001 is no bfloat16: in mixed precision the product is 1."""

    def forward(self, batch):
        return {"loss_cls": (torch.full((1, 1), 1.001) @ self.weight.reshape(1, 1)).float().sum()}


@pytest.mark.parametrize(("mixed_precision", "loss"), [(False, 1.001), (True, 1.0)])
def test_mixed_precision_on_a_cpu_computes_in_bfloat16(tmp_path, mixed_precision, loss):
    run = trainer(tmp_path, max_iter=1, mixed_precision=mixed_precision, model=Product())
    run.add_hooks()
    run.train()
    assert metrics(tmp_path)[-1]["total_loss"] == pytest.approx(loss, abs=1e-6)
    assert run.model.weight.dtype == torch.float32 and run.model.weight.item() == pytest.approx(0.9, abs=1e-3)


def test_stop_leaves_the_loop_after_that_iteration(tmp_path):
    run, hook = trainer(tmp_path, max_iter=10), Count(stop_after=2)
    run.register_hooks([hook])
    run.train()
    assert hook.seen == [0, 1, 2] and run.stop_reason == "enough" and run.iter == 3


def test_checkpoints_are_written_every_period_into_one_file(tmp_path):
    run = trainer(tmp_path, max_iter=5, checkpoint_period=2)
    run.add_hooks()
    run.train()
    assert [path.name for path in tmp_path.glob("*.pth")] == ["model_last.pth"]
    checkpoint = read_checkpoint(tmp_path / "model_last.pth")
    assert checkpoint["iteration"] == 3 and checkpoint["class_names"] == ["benign"]
    assert (tmp_path / "last_checkpoint").read_text() == "model_last.pth"


def test_resuming_gives_what_an_uninterrupted_run_gives(tmp_path):
    first = trainer(tmp_path, max_iter=3, checkpoint_period=3)
    first.add_hooks()
    first.train()
    second, hook = trainer(tmp_path, max_iter=5), Count()
    second.add_hooks()
    second.register_hooks([hook])
    second.restore(newest_checkpoint(tmp_path))
    assert second.resumed_from == tmp_path / "model_last.pth" and second.start_iter == 3
    second.train()
    assert hook.seen == [3, 4]
    assert second.model.weight.item() == pytest.approx(1 - 0.1 - 0.1 - 0.05 - 0.05 - 0.025)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_and_names_the_images(tmp_path, value):
    run = trainer(tmp_path, [1.0, 1.0, value, 1.0])
    run.add_hooks()
    with pytest.raises(NonFiniteLossError) as caught:
        run.train()
    message = str(caught.value)
    assert "image_2.png" in message and "image_1.png" not in message
    assert "loss_cls" in message and "iteration 2" in message and caught.value.exit_code == 5
    assert run.model.weight.item() == pytest.approx(0.8)  # the two steps before it, nothing of its own


def test_boxes_that_are_not_finite_name_the_images_too(tmp_path, monkeypatch):
    def diverged(self, batch):
        raise FloatingPointError("Predicted boxes or scores contain Inf/NaN. Training has diverged.")

    monkeypatch.setattr(OneNumber, "forward", diverged)
    with pytest.raises(NonFiniteLossError, match=r"proposals became NaN.*image_0\.png"):
        trainer(tmp_path).train()


def test_an_unreadable_image_stops_and_is_named(tmp_path):
    def loader():
        yield from batches([1.0])
        raise BadImageError("truncated", where="/data/image_1.png", remedy="Copy it again")

    run = trainer(tmp_path)
    run._loader.after = lambda taken: loader()
    with pytest.raises(BadImageError) as caught:
        run.train()
    assert "/data/image_1.png: truncated" in str(caught.value) and "Copy it again" in str(caught.value)


def test_worker_processes_that_end_with_the_same_signal_cost_no_finished_step(tmp_path):
    def loader():
        yield from batches([1.0, 1.0])
        os.kill(os.getpid(), signal.SIGTERM)
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Terminated.")

    seen, former = [], signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        run = trainer(tmp_path)
        run.add_hooks()
        run._loader.after = lambda taken: loader()
        run.train()
    finally:
        signal.signal(signal.SIGTERM, former)
    assert seen == [signal.SIGTERM] and read_checkpoint(tmp_path / "model_last.pth")["iteration"] == 1


def test_timing_takes_one_step_to_warm_up(tmp_path):
    run = trainer(tmp_path)
    assert run.time_steps(2) > 0
    assert run.model.weight.item() == pytest.approx(0.7) and list(tmp_path.iterdir()) == []
