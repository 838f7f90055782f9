import contextlib
from pathlib import Path

import pytest
import torch
from torch import nn

from segtumor.errors import ModelError, OutputError
from segtumor.files import output_errors
from segtumor.models import weights
from segtumor.models.weights import read_checkpoint, write_checkpoint
from segtumor.training.checkpoints.checkpoint import Checkpointer
from segtumor.training.checkpoints.resuming import newest_checkpoint

pytestmark = pytest.mark.model


def parts():
    torch.manual_seed(0)
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    step(model, optimizer)  # an optimizer that has never stepped has no state
    return model, optimizer


def step(model, optimizer):
    optimizer.zero_grad()
    model(torch.tensor([[1.0, 2.0]])).sum().backward()
    optimizer.step()


def checkpointer(folder, model, optimizer, class_names=("a",)):
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    scheduler.last_epoch = 1
    parts = {"optimizer": optimizer, "scheduler": scheduler}
    return Checkpointer(model, folder, parts=parts, extra={"class_names": list(class_names)})


def test_resume_restores_weights_momentum_and_values(tmp_path):
    model, optimizer = parts()
    step(model, optimizer)
    checkpointer(tmp_path, model, optimizer).save("model_last.pth", iteration=0)
    step(model, optimizer)
    expected = model.weight.detach().clone()

    model, optimizer = parts()
    newest = newest_checkpoint(tmp_path)
    checkpointer(tmp_path, model, optimizer).restore(newest)
    values = newest.checkpoint
    assert values["iteration"] == 0 and values["class_names"] == ["a"]
    step(model, optimizer)  # equal to the uninterrupted second step only if the momentum came back as well
    assert torch.equal(model.weight, expected)


def test_the_note_names_the_newest_and_weights_alone_do_not_change_it(tmp_path):
    saver = checkpointer(tmp_path, *parts())
    saver.save("model_last.pth", iteration=1)
    saver.save_weights("model_best.pth", iteration=2)
    assert (tmp_path / "last_checkpoint").read_text() == "model_last.pth"
    assert set(read_checkpoint(tmp_path / "model_best.pth")) == {"model", "class_names", "iteration"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_a_full_disk_is_called_so(tmp_path, monkeypatch):
    @contextlib.contextmanager
    def full(path):
        with output_errors(path):
            yield Path("/dev/full")

    monkeypatch.setattr(weights, "atomic_path", full)
    with pytest.raises(OutputError, match=r"model\.pth: cannot write: No space left on device"):
        weights.write_checkpoint(tmp_path / "model.pth", {"model": {"weight": torch.zeros(100_000)}})


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), RuntimeError("unexpected pos 64 vs 0")])
def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, failure):
    model, optimizer = parts()
    saver = checkpointer(tmp_path, model, optimizer)
    saver.save("model_last.pth", iteration=1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def half_a_save(state, file):
        file.write(b"half")
        raise failure

    step(model, optimizer)
    monkeypatch.setattr(torch, "save", half_a_save)
    with pytest.raises(OutputError, match=r"model_last\.pth"):
        saver.save("model_last.pth", iteration=2)
    with pytest.raises(OutputError):
        saver.save("model_final.pth", iteration=2)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_interruption_leaves_no_half_file(tmp_path, monkeypatch):
    def interrupted(state, file):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(tmp_path / "model.pth", {})
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_without_the_optimizer_cannot_be_resumed(tmp_path):
    saver = checkpointer(tmp_path, *parts())
    saver.save_weights("model_final.pth")
    (tmp_path / "last_checkpoint").write_text("model_final.pth")
    with pytest.raises(ModelError, match="lacks the state of the optimizer"):
        saver.restore(newest_checkpoint(tmp_path))


def test_a_note_cannot_point_outside_the_folder(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    checkpointer(tmp_path, *parts()).save("model_last.pth", iteration=1)
    (run / "last_checkpoint").write_text("../model_last.pth\n")
    with pytest.raises(ModelError, match="no such weights file"):
        newest_checkpoint(run)


def test_a_part_added_later_is_saved_too(tmp_path):
    saver = checkpointer(tmp_path, *parts())
    saver.add_part("sampler", torch.optim.lr_scheduler.StepLR(parts()[1], 3))
    saver.save("model_last.pth", iteration=0)
    assert "last_epoch" in read_checkpoint(tmp_path / "model_last.pth")["sampler"]


def test_another_model_cannot_be_resumed(tmp_path):
    checkpointer(tmp_path, *parts()).save("model_last.pth", iteration=1)
    other = nn.Linear(3, 1)
    with pytest.raises(ModelError, match="1 tensors loaded, 1 newly initialised, 1 unused"):
        checkpointer(tmp_path, other, torch.optim.SGD(other.parameters(), lr=1.0)).restore(newest_checkpoint(tmp_path))
