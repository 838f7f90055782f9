"""``segtumor weights list``: the published weights that are known by name."""

import argparse

from segtumor.commands.common.command_line import command, make_parser
from segtumor.texts import aligned_table


def build_parser() -> argparse.ArgumentParser:
    return make_parser(
        "segtumor weights list",
        "List the published weights that segtumor weights get knows; opens no connection.",
        examples=["segtumor weights list"],
    )


@command(build_parser)
def main(arguments: argparse.Namespace) -> int:
    from segtumor.models.starts import STARTS

    rows = [
        (
            name,
            start.licence,
            "torchvision" if start.torchvision else start.package[0] if start.package else "",
            start.config,
        )
        for name, start in STARTS.items()
    ]
    print("\n".join(aligned_table([("name", "licence", "from", "for"), *rows], align="<")))
    return 0
