"""``tools/benchmark_speed.py --quick``: its results must equal Detectron2's; its times are not looked at."""

import json
import subprocess
import sys

import pytest

from benchmarks.speed import command, inference
from benchmarks.speed.processes import thread_limits

pytestmark = pytest.mark.model


@pytest.fixture
def bound(monkeypatch):
    """Libraries bound to one thread, so that the command stays in this process."""
    for name, value in thread_limits(1).items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("bound")
def test_quick_measures_both_parts_with_equal_results(tmp_path, capsys):
    assert command.main(["--quick", "--threads", "1", "--output", str(tmp_path)]) == 0
    output = capsys.readouterr()
    for text in (
        "Detectron2, eager",
        "segtumor, torch",
        "Training, 96 px",
        "torchvision 0.",
        "times as fast",
        "but for rounding",
    ):
        assert text in output.out
    assert "turn 1 of 1" in output.err and "turn 1 of 1" not in output.out
    values = json.loads((tmp_path / "speed.json").read_text())
    assert values["problems"] == []
    rows = values["parts"]["inference"]["rows"]
    assert rows["segtumor, torch"]["parity"]["n_findings_reference"] > 0
    assert rows["segtumor, torch"]["parity"]["n_images_without_findings"] > 0
    assert rows["Detectron2, eager"]["times_as_fast"] == 1
    assert "| Detectron2, eager |" in (tmp_path / "speed.md").read_text()


@pytest.mark.usefixtures("bound")
def test_other_results_are_an_error(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(inference, "problem", lambda name, parity: f"{name} differs")
    arguments = ["--quick", "--parts", "inference", "--threads", "1", "--output", str(tmp_path)]
    assert command.main(arguments) == 3
    output = capsys.readouterr()
    assert "differ from Detectron2, first: segtumor, torch differs" in output.err
    assert "but for rounding" not in output.out
    assert (tmp_path / "speed.json").is_file()


def test_findings_that_were_not_there_are_not_called_equal():
    rows = {count: {"parity": {"n_findings_reference": count}} for count in (0, 3)}
    assert "nothing to compare" in command._verdict(rows)
    assert "nothing to compare" not in command._verdict({3: rows[3], "peer": {"parity": None}})


def test_every_library_is_bound_by_one_process_that_starts_so(monkeypatch):
    """NumPy's BLAS reads its number of threads when it is loaded."""
    started = []

    def start(arguments, *, env, **_):
        started.append((arguments, env))
        return subprocess.CompletedProcess(arguments, 3)

    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    monkeypatch.setattr(command.subprocess, "run", start)
    monkeypatch.setattr(command, "_measure", lambda arguments: 0)
    assert command.main(["--quick", "--threads", "2"]) == 3
    ((started_with, environment),) = started
    assert thread_limits(2).items() <= environment.items() and set(thread_limits(2)) >= {"OPENBLAS_NUM_THREADS"}
    assert started_with[0] == sys.executable and started_with[-3:] == ["--quick", "--threads", "2"]
    for name, value in thread_limits(2).items():
        monkeypatch.setenv(name, value)
    assert command.main(["--quick", "--threads", "2"]) == 0 and len(started) == 1


def test_that_process_runs_the_command(monkeypatch, capfd):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert command.main(["--quick", "--parts", "inference", "--images", "nowhere", "--threads", "1"]) == 5
    assert "nowhere" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--repeats", "0"], 2, "--repeats"),
        (["--threads", "-1"], 2, "--threads"),
        (["--quick", "--parts", "growth"], 2, "--quick has inference and training only"),
        (["--weights", "nowhere.pth"], 3, "no such weights file"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_measured(arguments, code, message, capsys):
    assert command.main(arguments) == code
    assert message in capsys.readouterr().err
