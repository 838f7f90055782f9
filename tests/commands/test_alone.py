"""Every command that writes a folder of files is refused with exit code 2 while another one is writing there."""

import importlib

import pytest

from segtumor.locks import alone_in

_TRUTH = ("--annotations", "no.json")
_OTHERS = ("--predictions", "no.json")
#: Module of commands -> its arguments but for --output; none of the files is looked at before the lock.
COMMANDS = {
    "data.convert": ("--source", "no"),
    "data.split": _TRUTH,
    "data.stats": ("no",),
    "prepare_btxrd": ("--source", "no"),
    "prepare_phantoms": ("--cases", "30"),
    "evaluate": (*_TRUTH, *_OTHERS),
    "compare": (*_TRUTH, *_OTHERS, "--against", "no.json"),
    "benchmark.run": (*_TRUTH, *_OTHERS, "--protocol", "no"),
    "demo": (),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_second_command_is_refused(name, tmp_path, capsys):
    command = importlib.import_module(f"segtumor.commands.{name}")
    output = tmp_path / "out"
    with alone_in(output):
        (output / "mine").touch()
        assert command.main([*COMMANDS[name], "--output", str(output)]) == 2
    assert "another command is writing into the folder" in capsys.readouterr().err
    assert [path.name for path in output.iterdir()] == ["mine"]
