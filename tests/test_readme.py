"""Commands that users are told to type exist and are understood; nothing is run here.

They come from the documents (code blocks and code in the text) and from the examples at the end of each ``--help``.
"""

import ast
import re
import shlex
from pathlib import Path

import pytest
from repository import tracked

from segtumor import errors
from segtumor.commands import cli
from segtumor.commands.common import command_line

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "docs"
DOCUMENTS = tracked("*.md", "configs/*.md", "datasets/*.md", "docs/**/*.md")
MODULES = sorted(cli.leaf_commands().values())
OURS = re.compile(r"(make|segtumor|python (tools|datasets)/\S+|python -m segtumor)( |$)")


def typed_in(path):
    """Commands of ours in a document: whole lines of code blocks, and code in the text."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [code for code in [*lines, *re.findall(r"`([^`\n]+)`", prose)] if OURS.match(code)]


def examples_of(module):
    """Commands at the end of a command's ``--help``."""
    epilog = cli.load_command(module).build_parser().epilog
    return [line.strip() for line in epilog.splitlines() if line.startswith("  ")]


def documented():
    found = [(str(path.relative_to(ROOT)), command) for path in DOCUMENTS for command in typed_in(path)]
    return sorted(set(found))


def helped():
    return [(f"{module} --help", command) for module in MODULES for command in examples_of(module)]


def make_targets():
    return re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def module_of_script(path):
    """The command that a file of tools/ or datasets/ calls; the file itself, where it is the command."""
    name = str(path.relative_to(ROOT))
    if any(script == name for script, _ in cli.SCRIPTS.values()):
        return name
    return re.search(r"from segtumor\.commands\.([\w.]+) import main", path.read_text(encoding="utf-8"))[1]


def command_and_arguments(words):
    """What follows ``python tools/x.py``, ``segtumor x`` or ``python -m segtumor x``; the command may be None."""
    if words[:1] == ["python"] and words[1] != "-m":
        script = ROOT / words[1]
        assert script.is_file(), f"no such script: {words[1]}"
        return module_of_script(script), words[2:]
    rest = words[1:] if words[0] == "segtumor" else words[3:]
    if not rest or rest[0] in ("--help", "--version"):
        return None, []
    leaves = cli.leaf_commands()
    for length in (2, 1):
        if " ".join(rest[:length]) in leaves:
            return leaves[" ".join(rest[:length])], rest[length:]
    assert rest[0] in cli.COMMANDS and len(rest) == 1, f"no such command: segtumor {' '.join(rest[:2])}"
    return None, []  # the name of a group


def check_arguments(module, arguments, capsys):
    try:
        parsed = cli.load_command(module).build_parser().parse_args(arguments)
    except SystemExit as leaving:
        assert leaving.code == 0, capsys.readouterr().err  # 0: it was --help
        return
    settings = [word for word in getattr(parsed, "opts", []) if word != "--"]
    assert len(settings) % 2 == 0
    assert not [key for key in settings[::2] if not re.fullmatch(r"[A-Z][A-Z0-9_]*(\.[A-Z0-9_]+)*", key)]


@pytest.mark.parametrize(("where", "command"), [*documented(), *helped()])
def test_a_command_that_is_shown_is_understood(where, command, capsys):
    words = shlex.split(command, comments=True)
    if words[0] == "make":
        targets = [word for word in words[1:] if "=" not in word]
        assert set(targets) <= set(make_targets())
        return
    module, arguments = command_and_arguments(words)
    if arguments:  # the bare name of a command, in the text, is no command line
        check_arguments(module, arguments, capsys)
    files = [word for word in words if word.startswith(("configs/", "datasets/examples/"))]
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_commands_are_found_in_the_documents():
    commands = [command for _, command in documented()]
    for beginning in (
        "make demo",
        "make test",
        "python tools/train_net.py --config-file",
        "python tools/infer.py --run",
    ):
        assert any(command.startswith(beginning) for command in commands)


@pytest.mark.parametrize("module", MODULES)
def test_every_help_ends_with_examples(module):
    assert examples_of(module)


def test_every_script_calls_a_command():
    called = {module_of_script(script) for script in tracked("tools/*.py", "datasets/*.py")}
    whole = {module for module in MODULES if "." not in module.removeprefix("prepare.") or module.endswith(".py")}
    assert called == whole - {
        "demo",
        "doctor",
        "models",
        "serve",
    } | {"benchmark.run"}


def test_the_readme_opens_with_what_matters():
    text = README.read_text(encoding="utf-8")
    assert 0 < text.index(command_line.NOTICE) < text.index("make demo") < text.index("\n## ")


def test_the_readme_is_read_in_two_minutes():
    assert len(README.read_text(encoding="utf-8").splitlines()) < 120


def test_every_command_is_in_the_reference():
    text = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `segtumor ([\w-]+)` \|", text, re.MULTILINE))
    assert listed == {*cli.COMMANDS, *cli.SCRIPTS}
    assert {ROOT / name for name in re.findall(r"`((?:tools|datasets)/\w+\.py)`", text)} == set(
        tracked("tools/*.py", "datasets/*.py")
    )


def test_detectron2_is_installed_by_the_command_that_error_messages_name():
    tree = ast.parse((ROOT / "segtumor" / "compat.py").read_text(encoding="utf-8"))
    values = [
        n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "INSTALL_COMMAND"
    ]
    assert ast.literal_eval(values[0]) in (DOCS / "how-to" / "install.md").read_text(encoding="utf-8").splitlines()


def test_every_exit_code_is_explained():
    text = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    table = text.partition("| code | |")[2].partition("\n\n")[0]
    explained = {int(code) for cell in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for code in cell.split(",")}
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    codes = {value for name, value in vars(command_line).items() if name.startswith("EXIT_")}
    assert explained == {0} | codes | {cls.exit_code for cls in classes if issubclass(cls, errors.SegtumorError)}
