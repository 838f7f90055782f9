"""``tools/evaluate.py``: compare a predictions file with the truth, print the headline and write every number."""

import dataclasses

from segtumor.commands.common.command_line import make_parser, run
from segtumor.commands.common.output_folder import add_overwrite_option, locks_output, refuse_earlier
from segtumor.commands.common.study_options import add_study_options, pairing_options, study_settings
from segtumor.commands.common.terminal import step_progress
from segtumor.evaluation.pairing import pair

_DESCRIPTION = """Compare predictions with annotations, with intervals that resample cases.

Takes the predictions.json of infer.py (images matched by file name) or the plain COCO results list of any other tool
(images and categories by id). Writes report.html, metrics.json, tables of the estimates, subgroups, tests, lesions,
images and cases (CSV), curves and plots. What each number means: docs/evaluation.md."""

_TRUTH = "python tools/evaluate.py --annotations datasets/btxrd/annotations/test.json"
_EXAMPLES = (
    f"{_TRUTH} --predictions results/predictions.json --output results/evaluation",
    f"{_TRUTH} --predictions coco_instances_results.json --output evaluation --group-by sex center",
)
#: What is written, by any options.
_WRITTEN = (
    *("report.html", "metrics.json", "estimates.csv", "subgroups.csv", "tests.csv", "curve_*.csv", "confusion_*.csv"),
    *("per_case.csv", "per_image.csv", "per_lesion.csv"),
    *("precision_recall.png", "confusion_matrix.png", "dice_histogram.png", "training_curves.png"),
)
#: Beside the report's headline.
_ALSO_PRINTED = ("lesion_f1", "false_positives_per_normal_image")


def build_parser():
    """Parser of this command; ``--help`` needs nothing heavy."""
    parser = make_parser("evaluate.py", _DESCRIPTION, examples=_EXAMPLES)
    parser.add_argument("--annotations", required=True, metavar="JSON", help="COCO file with the true lesions")
    parser.add_argument("--predictions", required=True, metavar="JSON", help="predictions.json or COCO results list")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the results, created if needed")
    add_overwrite_option(parser)
    add_study_options(parser)
    parser.add_argument(
        "--froc-hit",
        choices=("iou", "centre", "mask"),
        default="iou",
        help="what hits a lesion in the FROC curve (iou)",
    )
    parser.add_argument(
        "--surface-tolerance", type=float, default=2.0, metavar="PX", help="of the normalized surface Dice, px (2)"
    )
    parser.add_argument(
        "--group-by", nargs="+", metavar="FIELD", help="subgroups by these fields only, e.g. class size site sex center"
    )
    parser.add_argument(
        "--calibrate-on",
        nargs=2,
        metavar=("ANNOTATIONS", "PREDICTIONS"),
        help="fit a temperature for the scores on another set, normally validation",
    )
    parser.add_argument(
        "--images", metavar="DIR", help="folder of the images, for the examples (beside the annotations)"
    )
    parser.add_argument("--no-examples", action="store_true", help="no radiographs in the report")
    parser.add_argument("--title", help="of the report (name of the annotation file)")
    parser.add_argument("--run", metavar="DIR", help="training run (OUTPUT_DIR): its curves, config and weights' hash")
    return parser


def main(argv=None):
    """Run the command; returns its exit code."""
    return run(locks_output(_body), build_parser(), argv)


def _body(args) -> None:
    from segtumor.evaluation.study.study import study
    from segtumor.reporting.files.evaluation_report import read_training_history, refuse_run_folder

    refuse_run_folder(args.output)
    refuse_earlier(args, _WRITTEN)
    settings = study_settings(
        args,
        froc_criterion=args.froc_hit,
        surface_tolerance_px=args.surface_tolerance,
        subgroup_fields=tuple(args.group_by) if args.group_by else None,
    )
    pairing = pair(args.annotations, args.predictions, **pairing_options(args))
    if args.calibrate_on:
        settings = dataclasses.replace(settings, temperature=_temperature(args, pairing))
        print(f"temperature of the scores, fitted on {args.calibrate_on[0]}: {settings.temperature:.3f}")
    provenance = _provenance(args)  # what cannot be read is reported now rather than after minutes of measuring
    if args.run:
        read_training_history(args.run)
    _print_plan(pairing, settings)
    found = study(pairing.results, pairing.truth.taxonomy.names, settings, progress=step_progress, **pairing.unseen)
    found = pairing.remarked(found)
    names = _write(args, pairing, found, provenance)
    for sentence in pairing.warnings:
        print(f"warning: {sentence}")
    _print_counts(found)
    _print_intervals(found)
    for sentence in found.remarks:
        if sentence not in pairing.warnings:
            print(f"- {sentence}")
    print(f"written to {args.output}: {', '.join(names)}")


def _print_plan(pairing, settings) -> None:
    """Say what will take its time."""
    from segtumor.evaluation.facts.cases import case_table
    from segtumor.texts import counted

    cases = counted(len(case_table(pairing.truth.annotated_images)), "cases")
    print(f"{settings.n_resamples:,} resamples of {cases}, {counted(len(pairing.results), 'images')} ...", flush=True)


def _temperature(args, pairing):
    from segtumor.evaluation.facts.temperature import fit_score_temperature, refuse_shared

    annotations, predictions = args.calibrate_on
    fitted_on = pair(annotations, predictions, **pairing_options(args))
    refuse_shared(fitted_on.truth.annotated_images, pairing.truth.annotated_images, where="--calibrate-on")
    return fit_score_temperature(fitted_on.results, fitted_on.truth.taxonomy.names)


def _provenance(args):
    from segtumor.reporting.provenance import study_provenance

    return study_provenance(
        annotations=args.annotations,
        predictions=args.predictions,
        run_folder=args.run,
        calibrated_on=args.calibrate_on,
    )


def _write(args, pairing, found, provenance):
    """Write everything; names of the files."""
    from segtumor.reporting.files.study_files import write_study

    paths = write_study(
        found,
        args.output,
        provenance=provenance,
        evaluation={"annotations": args.annotations, "predictions": args.predictions, "run_folder": args.run},
        examples=[] if args.no_examples else _examples(args, pairing.truth, found),
        title=args.title or f"Evaluation on {pairing.truth.json_path.stem}",
    )
    return [path.name for path in paths]


def _examples(args, truth, found):
    from pathlib import Path

    from segtumor.imaging import read_radiograph
    from segtumor.reporting.pages.study_examples import choose_examples, draw_examples

    root = Path(args.images) if args.images else truth.image_root
    if not root.is_dir():
        print(f"no radiographs in the report: no folder {root} (give --images)")
        return []
    names = {image["id"]: image["file_name"] for image in truth.images}
    return draw_examples(found, choose_examples(found), lambda image_id: read_radiograph(root / names[image_id]).pixels)


def _print_counts(found) -> None:
    from segtumor.texts import counted

    counts, images = (found.evaluation.metrics[name] for name in ("counts", "images"))
    findings = counted(counts["n_findings_at_threshold"], "findings")
    lesions = counted(counts["n_lesions"], "lesions")
    if counts["n_crowd_regions"]:
        lesions += f", {counted(counts['n_crowd_regions'], 'crowd regions')} (not counted)"
    print(
        f"{counted(counts['n_images'], 'images')} ({images['n_tumor_images']} with tumor, {images['n_normal_images']} "
        f"normal), {counted(len(found.cases), 'cases')}, {lesions}, {findings} with a "
        f"score of at least {found.settings.score_threshold:.2f}"
    )


def _print_intervals(found) -> None:
    from segtumor.commands.common.terminal import print_table
    from segtumor.reporting.pages.study_page import HEADLINE
    from segtumor.reporting.words.study_text import count_text, interval_text, number_text

    known = {estimate.name: estimate for estimate in found.estimates}
    rows = [
        (e.label, number_text(e), interval_text(e), count_text(e))
        for e in map(known.get, (*HEADLINE, *_ALSO_PRINTED))
        if e
    ]
    print()
    print_table(("metric", "value", f"{found.settings.level:.0%} interval", "n"), rows)
