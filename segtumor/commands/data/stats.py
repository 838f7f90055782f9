"""``segtumor data stats``: what is in a data set, as tables."""

from segtumor.commands.common.command_line import make_parser, run
from segtumor.commands.common.output_folder import add_overwrite_option, locks_output, refuse_earlier
from segtumor.commands.common.terminal import print_table


def build_parser():
    """Its arguments."""
    parser = make_parser(
        "segtumor data stats",
        "Count images, cases and lesions by part, class, size, site, view, age, sex and centre.",
        examples=[
            "segtumor data stats datasets/btxrd",
            "segtumor data stats datasets/examples/coco/annotations.json",
            "segtumor data stats datasets/btxrd --output output/btxrd_tables",
        ],
    )
    parser.add_argument("source", metavar="SOURCE", help="annotation file, or folder with annotations/<part>.json")
    parser.add_argument("--output", metavar="DIR", help="also write every table as CSV, and all as statistics.json")
    add_overwrite_option(parser)
    return parser


def main(argv=None):
    """Run the command; returns the exit code."""
    return run(locks_output(_body), build_parser(), argv)


def _body(args) -> None:
    from segtumor.datasets.counts import describe
    from segtumor.datasets.parts import load_parts

    statistics = describe(load_parts(args.source))
    for table in statistics.tables:
        print(f"\n{table.title}")
        print_table(table.header, table.rows)
        if table.note:
            print(table.note)
    if args.output:
        _write(args, statistics)


def _write(args, statistics) -> None:
    from segtumor.files import prepare_output_folder, write_csv, write_json

    names = [f"{table.title.split(' (')[0].lower().replace(' ', '_')}.csv" for table in statistics.tables]
    refuse_earlier(args, ("statistics.json", *names))
    output = prepare_output_folder(args.output)
    for name, table in zip(names, statistics.tables, strict=True):
        rows = [dict(zip(table.header, map(_defined, row), strict=True)) for row in table.rows]
        write_csv(output / name, rows, table.header)
    tables = [{**vars(table), "rows": [list(map(_defined, row)) for row in table.rows]} for table in statistics.tables]
    document = {"schema_version": 1, "tables": tables}
    write_json(output / "statistics.json", document)
    print(f"\ntables: {output}")


def _defined(cell):
    """The dash that stands for an undefined value on the screen is an empty cell, and null, in files."""
    return None if cell == "-" else cell
