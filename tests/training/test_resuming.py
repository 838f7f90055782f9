"""Which checkpoint a run goes on from, and what is refused before anything of the run is touched."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from segtumor.errors import ModelError, NonFiniteLossError
from segtumor.models.weights import read_checkpoint, write_checkpoint
from segtumor.training.checkpoints.checkpoint import Checkpointer
from segtumor.training.checkpoints.random_states import RandomStates
from segtumor.training.checkpoints.resuming import newest_checkpoint

pytestmark = pytest.mark.model

SGD, ADAMW = (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}), (torch.optim.AdamW, {"lr": 0.1})


def run(folder, kind=SGD, *, class_names=("a", "b"), steps=1):
    """A checkpointer after some steps of a model of three numbers, and its model."""
    torch.manual_seed(0)
    model = nn.Linear(2, 1)
    optimizer = kind[0](model.parameters(), **kind[1])
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        scheduler.step()
    parts = {"optimizer": optimizer, "scheduler": scheduler}
    return Checkpointer(model, folder, parts=parts, extra={"class_names": list(class_names)}), model


@pytest.fixture
def folder(tmp_path):
    """A run folder: model_last.pth after two steps, model_final.pth after three, which is noted."""
    for name, steps in (("model_last", 2), ("model_final", 3)):
        run(tmp_path, steps=steps)[0].save(f"{name}.pth", iteration=steps - 1)
    return tmp_path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def damage(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def change(path, **values):
    """Write a whole, undamaged checkpoint with other values; None removes one."""
    checkpoint = {**read_checkpoint(path), **values}
    write_checkpoint(path, {name: value for name, value in checkpoint.items() if value is not None})


@pytest.mark.parametrize(
    ("note", "broken", "expected", "remark"),
    [
        ("model_final.pth", [], "model_final.pth", None),
        ("model_last.pth\n", [], "model_last.pth", None),  # the note counts, not the number
        ("/elsewhere/run/model_final.pth", [], "model_final.pth", None),  # the folder was moved
        (None, [], "model_final.pth", "last_checkpoint is missing: model_final.pth is the newest"),
        (None, ["model_final.pth"], "model_last.pth", "model_final.pth: damaged: checksum differs"),
        ("model_final.pth", ["model_final.pth"], "model_last.pth", "model_final.pth is skipped for the older"),
        ("model_final.pth", ["model_last.pth"], "model_final.pth", None),
    ],
)
def test_the_newest_good_checkpoint_is_taken_and_said(folder, note, broken, expected, remark):
    (folder / "last_checkpoint").unlink() if note is None else (folder / "last_checkpoint").write_text(note)
    for name in broken:
        damage(folder / name)
    before = contents(folder)
    newest = newest_checkpoint(folder)
    run(folder)[0].restore(newest)
    assert newest.path == folder / expected
    assert newest.checkpoint["iteration"] == {"model_last.pth": 1, "model_final.pth": 2}[expected]
    assert bool(newest.remarks) == (remark is not None)
    assert remark is None or any(remark in text for text in newest.remarks)
    assert contents(folder) == before


def test_a_checkpoint_of_nan_is_passed_over(folder):
    weights = dict(read_checkpoint(folder / "model_final.pth")["model"])
    change(folder / "model_final.pth", model={**weights, "bias": torch.tensor([float("nan")])})
    newest = newest_checkpoint(folder)
    assert newest.path.name == "model_last.pth" and "model.bias is NaN or infinite" in newest.remarks[0]


def test_where_all_are_damaged_the_noted_one_is_named(folder):
    for name in ("model_last.pth", "model_final.pth"):
        damage(folder / name)
    with pytest.raises(ModelError, match=r"model_final\.pth: damaged"):
        newest_checkpoint(folder)


@pytest.mark.parametrize("note", [b"", b"\xff\xfe", b"\n", b"..", b"model\0.pth", b"x" * 400 + b".pth", b"run/", b"{}"])
def test_a_note_that_is_no_name_is_refused(folder, note):
    (folder / "last_checkpoint").write_bytes(note)
    before = contents(folder)
    with pytest.raises(ModelError, match=r"does not name a checkpoint.*Delete last_checkpoint"):
        newest_checkpoint(folder)
    assert contents(folder) == before


def test_a_folder_in_place_of_the_note_is_refused(folder):
    (folder / "last_checkpoint").unlink()
    (folder / "last_checkpoint").mkdir()
    with pytest.raises(ModelError, match="does not name a checkpoint"):
        newest_checkpoint(folder)


def test_a_note_of_an_absent_file_is_refused(folder):
    (folder / "last_checkpoint").write_text("model_0000499.pth")
    with pytest.raises(ModelError, match=r"names model_0000499\.pth, and there is no such weights file"):
        newest_checkpoint(folder)


def test_a_folder_with_weights_alone_is_refused_and_one_without_any_is_new(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    run(tmp_path)[0].save_weights("model_best.pth", iteration=0)
    with pytest.raises(ModelError, match=r"no checkpoint to resume from: model_best\.pth.*--init-from.*--overwrite"):
        newest_checkpoint(tmp_path)


def state(**values):
    """State of an optimizer of three numbers, with other values."""
    group = {"params": [0, 1], "lr": 0.1, "momentum": 0.9}
    return {"state": {}, "param_groups": [group], **values}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"optimizer": None}, "lacks the state of the optimizer"),
        ({"optimizer": 3}, "the state of the optimizer cannot be used"),
        ({"optimizer": {}}, "the state of the optimizer cannot be used"),
        ({"optimizer": state(param_groups=[])}, "the state of the optimizer cannot be used"),
        ({"optimizer": state()}, "the state of the optimizer is empty"),
        ({"optimizer": state(state={0: {"exp_avg": torch.zeros(1, 2)}})}, "that of another model"),
        ({"optimizer": state(state={0: {"momentum_buffer": torch.zeros(5)}})}, "that of another model"),
        ({"optimizer": state(state={7: {"momentum_buffer": torch.zeros(1)}})}, "that of another model"),
        ({"scheduler": None}, "lacks the state of the scheduler"),
        ({"scheduler": []}, "the state of the scheduler cannot be used"),
        ({"scheduler": {"last_epoch": "3"}}, "the state of the scheduler cannot be used"),
        ({"scheduler": {"last_epoch": 3, "base_lrs": ["a"]}}, "the state of the scheduler cannot be used"),
        ({"scheduler": {"last_epoch": 400, "base_lrs": [0.1]}}, "another iteration than the checkpoint"),
        ({"iteration": None}, "lacks the state of the iteration"),
        ({"iteration": -3}, "no number of an iteration"),
        ({"iteration": "2"}, "no number of an iteration"),
        ({"iteration": 2.0}, "no number of an iteration"),
        ({"class_names": ["b", "a"]}, "other classes, or another order"),
        ({"class_names": ["a"]}, "other classes, or another order"),
        ({"class_names": None}, "does not name its classes"),
        ({"optimizer": state(param_groups=[3])}, "the state of the optimizer cannot be used"),
        ({"optimizer": state(state={0: {"momentum_buffer": 3}})}, "that of another model"),
    ],
)
def test_a_whole_checkpoint_that_does_not_fit_is_refused(folder, values, message):
    change(folder / "model_final.pth", **values)
    before = contents(folder)
    with pytest.raises(ModelError, match=message) as caught:
        run(folder)[0].restore(newest_checkpoint(folder))
    assert caught.value.exit_code == 3 and contents(folder) == before


@pytest.mark.parametrize(
    ("trained", "now", "names"), [(SGD, ADAMW, "ADAMW; expected SGD"), (ADAMW, SGD, "SGD; expected")]
)
def test_another_optimizer_is_named(tmp_path, trained, now, names):
    run(tmp_path, trained)[0].save("model_last.pth", iteration=0)
    with pytest.raises(ModelError, match=rf"SOLVER\.OPTIMIZER: trained with another optimizer \(got {names}"):
        run(tmp_path, now)[0].restore(newest_checkpoint(tmp_path))


@pytest.mark.parametrize("part", ["weights", "running statistics", "momentum"])
def test_what_is_not_finite_never_replaces_a_checkpoint(tmp_path, part):
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.rand(3, 2)).sum().backward()
    optimizer.step()
    saver = Checkpointer(model, tmp_path, parts={"optimizer": optimizer}, extra={})
    saver.save("model_last.pth", iteration=6)
    saver.save_weights("model_best.pth", iteration=6)
    before = contents(tmp_path)
    tensor = {
        "weights": model[0].weight.data,
        "running statistics": model[1].running_var,
        "momentum": optimizer.state[model[0].bias]["momentum_buffer"],
    }[part]
    tensor[0] = float("inf")
    with pytest.raises(NonFiniteLossError, match=r"NaN or infinite.*SOLVER\.BASE_LR") as caught:
        saver.save("model_last.pth", iteration=7)
    assert caught.value.exit_code == 5 and "model_last.pth after iteration 8" in str(caught.value)
    if part != "momentum":
        with pytest.raises(NonFiniteLossError):
            saver.save_weights("model_best.pth", iteration=7)
    assert contents(tmp_path) == before


def test_a_checkpoint_of_an_earlier_version_lacks_random_numbers_and_says_so(folder):
    saver, _ = run(folder)
    saver.add_part("random", RandomStates())
    (remark,) = saver.restore(newest_checkpoint(folder))
    assert remark.startswith("model_final.pth is of an earlier version and lacks the random numbers")


def test_random_numbers_go_on_where_they_were_once_they_are_restored(tmp_path):
    def draw():
        return random.random(), np.random.random(), torch.rand(1).item()

    path = tmp_path / "states.pth"
    write_checkpoint(path, {"model": {}, "random": RandomStates().state_dict()})
    expected = draw()
    states = RandomStates()
    states.load_state_dict(read_checkpoint(path)["random"])  # read as data, without running code
    assert draw() != expected
    states.restore()
    assert draw() == expected
    for wrong in ({}, {"python": 3}, {**states.state_dict(), "torch": torch.zeros(3)}):
        with pytest.raises((KeyError, TypeError, ValueError, RuntimeError)):
            states.load_state_dict(wrong)
