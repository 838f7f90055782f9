"""Find tumours on radiographs: ``tools/infer.py``."""

import argparse
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from segtumor.commands.common.command_line import check_threads, command, make_parser
from segtumor.commands.common.shared_options import add_settings
from segtumor.errors import ConfigError, DataError, SomeInputsFailedError
from segtumor.runs import FINDINGS, PREDICTIONS, SIMILAR, SUMMARY
from segtumor.texts import counted

if TYPE_CHECKING:  # would delay --help
    from pathlib import Path

    from segtumor.inference.batch.contexts import Contexts
    from segtumor.inference.batch.input_search import Inputs
    from segtumor.inference.batch.run import Options, Result
    from segtumor.inference.load import InferenceModel
    from segtumor.inference.similar import SimilarImages

logger = logging.getLogger(__name__)
_OF_MODELS = ("config_file", "opts", "device", "runtime", "threads", "confidence_threshold", "mc_dropout")


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "infer.py",
        "Find bone tumours on radiographs; writes overlays, predictions.json, findings.csv and summary.json.",
        examples=[
            "python tools/infer.py --run output/demo/run --input output/demo/phantoms/images --output output/overlays",
            "python tools/infer.py --run output/btxrd256_R_18_FPN --input 'scans/*.dcm' knee.png --output found",
            "python tools/infer.py --run output/exported --input scans --output found --batch-size 4 --num-workers 2",
            "python tools/infer.py --run output/exported --input scans --recursive --output found --continue",
            "python tools/infer.py --run output/tiny_phantoms_crossval --tta --input scans --output found",
            "python tools/infer.py --cascade output/tumour_or_not --run output/which --input scans --output found",
            "python tools/infer.py --explain gradcam --input knee.png --output explained",
            "python tools/infer.py --similar 5 --index output/index/index.npz --input knee.png --output found",
            "python tools/infer.py --run output/exported --annotations mine/annotations/test.json --output found",
            "python tools/infer.py --config-file configs/mask_rcnn_R_50_FPN.yaml --input scans --output found"
            " --opts MODEL.WEIGHTS model.pth",
        ],
    )
    model = parser.add_mutually_exclusive_group()
    model.add_argument(
        "--run",
        nargs="+",
        metavar="MODEL",
        help="folder of a training run, whose config.yaml and best weights are used, or of an exported model; or a name"
        " that `segtumor models` lists; default: btxrd-lite, which comes with segtumor. Several, or the folder of a"
        " cross-validation, read together as an ensemble",
    )
    model.add_argument("--config-file", metavar="FILE", help="configuration; the weights are given with --opts")
    together = parser.add_argument_group("looking twice, and several models")
    together.add_argument(
        "--cascade",
        nargs="+",
        default=[],
        metavar="MODEL",
        help="a model that is asked first whether there is a tumour at all; --run then says which, and where if it"
        " marks lesions. Several are an ensemble, as in --run",
    )
    together.add_argument(
        "--tta",
        nargs="*",
        choices=("flip", "scale"),
        help="look at the mirrored picture, too (flip, the default): twice the time; or at it smaller and larger"
        " (scale): three times",
    )
    together.add_argument(
        "--mc-dropout",
        type=int,
        default=0,
        metavar="N",
        help="read N times with dropout left on, for the mean and the uncertainty (Monte-Carlo dropout); of a training"
        " run of a model with dropout",
    )
    together.add_argument(
        "--fusion",
        choices=("wbf", "nms"),
        default="wbf",
        help="how findings of several looks become one: weighted boxes fusion (default), or the highest score",
    )
    together.add_argument(
        "--explain",
        choices=("gradcam", "layercam", "guided", "occlusion"),
        help="heat maps beside the overlay: which parts of the picture each finding, and the whole image, depends on;"
        " of a training run or a shipped model",
    )
    together.add_argument(
        "--similar",
        type=int,
        metavar="N",
        help="the N images of --index that the model sees most like each radiograph, one of a case and never its own:"
        " beside the overlay, in predictions.json and in similar.csv",
    )
    together.add_argument(
        "--index", metavar="FILE", help="index of a data set, as `segtumor embed` writes it, for --similar"
    )
    _add_inputs(parser)
    parser.add_argument("--output", required=True, metavar="DIR", help="where to write; created if needed")
    _add_thresholds(parser)
    parser.add_argument("--no-overlays", action="store_true", help="write the tables only")
    parser.add_argument(
        "--panels",
        action="store_true",
        help="beside each overlay, in one picture, the radiograph as it was read and as the model sees it",
    )
    parser.add_argument("--max-pixels", type=int, metavar="N", help="refuse larger images; default: that of the model")
    parser.add_argument("--frame", type=int, metavar="N", help="index, from 0, of the frame of multi-frame DICOM files")
    _add_working_options(parser)
    _add_earlier_run_options(parser)
    add_settings(parser)
    return parser


def _add_thresholds(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("thresholds")
    called = group.add_mutually_exclusive_group()
    called.add_argument("--confidence-threshold", type=float, metavar="T", help="0 to 1; default: that of the model")
    called.add_argument(
        "--operating-point",
        metavar="NAME",
        help="the threshold that validation chose for it: youden, sensitivity, specificity, risk, false-positives, dice"
        " or lesion-risk, of those that the model has",
    )
    group.add_argument(
        "--review-threshold",
        metavar="T|NAME",
        help="an image without a tumour called gets the note 'look again' if its tumour score reaches T, or that"
        " operating point, which is below the confidence threshold; `segtumor models show` lists thresholds by"
        " sensitivity",
    )
    group.add_argument(
        "--prediction-sets",
        choices=("marginal", "by-class"),
        help="also list the classes that an image may be of, so that the true one is missing no more often than the"
        " risk for which validation chose: over all images, or in each class",
    )
    group.add_argument(
        "--points",
        metavar="FILE",
        help="operating points from a file, as of an ensemble (segtumor evaluate --choose-operating-points)",
    )


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to read")
    group.add_argument(
        "--input",
        nargs="+",
        default=[],
        metavar="PATH",
        help="files, folders, quoted patterns such as 'scans/**/*.dcm', and lists: a .txt file with a path on each"
        " line, or a table with a column 'path'",
    )
    group.add_argument("--recursive", action="store_true", help="search sub-folders, too")
    group.add_argument(
        "--annotations", metavar="JSON", help="the images of a COCO file, e.g. the test part of a data set"
    )
    group.add_argument("--images", metavar="DIR", help="folder of its images (beside the folder of the file)")
    group.add_argument(
        "--clinical",
        metavar="TABLE",
        help="what is known of the patients, for a model that takes it: CSV, Excel or COCO file with a row for each"
        " image; default: the file of --annotations",
    )


def _add_working_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("speed and memory")
    group.add_argument(
        "--batch-size", type=int, default=1, metavar="N", help="images that the model sees at once (default 1)"
    )
    group.add_argument(
        "--num-workers",
        type=int,
        default=1,
        metavar="N",
        help="threads that read ahead, each one image at full size, and as many that draw overlays; 0 for none"
        " (default 1)",
    )
    group.add_argument("--threads", type=int, metavar="N", help="threads of the model; default: one per core")
    group.add_argument("--device", choices=("cpu", "cuda"), help="for a training run; default: MODEL.DEVICE, i.e. cpu")
    group.add_argument(
        "--runtime",
        choices=("torch", "detectron2"),
        help="how a training run is computed: by torch without Detectron2's own steps (default, where it can: on a CPU,"
        " not every kind of model), or by Detectron2 itself, which is slower there; an export has its own",
    )


def _add_earlier_run_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("an output folder with an earlier run").add_mutually_exclusive_group()
    group.add_argument(
        "--continue",
        dest="continued",
        action="store_true",
        help="resume: keep finished results, retry what failed, was not reached or has changed; new inputs are added",
    )
    group.add_argument("--overwrite", action="store_true", help="replace it")


@command(build_parser)
def main(arguments: argparse.Namespace) -> int:
    from segtumor.inference.batch.run import Options, check, infer_with
    from segtumor.inference.load import check_model, folds_in, opencv_threads
    from segtumor.shipped.registry import model_folder

    given = _given_options(arguments)
    named = [] if arguments.config_file else [model_folder(name) for name in arguments.run or [None]]
    runs: list[Path | None] = [run for folder in named for run in folds_in(folder)]
    runs = runs or [None]
    first = [run for name in arguments.cascade for run in folds_in(model_folder(name))]
    for run in (*runs, *first):
        check_model(run)
    inputs = _find_inputs(arguments)
    check(inputs.paths, arguments.output, continued=arguments.continued, overwrite=arguments.overwrite)
    with opencv_threads(1):  # files, not parts of one, are what is worked on side by side
        model = _load(arguments, runs, first)
        review_threshold = _review_threshold(arguments, model, [*first, *runs])
        settings = Options.of_model(model, review_threshold=review_threshold, **given)
        similar = _similar(arguments, model, inputs)
        if model.note:
            logger.warning("%s", model.note.text)
        contexts = _contexts(arguments, model, inputs.paths)
        found: dict[str, Any] = {"left_out": inputs.left_out, "similar": similar, "contexts": contexts}
        result = infer_with(model, inputs.paths, arguments.output, settings, **found)
    return _print_result(arguments, settings, result)


def _load(arguments: argparse.Namespace, runs: Sequence["Path | None"], first: Sequence["Path"]) -> "InferenceModel":
    from segtumor.inference.cascade import with_points
    from segtumor.inference.load import combine, explainable_config, explaining, load_model, load_models, with_embedding

    chosen: dict[str, Any] = {
        "operating_point": arguments.operating_point,
        "prediction_sets": arguments.prediction_sets,
        "points_file": arguments.points,
    }

    if not arguments.explain:
        options = {name: getattr(arguments, name) for name in _OF_MODELS}
        together = {"tta": arguments.tta or arguments.tta == [], "fusion": arguments.fusion}
        if first and arguments.similar is not None:
            what = "similar images are looked up by one model"
            raise ConfigError(what, where="--similar", remedy="Leave out --cascade or --similar")
        members = [load_model(run=run, **options) for run in runs]
        if arguments.similar is not None:
            members[0] = with_embedding(members[0])
        model = combine(members, list(map(str, runs)), **together)
        options["config_file"] = None  # is of --run
        asked_first = load_models(first, **together, **options) if first else None
        return with_points(model, runs, asked_first, first, **chosen)
    if (
        len(runs) > 1
        or first
        or arguments.tta is not None
        or arguments.runtime
        or arguments.mc_dropout
        or arguments.similar
    ):
        what = "one look of one model, by torch, is explained"
        remedy = "Leave out --cascade, --tta, --mc-dropout, --runtime and --similar, and name one model"
        raise ConfigError(what, where="--explain", remedy=remedy)
    cfg = explainable_config(runs[0], arguments.config_file, arguments.opts)
    if arguments.device:
        cfg.MODEL.DEVICE = arguments.device
    if arguments.confidence_threshold is not None:
        cfg.TEST.CONFIDENCE_THRESHOLD, cfg.OPERATING_POINTS.USED = arguments.confidence_threshold, ""
    cfg.freeze()
    return with_points(explaining(cfg, arguments.explain, threads=arguments.threads), runs, None, [], **chosen)


def _review_threshold(
    arguments: argparse.Namespace, model: "InferenceModel", runs: Sequence["Path | None"]
) -> float | None:
    from segtumor.inference.points import points_of

    given = arguments.review_threshold
    if given is None:
        return None
    try:
        return float(given)
    except ValueError:
        return points_of(model, runs, points_file=arguments.points).point(given).score_threshold


def _similar(arguments: argparse.Namespace, model: "InferenceModel", inputs: "Inputs") -> "SimilarImages | None":
    from segtumor.inference.similar import SimilarImages

    if arguments.similar is None:
        return None
    return SimilarImages.open(arguments.index, model, arguments.similar, case_of=inputs.case_of)


def _contexts(arguments: argparse.Namespace, model: "InferenceModel", paths: Sequence["Path"]) -> "Contexts | None":
    """What is known of the files beside pixels, for a model that takes it."""
    from segtumor.inference.batch.contexts import read_contexts

    columns, source = model.predictor.context_columns, arguments.clinical
    if not columns:
        if source is None:
            return None
        remedy = "Leave it out; --explain looks at pixels alone" if arguments.explain else "Leave it out"
        raise ConfigError("the model takes no table", where="--clinical", got=source, remedy=remedy)
    source = source or arguments.annotations
    if source is None:
        logger.warning("nothing is known beside the pixels: --clinical gives %s to the model", ", ".join(columns))
        return None
    return read_contexts(source, paths, columns)


def _find_inputs(arguments: argparse.Namespace) -> "Inputs":
    from segtumor.inference.batch.input_search import find_inputs

    if not arguments.input and arguments.annotations is None:
        raise ConfigError("nothing to read", remedy="Add --input PATH, or --annotations JSON")
    if arguments.images is not None and arguments.annotations is None:
        raise ConfigError("--images is for --annotations", remedy="Give the folder to --input")
    inputs = find_inputs(
        arguments.input,
        recursive=arguments.recursive,
        annotations=arguments.annotations,
        image_root=arguments.images,
    )
    visible = [item for item in inputs.left_out if not item.path.name.startswith(".")]
    if visible:
        path, reason = visible[0]
        count = "1 file or folder is" if len(visible) == 1 else f"{len(visible)} files or folders are"
        logger.warning("%s not read, first: %s (%s); %s names all", count, path, reason, SUMMARY)
    return inputs


def _given_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Options as far as they do not depend on the model, so that mistakes are reported before it is loaded."""
    from segtumor.inference.batch.run import Options

    check_threads(arguments.threads)
    if (arguments.similar is None) != (arguments.index is None):
        raise ConfigError("--similar and --index belong together", expected="both", remedy="segtumor embed writes one")
    given: dict[str, Any] = {
        "frame": arguments.frame,
        "batch_size": arguments.batch_size,
        "num_workers": arguments.num_workers,
        "with_overlays": not arguments.no_overlays,
        "panels": arguments.panels,
        "continued": arguments.continued,
        "overwrite": arguments.overwrite,
    }
    if arguments.max_pixels is not None:
        given["max_pixels"] = arguments.max_pixels
    Options(confidence_threshold=arguments.confidence_threshold or 0, **given)
    return given


def _print_result(arguments: argparse.Namespace, options: "Options", result: "Result") -> int:
    counts = result.counts
    written = ["overlays/"] if options.with_overlays else []
    written += [PREDICTIONS, FINDINGS, *([SIMILAR] if arguments.similar else []), SUMMARY]
    print(
        f"{counted(counts['inputs'], 'inputs')}: {counts['with_findings']} with findings at or above"
        f" {options.confidence_threshold:.2f}, {counts['without_findings']} without, {counts['failed']} failed"
    )
    if "called_tumor" in counts:
        print(f"{counted(counts['called_tumor'], 'images')} called tumour")
    if counts.get("unlike_training"):  # many models cannot tell
        unlike = counted(counts["unlike_training"], "images")
        print(f"{unlike} unlike the training images, {counts['unlike_training_with_findings']} of them with findings")
    if result.notes:
        print(f"{result.notes} with a note, first: {result.first_note}")
    print(f"Written to {arguments.output}: {', '.join(written)}")
    if counts["failed"]:
        kind = DataError if counts["failed"] == counts["inputs"] else SomeInputsFailedError
        first = f"{result.first_failure:.300}".rstrip(".")
        raise kind(f"{counts['failed']} of {counted(counts['inputs'], 'inputs')} failed, first: {first}")
    return 0
