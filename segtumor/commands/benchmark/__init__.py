"""``segtumor benchmark``: published numbers, what is wrong with them, and how a run of ours stands beside them.

Each sub-command is a module of this folder. Not here: the numbers and their checks (``segtumor.literature``).
"""

import sys

from segtumor.commands.cli import dispatch

#: Sub-command -> (module of ``segtumor.commands``, what it does).
COMMANDS = {
    "audit": ("benchmark.audit", "recompute what published sources print, and say what does not hold"),
    "run": ("benchmark.run", "measure predictions as a published study did, beside its numbers"),
    "list": ("benchmark.list", "the published sources: data, unit, n, split, metrics"),
}
_DESCRIPTION = "Published numbers beside ours: list them, audit them."
_EXAMPLES = (
    "segtumor benchmark list",
    "segtumor benchmark audit xu_2024",
)


def main(argv=None):
    """Run the sub-command that ``argv`` names; returns its exit code."""
    # Not list(...): once imported, the sub-command's module of that name hides the built-in here.
    arguments = [*(sys.argv[1:] if argv is None else argv)]
    return dispatch("segtumor benchmark", COMMANDS, arguments, description=_DESCRIPTION, examples=_EXAMPLES)
