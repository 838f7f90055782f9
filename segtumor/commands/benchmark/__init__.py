"""``segtumor benchmark``: published numbers, what is wrong with them, and how a run of ours compares with them.

Each sub-command is a module of this folder. Not here: the numbers and their checks (``segtumor.literature``).
"""

from segtumor.commands.cli import Commands, Group

#: Sub-command -> (module of ``segtumor.commands``, what it does).
COMMANDS: Commands = {
    "audit": ("benchmark.audit", "recompute what published sources print, and show what does not hold"),
    "run": ("benchmark.run", "measure predictions as a published study did, beside its numbers"),
    "reproduce": ("benchmark.reproduce", "train as a published study of classifiers did, beside its tables"),
    "list": ("benchmark.list_sources", "the published sources: data, unit, n, split, metrics"),
}
main = Group(
    "segtumor benchmark",
    COMMANDS,
    "Published numbers beside ours: list them, audit them.",
    (
        "segtumor benchmark list",
        "segtumor benchmark audit xu_2024",
    ),
).main
