"""``tools/compare.py``: two models on the same images, or a model and readers, with paired tests."""

import dataclasses

from segtumor.commands.common.command_line import make_parser, run
from segtumor.commands.common.output_folder import add_overwrite_option, locks_output, refuse_earlier
from segtumor.commands.common.study_options import add_study_options, pairing_options, study_settings
from segtumor.commands.common.terminal import print_table, progress_bar
from segtumor.evaluation.pairing import pair

_DESCRIPTION = """Compare two sets of predictions on the same images, or predictions with what readers marked.

Every metric of both, the difference with its interval (cases resampled), and a paired test: DeLong for the AUC of
patients, McNemar for their accuracy, sensitivity and specificity, permutation of cases for the rest; p values also
adjusted after Holm, over the metrics of --measures if given. A table of readers (CSV or .xlsx) has the columns reader,
image, x0, y0, x1, y1 (px) for boxes, or reader, image (or case_id), label; label and confidence may stand beside boxes;
a row without corners says that the image was read as normal (docs/evaluation.md has an example). With boxes of readers,
the model is judged by its boxes too. Writes comparison.csv, comparison.json and comparison.md; prints the main rows."""

_TRUTH = "segtumor compare --annotations datasets/btxrd256/annotations/test.json --predictions a/predictions.json"
_EXAMPLES = (
    f"{_TRUTH} --against b/predictions.json --names new old --output output/comparison",
    f"{_TRUTH} --against b/predictions.json --measures dice patient_auc --output output/comparison",
    f"{_TRUTH} --readers readers.csv --output output/readers",
)
#: More rows than this are too many to print; then those of the report's headline and the patients' accuracy are.
_ROWS_PRINTED = 25
#: Remarks on masks, which are left out on purpose beside readers.
_OF_MASKS = (" findings have no mask: ", "The pixel spacing ", "The normalized surface Dice over all lesions ")
_SIGNIFICANT = 0.05


def build_parser():
    """Parser of this command; ``--help`` needs nothing heavy."""
    parser = make_parser("compare.py", _DESCRIPTION, examples=_EXAMPLES)
    parser.add_argument("--annotations", required=True, metavar="JSON", help="COCO file with the true lesions")
    parser.add_argument("--predictions", required=True, metavar="JSON", help="predictions.json or COCO results list")
    other = parser.add_mutually_exclusive_group(required=True)
    other.add_argument("--against", metavar="JSON", help="predictions of the other model")
    other.add_argument("--readers", metavar="TABLE", help="marks of one reader or several")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the results, created if needed")
    add_overwrite_option(parser)
    parser.add_argument(
        "--names", nargs="+", metavar="NAME", help="what the two models are called; with --readers, the model alone"
    )
    parser.add_argument(
        "--unlisted",
        choices=("refuse", "normal", "leave-out"),
        default="refuse",
        help="images a reader does not mention: refuse the table, called normal, or not compared (refuse)",
    )
    parser.add_argument(
        "--measures",
        nargs="+",
        metavar="NAME",
        help="compare and adjust for these alone, such as dice patient_auc; choose before looking (all)",
    )
    add_study_options(parser)
    parser.add_argument("--permutations", type=int, default=10_000, metavar="N", help="permutations of cases (10000)")
    return parser


def main(argv=None):
    """Run the command; returns its exit code."""
    return run(locks_output(_body), build_parser(), argv)


def _body(args) -> None:
    from segtumor.files import prepare_output_folder
    from segtumor.reporting.files.comparison_files import write_comparisons

    refuse_earlier(args, ("comparison.csv", "comparison.json", "comparison.md"))
    settings = study_settings(args)
    _check(args)
    pairing = pair(args.annotations, args.predictions, **pairing_options(args))
    _check_measures(args.measures, pairing, settings)
    prepare_output_folder(args.output)  # rather now than after minutes of comparing
    comparisons = list((_with_model if args.against else _with_readers)(args, pairing, settings))
    paths = write_comparisons(comparisons, args.output, level=settings.level, provenance=_provenance(args))
    for comparison in comparisons:
        _print(comparison, settings.level)
    print(f"written to {args.output}: {', '.join(path.name for path in paths)}")


def _check(args):
    from segtumor.errors import ConfigError

    if args.permutations < 1:
        raise ConfigError("number of permutations out of range", got=args.permutations, expected="1 or more")
    expected = 2 if args.against else 1
    if args.names and (len(args.names) != expected or len(set(args.names)) != expected):
        what = "two different names" if args.against else "one name: the readers are named in their table"
        raise ConfigError("names do not fit", where="--names", got=", ".join(args.names), expected=what)


def _check_measures(names, pairing, settings):
    import difflib

    from segtumor.errors import ConfigError
    from segtumor.evaluation.study.study import measures_of

    known = measures_of(pairing.results, pairing.truth.taxonomy.names, settings).measures if names else ()
    for name in names or ():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or sorted(known)
            raise ConfigError("no such measure", where="--measures", got=name, expected=", ".join(near))


def _with_model(args, pairing, settings):
    other = pair(args.annotations, args.against, truth=pairing.truth, **pairing_options(args))
    names = args.names or _two_names(args.predictions, args.against)
    unseen = [f"{name}: {text}" for name, p in zip(names, (pairing, other), strict=True) for text in p.sentences]
    yield _compared(args, pairing, settings, pairing.results, other.results, names=names, remarks=unseen)


def _two_names(first, second):
    """The shortest ends of the two paths that differ."""
    from pathlib import Path

    parts = [Path(path).resolve().with_suffix("").parts for path in (first, second)]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(p[-length:]) for p in parts]
        if names[0] != names[1]:
            return names
    return ["first", "second"]


def _with_readers(args, pairing, settings):
    from segtumor.annotations.reader_marks import BOXES, read_readers
    from segtumor.errors import ConfigError
    from segtumor.evaluation.comparison.comparison import without_masks
    from segtumor.structures.lesions import ImageResult

    truth, model_name = pairing.truth, args.names[0] if args.names else "model"
    for reader in read_readers(args.readers, truth.annotated_images, truth.taxonomy.names, unlisted=args.unlisted):
        if settings.require_located and reader.kind != BOXES:
            what = "nothing can be located by labels"
            raise ConfigError(what, where="--require-located", got=reader.kind, expected=BOXES)
        read = [result for result in pairing.results if result.truth.image_id in reader.findings]
        marks = [ImageResult(result.truth, reader.findings[result.truth.image_id]) for result in read]
        remarks = [*_unlisted(reader, truth, args.unlisted), *_remarks(reader, marks, settings)]
        remarks += (f"{model_name}: {text}" for text in pairing.sentences)
        names = (model_name, reader.name)
        only = _measurable(reader)
        compared = _compared(
            args, pairing, settings, without_masks(read), marks, names=names, remarks=remarks, only=only
        )
        kept = tuple(remark for remark in compared.remarks if not any(text in remark for text in _OF_MASKS))
        yield dataclasses.replace(compared, remarks=kept)


def _measurable(reader):
    """A function of a Measure: whether it means something for a reader's marks."""
    from segtumor.annotations.reader_marks import BOXES, CASE_LABELS
    from segtumor.evaluation.comparison.comparison import means_something

    given = {"classes": reader.with_classes, "confidence": reader.with_confidence, "boxes": reader.kind == BOXES}

    def only(measure):
        of_images = measure.name.startswith("image_") and reader.kind == CASE_LABELS
        return means_something(measure, masks=False, **given) and not of_images

    return only


def _remarks(reader, marks, settings):
    from segtumor.annotations.reader_marks import BOXES, CASE_LABELS

    if reader.kind == BOXES:
        yield f"{reader.name} drew boxes: overlap is between boxes, the model's too; its masks are not judged."
    elif reader.kind == CASE_LABELS:
        yield f"{reader.name} labelled cases: only measures of patients are compared."
    else:
        yield f"{reader.name} labelled images: only measures of images and patients are compared."
    if reader.n_cut:
        yield f"Marks of {reader.name} that reached beyond the image and were cut at its edge: {reader.n_cut}."
    n_low = sum(finding.score < settings.score_threshold for result in marks for finding in result.findings)
    if n_low:
        threshold = f"the score threshold of {settings.score_threshold:g}"
        yield f"{reader.name}: {n_low} marks of a confidence below {threshold} count in curves only."


def _unlisted(reader, truth, unlisted):
    from segtumor.evaluation.study.unpredicted import n_normal

    if reader.unlisted_ids:
        normal = n_normal(truth.annotated_images, truth.taxonomy.names, reader.unlisted_ids)
        which = f"{len(reader.unlisted_ids)} of {len(truth.annotated_images)} images ({normal} normal)"
        what = "called normal" if unlisted == "normal" else "left out"
        yield f"{reader.name} does not mention {which}: {what} (--unlisted)."


def _compared(args, pairing, settings, first, second, *, names, remarks, only=None):
    from segtumor.evaluation.comparison.comparison import compare
    from segtumor.evaluation.facts.cases import case_table
    from segtumor.texts import counted

    def chosen(measure):
        return (not args.measures or measure.name in args.measures) and (only is None or only(measure))

    cases = counted(len(case_table([result.truth for result in first])), "cases")
    print(f"{args.resamples:,} resamples and {args.permutations:,} permutations of {cases} ...", flush=True)
    comparison = compare(
        first,
        second,
        pairing.truth.taxonomy.names,
        settings,
        names=names,
        only=chosen,
        n_permutations=args.permutations,
        progress=lambda what, items: progress_bar(what, unit="block")(items),
    )
    own = [*_not_compared(comparison, args), *_too_few(comparison, args)]
    return dataclasses.replace(comparison, remarks=(*remarks, *comparison.remarks, *own))


def _not_compared(comparison, args):
    """Sentence about what was asked for and is not there, as curves of a reader without confidence."""
    from segtumor.errors import ConfigError

    missing = [name for name in args.measures or () if name not in {row.name for row in comparison.rows}]
    first, second = comparison.names
    if missing and not comparison.rows:
        what = f"none of the measures can be compared between {first} and {second}"
        raise ConfigError(what, where="--measures", got=", ".join(missing))
    if missing:
        yield f"Not compared, since {first} and {second} do not both have what it takes: {', '.join(missing)}."


def _too_few(comparison, args):
    """Permutations cannot give a p value below one by their number; adjusted for many rows, that is a lot."""
    smallest = len(comparison.rows) / (args.permutations + 1)
    if smallest > _SIGNIFICANT:
        yield (
            f"With {args.permutations} permutations the smallest p is {1 / (args.permutations + 1):.2g}, which "
            f"adjusted for {len(comparison.rows)} measures is about {min(smallest, 1):.2g}: use more permutations."
        )


def _print(comparison, level) -> None:
    from segtumor.reporting.files.comparison_files import table_header, table_notes, table_rows
    from segtumor.reporting.pages.study_page import HEADLINE

    (first, second), rows = comparison.names, comparison.rows
    print(f"{first} and {second}: {comparison.n_images} images of {comparison.n_cases} cases")
    if len(rows) > _ROWS_PRINTED:
        rows = [row for row in rows if row.name in (*HEADLINE, "patient_accuracy")]
    print_table(table_header(comparison, level), table_rows(rows))
    if len(rows) < len(comparison.rows):
        print(f"({len(rows)} of {len(comparison.rows)} measures; p (Holm) is adjusted for all; comparison.md has them)")
    for remark in (*table_notes(comparison), *comparison.remarks):
        print(f"- {remark}")
    print()


def _provenance(args):
    from segtumor.files import sha256_of_file
    from segtumor.reporting.files.evaluation_report import provenance

    other = args.against or args.readers
    return {
        **provenance(annotations=args.annotations, predictions=args.predictions),
        "compared_with": str(other),
        "compared_with_sha256": sha256_of_file(other),
        "settings": {
            name: value for name, value in vars(args).items() if name not in ("debug", "output") and value is not None
        },
    }
