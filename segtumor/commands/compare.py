"""``tools/compare.py``: models on the same images, or a model and readers, with paired tests."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.output_folder import add_overwrite_option, locks_output, refuse_earlier
from segtumor.commands.common.study_options import (
    add_study_options,
    add_unlisted_option,
    paired,
    study_settings,
)
from segtumor.commands.common.terminal import print_table, step_progress
from segtumor.errors import ConfigError

if TYPE_CHECKING:  # NumPy and SciPy would delay --help
    from segtumor.annotations.reader_marks import ReaderMarks
    from segtumor.evaluation.comparison.comparison import Comparison
    from segtumor.evaluation.comparison.pairs import Pair
    from segtumor.evaluation.facts.settings import StudySettings
    from segtumor.evaluation.pairing import Pairing
    from segtumor.evaluation.readers.raters import Panel
    from segtumor.evaluation.readers.reader_study import ReaderStudy

_DESCRIPTION = """Compare sets of predictions on the same images, or predictions with the marks of readers.

Every metric of both, the difference with its interval (cases resampled), and a paired test: DeLong for the AUC of
patients, McNemar for their accuracy, sensitivity and specificity, permutation of cases for the rest; p values also
adjusted after Holm, over the metrics of --measures if given. A table of readers (CSV or .xlsx) has the columns reader,
image, x0, y0, x1, y1 (px) for boxes, or reader, image (or case_id), label; boxes may have label and confidence too;
a row without corners means that the image was read as normal (docs/evaluation.md has an example). With boxes of
readers, the model is judged by its boxes too. Writes comparison.csv, comparison.json and comparison.md; of models also
methods.csv, methods.md and methods.png, each model alone with its intervals, and classes.csv and confusions.png, their
classes side by side; prints the main rows. Several models after --against are each compared with the first. With
readers also who agrees with whom (kappa), confusion matrices, who missed what, and, where the table has a column
seconds, reading times (reader_*.csv, reading_times.csv). A test for all readers at once: segtumor mrmc."""

_TRUTH = "segtumor compare --annotations datasets/btxrd256/annotations/test.json --predictions a/predictions.json"
_EXAMPLES = (
    f"{_TRUTH} --against b/predictions.json --names new old --output output/comparison",
    f"{_TRUTH} --against b/predictions.json --measures dice patient_auc --output output/comparison",
    f"{_TRUTH} --against b/predictions.json c/predictions.json --names a b c --output output/methods",
    f"{_TRUTH} --readers readers.csv --output output/readers",
    f"{_TRUTH} --readers readers.csv --pictures --output output/readers",
)
#: More rows than this are too many to print; then those of the report's headline and the patients' accuracy are.
_ROWS_PRINTED = 25
#: Folder of the pictures of missed tumours.
_MISSED = "missed"


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser("compare.py", _DESCRIPTION, examples=_EXAMPLES)
    parser.add_argument("--annotations", required=True, metavar="JSON", help="COCO file with the true lesions")
    parser.add_argument("--predictions", required=True, metavar="JSON", help="predictions.json or COCO results list")
    other = parser.add_mutually_exclusive_group(required=True)
    other.add_argument("--against", nargs="+", metavar="JSON", help="predictions of the other model, or of several")
    other.add_argument("--readers", metavar="TABLE", help="marks of one reader or several")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the results, created if needed")
    add_overwrite_option(parser)
    parser.add_argument(
        "--names",
        nargs="+",
        metavar="NAME",
        help="names of the models, in order; with --readers, that of the model alone",
    )
    add_unlisted_option(parser)
    parser.add_argument(
        "--measures",
        nargs="+",
        metavar="NAME",
        help="compare and adjust for these only, such as dice patient_auc; choose them before looking at results (all)",
    )
    parser.add_argument(
        "--pictures",
        action="store_true",
        help="with --readers: draw what each said where a tumour was missed (missed/)",
    )
    parser.add_argument(
        "--images", metavar="DIR", help="folder of the images, for --pictures (default: beside the annotations)"
    )
    add_study_options(parser)
    parser.add_argument("--permutations", type=int, default=10_000, metavar="N", help="permutations of cases (10000)")
    return parser


@command(build_parser)
@locks_output
def main(arguments: argparse.Namespace) -> None:
    from segtumor.evaluation.comparison.pairs import compare_pair, refuse_unknown_measures
    from segtumor.files import prepare_output_folder, remove_files
    from segtumor.reporting.files.comparison_files import write_comparisons
    from segtumor.reporting.files.methods_files import METHODS_FILES
    from segtumor.reporting.files.reader_files import READER_FILES

    own_files = ("comparison.csv", "comparison.json", "comparison.md", *METHODS_FILES, *READER_FILES)
    refuse_earlier(arguments, (*own_files, f"{_MISSED}/*.jpg"))
    settings = study_settings(arguments)
    _check(arguments)
    pairing = paired(arguments, arguments.annotations, arguments.predictions)
    refuse_unknown_measures(arguments.measures or (), pairing, settings)
    root = Path(arguments.images) if arguments.images else pairing.truth.image_root
    if arguments.pictures and not root.is_dir():
        raise ConfigError("no folder of images", where="--images", got=str(root))
    prepare_output_folder(arguments.output)  # rather now than after minutes of comparing
    comparisons = []
    results: dict[str, Any] = {}
    marks = _marks(arguments, pairing)
    panel, readers = _readers(arguments, pairing, marks, settings)
    for one in _pairs(arguments, pairing, marks, settings):
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
        results.update(zip(one.names, (one.first, one.second), strict=True))
    remove_files(sorted((Path(arguments.output) / _MISSED).glob("missed_by_*.jpg")))
    paths = write_comparisons(
        comparisons, arguments.output, level=settings.level, provenance=_provenance(arguments), readers=readers
    )
    if arguments.against:
        paths += _write_methods(arguments, results, pairing.truth.taxonomy.names, settings)
    for comparison in comparisons:
        _print(comparison, settings.level)
    if panel is not None and readers is not None:
        _print_readers(readers, settings.level)
        if arguments.pictures:
            _draw(Path(arguments.output) / _MISSED, pairing, root, panel, readers)
    print(f"written to {arguments.output}: {', '.join(path.name for path in paths)}")


def _check(arguments: argparse.Namespace) -> None:
    if arguments.permutations < 1:
        raise ConfigError("number of permutations out of range", got=arguments.permutations, expected="1 or more")
    expected = 1 + len(arguments.against or ())
    if arguments.names and (len(arguments.names) != expected or len(set(arguments.names)) != expected):
        what = f"{expected} different names" if arguments.against else "one name: the readers are named in their table"
        raise ConfigError("names do not fit", where="--names", got=", ".join(arguments.names), expected=what)
    if arguments.pictures and not arguments.readers:
        raise ConfigError("pictures are of what model and readers missed", where="--pictures", expected="--readers")


def _marks(arguments: argparse.Namespace, pairing: "Pairing") -> "list[ReaderMarks]":
    from segtumor.annotations.reader_marks import read_reader_marks

    if not arguments.readers:
        return []
    truth = pairing.truth
    return read_reader_marks(
        arguments.readers, truth.annotated_images, truth.taxonomy.names, unlisted=arguments.unlisted
    )


def _model_name(arguments: argparse.Namespace) -> str:
    return str(arguments.names[0]) if arguments.names else "model"


def _readers(
    arguments: argparse.Namespace, pairing: "Pairing", marks: "list[ReaderMarks]", settings: "StudySettings"
) -> "tuple[Panel | None, ReaderStudy | None]":
    """The model and its readers, and what they come to together; none without readers."""
    from segtumor.evaluation.readers.raters import Panel, model_rater, reader_rater
    from segtumor.evaluation.readers.reader_study import reader_study

    if not marks:
        return None, None
    people = [reader_rater(one, pairing.results) for one in marks]
    panel = Panel([model_rater(pairing, _model_name(arguments)), *people], pairing.truth.taxonomy.names, settings)
    return panel, reader_study(panel, marks, pairing.seconds, level=settings.level)


def _pairs(
    arguments: argparse.Namespace, pairing: "Pairing", marks: "list[ReaderMarks]", settings: "StudySettings"
) -> Iterator["Pair"]:
    from segtumor.evaluation.comparison.pairs import names_of_paths, pair_of_models, pairs_with_readers

    if arguments.against:
        name, *others = arguments.names or names_of_paths(arguments.predictions, *arguments.against)
        for other_name, path in zip(others, arguments.against, strict=True):
            other = paired(arguments, arguments.annotations, path, pairing.truth)
            yield pair_of_models(pairing, other, (name, other_name))
        return
    name, unlisted = _model_name(arguments), arguments.unlisted
    yield from pairs_with_readers(pairing, marks, model_name=name, unlisted=unlisted, settings=settings)


def _write_methods(
    arguments: argparse.Namespace, results: dict[str, Any], class_names: Sequence[str], settings: "StudySettings"
) -> list[Path]:
    """Each model by itself, side by side; {name: its ImageResults}."""
    from segtumor.evaluation.comparison.methods import methods_of
    from segtumor.reporting.files.methods_files import write_methods

    measures = arguments.measures or ()
    methods = methods_of(results, class_names, settings, measures=measures, progress=step_progress)
    return write_methods(methods, arguments.output, level=settings.level)


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


def _print_readers(readers: "ReaderStudy", level: float) -> None:
    from segtumor.reporting.files.reader_files import (
        TIME_HEADER,
        agreement_cells,
        agreement_header,
        error_cells,
        error_header,
        time_cells,
    )

    print(f"readers together: {readers.n_common_images} images read by all; counts are patients")
    print_table(agreement_header(level), agreement_cells(readers))
    print()
    print_table(error_header(level), error_cells(readers, level))
    if readers.times:
        print()
        print_table(TIME_HEADER, time_cells(readers))
    print()


def _draw(folder: Path, pairing: "Pairing", root: Path, panel: "Panel", readers: "ReaderStudy") -> None:
    """Draw the missed tumours into a folder; ``root`` holds the images."""
    from segtumor.imaging import read_radiograph
    from segtumor.reporting.files.outputs import write_files
    from segtumor.reporting.pages.reader_examples import MOST_PICTURES, counts_by_kind, draw_missed, missed_images

    missed = missed_images(panel, readers)
    names = {image["id"]: image["file_name"] for image in pairing.truth.images}
    pictures = draw_missed(panel, missed, lambda image_id: read_radiograph(root / names[image_id]).pixels)
    write_files(folder, dict(pictures))
    counts = ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in counts_by_kind(missed).items())
    more = f"; drawn are the first {MOST_PICTURES}" if len(missed) > MOST_PICTURES else ""
    print(f"images of missed tumours in {folder}: {counts}{more}")


def _provenance(arguments: argparse.Namespace) -> dict[str, Any]:
    from segtumor.files import sha256_of_file
    from segtumor.reporting.provenance import file_provenance

    others = arguments.against or [arguments.readers]
    one, hashes = len(others) == 1, [sha256_of_file(path) for path in others]
    return {
        **file_provenance(annotations=arguments.annotations, predictions=arguments.predictions),
        "compared_with": str(others[0]) if one else list(map(str, others)),
        "compared_with_sha256": hashes[0] if one else hashes,
        "settings": {
            name: value
            for name, value in vars(arguments).items()
            if name not in ("debug", "output") and value is not None
        },
    }
