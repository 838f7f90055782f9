"""``tools/evaluate.py``: compare a predictions file with the truth, print the headline and write every number."""

from segtumor.commands.shell import make_parser, run

_DESCRIPTION = """Compare predictions with annotations.

Takes the predictions.json of infer.py (images matched by file name) or the plain COCO results list of any other tool
(images and categories by id). Writes metrics.json, per_lesion.csv, per_image.csv and plots."""

_TRUTH = "python tools/evaluate.py --annotations datasets/btxrd/annotations/test.json"
_EXAMPLES = (
    f"{_TRUTH} --predictions results/predictions.json --output results/evaluation",
    f"{_TRUTH} --predictions coco_instances_results.json --output evaluation --score-threshold 0.3",
)


def build_parser():
    """Parser of this command; ``--help`` needs nothing heavy."""
    parser = make_parser(
        "evaluate.py",
        _DESCRIPTION,
        examples=_EXAMPLES,
    )
    parser.add_argument("--annotations", required=True, metavar="JSON", help="COCO file with the true lesions")
    parser.add_argument("--predictions", required=True, metavar="JSON", help="predictions.json or COCO results list")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the results, created if needed")
    parser.add_argument(
        "--score-threshold", type=float, default=0.5, metavar="P", help="findings below it count in AP only (0.5)"
    )
    parser.add_argument(
        "--iou-threshold", type=float, default=0.5, metavar="IOU", help="overlap that makes a finding a hit (0.5)"
    )
    parser.add_argument(
        "--only-annotated", action="store_true", help="leave out predictions for images that the annotations lack"
    )
    parser.add_argument("--run", metavar="DIR", help="training run (OUTPUT_DIR) whose curves are drawn as well")
    return parser


def main(argv=None):
    """Run the command; returns its exit code."""
    return run(_body, build_parser(), argv)


def _body(args):
    from segtumor.evaluation import headline_table
    from segtumor.reporting.evaluation_report import refuse_run_folder, write_evaluation

    refuse_run_folder(args.output)
    evaluation, n_left_out = _evaluate(args)
    paths = write_evaluation(
        evaluation,
        args.output,
        annotations=args.annotations,
        predictions=args.predictions,
        run_folder=args.run,
    )
    print(headline_table(evaluation))
    if n_left_out:
        print(f"{n_left_out} predicted images are not annotated and were left out.")
    for sentence in _unseen(evaluation.metrics["counts"]):
        print(sentence)
    print(f"written to {args.output}: {', '.join(path.name for path in paths)}")


def _evaluate(args):
    """Join the truth and the findings, which their rooms read separately, and measure them."""
    from segtumor.data.predictions import read_predictions
    from segtumor.data.records import load_coco
    from segtumor.evaluation import evaluate
    from segtumor.structures.lesions import ImageResult

    truth = load_coco(args.annotations, check_files=False, require_masks=False)
    predictions = read_predictions(
        args.predictions,
        truth.annotated_images,
        class_names=truth.taxonomy.names,
        category_id_of_class=truth.category_id_of_class,
        only_annotated=args.only_annotated,
    )
    evaluation = evaluate(
        [ImageResult(image, predictions.findings[image.image_id]) for image in truth.annotated_images],
        truth.taxonomy.names,
        score_threshold=args.score_threshold,
        iou_threshold=args.iou_threshold,
        n_images_absent=None if predictions.absent_ids is None else len(predictions.absent_ids),
        n_images_failed=len(predictions.failed_ids),
    )
    return evaluation, predictions.n_left_out


def _unseen(counts):
    if counts["n_images_absent"]:
        yield f"{counts['n_images_absent']} images are absent from the predictions and counted as without findings."
    if counts["n_images_failed"]:
        yield f"{counts['n_images_failed']} images failed when predicting and are counted as without findings."
