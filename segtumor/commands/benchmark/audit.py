"""``segtumor benchmark audit``: recompute what published sources print.

Not here: the checks (``segtumor.literature``).
"""

import argparse
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from segtumor import NOTICE
from segtumor.commands.benchmark.entry_options import add_entry_options, chosen_entries
from segtumor.commands.common.command_line import command, make_parser
from segtumor.texts import wrapped_table

if TYPE_CHECKING:  # would delay --help
    from segtumor.literature.audit import AuditedClaim
    from segtumor.literature.entry import Entry

_HEADER = ("claim", "printed", "recomputed", "verdict", "why")
_WIDTH = 110
_SHARES = (30, 16, 24, 17, 45)


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "segtumor benchmark audit",
        "Recompute the numbers that published sources print from the other numbers they print.\n"
        "Shows what does not hold; --all shows every claim. Findings do not change the exit code.",
        examples=[
            "segtumor benchmark audit",
            "segtumor benchmark audit xu_2024 --all",
            "segtumor benchmark audit xu_2024 alrabai_2026 --output output/audit",
        ],
    )
    add_entry_options(parser)
    parser.add_argument("--all", action="store_true", help="show every claim, not only what does not hold")
    parser.add_argument("--output", metavar="DIR", help="write audit.csv, audit.json and audit.md here, complete")
    return parser


@command(build_parser)
def main(arguments: argparse.Namespace) -> None:
    from segtumor.literature.audit import HOW_TO_READ, audit, only_failures, total_text

    entries, library = chosen_entries(arguments)
    findings = audit(entries, library)
    shown = findings if arguments.all else only_failures(findings)
    for entry in entries:
        _print_entry(entry, [f for f in findings if f.entry == entry.id], [f for f in shown if f.entry == entry.id])
    print(total_text(findings, len(entries)))
    print(*textwrap.wrap(HOW_TO_READ, _WIDTH), sep="\n")
    if arguments.output:
        _write(arguments.output, findings, library)


def _print_entry(entry: "Entry", findings: Sequence["AuditedClaim"], shown: Sequence["AuditedClaim"]) -> None:
    from segtumor.literature.audit import counts_text, verdict_text

    print(f"{entry.short} ({entry.id}): {counts_text(findings)}")
    if not entry.read:
        print(f"original not read; quoted by {entry.quoted_by}")
    if shown:
        rows = [(f.claim, f.printed, f.recomputed, verdict_text(f), f.why) for f in shown]
        print(*wrapped_table(_HEADER, rows, shares=_SHARES), sep="\n")
    print()


def _write(output: str, findings: Sequence["AuditedClaim"], library: Mapping[str, "Entry"]) -> None:
    from segtumor.files import prepare_output_folder, write_csv, write_json, write_text
    from segtumor.literature.audit import COLUMNS, as_markdown, as_rows

    folder = prepare_output_folder(output)
    rows = as_rows(findings)
    write_csv(folder / "audit.csv", rows, COLUMNS)
    write_json(folder / "audit.json", {"notice": NOTICE, "summary": _summary(findings), "findings": rows})
    write_text(folder / "audit.md", as_markdown(findings, library, NOTICE))
    print(f"written: {folder / 'audit.csv'}, audit.json, audit.md")


def _summary(findings: Sequence["AuditedClaim"]) -> dict[str, dict[str, int]]:
    """{whose: {verdict: how many}}."""
    from segtumor.literature.audit import summary

    return {
        whose: summary([f for f in findings if f.whose == whose]) for whose in dict.fromkeys(f.whose for f in findings)
    }
