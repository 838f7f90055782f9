"""The ``segtumor`` command: one name for all tools, for those who installed the package without its ``tools`` folder.

Each sub-command is a module of this folder with ``main(argv) -> int`` and is imported only when it is asked for, so
that ``segtumor --help`` needs no torch. Not here: the sub-commands' own options.
"""

import difflib
import importlib
import sys

import segtumor
from segtumor import NOTICE

#: Sub-command -> (module of ``segtumor.commands``, what it does).
COMMANDS = {
    "train": ("train", "train a model, or evaluate one with --eval-only"),
    "evaluate": ("evaluate", "compare predictions with the truth: detection, overlap, classification"),
    "infer": ("infer", "find tumors on radiographs: overlays, predictions.json, findings.csv"),
    "prepare-btxrd": ("prepare_btxrd", "turn the BTXRD data set into COCO files, split by case"),
    "prepare-phantoms": ("prepare_phantoms", "draw synthetic radiographs to try everything without data"),
    "demo": ("demo", "draw synthetic data, train, evaluate and find, in minutes on a CPU"),
    "check-demo": ("check_demo", "check that a finished demo reaches what it must"),
    "doctor": ("doctor", "say what is installed, what is missing and how to get it"),
}


def help_text():
    """What ``segtumor --help`` prints."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: segtumor [-h] [--version] COMMAND ...",
            "",
            "Instance segmentation of bone tumors on radiographs.",
            "",
            "commands:",
            *lines,
            "",
            "examples:",
            "  segtumor doctor",
            "  segtumor demo --help",
            "",
            NOTICE,
        ]
    )


def main(argv=None):
    """Run the sub-command that ``argv`` names; returns its exit code, or 2 if there is no such command."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments:
        print(help_text(), file=sys.stderr)
        return 2
    name, *rest = arguments
    if name in ("-h", "--help", "help"):
        print(help_text())
        return 0
    if name == "--version":
        print(f"segtumor {segtumor.__version__}")
        return 0
    # Underscores too: `prepare_btxrd` is the name of the file that does it.
    if name.replace("_", "-") not in COMMANDS:
        print(f"error: {_unknown(name)}", file=sys.stderr)
        return 2
    module_name, _ = COMMANDS[name.replace("_", "-")]
    return importlib.import_module(f"segtumor.commands.{module_name}").main(rest)


def _unknown(name):
    nearest = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
    if nearest:
        return f"no command {name!r}. Did you mean `segtumor {nearest[0]}`?"
    return f"no command {name!r} (expected one of {', '.join(COMMANDS)}). `segtumor --help` explains them."
