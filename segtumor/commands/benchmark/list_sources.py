"""``segtumor benchmark list``: the published sources, a line per source and split.

Not here: their numbers, which ``segtumor benchmark audit`` recomputes.
"""

import argparse
import textwrap
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from segtumor.commands.benchmark.entry_options import add_entry_options, chosen_entries
from segtumor.commands.common.command_line import command, make_parser
from segtumor.texts import wrapped_table

if TYPE_CHECKING:  # would delay --help
    from segtumor.literature.entry import Entry

_HEADER = ("source", "read", "dataset", "unit", "split", "n", "leak", "metrics")
_WIDTH = 110
_SHARES = (24, 6, 24, 8, 24, 5, 24, 40)


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "segtumor benchmark list",
        "List the published sources: data, unit, split, size, leaks and metrics.",
        examples=[
            "segtumor benchmark list",
            "segtumor benchmark list xu_2024",
            "segtumor benchmark list --schema",
        ],
    )
    add_entry_options(parser)
    parser.add_argument("--schema", action="store_true", help="show how to write a source of your own instead")
    return parser


@command(build_parser)
def main(arguments: argparse.Namespace) -> None:
    if arguments.schema:
        print(*_schema(), sep="\n")
        return
    entries, _ = chosen_entries(arguments)
    rows = [row for entry in entries for row in _rows(entry)]
    print(*wrapped_table(_HEADER, rows, shares=_SHARES), sep="\n")
    n_results = sum(len(entry.results) for entry in entries)
    print(f"{len(entries)} sources, {n_results} numbers")


def _rows(entry: "Entry") -> Iterator[tuple[Any, ...]]:
    for name, split in entry.splits.items():
        metrics = dict.fromkeys(row.metric for row in entry.results if row.split == name)
        units = dict.fromkeys([entry.unit, *(row.unit for row in entry.results if row.split == name)])
        n, read = "?" if split.n is None else split.n, "yes" if entry.read else "quoted"
        where = f"{name}: {split.kind}" + (f" ({split.detail})" if split.detail else "")
        yield (
            entry.id,
            read,
            entry.dataset,
            ", ".join(units),
            where,
            n,
            split.leak or "none known",
            ", ".join(metrics),
        )


def _schema() -> Iterator[str]:
    from segtumor.literature.entries.schema import EXAMPLE, KINDS_OF_SPLIT, SCHEMA, WHOSE
    from segtumor.literature.protocols import PROTOCOLS, metric_names

    yield "One YAML file per source, named <id>.yaml; a ? marks optional keys:"
    yield from wrapped_table(("key", "what it holds"), list(SCHEMA.items()), shares=(1, 4))
    yield from ("", "An example, mine_2026.yaml:", *EXAMPLE.splitlines(), "")
    yield from wrapped_table(("kind of a split", "what it means"), list(KINDS_OF_SPLIT.items()), shares=(1, 4))
    yield ""
    rows = [(protocol.name, protocol.title) for protocol in PROTOCOLS.values()]
    yield from wrapped_table(("protocol", "what it is"), rows, shares=(1, 4))
    yield from ("", "Metrics that protocols measure, those of one class by `group`:")
    yield from textwrap.wrap(", ".join(metric_names()), _WIDTH)
    yield ""
    yield from wrapped_table(("whose claim", "what it means"), list(WHOSE.items()), shares=(1, 4))
    yield ""
    yield from _kinds_of_claims()


def _kinds_of_claims() -> Iterator[str]:
    from segtumor.literature.claims.kinds import CHECKS

    yield "Kinds of claims; numbers are quoted as printed:"
    rows = [
        (kind, ", ".join([*check.needs, *(f"?{name}" for name in check.allows)]), _first_line(check.function))
        for kind, check in CHECKS.items()
    ]
    yield from wrapped_table(("kind", "arguments", "what is checked"), rows, shares=(2, 3, 6))


def _first_line(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").partition("\n")[0]
