"""``segtumor data card``: a data set on one page."""

from pathlib import Path

from segtumor.commands.common.command_line import make_parser, run


def build_parser():
    """Its arguments."""
    parser = make_parser(
        "segtumor data card",
        "Write a data card: one HTML file, with nothing outside it, that shows what a data set holds: tables, plots,\n"
        "examples, and the hashes by which it can be recognised. It contains radiographs: mind who may see them\n"
        "(--count 0 leaves them out).",
        examples=[
            "segtumor data card datasets/btxrd --output output/btxrd_card.html",
            "segtumor data card datasets/examples/coco/annotations.json --images datasets/examples/images "
            "--title 'Three phantoms' --output output/card.html",
        ],
    )
    parser.add_argument("source", metavar="SOURCE", help="annotation file, or folder with annotations/<part>.json")
    parser.add_argument("--images", metavar="DIR", help="folder of the images (default: images beside the annotations)")
    parser.add_argument("--output", required=True, metavar="HTML", help="file to write")
    parser.add_argument("--title", metavar="TEXT", help="name of the data set (default: that of the folder)")
    parser.add_argument("--count", type=int, default=18, metavar="N", help="examples to show (default 18, 0 for none)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the choice of examples (default 0)")
    return parser


def main(argv=None):
    """Run the command; returns the exit code."""
    return run(_body, build_parser(), argv)


def _body(args) -> None:
    from segtumor.commands.data.show import read_examples
    from segtumor.datasets.counts import describe
    from segtumor.datasets.parts import load_parts
    from segtumor.files import write_text
    from segtumor.reporting.pages.data_card import data_card

    parts = load_parts(args.source, args.images)
    examples = read_examples(parts, count=args.count, seed=args.seed) if args.count > 0 else []
    source = Path(args.source).resolve()
    title = args.title or (source.name if source.is_dir() else source.stem)
    page = data_card(title, parts, describe(parts), examples, split_sha256=_split_hash(source))
    write_text(args.output, page)
    print(f"data card: {args.output}")


def _split_hash(source):
    """Hash of the split beside the annotations, or None if there is none or it is not one of ours."""
    from segtumor.datasets.splits import read_split
    from segtumor.errors import DataError

    path = (source if source.is_dir() else source.parent.parent) / "split.json"
    if not path.is_file():
        return None
    try:
        return read_split(path, allow_shared_cases=True).sha256
    except DataError:
        return None
