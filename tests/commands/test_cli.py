import importlib
import pkgutil
import subprocess
import sys

import pytest

import segtumor
import segtumor.commands
import segtumor.commands.data
import segtumor.commands.prepare
from segtumor import NOTICE
from segtumor.commands import cli

COMMANDS = cli.leaf_commands()


def test_help_names_every_command_in_one_line(capsys):
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    for name, (_, summary) in {**cli.COMMANDS, **cli.SCRIPTS}.items():
        assert any(line.split()[:1] == [name] and line.endswith(summary) for line in text.splitlines())
    assert max(map(len, text.splitlines())) <= 120
    assert text.endswith(f"{NOTICE}\n")


def test_every_command_file_can_be_reached():
    names = [module.name for module in pkgutil.iter_modules(segtumor.commands.__path__)]
    names += [f"prepare.{module.name}" for module in pkgutil.iter_modules(segtumor.commands.prepare.__path__)]
    modules = {name: importlib.import_module(f"segtumor.commands.{name}") for name in names}
    assert {module for module, _ in cli.COMMANDS.values()} == {
        name for name, module in modules.items() if hasattr(module, "main") and module is not cli
    }


def test_every_file_of_a_group_can_be_reached():
    names = [module.name for module in pkgutil.iter_modules(segtumor.commands.data.__path__)]
    modules = {name: importlib.import_module(f"segtumor.commands.data.{name}") for name in names}
    commands = {name for name, module in modules.items() if hasattr(module, "build_parser")}
    assert {module.rpartition(".")[2] for module, _ in segtumor.commands.data.COMMANDS.values()} == commands


@pytest.mark.parametrize("arguments", [["data", "--help"], ["data"], ["data", "zzz"], ["data", "chekc"]])
def test_a_group_lists_its_commands(arguments, capsys):
    code = cli.main(arguments)
    captured = capsys.readouterr()
    assert code == (0 if "--help" in arguments else 2)
    expected = ["segtumor data check"] if "chekc" in arguments else segtumor.commands.data.COMMANDS
    assert all(name in captured.out + captured.err for name in expected)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself_with_examples(name, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([*name.split(), "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: segtumor {name} [-h]")
    assert "examples:\n" in text
    assert text.endswith(f"{NOTICE}\n")


@pytest.mark.parametrize(
    ("module", "script"), [("train", "train_net.py"), ("infer", "infer.py"), ("benchmark.run", "benchmark.py")]
)
def test_a_script_goes_by_its_own_name(module, script, capsys):
    with pytest.raises(SystemExit):
        importlib.import_module(f"segtumor.commands.{module}").main(["--no-such-option"])
    assert capsys.readouterr().err.startswith(f"usage: {script} ")


def test_arguments_and_exit_code_are_handed_on(monkeypatch):
    seen = []
    doctor = importlib.import_module("segtumor.commands.doctor")
    monkeypatch.setattr(doctor, "main", lambda argv: seen.append(argv) or 6)
    assert cli.main(["doctor", "--debug", "x"]) == 6
    assert seen == [["--debug", "x"]]


def test_underscores_are_understood(monkeypatch):
    module = importlib.import_module("segtumor.commands.prepare.phantoms")
    monkeypatch.setattr(module, "main", lambda argv: 0)
    assert cli.main(["prepare_phantoms"]) == 0


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [("trian", "train"), ("eval", "evaluate"), ("prepare-btx", "prepare-btxrd"), ("convert", "data convert")],
)
def test_an_unknown_command_names_the_nearest(typed, nearest, capsys):
    assert cli.main([typed]) == 2
    assert f"Did you mean `segtumor {nearest}`?" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["zzz"]])
def test_no_command_at_all_lists_them(arguments, capsys):
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert all(name in captured.err for name in cli.COMMANDS)


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"segtumor {segtumor.__version__}\n"


@pytest.mark.command
def test_help_of_every_command_waits_for_nothing_heavy():
    program = (
        "import sys; from segtumor.commands.cli import leaf_commands, load_command\n"
        "for module in leaf_commands().values(): load_command(module).build_parser().format_help()\n"
        "heavy = {'torch', 'detectron2', 'albumentations', 'pandas', 'matplotlib', 'scipy', 'cv2', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("[]\n", "")


@pytest.mark.command
def test_it_runs_as_a_module():
    result = subprocess.run(
        [sys.executable, "-m", "segtumor", "--version"], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (0, f"segtumor {segtumor.__version__}\n")


def test_an_interruption_while_a_command_is_imported_is_130(monkeypatch, capsys):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib, "import_module", interrupted)
    assert cli.main(["doctor"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("name", cli.SCRIPTS)
def test_scripts_of_the_repository_are_commands_in_a_clone_only(name, capsys, monkeypatch, tmp_path):
    with pytest.raises(SystemExit) as caught:
        cli.main([name, "--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: segtumor {name} [-h]")
    monkeypatch.setattr(segtumor, "__file__", str(tmp_path / "segtumor" / "__init__.py"))
    assert cli.main([name, "--help"]) == 4
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and f"python {cli.SCRIPTS[name][0]}" in message
