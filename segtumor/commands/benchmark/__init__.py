"""``segtumor benchmark``: published numbers, what is wrong with them, and how a run of ours compares with them.

Each sub-command is a module of this folder. Not here: the numbers and their checks (``segtumor.literature``).
"""

import sys
from collections.abc import Sequence

from segtumor.commands.cli import Commands, dispatch

#: Sub-command -> (module of ``segtumor.commands``, what it does).
COMMANDS: Commands = {
    "audit": ("benchmark.audit", "recompute what published sources print, and show what does not hold"),
    "run": ("benchmark.run", "measure predictions as a published study did, beside its numbers"),
    "list": ("benchmark.list_sources", "the published sources: data, unit, n, split, metrics"),
}
_DESCRIPTION = "Published numbers beside ours: list them, audit them."
_EXAMPLES = (
    "segtumor benchmark list",
    "segtumor benchmark audit xu_2024",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the sub-command that ``argv`` names; returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return dispatch("segtumor benchmark", COMMANDS, arguments, description=_DESCRIPTION, examples=_EXAMPLES)
