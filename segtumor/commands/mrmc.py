"""``tools/mrmc.py``: several readers, each under several modalities, tested together."""

import argparse
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

if TYPE_CHECKING:  # NumPy and SciPy would delay --help
    from segtumor.evaluation.readers.crossed import CrossedStudy
    from segtumor.evaluation.readers.raters import Rater
    from segtumor.structures.lesions import ImageResult

_DESCRIPTION = """Test several readers at once (multi-reader multi-case): with the model against alone, or against it.

Takes the table of readers of segtumor compare. With a column modality (such as alone and with model) these are
compared; with --predictions the model is a further modality. Every reader must read under every modality.

Obuchowski and Rockette's analysis with Hillis' degrees of freedom, for the area under the ROC curve, sensitivity and
specificity of patients, and, of boxes with a confidence, the (weighted) AFROC areas of JAFROC; for readers and cases
like these, for these readers, and for these cases. docs/evaluation.md explains it. Writes mrmc.md, mrmc.json and
mrmc_*.csv."""

_TRUTH = "segtumor mrmc --annotations datasets/btxrd256/annotations/test.json --readers readers.csv"
_EXAMPLES = (
    f"{_TRUTH} --output output/mrmc",
    f"{_TRUTH} --predictions found/predictions.json --measures patient_auc wafroc --rjafroc --output output/mrmc",
)


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser("mrmc.py", _DESCRIPTION, examples=_EXAMPLES)
    parser.add_argument("--annotations", required=True, metavar="JSON", help="COCO file with the true lesions")
    parser.add_argument("--readers", required=True, metavar="TABLE", help="marks of the readers")
    parser.add_argument("--predictions", metavar="JSON", help="of the model, which becomes a modality")
    parser.add_argument("--name", default="model", metavar="NAME", help="name of that modality (model)")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the results, created if needed")
    add_overwrite_option(parser)
    add_unlisted_option(parser)
    parser.add_argument(
        "--measures",
        nargs="+",
        metavar="NAME",
        help="any measure of segtumor evaluate, or afroc, wafroc, afroc1, wafroc1 (patient_auc, patient_sensitivity, "
        "patient_specificity, and, of boxes with a confidence, wafroc and afroc)",
    )
    parser.add_argument(
        "--covariance",
        choices=("jackknife", "delong"),
        default="jackknife",
        help="error covariances of patient_auc; all else is jackknifed (jackknife)",
    )
    parser.add_argument("--rjafroc", action="store_true", help="write rjafroc.xlsx for the R package RJafroc as well")
    add_study_options(parser, resampling=False)
    return parser


@command(build_parser)
@locks_output
def main(arguments: argparse.Namespace) -> None:
    from segtumor.annotations.coco import load_coco
    from segtumor.annotations.reader_marks import read_reader_marks
    from segtumor.evaluation.readers.crossed import crossed_cells, crossed_study
    from segtumor.evaluation.readers.raters import refuse_unlocated
    from segtumor.files import prepare_output_folder
    from segtumor.reporting.files.mrmc_files import MRMC_FILES, write_mrmc

    refuse_earlier(arguments, MRMC_FILES)
    settings = study_settings(arguments)
    truth = load_coco(arguments.annotations, check_files=False, require_masks=False)
    names = truth.taxonomy.names
    marks = read_reader_marks(arguments.readers, truth.annotated_images, names, unlisted=arguments.unlisted)
    results, model = _results(arguments, truth)
    cells = crossed_cells(marks, results, model)
    refuse_unlocated(cells.values(), settings)
    prepare_output_folder(arguments.output)
    study = crossed_study(
        cells,
        names,
        settings,
        measures=arguments.measures or (),
        covariance=arguments.covariance,
        progress=step_progress,
    )
    paths = write_mrmc(
        study,
        arguments.output,
        level=settings.level,
        provenance=_provenance(arguments),
        rjafroc=arguments.rjafroc,
    )
    _print(study, settings.level)
    print(f"written to {arguments.output}: {', '.join(path.name for path in paths)}")


def _results(arguments: argparse.Namespace, truth: Any) -> "tuple[list[ImageResult], Rater | None]":
    """Results with the truth of each image, and the model if there is one."""
    from segtumor.evaluation.readers.raters import model_rater
    from segtumor.structures.lesions import ImageResult

    if not arguments.predictions:
        return [ImageResult(image, ()) for image in truth.annotated_images], None
    pairing = paired(arguments, arguments.annotations, arguments.predictions, truth)
    return pairing.results, model_rater(pairing, arguments.name)


def _print(study: "CrossedStudy", level: float) -> None:
    from segtumor.reporting.files.mrmc_files import (
        APPLIES_TO,
        inference_cells,
        inference_header,
        value_cells,
        value_header,
    )
    from segtumor.texts import counted

    cases = counted(len(study.case_ids), "cases")
    print(f"{counted(len(study.readers), 'readers')}, {len(study.modalities)} modalities, {cases}")
    for one in study.measures:
        print()
        print(f"{one.measure.name}: {one.measure.label}")
        print_table(value_header(study, level), value_cells(study, one))
        print_table(inference_header(level), inference_cells(study, one))
    print()
    for sentence in (*(f"{inference}: {text}" for inference, text in APPLIES_TO.items()), *study.remarks):
        print(f"- {sentence}")


def _provenance(arguments: argparse.Namespace) -> dict[str, Any]:
    from segtumor.files import sha256_of_file
    from segtumor.reporting.provenance import file_provenance

    paths = {"annotations": arguments.annotations, "predictions": arguments.predictions}
    return {
        **file_provenance(**{name: path for name, path in paths.items() if path}),
        "readers": str(arguments.readers),
        "readers_sha256": sha256_of_file(arguments.readers),
        "settings": {
            name: value
            for name, value in vars(arguments).items()
            if name not in ("debug", "output") and value is not None
        },
    }
