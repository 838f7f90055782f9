"""Options of every command that measures with intervals: thresholds, absent images, rule of patients, bootstrap."""

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # NumPy and SciPy would delay --help
    from segtumor.annotations.coco import CocoDataset
    from segtumor.evaluation.facts.settings import StudySettings
    from segtumor.evaluation.pairing import Pairing


#: Settings of resampling and their options, which some commands lack.
_RESAMPLING = (("n_resamples", "resamples"), ("seed", "seed"))


def add_unlisted_option(parser: argparse.ArgumentParser) -> None:
    """Add what becomes of images that a reader does not mention."""
    parser.add_argument(
        "--unlisted",
        choices=("refuse", "normal", "leave-out"),
        default="refuse",
        help="images that a reader does not mention: refuse the table, count as called normal, or leave out (refuse)",
    )


def add_study_options(parser: argparse.ArgumentParser, *, resampling: bool = True) -> None:
    """Add the options to a parser, those of resampling only if wished; ``study_settings`` and ``paired`` read them."""
    parser.add_argument(
        "--score-threshold",
        type=float,
        default=0.5,
        metavar="P",
        help="findings below it count only in curves and AP (0.5)",
    )
    parser.add_argument(
        "--iou-threshold", type=float, default=0.5, metavar="IOU", help="overlap that makes a finding a hit (0.5)"
    )
    parser.add_argument(
        "--only-annotated", action="store_true", help="ignore predictions for images that are not annotated"
    )
    parser.add_argument(
        "--allow-absent",
        action="store_true",
        help="count annotated images that failed or are missing in predictions.json as images without findings; "
        "otherwise they are an error",
    )
    parser.add_argument(
        "--class",
        dest="classes",
        action="append",
        default=[],
        metavar="LABEL=CLASS",
        help="class of the annotations that counts as another, as the model was trained (DATASETS.CLASSES); repeatable",
    )
    parser.add_argument(
        "--no-normal",
        action="store_true",
        help="leave out normal images, and what was predicted of them, as DATASETS.NORMAL False in training",
    )
    parser.add_argument(
        "--rule",
        choices=("any", "mean", "max"),
        default="any",
        help="how a patient's views become one answer (any)",
    )
    parser.add_argument(
        "--require-located", action="store_true", help="a tumour patient counts as found only if a lesion is located"
    )
    if resampling:
        parser.add_argument(
            "--resamples", type=int, default=2000, metavar="N", help="bootstrap resamples of cases (2000)"
        )
        parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the resampling (0)")
    parser.add_argument("--level", type=float, default=0.95, metavar="P", help="confidence level (0.95)")


def study_settings(arguments: argparse.Namespace, **more: Any) -> "StudySettings":
    """StudySettings of the parsed options and ``more``; ConfigError for a value out of range."""
    from segtumor.evaluation.facts.settings import StudySettings

    resampling = {name: getattr(arguments, option) for name, option in _RESAMPLING if hasattr(arguments, option)}
    return StudySettings(
        score_threshold=arguments.score_threshold,
        iou_threshold=arguments.iou_threshold,
        rule=arguments.rule,
        require_located=arguments.require_located,
        **resampling,
        level=arguments.level,
        **more,
    )


def paired(
    arguments: argparse.Namespace, annotations: str, predictions: str, truth: "CocoDataset | None" = None
) -> "Pairing":
    """``pairing.pair`` by the options for classes and for images that only one of the files covers."""
    from segtumor.annotations.class_scheme import ClassScheme
    from segtumor.evaluation.pairing import pair

    return pair(
        annotations,
        predictions,
        truth=truth,
        only_annotated=arguments.only_annotated or arguments.no_normal,
        allow_absent=arguments.allow_absent,
        scheme=ClassScheme.parse(arguments.classes, normal=not arguments.no_normal, where="--class"),
    )
