"""``segtumor data card``: a data set on one page."""

import argparse
from pathlib import Path

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.shared_options import add_data_set, add_image_folder
from segtumor.commands.common.terminal import progress_bar


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "segtumor data card",
        "Write a data card: one self-contained HTML file that shows what a data set holds: tables, plots, examples,\n"
        "and the hashes that identify it. It contains radiographs: mind who may see them (--count 0 leaves them out).\n"
        "To a name that ends in .md, the tables and hashes as Markdown.",
        examples=[
            "segtumor data card datasets/btxrd --output output/btxrd_card.html",
            "segtumor data card datasets/btxrd --output output/btxrd_card.md",
            "segtumor data card datasets/examples/coco/annotations.json --images datasets/examples/images "
            "--title 'Three phantoms' --output output/card.html",
        ],
    )
    add_data_set(parser)
    add_image_folder(parser)
    parser.add_argument("--output", required=True, metavar="FILE", help="file to write, .html or .md")
    parser.add_argument("--title", metavar="TEXT", help="name of the data set (default: that of the folder)")
    parser.add_argument("--count", type=int, default=18, metavar="N", help="examples to show (default 18, 0 for none)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the choice of examples (default 0)")
    parser.add_argument("--cohort-by", default="center", metavar="FIELD", help="field of the cohort table (center)")
    parser.add_argument(
        "--report",
        metavar="JSON",
        help="report of the conversion, for the flow of images (default: in the folder)",
    )
    return parser


@command(build_parser)
def main(arguments: argparse.Namespace) -> None:
    from segtumor.datasets.annotation_files import load_parts
    from segtumor.datasets.counts import describe
    from segtumor.datasets.flow import REPORT, read_flow
    from segtumor.datasets.sampling import read_sample
    from segtumor.datasets.splits.document import hash_of_split_beside
    from segtumor.files import write_text
    from segtumor.reporting.pages.data_card import data_card, data_card_text

    parts = load_parts(arguments.source, arguments.images)
    statistics = describe(parts, cohort_by=arguments.cohort_by)
    source = Path(arguments.source).resolve()
    title = arguments.title or (source.name if source.is_dir() else source.stem)
    split_sha256 = hash_of_split_beside(source)
    report = Path(arguments.report) if arguments.report else source / REPORT
    flow = read_flow(report, parts) if arguments.report or report.is_file() else None
    if Path(arguments.output).suffix.lower() == ".md":
        write_text(arguments.output, data_card_text(title, parts, statistics, split_sha256=split_sha256, flow=flow))
        print(f"data card: {arguments.output}")
        return
    reading, count = progress_bar("reading"), arguments.count
    examples = read_sample(parts, count, seed=arguments.seed, progress=reading) if count > 0 else []
    page = data_card(
        title,
        parts,
        statistics,
        examples,
        split_sha256=split_sha256,
        flow=flow,
    )
    write_text(arguments.output, page)
    print(f"data card: {arguments.output}")
