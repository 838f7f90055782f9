"""``segtumor data show``: annotated radiographs side by side."""

import argparse
from pathlib import Path

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.shared_options import add_data_set, add_image_folder, positive
from segtumor.commands.common.terminal import progress_bar


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "segtumor data show",
        "Draw a contact sheet: a few radiographs of each kind, with the outlines of their lesions.",
        examples=[
            "segtumor data show datasets/btxrd --output output/btxrd.png",
            "segtumor data show datasets/btxrd --only malignant --count 60 --seed 1 --output output/malignant.png",
            "segtumor data show datasets/examples/coco/annotations.json --images datasets/examples/images "
            "--output output/examples.png",
        ],
    )
    add_data_set(parser)
    add_image_folder(parser)
    parser.add_argument("--output", required=True, metavar="PNG", help="picture to write")
    parser.add_argument("--count", type=positive, default=24, metavar="N", help="radiographs to show (default 24)")
    parser.add_argument("--columns", type=positive, default=6, metavar="N", help="pictures in a row (default 6)")
    parser.add_argument("--tile", type=positive, default=240, metavar="PX", help="side of a picture (default 240)")
    parser.add_argument("--only", metavar="KIND", help="normal, benign or malignant: only images of this label")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the choice (default 0)")
    return parser


@command(build_parser)
def main(arguments: argparse.Namespace) -> None:
    from PIL import Image

    from segtumor.datasets.annotation_files import load_parts
    from segtumor.datasets.sampling import read_sample
    from segtumor.files import atomic_path
    from segtumor.reporting.pictures.contact_sheet import contact_sheet

    parts = load_parts(arguments.source, arguments.images)
    examples = read_sample(
        parts, arguments.count, seed=arguments.seed, only=arguments.only, progress=progress_bar("reading")
    )
    names = next(iter(parts.values())).taxonomy.names
    title = (
        f"{Path(arguments.source).name}: {len(examples)} of {sum(len(d.images) for d in parts.values())} radiographs"
    )
    sheet = contact_sheet(examples, names, columns=arguments.columns, tile_px=arguments.tile, title=title)
    with atomic_path(arguments.output) as temporary:
        Image.fromarray(sheet).save(temporary, "PNG")
    print(f"contact sheet: {arguments.output}")
