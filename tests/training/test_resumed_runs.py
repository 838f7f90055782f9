"""Runs that are stopped and resumed equal those that were not; those that cannot be resumed stay as they were."""

import contextlib
import itertools
import json
import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from repository import ROOT

from segtumor.commands import train
from segtumor.models.weights import read_checkpoint
from segtumor.training import finishing, hooks, stopping
from segtumor.training import train as training
from segtumor.training.data_identity import compare_data, image_files_hash
from segtumor.training.stopping import StopSignals
from segtumor.training.trainer import Trainer

pytestmark = pytest.mark.model

#: Training alone, without the evaluations that take most of the time.
BARE = {"DATASETS.VALIDATION": (), "DATASETS.TEST": (), "SOLVER.MAX_ITER": 2}
MEASURED = {"DATASETS.VALIDATION": ("phantoms_val",), "TEST.EVAL_PERIOD": 2, "SOLVER.BEST_METRIC": "loss"}
LONGER = {
    **MEASURED,
    "INPUT.AUGMENTATION": "strong",
    "SOLVER.MAX_ITER": 5,
    "SOLVER.AVERAGE_DECAY": 0.9,
    "DATALOADER.ASPECT_RATIO_GROUPING": True,
}


@pytest.fixture(autouse=True)
def signals_that_are_not_ignored():
    """As in a terminal: who starts the tests by nohup ignores some of them."""
    with contextlib.ExitStack() as stack:
        for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
            stack.callback(signal.signal, number, signal.signal(number, handler))
        yield


@pytest.fixture(scope="module")
def type_train(datasets_root, tiny_config_file, tiny_options):
    """Function of a run folder, options and settings -> exit code of the command."""

    def command(folder, *options, settings=()):
        settings = {**BARE, **dict(settings), "OUTPUT_DIR": folder}
        return train.main(["--config-file", str(tiny_config_file), *options, *tiny_options(settings)])

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DETECTRON2_DATASETS", str(datasets_root))
        patch.setattr(training, "training_curves", lambda folder: None)  # as long as the training itself
        yield command


@pytest.fixture(scope="module")
def finished(type_train, tmp_path_factory):
    """Folder of a finished run of two steps; look, but do not write into it."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert type_train(folder) == 0
    return folder


@pytest.fixture
def tiny_copy(finished, tmp_path):
    """A copy of ``finished`` to write into."""
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture(scope="module")
def whole(type_train, tmp_path_factory):
    """Folder of an uninterrupted run with validations."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert type_train(folder, settings=LONGER) == 0
    return folder


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def after(calls, function, number=signal.SIGTERM):
    """``function``, during whose so many-th call a signal arrives."""
    counter = itertools.count(1)

    def call(*args, **options):
        if next(counter) == calls:
            os.kill(os.getpid(), number)
        return function(*args, **options)

    return call


@pytest.mark.parametrize("stop", ["in a step", "in the validation"])
def test_a_stopped_and_resumed_run_equals_an_uninterrupted_one(type_train, whole, tmp_path, monkeypatch, stop):
    with monkeypatch.context() as patch:
        if stop == "in a step":
            patch.setattr(Trainer, "run_step", after(3, Trainer.run_step))
        else:
            patch.setattr(hooks, "validation_losses", after(2, hooks.validation_losses))
        assert type_train(tmp_path / "run", settings=LONGER) == 143
    stopped = read_checkpoint(tmp_path / "run" / "model_last.pth")
    assert (stopped["iteration"], stopped["validation"]["owed"]) == ((2, None) if stop == "in a step" else (3, 4))
    assert (tmp_path / "run" / "last_checkpoint").read_text() == "model_last.pth"
    assert type_train(tmp_path / "run", "--resume", settings={**LONGER, "DATALOADER.NUM_WORKERS": 2}) == 0
    for name in ("model_final.pth", "model_best.pth"):
        expected, resumed = (read_checkpoint(folder / name) for folder in (whole, tmp_path / "run"))
        assert equal(expected["model"], resumed["model"]) and expected["iteration"] == resumed["iteration"]
    expected, resumed = (read_checkpoint(folder / "model_final.pth") for folder in (whole, tmp_path / "run"))
    assert expected["scheduler"] == resumed["scheduler"] and expected["validation"] == resumed["validation"]
    states = zip(expected["optimizer"]["state"].values(), resumed["optimizer"]["state"].values(), strict=True)
    assert all(torch.equal(first["momentum_buffer"], second["momentum_buffer"]) for first, second in states)
    assert torch.equal(expected["random"]["torch"], resumed["random"]["torch"])
    assert equal(expected["average"], resumed["average"])
    assert not equal(expected["average"], {f"module.{name}": value for name, value in expected["model"].items()})


def test_twenty_and_twenty_steps_as_the_shipped_model_was_made_equal_forty(datasets_root, tmp_path, monkeypatch):
    """AdamW, its schedule, bfloat16, an image head, averaged weights, normal images, and enlarged ones."""
    monkeypatch.setenv("DETECTRON2_DATASETS", str(datasets_root))
    monkeypatch.setattr(training, "training_curves", lambda folder: None)
    settings = {
        **{"DATASETS.TRAIN": ["phantoms_train"], "DATASETS.VALIDATION": ["phantoms_val"], "DATASETS.TEST": []},
        **{"INPUT.MIN_SIZE_TRAIN": [64], "INPUT.MIN_SIZE_TEST": 64, "SOLVER.IMS_PER_BATCH": 2, "SOLVER.MAX_ITER": 40},
        **{"SOLVER.WARMUP_ITERS": 10, "TEST.EVAL_PERIOD": 40, "SOLVER.BEST_METRIC": "loss", "SOLVER.AMP.ENABLED": True},
    }

    def type_train(folder, *options):
        words = [str(word) for pair in (settings | {"OUTPUT_DIR": folder}).items() for word in pair]
        return train.main(["--config-file", str(ROOT / "configs" / "btxrd_lite_zoom.yaml"), *options, *words])

    assert type_train(tmp_path / "whole") == 0
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run_step", after(20, Trainer.run_step))
        assert type_train(tmp_path / "halves") == 143
    assert read_checkpoint(tmp_path / "halves" / "model_last.pth")["iteration"] == 19
    assert type_train(tmp_path / "halves", "--resume") == 0
    whole, halves = (read_checkpoint(tmp_path / name / "model_final.pth") for name in ("whole", "halves"))
    assert whole["iteration"] == halves["iteration"] == 39
    assert equal(whole["model"], halves["model"]) and equal(whole["average"], halves["average"])
    states = zip(whole["optimizer"]["state"].values(), halves["optimizer"]["state"].values(), strict=True)
    assert all(equal(first, second) for first, second in states)
    lines = [(tmp_path / name / "metrics.json").read_text().splitlines()[-1] for name in ("whole", "halves")]
    assert json.loads(lines[0])["val/loss"] == json.loads(lines[1])["val/loss"]


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGHUP", 129)])
def test_every_signal_leaves_a_checkpoint(type_train, tmp_path, monkeypatch, capsys, name, code):
    number = getattr(signal, name)
    monkeypatch.setattr(Trainer, "run_step", after(1, Trainer.run_step, number))
    assert type_train(tmp_path / "run") == code
    assert read_checkpoint(tmp_path / "run" / "model_last.pth")["iteration"] == 0
    said = capsys.readouterr().err
    assert f"{name}: finishing this iteration" in said and "to resume from there, it is saved in" in said
    assert "Stopped after iteration 1 of 2" in (tmp_path / "run" / "log.txt").read_text()


def test_a_second_signal_ends_at_once(type_train, tmp_path, monkeypatch):
    monkeypatch.setattr(stopping, "_REPEATED_S", -1.0)
    twice = after(1, after(1, Trainer.run_step, signal.SIGTERM), signal.SIGINT)
    monkeypatch.setattr(Trainer, "run_step", twice)
    assert type_train(tmp_path / "run") == 143
    assert not list((tmp_path / "run").glob("model_*"))


def test_one_signal_that_arrives_twice_is_no_second_one(type_train, tmp_path, monkeypatch):
    monkeypatch.setattr(stopping, "_REPEATED_S", 3600.0)
    monkeypatch.setattr(Trainer, "run_step", after(1, after(1, Trainer.run_step)))  # as `timeout` does it
    assert type_train(tmp_path / "run") == 143
    assert read_checkpoint(tmp_path / "run" / "model_last.pth")["iteration"] == 0


def test_signals_act_as_before_afterwards_and_ignored_ones_stay_ignored(monkeypatch):
    monkeypatch.setattr(stopping, "_REPEATED_S", -1.0)
    seen = []
    former = {name: signal.getsignal(getattr(signal, name)) for name in ("SIGTERM", "SIGHUP", "SIGINT")}
    try:
        signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.received is None
            os.kill(os.getpid(), signal.SIGTERM)
            assert signals.received == signal.SIGTERM and seen == []
            os.kill(os.getpid(), signal.SIGTERM)
            assert seen == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGINT) is former["SIGINT"]
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGTERM)
        assert seen == [signal.SIGTERM]  # by now the checkpoint is written
        signals.deliver()
        assert seen == [signal.SIGTERM] * 2 and signals.received is None
    finally:
        for name, handler in former.items():
            signal.signal(getattr(signal, name), handler)


@pytest.fixture
def other_sets(phantoms):
    """Function of a name and a change of the annotation document -> name of a data set like phantoms_train."""
    made = []

    def make(name, change, part="train"):
        document = json.loads((phantoms / "annotations" / f"{part}.json").read_text())
        change(document)
        made.append(phantoms / "annotations" / f"{name}.json")
        made[-1].write_text(json.dumps(document))
        return f"phantoms_{name}"

    yield make
    for path in made:
        path.unlink()


def swap(document):
    document["categories"] = [{"id": 1, "name": "malignant"}, {"id": 2, "name": "benign"}]


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        ({"MODEL.ROI_BOX_HEAD.FC_DIM": 8}, 3, "weights do not fit the model"),
        ({"SOLVER.OPTIMIZER": "ADAMW"}, 3, "got ADAMW; expected SGD"),
        ({"DATASETS.VALIDATION": ("phantoms_val",)}, 3, "lacks the state of the validation"),
        ({"DATASETS.TEST": ("phantoms_train",)}, 2, "3 cases of the test part were trained on before"),
        ({"SOLVER.MAX_ITER": 0}, 2, "SOLVER.MAX_ITER"),
    ],
)
def test_a_refused_resume_leaves_every_byte_as_it_was(tiny_copy, type_train, capsys, settings, code, message):
    before = contents(tiny_copy)
    assert type_train(tiny_copy, "--resume", settings=settings) == code
    assert message in capsys.readouterr().err
    assert contents(tiny_copy) == before


def test_classes_in_another_order_are_refused_and_damaged_accounts_too(tiny_copy, type_train, other_sets, capsys):
    before = contents(tiny_copy)
    assert type_train(tiny_copy, "--resume", settings={"DATASETS.TRAIN": (other_sets("swapped", swap),)}) == 3
    assert "another order" in capsys.readouterr().err and contents(tiny_copy) == before
    damaged = [
        ("run.json", text)
        for text in (b"{", b"[]", b"\xff", b'{"datasets": {}, "resumed": null}', b'{"datasets": {}, "cases": 4}')
    ]
    for name, content in (*damaged, ("config.yaml", b"\xff"), ("config.yaml", b"- 1")):
        former = (tiny_copy / name).read_bytes()
        (tiny_copy / name).write_bytes(content)
        assert type_train(tiny_copy, "--resume") == 2
        assert name in capsys.readouterr().err and (tiny_copy / name).read_bytes() == content
        (tiny_copy / name).write_bytes(former)
    for name in ("log.txt", "metrics.json"):
        (tiny_copy / name).unlink()
        os.mkfifo(tiny_copy / name)
        assert type_train(tiny_copy, "--resume") == 2
        assert f"{name}: not an ordinary file" in capsys.readouterr().err
        (tiny_copy / name).unlink()
        (tiny_copy / name).write_bytes(before[Path(name)])
    assert contents(tiny_copy) == before


def test_what_differs_from_the_first_start_is_said_and_in_force(tiny_copy, type_train, other_sets, capsys):
    def leave_one_out(document):
        gone = document["images"].pop()
        document["annotations"] = [a for a in document["annotations"] if a["image_id"] != gone["id"]]

    assert type_train(tiny_copy, "--resume", settings={"SOLVER.MAX_ITER": 3}) == 0
    said = capsys.readouterr().err
    assert "Not as this run was started: SOLVER.MAX_ITER 3 instead of 2\n" in said
    settings = {"SOLVER.MAX_ITER": 4, "SOLVER.BASE_LR": 0.5, "DATASETS.TRAIN": (other_sets("fewer", leave_one_out),)}
    assert type_train(tiny_copy, "--resume", settings=settings) == 0
    said = capsys.readouterr().err
    assert "SOLVER.BASE_LR 0.5 instead of 0.001" in said and "the annotations of the train part differ" in said
    assert "Not as this run was started" in (tiny_copy / "log.txt").read_text()
    assert read_checkpoint(tiny_copy / "model_final.pth")["scheduler"]["base_lrs"][0] == 0.5
    account = json.loads((tiny_copy / "run.json").read_text())
    assert len(account["resumed"]) == 2 and account["resumed"][0]["cases"] == "as at first"
    assert account["training_data"] == {"datasets": ["phantoms_train", "phantoms_fewer"], "synthetic": True}
    assert read_checkpoint(tiny_copy / "model_final.pth")["training_data"] == account["training_data"]


def test_a_run_beyond_its_new_end_has_nothing_left_to_train(tiny_copy, type_train, capsys):
    schedule = {"SOLVER.LR_SCHEDULER_NAME": "WarmupMultiStepLR", "SOLVER.STEPS": "()"}  # has no rate beyond its end
    assert type_train(tiny_copy, "--resume", settings={"SOLVER.MAX_ITER": 1, **schedule}) == 0
    assert "Nothing is left to train: SOLVER.MAX_ITER is 1" in capsys.readouterr().err


def test_an_image_file_that_was_replaced_is_noticed(tmp_path):
    image = tmp_path / "a.png"
    image.write_bytes(b"first")
    dataset = SimpleNamespace(sha256="abc", records=[{"file_name": str(image)}])
    parts = {"train": [dataset], "validation": [], "test": []}
    entry = {"annotations_sha256": "abc", "image_files_sha256": image_files_hash(dataset)}
    assert compare_data({"datasets": {"train": [entry]}}, parts) == []
    image.write_bytes(b"another")
    assert compare_data({"datasets": {"train": [entry]}}, parts) == ["image files of the train part differ"]
    assert compare_data({"datasets": {"train": [{"annotations_sha256": "abc"}]}}, parts) == []


def test_a_leak_that_was_known_is_warned_of_and_no_hidden_one_may_follow(type_train, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(finishing, "evaluate_sets", lambda *_, **__: {})
    both = {"DATASETS.TEST": ("phantoms_train",), "DATASETS.TRAIN": ("phantoms_train",), "SOLVER.MAX_ITER": 1}
    assert type_train(tmp_path / "run", settings=both) == 0
    more = {**both, "DATASETS.TRAIN": ("phantoms_train", "phantoms_val")}
    assert type_train(tmp_path / "run", "--resume", settings=more) == 0
    assert "3 cases are in the train and in the test part" in capsys.readouterr().err
    assert type_train(tmp_path / "run", "--resume", settings={**both, "DATASETS.TRAIN": ("phantoms_val",)}) == 2
    assert "3 cases of the test part were trained on before" in capsys.readouterr().err


def test_cases_trained_on_at_any_start_may_not_test(tiny_copy, type_train, other_sets, capsys):
    def move(document):  # the files are others, the images and cases those of the training part
        document["info"] = {}

    moved = other_sets("moved", move)
    assert type_train(tiny_copy, "--resume", settings={"DATASETS.TRAIN": ("phantoms_val",)}) == 0
    before = contents(tiny_copy)
    for test in (moved, "phantoms_val"):
        settings = {"DATASETS.TRAIN": ("phantoms_test",), "DATASETS.TEST": (test,)}
        assert type_train(tiny_copy, "--resume", settings=settings) == 2
        assert "of the test part were trained on before" in capsys.readouterr().err
    assert contents(tiny_copy) == before


def test_weights_that_were_trained_on_what_tests_them_are_warned_of(
    tiny_copy, type_train, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(finishing, "evaluate_sets", lambda *_, **__: {})
    weights, new = tiny_copy / "model_final.pth", tmp_path / "new"
    train_part, test_part = {"DATASETS.TEST": ("phantoms_train",)}, {"DATASETS.TEST": ("phantoms_test",)}
    said = f"3 cases of the test part were trained on by {weights}"
    for options, settings, warned in (
        (("--eval-only",), train_part, True),
        (("--eval-only",), test_part, False),
        (("--init-from", str(weights), "--dry-run"), {**train_part, "DATASETS.TRAIN": ("phantoms_val",)}, True),
    ):
        folder = new if "--dry-run" in options else tiny_copy
        assert type_train(folder, *options, settings=settings) == 0
        assert (said in capsys.readouterr().err) == warned
    settings = {"DATASETS.TRAIN": ("phantoms_val",)}
    assert type_train(new, "--init-from", str(weights), settings=settings) == 0
    capsys.readouterr()
    assert type_train(new, "--eval-only", settings=train_part) == 0  # it knows them from the weights it started from
    assert f"3 cases of the test part were trained on by {new}" in capsys.readouterr().err
    (tiny_copy / "run.json").write_text("{")  # what is not known is said as well
    assert type_train(new, "--init-from", str(weights), "--dry-run") == 0
    assert "run.json: damaged: not JSON" in capsys.readouterr().err


def test_a_run_without_its_note_goes_on_and_one_without_a_checkpoint_is_kept(tiny_copy, type_train, capsys):
    (tiny_copy / "last_checkpoint").unlink()
    weights = (tiny_copy / "model_final.pth").read_bytes()
    assert type_train(tiny_copy, "--resume", settings={"SOLVER.MAX_ITER": 3}) == 0
    assert "last_checkpoint is missing: model_final.pth is the newest" in capsys.readouterr().err
    assert read_checkpoint(tiny_copy / "model_final.pth")["iteration"] == 2
    (tiny_copy / "model_final.pth").unlink()
    (tiny_copy / "last_checkpoint").unlink()
    (tiny_copy / "model_best.pth").write_bytes(weights)
    before = contents(tiny_copy)
    assert type_train(tiny_copy, "--resume") == 3
    assert "no checkpoint to resume from" in capsys.readouterr().err and contents(tiny_copy) == before


def test_a_random_seed_stays_the_same_when_resumed(type_train, tmp_path):
    assert type_train(tmp_path, settings={"SEED": -1, "SOLVER.MAX_ITER": 1}) == 0
    assert type_train(tmp_path, "--resume", settings={"SEED": -1}) == 0
    account = json.loads((tmp_path / "run.json").read_text())
    assert account["resumed"][0]["seed"] == account["seed"] >= 0


def test_nothing_to_resume_starts_with_the_weights_that_are_named(type_train, finished, tmp_path, capsys):
    settings = {"MODEL.WEIGHTS": finished / "model_final.pth", "SOLVER.MAX_ITER": 1}
    assert type_train(tmp_path / "run", "--resume", settings=settings) == 0
    said = capsys.readouterr().err
    assert "Nothing to resume in" in said and "0 newly initialised" in said


@pytest.mark.parametrize("lost", ["damaged", "gone"])
def test_a_lost_best_model_is_chosen_anew(type_train, tmp_path, capsys, monkeypatch, lost):
    losses = iter([1.0, 5.0])
    monkeypatch.setattr(hooks, "validation_losses", lambda *_, **__: {"total": next(losses)})
    settings = {**MEASURED, "SOLVER.MAX_ITER": 1}
    assert type_train(tmp_path, settings=settings) == 0
    best = tmp_path / "model_best.pth"
    best.unlink() if lost == "gone" else best.write_bytes(best.read_bytes()[:-9])
    assert type_train(tmp_path, "--resume", settings={**settings, "SOLVER.MAX_ITER": 2}) == 0
    assert "model_best.pth: " in (said := capsys.readouterr().err) and "chooses a new best model" in said
    assert read_checkpoint(best)["loss"] == 5.0


def test_the_memory_of_another_metric_or_set_is_forgotten(caplog):
    def validation(metric, sha256):
        return hooks.Validation(
            period=1,
            dataset=SimpleNamespace(sha256=sha256),
            predictor=None,
            loss_batches=None,
            best_metric=metric,
            patience=2,
            batch_size=1,
            max_pixels=1,
            score_threshold=0.5,
            iou_threshold=0.5,
            seed=0,
        )

    first = validation("dice", "a")
    first._best, first._without_improvement = 0.5, 1
    for metric, sha256, best, said in (
        ("dice", "a", 0.5, ""),
        ("loss", "a", None, "SOLVER.BEST_METRIC differs"),
        ("dice", "b", None, "the validation set differs"),
    ):
        caplog.clear()
        second = validation(metric, sha256)
        second.load_state_dict(first.state_dict())
        assert second._best == best and said in caplog.text
    earlier_version = {"best": 0.5, "without_improvement": 1}
    second = validation("dice", "a")
    second.load_state_dict(earlier_version)
    assert second.state_dict() == first.state_dict()
