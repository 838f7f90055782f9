"""``tools/evaluate.py``: compare a predictions file with annotations, print the headline, write every number."""

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.output_folder import add_overwrite_option, locks_output, refuse_earlier
from segtumor.commands.common.point_options import add_point_options, at_point, check_point_options, choose
from segtumor.commands.common.study_options import add_study_options, paired, study_settings
from segtumor.commands.common.terminal import print_table, step_progress
from segtumor.errors import ConfigError
from segtumor.runs import METRICS, REPORT, TRAINING_CURVES

if TYPE_CHECKING:  # NumPy and SciPy would delay --help
    from segtumor.annotations.coco import CocoDataset
    from segtumor.evaluation.facts.settings import StudySettings
    from segtumor.evaluation.pairing import Pairing
    from segtumor.evaluation.study.values import Study
    from segtumor.retrieval.index import Index

_DESCRIPTION = """Compare predictions with annotations, with intervals that resample cases.

Takes the predictions.json of infer.py (images matched by file name) or the plain COCO results list of any other tool
(images and categories by id). Writes report.html, metrics.json, tables of the estimates, subgroups, tests, lesions,
images and cases (CSV), curves and plots. What each number means: docs/evaluation.md."""

_TRUTH = "python tools/evaluate.py --annotations datasets/btxrd/annotations/test.json"
_EXAMPLES = (
    f"{_TRUTH} --predictions results/predictions.json --output results/evaluation",
    f"{_TRUTH} --predictions coco_instances_results.json --output evaluation --group-by sex center",
    "python tools/evaluate.py --annotations datasets/btxrd/annotations/val.json --predictions val/predictions.json"
    " --output val/evaluation --choose-operating-points output/btxrd256_R_18_FPN --sensitivity 0.95",
)
#: What is written, by any options.
_WRITTEN = (
    *(REPORT, METRICS, "estimates.csv", "subgroups.csv", "tests.csv", "curve_*.csv", "confusion_*.csv"),
    *("*_class_table.csv", "stages.csv"),
    *("per_case.csv", "per_image.csv", "per_lesion.csv"),
    *("precision_recall.png", "confusion_matrix.png", "dice_histogram.png", TRAINING_CURVES),
)
#: Beside the report's headline.
_ALSO_PRINTED = ("lesion_f1", "false_positives_per_normal_image")


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser("evaluate.py", _DESCRIPTION, examples=_EXAMPLES)
    parser.add_argument("--annotations", required=True, metavar="JSON", help="COCO file with the true lesions")
    parser.add_argument("--predictions", required=True, metavar="JSON", help="predictions.json or COCO results list")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the results, created if needed")
    add_overwrite_option(parser)
    add_study_options(parser)
    add_point_options(parser)
    parser.add_argument(
        "--froc-hit",
        choices=("iou", "centre", "mask"),
        default="iou",
        help="what counts as hitting a lesion in the FROC curve (iou)",
    )
    parser.add_argument(
        "--surface-tolerance", type=float, default=2.0, metavar="PX", help="of the normalised surface Dice, px (2)"
    )
    parser.add_argument(
        "--group-by",
        nargs="+",
        metavar="FIELD",
        help="form subgroups by these fields only, e.g. class size site sex center",
    )
    parser.add_argument(
        "--age-limits",
        nargs="+",
        type=int,
        metavar="YEARS",
        help="where age groups begin, such as 18 for two (18 40 60)",
    )
    parser.add_argument(
        "--size-limits-mm",
        nargs="+",
        metavar="MM",
        help="also form subgroups by the longest diameter of lesions, where the spacing is known: limits such as 80, "
        "or median",
    )
    parser.add_argument(
        "--calibrate-on",
        nargs=2,
        metavar=("ANNOTATIONS", "PREDICTIONS"),
        help="fit a temperature for the scores on another set, normally the validation set",
    )
    parser.add_argument(
        "--images", metavar="DIR", help="folder of the images, for the examples (default: beside the annotations)"
    )
    parser.add_argument("--no-examples", action="store_true", help="leave radiographs out of the report")
    parser.add_argument(
        "--embedding", metavar="FILE", help="index of these images, as `segtumor embed` writes it: a map in the report"
    )
    parser.add_argument("--title", help="title of the report (default: name of the annotation file)")
    parser.add_argument(
        "--run", metavar="DIR", help="training run (OUTPUT_DIR), for its curves, configuration and weights' hash"
    )
    return parser


@command(build_parser)
@locks_output
def main(arguments: argparse.Namespace) -> None:
    from segtumor.reporting.figures.training_curves import read_training_history
    from segtumor.reporting.files.evaluation_files import refuse_run_folder
    from segtumor.reporting.provenance import study_provenance
    from segtumor.retrieval.index import read_index

    check_point_options(arguments)
    refuse_run_folder(arguments.output)
    refuse_earlier(arguments, _WRITTEN)
    settings = study_settings(
        arguments,
        froc_criterion=arguments.froc_hit,
        surface_tolerance_px=arguments.surface_tolerance,
        **_subgroups(arguments),
    )
    pairing = paired(arguments, arguments.annotations, arguments.predictions)
    settings = at_point(arguments, pairing, settings)
    if arguments.choose_operating_points:
        choose(arguments, pairing, settings)
    if arguments.calibrate_on:
        settings = dataclasses.replace(settings, temperature=_temperature(arguments, pairing))
        print(f"temperature of the scores, fitted on {arguments.calibrate_on[0]}: {settings.temperature:.3f}")
    provenance = study_provenance(  # what cannot be read is reported now rather than after minutes of measuring
        annotations=arguments.annotations,
        predictions=arguments.predictions,
        run_folder=arguments.run,
        calibrated_on=arguments.calibrate_on,
    )
    if arguments.run:
        read_training_history(arguments.run)
    embedding = read_index(arguments.embedding) if arguments.embedding else None
    _print_plan(pairing, settings)
    found = pairing.study(settings, progress=step_progress)
    names = _write(arguments, pairing, found, provenance, embedding)
    for sentence in pairing.warnings:
        print(f"warning: {sentence}")
    _print_counts(found)
    _print_intervals(found)
    for sentence in found.remarks:
        if sentence not in pairing.warnings:
            print(f"- {sentence}")
    print(f"written to {arguments.output}: {', '.join(names)}")


def _subgroups(arguments: argparse.Namespace) -> dict[str, Any]:
    """Settings of the subgroups; limits that were given are of fields that are wanted."""
    from segtumor.ages import AGE_GROUP
    from segtumor.evaluation.facts.settings import MEDIAN
    from segtumor.evaluation.study.subgroup_fields import SIZE_MM

    settings: dict[str, Any] = {}
    fields = list(arguments.group_by or ())
    if arguments.age_limits:
        settings["age_limits"] = tuple(arguments.age_limits)
        fields += [AGE_GROUP] * bool(fields)
    if arguments.size_limits_mm:
        given = arguments.size_limits_mm
        settings["size_limits_mm"] = MEDIAN if given == [MEDIAN] else tuple(_millimetres(text) for text in given)
        fields += [SIZE_MM] * bool(fields)
    return {**settings, "subgroup_fields": tuple(dict.fromkeys(fields)) or None}


def _millimetres(text: str) -> float:
    from segtumor.annotations.tables.cells import cell_number

    number = cell_number(text)
    if number is None:
        expected = "numbers above 0, increasing, or median alone"
        raise ConfigError("not a size", where="--size-limits-mm", got=text, expected=expected)
    return float(number)


def _print_plan(pairing: "Pairing", settings: "StudySettings") -> None:
    """Say what will take its time."""
    from segtumor.evaluation.facts.cases import case_table
    from segtumor.texts import counted

    cases = counted(len(case_table(pairing.truth.annotated_images)), "cases")
    print(f"{settings.n_resamples:,} resamples of {cases}, {counted(len(pairing.results), 'images')} ...", flush=True)


def _temperature(arguments: argparse.Namespace, pairing: "Pairing") -> float:
    from segtumor.evaluation.facts.temperature import fit_score_temperature, refuse_shared

    fitted_on = paired(arguments, *arguments.calibrate_on)
    refuse_shared(fitted_on.truth.annotated_images, pairing.truth.annotated_images, where="--calibrate-on")
    return fit_score_temperature(fitted_on.results, fitted_on.truth.taxonomy.names)


def _write(
    arguments: argparse.Namespace,
    pairing: "Pairing",
    found: "Study",
    provenance: Mapping[str, Any],
    embedding: "Index | None",
) -> list[str]:
    """Write everything; returns the names of the files."""
    from segtumor.reporting.files.study_files import write_study

    paths = write_study(
        found,
        arguments.output,
        provenance=provenance,
        evaluation={
            "annotations": arguments.annotations,
            "predictions": arguments.predictions,
            "run_folder": arguments.run,
        },
        examples=[] if arguments.no_examples else _examples(arguments, pairing.truth, found),
        embedding=embedding,
        title=arguments.title or f"Evaluation on {pairing.truth.json_path.stem}",
    )
    return [path.name for path in paths]


def _examples(arguments: argparse.Namespace, truth: "CocoDataset", found: "Study") -> list[Any]:
    from segtumor.imaging import read_radiograph
    from segtumor.reporting.pages.study_examples import choose_examples, draw_examples

    root = Path(arguments.images) if arguments.images else truth.image_root
    if not root.is_dir():
        print(f"no radiographs in the report: no folder {root} (give --images)")
        return []
    names = {image["id"]: image["file_name"] for image in truth.images}
    return draw_examples(found, choose_examples(found), lambda image_id: read_radiograph(root / names[image_id]).pixels)


def _print_counts(found: "Study") -> None:
    from segtumor.texts import counted

    counts, images = (found.evaluation.metrics[name] for name in ("counts", "images"))
    findings = counted(counts["n_findings_at_threshold"], "findings")
    lesions = counted(counts["n_lesions"], "lesions")
    if counts["n_crowd_regions"]:
        lesions += f", {counted(counts['n_crowd_regions'], 'crowd regions')} (not counted)"
    print(
        f"{counted(counts['n_images'], 'images')} ({images['n_tumor_images']} with tumour, {images['n_normal_images']} "
        f"normal), {counted(len(found.cases), 'cases')}, {lesions}, {findings} with a "
        f"score of at least {found.settings.score_threshold:.2f}"
    )


def _print_intervals(found: "Study") -> None:
    from segtumor.reporting.pages.study_page import headline
    from segtumor.reporting.words.estimates import count_text, interval_text, number_text

    rows = [(e.label, number_text(e), interval_text(e), count_text(e)) for e in headline(found, also=_ALSO_PRINTED)]
    print()
    print_table(("metric", "value", f"{found.settings.level:.0%} interval", "n"), rows)
