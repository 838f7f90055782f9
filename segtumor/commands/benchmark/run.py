"""``tools/benchmark.py``: measure predictions as a published study did, and show its numbers beside ours."""

import argparse
from typing import Any

from segtumor.commands.benchmark.entry_options import chosen_entries
from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.output_folder import add_overwrite_option, locks_output, refuse_earlier
from segtumor.commands.common.study_options import add_study_options, paired, study_settings
from segtumor.commands.common.terminal import step_progress
from segtumor.errors import ConfigError

_DESCRIPTION = """Measure predictions by the rules of a published study, and set our numbers beside the published ones.

Each row says whether the two are comparable, and if not, why. If the training annotations are given (or are beside the
test annotations as train.json and val.json), cases that are in both are counted, and the numbers without them are shown
too. Writes benchmark.md, benchmark.html, benchmark.csv and benchmark.json. What a protocol fixes, such as the score
threshold, replaces the option."""

_FILES = "--annotations datasets/btxrd256/annotations/test.json --predictions predictions.json"
_EXAMPLES = (
    "segtumor benchmark run --list",
    f"python tools/benchmark.py --protocol btxrd-grouped {_FILES} --output output/benchmark",
    f"python tools/benchmark.py --protocol xu-2024 {_FILES} --output output/xu --require-located",
)


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser("benchmark.py", _DESCRIPTION, examples=_EXAMPLES)
    parser.add_argument("--list", action="store_true", help="list the protocols and stop")
    parser.add_argument("--protocol", metavar="NAME", help="how to measure; see --list")
    parser.add_argument("--annotations", metavar="JSON", help="COCO file with the true lesions of the test part")
    parser.add_argument("--predictions", metavar="JSON", help="predictions.json or COCO results list")
    parser.add_argument("--output", metavar="DIR", help="folder for the results, created if needed")
    add_overwrite_option(parser)
    parser.add_argument(
        "--training",
        nargs="+",
        metavar="JSON",
        help="annotations of the training part (default: train.json, val.json beside the test part)",
    )
    parser.add_argument("--run", metavar="DIR", help="training run (OUTPUT_DIR) of the model, for the provenance")
    parser.add_argument(
        "--entries-folder", metavar="DIR", help="your own files of published numbers, in addition to ours"
    )
    add_study_options(parser)
    return parser


@command(build_parser)
@locks_output
def main(arguments: argparse.Namespace) -> int:
    if arguments.list:
        return _print_protocols()
    _refuse_missing(arguments)
    refuse_earlier(arguments, ("benchmark.csv", "benchmark.json", "benchmark.md", "benchmark.html"))
    from segtumor.commands.benchmark.run_output import output_lines
    from segtumor.files import prepare_output_folder
    from segtumor.literature.comparison.benchmark import benchmark, measured_on
    from segtumor.literature.comparison.files import write_benchmark
    from segtumor.literature.comparison.leak import read_training, training_files
    from segtumor.literature.protocols import find_protocol

    protocol, settings = find_protocol(arguments.protocol), study_settings(arguments)
    _, entries = chosen_entries(arguments)
    pairing = paired(arguments, arguments.annotations, arguments.predictions)
    training = read_training(training_files(arguments.annotations, arguments.training))
    tested, clean = measured_on(protocol, pairing, settings, annotations=arguments.annotations, training=training)
    prepare_output_folder(arguments.output)  # rather now than after minutes of measuring
    found = benchmark(protocol, entries, pairing, settings, tested, clean, progress=step_progress)
    title = f"{protocol.name}: {protocol.title}"
    paths = write_benchmark(
        found.rows, arguments.output, title=title, sentences=found.sentences, provenance=_provenance(arguments)
    )
    print(title, *output_lines(found.rows, found.sentences), sep="\n")
    print(f"\nwritten to {arguments.output}: {', '.join(path.name for path in paths)}")
    return 0


def _print_protocols() -> int:
    from segtumor.literature.protocols import PROTOCOLS
    from segtumor.texts import wrapped_table

    rows = [(p.name, p.title, p.dataset, p.split) for p in PROTOCOLS.values()]
    print(*wrapped_table(("protocol", "what it is", "data", "test part"), rows, shares=(18, 60, 20, 40)), sep="\n")
    return 0


def _refuse_missing(arguments: argparse.Namespace) -> None:
    needed = ("protocol", "annotations", "predictions", "output")
    missing = [f"--{name}" for name in needed if getattr(arguments, name) is None]
    if missing:
        remedy = "--help shows examples, --list the protocols"
        raise ConfigError(f"missing: {', '.join(missing)}", where="command line", remedy=remedy)


def _provenance(arguments: argparse.Namespace) -> dict[str, Any]:
    from segtumor.files import sha256_of_file
    from segtumor.literature.comparison.leak import training_files
    from segtumor.reporting.provenance import study_provenance

    tables = study_provenance(
        annotations=arguments.annotations, predictions=arguments.predictions, run_folder=arguments.run
    )
    files = training_files(arguments.annotations, arguments.training)
    training = {str(path): sha256_of_file(path) for path in files}
    return {**tables, "Trained on": training} if training else tables
