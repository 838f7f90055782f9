"""``segtumor benchmark list``: the published sources, a line per source and split.

Not here: their numbers, which ``segtumor benchmark audit`` recomputes.
"""

import textwrap

from segtumor.commands.benchmark.choosing import add_entry_arguments, choose_entries, print_remarks
from segtumor.commands.common.command_line import make_parser, run
from segtumor.texts import wrapped_table

_HEADER = ("source", "read", "dataset", "unit", "split", "n", "leak", "metrics")
_WIDTH = 110
_SHARES = (24, 6, 24, 8, 24, 5, 24, 40)


def build_parser():
    """Its arguments."""
    parser = make_parser(
        "segtumor benchmark list",
        "List the published sources: data, unit, split, size, leaks and metrics.",
        examples=[
            "segtumor benchmark list",
            "segtumor benchmark list xu_2024",
            "segtumor benchmark list --schema",
        ],
    )
    add_entry_arguments(parser)
    parser.add_argument("--schema", action="store_true", help="show how to write a source of your own instead")
    return parser


def main(argv=None):
    """Run the command; returns the exit code."""
    return run(_body, build_parser(), argv)


def _body(args) -> None:
    if args.schema:
        print(*_schema(), sep="\n")
        return
    entries, _ = choose_entries(args.entries, args.entries_folder)
    print_remarks(entries)
    rows = [row for entry in entries for row in _rows(entry)]
    print(*wrapped_table(_HEADER, rows, shares=_SHARES), sep="\n")
    n_results = sum(len(entry.results) for entry in entries)
    print(f"{len(entries)} sources, {n_results} numbers")


def _rows(entry):
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


def _schema():
    from segtumor.literature.entries.schema import EXAMPLE, KINDS_OF_SPLIT, SCHEMA, WHOSE
    from segtumor.literature.protocols import PROTOCOLS, metric_names

    yield "One YAML file per source, named <id>.yaml; a ? marks what may be left out:"
    yield from wrapped_table(("key", "what stands there"), list(SCHEMA.items()), shares=(1, 4))
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


def _kinds_of_claims():
    from segtumor.literature.claims.kinds import CHECKS

    yield "Kinds of claims; numbers as printed stand in quotes:"
    rows = [
        (kind, ", ".join([*check.needs, *(f"?{name}" for name in check.allows)]), _first_line(check.function))
        for kind, check in CHECKS.items()
    ]
    yield from wrapped_table(("kind", "arguments", "what is checked"), rows, shares=(2, 3, 6))


def _first_line(function):
    return (function.__doc__ or "").partition("\n")[0]
