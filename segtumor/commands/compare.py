"""``tools/compare.py``: two models on the same images, or a model and readers, with paired tests."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.output_folder import add_overwrite_option, locks_output, refuse_earlier
from segtumor.commands.common.study_options import add_study_options, paired, study_settings
from segtumor.commands.common.terminal import print_table, step_progress
from segtumor.errors import ConfigError

if TYPE_CHECKING:  # NumPy and SciPy would delay --help
    from segtumor.evaluation.comparison.comparison import Comparison
    from segtumor.evaluation.comparison.pairs import Pair
    from segtumor.evaluation.facts.settings import StudySettings
    from segtumor.evaluation.pairing import Pairing

_DESCRIPTION = """Compare two sets of predictions on the same images, or predictions with the marks of readers.

Every metric of both, the difference with its interval (cases resampled), and a paired test: DeLong for the AUC of
patients, McNemar for their accuracy, sensitivity and specificity, permutation of cases for the rest; p values also
adjusted after Holm, over the metrics of --measures if given. A table of readers (CSV or .xlsx) has the columns reader,
image, x0, y0, x1, y1 (px) for boxes, or reader, image (or case_id), label; boxes may have label and confidence too;
a row without corners means that the image was read as normal (docs/evaluation.md has an example). With boxes of
readers, the model is judged by its boxes too. Writes comparison.csv, comparison.json and comparison.md; prints the
main rows."""

_TRUTH = "segtumor compare --annotations datasets/btxrd256/annotations/test.json --predictions a/predictions.json"
_EXAMPLES = (
    f"{_TRUTH} --against b/predictions.json --names new old --output output/comparison",
    f"{_TRUTH} --against b/predictions.json --measures dice patient_auc --output output/comparison",
    f"{_TRUTH} --readers readers.csv --output output/readers",
)
#: More rows than this are too many to print; then those of the report's headline and the patients' accuracy are.
_ROWS_PRINTED = 25


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser("compare.py", _DESCRIPTION, examples=_EXAMPLES)
    parser.add_argument("--annotations", required=True, metavar="JSON", help="COCO file with the true lesions")
    parser.add_argument("--predictions", required=True, metavar="JSON", help="predictions.json or COCO results list")
    other = parser.add_mutually_exclusive_group(required=True)
    other.add_argument("--against", metavar="JSON", help="predictions of the other model")
    other.add_argument("--readers", metavar="TABLE", help="marks of one reader or several")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the results, created if needed")
    add_overwrite_option(parser)
    parser.add_argument(
        "--names", nargs="+", metavar="NAME", help="names of the two models; with --readers, that of the model alone"
    )
    parser.add_argument(
        "--unlisted",
        choices=("refuse", "normal", "leave-out"),
        default="refuse",
        help="images that a reader does not mention: refuse the table, count as called normal, or leave out (refuse)",
    )
    parser.add_argument(
        "--measures",
        nargs="+",
        metavar="NAME",
        help="compare and adjust for these only, such as dice patient_auc; choose them before looking at results (all)",
    )
    add_study_options(parser)
    parser.add_argument("--permutations", type=int, default=10_000, metavar="N", help="permutations of cases (10000)")
    return parser


@command(build_parser)
@locks_output
def main(arguments: argparse.Namespace) -> None:
    from segtumor.evaluation.comparison.pairs import compare_pair, refuse_unknown_measures
    from segtumor.files import prepare_output_folder
    from segtumor.reporting.files.comparison_files import write_comparisons

    refuse_earlier(arguments, ("comparison.csv", "comparison.json", "comparison.md"))
    settings = study_settings(arguments)
    _check(arguments)
    pairing = paired(arguments, arguments.annotations, arguments.predictions)
    refuse_unknown_measures(arguments.measures or (), pairing, settings)
    prepare_output_folder(arguments.output)  # rather now than after minutes of comparing
    comparisons = []
    for one in _pairs(arguments, pairing, settings):
        _announce(one, settings, arguments.permutations)
        comparison = compare_pair(
            one,
            pairing.truth.taxonomy.names,
            settings,
            measures=arguments.measures or (),
            n_permutations=arguments.permutations,
            progress=step_progress,
        )
        comparisons.append(comparison)
    paths = write_comparisons(comparisons, arguments.output, level=settings.level, provenance=_provenance(arguments))
    for comparison in comparisons:
        _print(comparison, settings.level)
    print(f"written to {arguments.output}: {', '.join(path.name for path in paths)}")


def _check(arguments: argparse.Namespace) -> None:
    if arguments.permutations < 1:
        raise ConfigError("number of permutations out of range", got=arguments.permutations, expected="1 or more")
    expected = 2 if arguments.against else 1
    if arguments.names and (len(arguments.names) != expected or len(set(arguments.names)) != expected):
        what = "two different names" if arguments.against else "one name: the readers are named in their table"
        raise ConfigError("names do not fit", where="--names", got=", ".join(arguments.names), expected=what)


def _pairs(arguments: argparse.Namespace, pairing: "Pairing", settings: "StudySettings") -> Iterator["Pair"]:
    from segtumor.annotations.reader_marks import read_reader_marks
    from segtumor.evaluation.comparison.pairs import names_of_paths, pair_of_models, pairs_with_readers

    truth = pairing.truth
    if arguments.against:
        other = paired(arguments, arguments.annotations, arguments.against, truth)
        names = tuple(arguments.names) if arguments.names else None
        yield pair_of_models(pairing, other, names or names_of_paths(arguments.predictions, arguments.against))
        return
    unlisted = arguments.unlisted
    readers = read_reader_marks(arguments.readers, truth.annotated_images, truth.taxonomy.names, unlisted=unlisted)
    name = arguments.names[0] if arguments.names else "model"
    yield from pairs_with_readers(pairing, readers, model_name=name, unlisted=unlisted, settings=settings)


def _announce(pair: "Pair", settings: "StudySettings", n_permutations: int) -> None:
    """Say what will take its time."""
    from segtumor.texts import counted

    cases = counted(pair.n_cases, "cases")
    print(f"{settings.n_resamples:,} resamples and {n_permutations:,} permutations of {cases} ...", flush=True)


def _print(comparison: "Comparison", level: float) -> None:
    from segtumor.reporting.files.comparison_files import table_header, table_notes, table_rows
    from segtumor.reporting.pages.study_page import HEADLINE

    (first, second), rows = comparison.names, list(comparison.rows)
    print(f"{first} and {second}: {comparison.n_images} images of {comparison.n_cases} cases")
    if len(rows) > _ROWS_PRINTED:
        rows = [row for row in rows if row.name in (*HEADLINE, "patient_accuracy")]
    print_table(table_header(comparison, level), table_rows(rows))
    if len(rows) < len(comparison.rows):
        print(f"({len(rows)} of {len(comparison.rows)} measures; p (Holm) is adjusted for all; comparison.md has them)")
    for remark in (*table_notes(comparison), *comparison.remarks):
        print(f"- {remark}")
    print()


def _provenance(arguments: argparse.Namespace) -> dict[str, Any]:
    from segtumor.files import sha256_of_file
    from segtumor.reporting.provenance import file_provenance

    other = arguments.against or arguments.readers
    return {
        **file_provenance(annotations=arguments.annotations, predictions=arguments.predictions),
        "compared_with": str(other),
        "compared_with_sha256": sha256_of_file(other),
        "settings": {
            name: value
            for name, value in vars(arguments).items()
            if name not in ("debug", "output") and value is not None
        },
    }
