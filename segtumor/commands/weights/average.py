"""``segtumor weights average``: the mean of several models' weights, as one model."""

import argparse

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.weights.output import new_weights

_DESCRIPTION = """Write the mean of the weights of models that were trained further from one start: it often finds more
than each of them, and takes no longer to run. Which shares are best is for a validation set to say. segtumor train
--finish-only --init-from OUT makes a run of the mean."""


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "segtumor weights average",
        _DESCRIPTION,
        examples=[
            "segtumor weights average output/first/model_best.pth output/further/model_best.pth --output mean.pth",
            "segtumor weights average a.pth b.pth --shares 0.7 0.3 --output mean.pth",
        ],
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="weights of one architecture and the same classes, or names"
    )
    parser.add_argument("--shares", nargs="+", type=float, default=[], metavar="S", help="of each file; default: equal")
    parser.add_argument("--output", required=True, metavar="OUT", help="file to write, .pth")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT")
    return parser


@command(build_parser)
def main(arguments: argparse.Namespace) -> int:
    from segtumor.models.weight_average import average_weights
    from segtumor.shipped.registry import starting_weights

    output = new_weights(arguments.output, overwrite=arguments.overwrite, where="--output")
    count = average_weights([starting_weights(file) for file in arguments.files], output, shares=arguments.shares)
    print(f"{output}: the mean of {len(arguments.files)} models, {count} tensors")
    return 0
