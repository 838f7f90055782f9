"""``segtumor data stats``: what is in a data set, as tables."""

import argparse

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.output_folder import add_overwrite_option, locks_output, refuse_earlier
from segtumor.commands.common.shared_options import add_data_set
from segtumor.commands.common.terminal import print_table


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "segtumor data stats",
        "Count images, cases and lesions by part, class, size, site, view, age, sex and centre.",
        examples=[
            "segtumor data stats datasets/btxrd",
            "segtumor data stats datasets/examples/coco/annotations.json",
            "segtumor data stats datasets/btxrd --output output/btxrd_tables",
        ],
    )
    add_data_set(parser)
    parser.add_argument("--output", metavar="DIR", help="also write every table as CSV, and all as statistics.json")
    parser.add_argument(
        "--cohort-by",
        default="center",
        metavar="FIELD",
        help="field whose values the cohort table compares, with tests: center, sex, part, ... (center)",
    )
    add_overwrite_option(parser)
    return parser


@command(build_parser)
@locks_output
def main(arguments: argparse.Namespace) -> None:
    from segtumor.datasets.annotation_files import load_parts
    from segtumor.datasets.counts import STATISTICS, describe, write_statistics

    statistics = describe(load_parts(arguments.source), cohort_by=arguments.cohort_by)
    for table in statistics.tables:
        print(f"\n{table.title}")
        print_table(table.header, table.rows)
        if table.note:
            print(table.note)
    if arguments.output:
        refuse_earlier(arguments, (STATISTICS, *(table.file_name for table in statistics.tables)))
        print(f"\ntables: {write_statistics(statistics, arguments.output)}")
