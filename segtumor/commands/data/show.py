"""``segtumor data show``: annotated radiographs side by side."""

import logging
from pathlib import Path

from segtumor.commands.common.command_line import make_parser, run
from segtumor.commands.common.terminal import progress_bar

_LOG = logging.getLogger(__name__)


def build_parser():
    """Its arguments."""
    parser = make_parser(
        "segtumor data show",
        "Draw a contact sheet: a few radiographs of every kind, with the outlines of their lesions.",
        examples=[
            "segtumor data show datasets/btxrd --output output/btxrd.png",
            "segtumor data show datasets/btxrd --only malignant --count 60 --seed 1 --output output/malignant.png",
            "segtumor data show datasets/examples/coco/annotations.json --images datasets/examples/images "
            "--output output/examples.png",
        ],
    )
    parser.add_argument("source", metavar="SOURCE", help="annotation file, or folder with annotations/<part>.json")
    parser.add_argument("--images", metavar="DIR", help="folder of the images (default: images beside the annotations)")
    parser.add_argument("--output", required=True, metavar="PNG", help="picture to write")
    parser.add_argument("--count", type=_positive, default=24, metavar="N", help="radiographs to show (default 24)")
    parser.add_argument("--columns", type=_positive, default=6, metavar="N", help="in a row (default 6)")
    parser.add_argument("--tile", type=_positive, default=240, metavar="PX", help="side of a picture (default 240)")
    parser.add_argument("--only", metavar="KIND", help="normal, benign or malignant: only images of this label")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the choice (default 0)")
    return parser


def main(argv=None):
    """Run the command; returns the exit code."""
    return run(_body, build_parser(), argv)


def _positive(text):
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def _body(args) -> None:
    from PIL import Image

    from segtumor.datasets.parts import load_parts
    from segtumor.files import atomic_path
    from segtumor.reporting.pictures.contact_sheet import contact_sheet

    parts = load_parts(args.source, args.images)
    examples = read_examples(parts, count=args.count, seed=args.seed, only=args.only)
    names = next(iter(parts.values())).taxonomy.names
    title = f"{Path(args.source).name}: {len(examples)} of {sum(len(d.images) for d in parts.values())} radiographs"
    sheet = contact_sheet(examples, names, columns=args.columns, tile_px=args.tile, title=title)
    with atomic_path(args.output) as temporary:
        Image.fromarray(sheet).save(temporary, "PNG")
    print(f"contact sheet: {args.output}")


def read_examples(parts, *, count, seed, only=None):
    """(AnnotatedImage, pixels) of a sample of all parts; pixels are None of an unreadable file, which is logged."""
    from segtumor.datasets.sampling import sample_images
    from segtumor.errors import BadImageError
    from segtumor.imaging import read_radiograph

    roots = {image.file_name: d.image_root for d in parts.values() for image in d.annotated_images}
    images = list({image.file_name: image for d in parts.values() for image in d.annotated_images}.values())
    examples = []
    for truth in progress_bar("reading")(sample_images(images, count, seed=seed, only=only)):
        try:
            examples.append((truth, read_radiograph(roots[truth.file_name] / truth.file_name).pixels))
        except BadImageError as error:
            _LOG.warning("%s", error)
            examples.append((truth, None))
    return examples
