"""``prepare_phantoms.py``: write a data set of synthetic radiographs."""

import argparse

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.shared_options import add_fractions
from segtumor.commands.common.terminal import CaseProgress, print_table


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "prepare_phantoms.py",
        "Write a data set of synthetic radiographs (phantoms): two views per case, normal, benign and malignant,\n"
        "split by case. They show no patient; a score on them says nothing about real radiographs.",
        examples=[
            "python datasets/prepare_phantoms.py --output datasets/phantoms",
            "python datasets/prepare_phantoms.py --output /tmp/phantoms --cases 20 --seed 7 --size 512",
            "python datasets/prepare_phantoms.py --output datasets/phantoms_test --cases 40 --seed 1 --fractions 0 0 1",
            "python datasets/prepare_phantoms.py --output datasets/film --device film --seed 2",
        ],
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--cases", type=int, default=300, metavar="N", help="cases, two images each (default 300)")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="the same seed gives the same files (default 0)"
    )
    parser.add_argument("--size", type=int, default=256, metavar="PX", help="side of the images (default 256)")
    parser.add_argument(
        "--device",
        default="digital",
        choices=("digital", "film"),
        help="what takes the pictures: film is noisier, less sharp and darker (default digital)",
    )
    add_fractions(parser, (0.7, 0.15, 0.15), of="cases")
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace earlier phantoms, and write into a folder that is not empty",
    )
    return parser


@command(build_parser)
def main(arguments: argparse.Namespace) -> None:
    from segtumor.synthesis.phantoms import write_phantom_dataset

    with CaseProgress(arguments.cases) as progress:
        counts = write_phantom_dataset(
            arguments.output,
            cases=arguments.cases,
            seed=arguments.seed,
            size_px=arguments.size,
            device=arguments.device,
            fractions=tuple(arguments.fractions),
            progress=progress,
            overwrite=arguments.overwrite,
        )
    print(f"Wrote SYNTHETIC radiographs (phantoms, no patient data) to {arguments.output}")
    keys = ("cases", "images", "normal", "benign", "malignant")
    header = ("part", "cases", "images", "normal images", "benign lesions", "malignant lesions")
    print_table(header, [(part, *(n[key] for key in keys)) for part, n in counts.items()])
