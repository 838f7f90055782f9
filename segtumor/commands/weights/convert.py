"""``segtumor weights convert``: any readable file of weights to one with a checksum, in half precision if wanted."""

import argparse

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.weights.output import new_weights

_DESCRIPTION = """Write the weights of a file, and nothing else of it, as a .pth whose damage is noticed: a .pkl of
Detectron2's model zoo, a checkpoint with the optimizer's state, a file from before torch 1.6. Names stay, so that
train --init-from knows the layout."""


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "segtumor weights convert",
        _DESCRIPTION,
        examples=[
            "segtumor weights convert model_final_f10217.pkl r50.pth",
            "segtumor weights convert output/demo/run/model_best.pth small.pth --half",
            "segtumor weights convert output/weights/vgg16.pth vgg19.pth --deepen",
        ],
    )
    parser.add_argument("file", metavar="FILE", help="weights: .pth, .pkl of Detectron2's model zoo, or a model's name")
    parser.add_argument("output", metavar="OUT", help="file to write, .pth")
    parser.add_argument("--half", action="store_true", help="matrices and kernels as 16-bit floats: half the size")
    parser.add_argument("--deepen", action="store_true", help="a VGG16 becomes the VGG19 that computes the same")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT")
    return parser


@command(build_parser)
def main(arguments: argparse.Namespace) -> int:
    from segtumor.models.weights import convert
    from segtumor.shipped.registry import starting_weights

    output = new_weights(arguments.output, overwrite=arguments.overwrite, where="OUT")
    count = convert(starting_weights(arguments.file), output, half=arguments.half, deepen=arguments.deepen)
    print(f"{output}: {count} tensors, {output.stat().st_size / 1e6:.1f} MB")
    return 0
