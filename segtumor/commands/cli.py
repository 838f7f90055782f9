"""The ``segtumor`` command: one name for all tools, for those who installed the package without its ``tools`` folder.

Each sub-command is a module of this folder with ``main(argv) -> int`` and is imported only when it is asked for, so
that ``segtumor --help`` needs no torch. Not here: the sub-commands' own options.
"""

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import segtumor
from segtumor import NOTICE
from segtumor.commands.common.command_line import guarded, typed_as
from segtumor.commands.common.streams import sound_streams
from segtumor.errors import InstallationError
from segtumor.texts import aligned_table

#: Sub-command -> (module below ``segtumor.commands``, what it does).
Commands = Mapping[str, tuple[str, str]]
COMMANDS: Commands = {
    "train": ("train", "train a model, or evaluate one with --eval-only"),
    "evaluate": ("evaluate", "compare predictions with annotations: every metric with its interval, and a report"),
    "compare": ("compare", "compare two models, or a model and readers, on the same images: paired tests"),
    "mrmc": ("mrmc", "test several readers at once, with and without a model or against it"),
    "benchmark": ("benchmark", "audit and list published numbers; measure predictions by the same rules"),
    "crossval": ("crossval", "k-fold cross-validation by case: train, pool, report; resumes where it was stopped"),
    "prune": ("prune", "make a trained VGG model narrower, as a starting point for fine-tuning"),
    "export": ("export", "export a trained model for fast inference without torch, and check that it is equivalent"),
    "infer": ("infer", "find tumours on radiographs: overlays, predictions.json, findings.csv"),
    "serve": ("serve", "a page where radiographs are read, looked at, corrected and exported"),
    "embed": ("embed", "what a model sees in a data set: an index for infer --similar, a map, how good they are"),
    "models": ("models", "list the models that come with segtumor, show what they are worth, fetch others"),
    "data": ("data", "convert, check, split and inspect annotated radiographs"),
    "weights": ("weights", "get, show and convert weights to start a training from"),
    "prepare-btxrd": ("prepare.btxrd", "convert the BTXRD data set to COCO files, split by case"),
    "prepare-phantoms": ("prepare.phantoms", "draw synthetic radiographs, to try everything without data"),
    "demo": ("demo", "draw synthetic data, train, evaluate and predict, in minutes on a CPU"),
    "doctor": ("doctor", "show what is installed, what is missing and how to get it"),
}
#: Sub-command -> (script of the repository, what it does). An installed package has no such scripts.
SCRIPTS: Commands = {
    "benchmark-speed": (
        "tools/benchmark_speed.py",
        "repository only: time and memory beside Detectron2 and torchvision, with equal results",
    ),
    "check-demo": ("tools/check_demo.py", "repository only: check that a finished demo reaches what it must"),
    "register-model": ("tools/register_model.py", "repository only: make a model that can be named from a training"),
}


@dataclass(frozen=True)
class Group:
    """Commands behind one name.

    Attributes:
        prog: what was typed so far, ``segtumor`` or ``segtumor data``.
        commands: of the group.
        description, examples: for the help.
    """

    prog: str
    commands: Commands
    description: str
    examples: tuple[str, ...]

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run the command that ``argv`` starts with; returns its exit code, 2 if there is none of that name."""
        arguments = list(sys.argv[1:] if argv is None else argv)
        with sound_streams():
            return guarded(lambda: self._run(arguments))

    def _run(self, arguments: Sequence[str]) -> int:
        if not arguments:
            print(self.help_text(), file=sys.stderr)
            return 2
        name, *rest = arguments
        if name == "--version" and self.prog == "segtumor":
            print(f"segtumor {segtumor.__version__}")
            return 0
        if name in ("-h", "--help", "help"):
            print(self.help_text())
            return 0
        # Underscores too: `prepare_btxrd.py` is the script that does it.
        known = name.replace("_", "-")
        if known not in self.commands:
            print(f"error: {self._unknown(name)}", file=sys.stderr)
            return 2
        module_name, _ = self.commands[known]
        with typed_as(f"{self.prog} {known}"):
            return int(load_command(module_name).main(rest))

    def help_text(self) -> str:
        """What ``--help`` prints."""
        cells = [(name, summary) for name, (_, summary) in self.commands.items()]
        version = " [--version]" if self.prog == "segtumor" else ""
        return "\n".join(
            [
                f"usage: {self.prog} [-h]{version} COMMAND ...",
                "",
                self.description,
                "",
                "commands:",
                *(f"  {line}" for line in aligned_table(cells, "<")),
                "",
                "examples:",
                *(f"  {example}" for example in self.examples),
                "",
                NOTICE,
            ]
        )

    def _unknown(self, name: str) -> str:
        nearest = [f"{self.prog} {found}" for found in difflib.get_close_matches(name, self.commands, n=1)]
        nearest += [f"segtumor {leaf}" for leaf in leaf_commands() if leaf.endswith(f" {name}")]
        if nearest:
            return f"no command {name!r}. Did you mean `{nearest[0]}`?"
        return f"no command {name!r} (expected one of {', '.join(self.commands)}). `{self.prog} --help` explains them."


def load_command(name: str) -> ModuleType:
    """The module below ``segtumor.commands``, or the script of the repository, that ``name`` names.

    Raises:
        InstallationError: a script of the repository, and segtumor was not started from a clone.
    """
    if not name.endswith(".py"):
        return importlib.import_module(f"segtumor.commands.{name}")
    path = Path(segtumor.__file__).resolve().parents[1] / name
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise InstallationError(
            "this command is not in the installed package but in segtumor's repository",
            remedy=f"In a clone of it, type: python {name}",
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def leaf_commands() -> dict[str, str]:
    """{what is typed after ``segtumor``: what ``load_command`` takes}, with the sub-commands of groups."""
    leaves = {name: script for name, (script, _) in SCRIPTS.items()}
    for name, (module_name, _) in COMMANDS.items():
        group = getattr(load_command(module_name), "COMMANDS", None)
        names = (
            {name: module_name} if group is None else {f"{name} {sub}": module for sub, (module, _) in group.items()}
        )
        leaves.update(names)
    return leaves


main = Group(
    "segtumor",
    {**COMMANDS, **SCRIPTS},
    "Instance segmentation of bone tumours on radiographs.",
    (
        "segtumor doctor",
        "segtumor demo",
        "segtumor infer --help",
        "segtumor infer --run output/demo/run --input scans --output found",
    ),
).main
