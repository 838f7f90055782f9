"""Find tumours on radiographs: ``tools/infer.py``."""

import argparse
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from segtumor.commands.common.command_line import check_threads, command
from segtumor.commands.common.infer_options import build_parser
from segtumor.errors import ConfigError, DataError, SomeInputsFailedError
from segtumor.runs import DICOM_OBJECTS, FINDINGS, PREDICTIONS, SIMILAR, SUMMARY
from segtumor.texts import counted

if TYPE_CHECKING:  # would delay --help
    from pathlib import Path

    from segtumor.inference.batch.contexts import Contexts
    from segtumor.inference.batch.input_search import Inputs
    from segtumor.inference.batch.options import Options, Result
    from segtumor.inference.load import InferenceModel
    from segtumor.inference.similar import SimilarImages

logger = logging.getLogger(__name__)
_OF_MODELS = ("config_file", "opts", "device", "runtime", "threads", "confidence_threshold", "mc_dropout")


@command(build_parser)
def main(arguments: argparse.Namespace) -> int:
    from segtumor.inference.batch.options import Options
    from segtumor.inference.batch.run import check, infer_with
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
    from segtumor.inference.explaining import explainable_config, explaining
    from segtumor.inference.load import load_model, with_embedding
    from segtumor.inference.several import combine, load_models

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
    from segtumor.inference.batch.options import Options

    check_threads(arguments.threads)
    if (arguments.similar is None) != (arguments.index is None):
        raise ConfigError("--similar and --index belong together", expected="both", remedy="segtumor embed writes one")
    given: dict[str, Any] = {
        "frame": arguments.frame,
        "batch_size": arguments.batch_size,
        "num_workers": arguments.num_workers,
        "with_overlays": not arguments.no_overlays,
        "panels": arguments.panels,
        "dicom_output": arguments.dicom_output,
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
    written += [f"{DICOM_OBJECTS}/"] if counts.get("dicom_objects") else []
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
    if options.dicom_output:
        objects, inputs = counted(counts["dicom_objects"], "DICOM objects"), counted(counts["with_dicom"], "inputs")
        reasons = [f"{reason} ({counted(number, 'inputs')})" for reason, number in result.without_dicom.items()]
        print("; ".join([f"{objects} of {inputs}", *reasons]))
    print(f"Written to {arguments.output}: {', '.join(written)}")
    if counts["failed"]:
        kind = DataError if counts["failed"] == counts["inputs"] else SomeInputsFailedError
        first = f"{result.first_failure:.300}".rstrip(".")
        raise kind(f"{counts['failed']} of {counted(counts['inputs'], 'inputs')} failed, first: {first}")
    if result.first_dicom_failure is not None:
        what = (
            f"no DICOM objects of {counted(counts['dicom_failed'], 'inputs')}, first: {result.first_dicom_failure:.300}"
        )
        raise SomeInputsFailedError(what.rstrip("."))
    return 0
