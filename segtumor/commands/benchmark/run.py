"""``tools/benchmark.py``: measure predictions as a published study did, and set its numbers beside.

Not here: the protocols and what was published (``segtumor.literature``).
"""

from segtumor.commands.benchmark.training_parts import centers_of, read_training, split_kind, training_files
from segtumor.commands.common.command_line import make_parser, run
from segtumor.commands.common.output_folder import add_overwrite_option, locks_output, refuse_earlier
from segtumor.commands.common.study_options import add_study_options, pairing_options, study_settings
from segtumor.commands.common.terminal import step_progress
from segtumor.evaluation.pairing import pair

_DESCRIPTION = """Measure predictions by the rules of a published study, and set our numbers beside the published ones.

Each row says whether the two are comparable, and if not, why. If the training annotations are given (or stand beside
the test annotations as train.json and val.json), cases that are in both are counted, and the numbers without them stand
beside. Writes benchmark.md, benchmark.html, benchmark.csv and benchmark.json. What a protocol fixes, such as the score
threshold, replaces the option."""

_FILES = "--annotations datasets/btxrd256/annotations/test.json --predictions predictions.json"
_EXAMPLES = (
    "segtumor benchmark run --list",
    f"python tools/benchmark.py --protocol btxrd-grouped {_FILES} --output output/benchmark",
    f"python tools/benchmark.py --protocol xu-2024 {_FILES} --output output/xu --require-located",
)


def build_parser():
    """Parser of this command; ``--help`` needs nothing heavy."""
    parser = make_parser("benchmark.py", _DESCRIPTION, examples=_EXAMPLES)
    parser.add_argument("--list", action="store_true", help="name the protocols and stop")
    parser.add_argument("--protocol", metavar="NAME", help="how to measure; --list names them")
    parser.add_argument("--annotations", metavar="JSON", help="COCO file with the true lesions of the test part")
    parser.add_argument("--predictions", metavar="JSON", help="predictions.json or COCO results list")
    parser.add_argument("--output", metavar="DIR", help="folder for the results, created if needed")
    add_overwrite_option(parser)
    parser.add_argument(
        "--training",
        nargs="+",
        metavar="JSON",
        help="annotations trained on (train.json, val.json beside the test part)",
    )
    parser.add_argument("--run", metavar="DIR", help="training run (OUTPUT_DIR) that predicted, for the provenance")
    parser.add_argument("--entries-folder", metavar="DIR", help="published numbers of your own, beside ours")
    add_study_options(parser)
    return parser


def main(argv=None):
    """Run the command; returns its exit code."""
    return run(locks_output(_body), build_parser(), argv)


def _body(args):
    if args.list:
        return _print_protocols()
    _refuse_missing(args)
    refuse_earlier(args, ("benchmark.csv", "benchmark.json", "benchmark.md", "benchmark.html"))
    from segtumor.commands.benchmark.choosing import choose_entries, print_remarks
    from segtumor.commands.benchmark.run_output import output_lines
    from segtumor.files import prepare_output_folder
    from segtumor.literature.comparison.measuring import counted, measure, settings_of
    from segtumor.literature.comparison.table import comparison_table
    from segtumor.literature.protocols import find_protocol
    from segtumor.reporting.files.benchmark_files import write_benchmark

    protocol, settings = find_protocol(args.protocol), study_settings(args)
    chosen, entries = choose_entries((), args.entries_folder)
    print_remarks(chosen)
    pairing = pair(args.annotations, args.predictions, **pairing_options(args))
    results, names = counted(protocol, pairing.results), pairing.truth.taxonomy.names
    tested, clean = _tested(args, results, pairing.truth, settings_of(protocol, settings))
    prepare_output_folder(args.output)  # rather now than after minutes of measuring
    ours, remarks = measure(protocol, results, names, settings, progress=step_progress)
    leak_free = []
    if tested.leak is not None and tested.leak.n_images and clean:
        leak_free, _ = measure(protocol, clean, names, settings, progress=step_progress)
    rows = comparison_table(protocol, entries, tested, ours, leak_free)
    sentences = [*_sentences(protocol, settings, tested), *pairing.sentences, *remarks]
    title = f"{protocol.name}: {protocol.title}"
    paths = write_benchmark(rows, args.output, title=title, sentences=sentences, provenance=_provenance(args))
    print(title, *output_lines(rows, sentences), sep="\n")
    print(f"\nwritten to {args.output}: {', '.join(path.name for path in paths)}")
    return 0


def _print_protocols() -> int:
    from segtumor.literature.protocols import PROTOCOLS
    from segtumor.texts import wrapped_table

    rows = [(p.name, p.title, p.dataset, p.split) for p in PROTOCOLS.values()]
    print(*wrapped_table(("protocol", "what it is", "data", "test part"), rows, shares=(18, 60, 20, 40)), sep="\n")
    return 0


def _refuse_missing(args):
    from segtumor.errors import ConfigError

    needed = ("protocol", "annotations", "predictions", "output")
    missing = [f"--{name}" for name in needed if getattr(args, name) is None]
    if missing:
        remedy = "--help has examples, --list names the protocols"
        raise ConfigError(f"missing: {', '.join(missing)}", where="command line", remedy=remedy)


def _tested(args, results, truth, settings):
    """(MeasuredOn, the ImageResults that share no case with training)."""
    from segtumor.evaluation.facts.cases import case_table
    from segtumor.literature.comparison.comparability import IMAGE, LESION, PATIENT, MeasuredOn
    from segtumor.literature.comparison.leak import find_leak, n_lesions

    training = read_training(training_files(args.annotations, args.training))
    leak, clean = (None, results) if training is None else find_leak(results, training, truth.taxonomy.names)
    truths, info = [result.truth for result in results], truth.info
    tested = MeasuredOn(
        dataset=str(info.get("description") or ""),
        split_kind=split_kind(info, args.annotations),
        centers=centers_of([truth.attributes for truth in truths]),
        n={IMAGE: len(results), PATIENT: len(case_table(truths)), LESION: n_lesions(results)},
        training=training,
        leak=leak,
        iou_threshold=settings.iou_threshold,
        froc_criterion=settings.froc_criterion,
    )
    return tested, clean


def _sentences(protocol, settings, tested):
    from segtumor.literature.comparison.comparability import IMAGE, LESION, PATIENT
    from segtumor.literature.comparison.measuring import settings_of
    from segtumor.texts import counted, percent_text

    used, n = settings_of(protocol, settings), tested.n
    images = "tumor images" if protocol.only_tumor_images else "images"
    yield (
        f"Measured on {counted(n[IMAGE], images)} of {counted(n[PATIENT], 'cases')}, "
        f"{counted(n[LESION], 'lesions')}: {tested.dataset or 'data without description'}."
    )
    yield f"Split: {tested.split_kind}; the protocol's test part: {protocol.split}."
    if tested.leak is None:
        yield "What was trained on is not known: give --training to count shared cases."
    else:
        yield tested.leak.sentence
    yield (
        f"Score threshold {used.score_threshold:g}, IoU threshold {used.iou_threshold:g}, patient rule {used.rule}"
        f"{', lesion must be located' if used.require_located else ''}; {percent_text(used.level)} intervals, "
        f"{used.n_resamples} resamples of cases, seed {used.seed}."
    )
    yield from protocol.notes


def _provenance(args):
    from segtumor.files import sha256_of_file
    from segtumor.reporting.provenance import study_provenance

    tables = study_provenance(annotations=args.annotations, predictions=args.predictions, run_folder=args.run)
    files = training_files(args.annotations, args.training)
    training = {str(path): sha256_of_file(path) for path in files}
    return {**tables, "Trained on": training} if training else tables
