"""Every command that writes a folder of files is refused with exit code 2 while another one is writing there, and where
it would replace what an earlier one has written."""

import fnmatch
import importlib

import pytest
from repository import ROOT

from segtumor.system.locks import lock_folder

pytestmark = pytest.mark.command

EXAMPLE = ROOT / "datasets" / "examples" / "coco" / "annotations.json"
_TRUTH = ("--annotations", "no.json")
_OTHERS = ("--predictions", "no.json")
#: Module of commands -> its arguments but for --output; none of the files is looked at before the lock.
COMMANDS = {
    "data.convert": ("--source", "no"),
    "data.split": _TRUTH,
    "data.stats": ("no",),
    "prepare.btxrd": ("--source", "no"),
    "prepare.phantoms": ("--cases", "30"),
    "evaluate": (*_TRUTH, *_OTHERS),
    "compare": (*_TRUTH, *_OTHERS, "--against", "no.json"),
    "benchmark.run": (*_TRUTH, *_OTHERS, "--protocol", "no"),
    "demo": (),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_second_command_is_refused(name, tmp_path, capsys):
    command = importlib.import_module(f"segtumor.commands.{name}")
    output = tmp_path / "out"
    with lock_folder(output):
        (output / "mine").touch()
        assert command.main([*COMMANDS[name], "--output", str(output)]) == 2
    assert "another command is writing into the folder" in capsys.readouterr().err
    assert [path.name for path in output.iterdir()] == ["mine"]


#: Module of commands -> (its arguments but for --output, a file that an earlier one has left).
EARLIER = {
    "evaluate": ((*_TRUTH, *_OTHERS), "report.html"),
    "compare": ((*_TRUTH, *_OTHERS, "--against", "no.json"), "comparison.md"),
    "benchmark.run": ((*_TRUTH, *_OTHERS, "--protocol", "xu-2024"), "benchmark.csv"),
    "demo": (("--config-file", "no.yaml"), "phantoms/SYNTHETIC.txt"),
    "data.stats": ((str(EXAMPLE),), "statistics.json"),
}


@pytest.mark.parametrize("name", EARLIER)
def test_earlier_results_are_replaced_only_where_it_is_asked_for(name, tmp_path, capsys):
    command = importlib.import_module(f"segtumor.commands.{name}")
    arguments, left = EARLIER[name]
    (tmp_path / left).parent.mkdir(exist_ok=True)
    (tmp_path / left).write_text("mine")
    assert command.main([*arguments, "--output", str(tmp_path)]) == 2
    assert "the folder holds" in (message := capsys.readouterr().err) and "--overwrite" in message
    assert (tmp_path / left).read_text() == "mine"
    command.main([*arguments, "--output", str(tmp_path), "--overwrite"])  # goes on to what else is wrong
    assert "the folder holds" not in capsys.readouterr().err


def test_all_that_an_evaluation_writes_is_looked_for(tmp_path):
    from segtumor.commands.evaluate import _WRITTEN
    from segtumor.reporting.files import study_files
    from segtumor.runs import TRAINING_CURVES

    names = {*study_files._NAMES, TRAINING_CURVES, "metrics.json", "per_lesion.csv", "per_image.csv"}
    assert not [name for name in names if not any(fnmatch.fnmatch(name, pattern) for pattern in _WRITTEN)]
