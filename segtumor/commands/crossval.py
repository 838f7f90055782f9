"""``segtumor crossval``: k-fold cross-validation by case, which resumes where it was stopped."""

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.shared_options import add_training_settings
from segtumor.commands.common.terminal import print_table, progress_bar, step_progress

if TYPE_CHECKING:
    from detectron2.config import CfgNode

    from segtumor.evaluation.facts.settings import StudySettings
    from segtumor.training.folds.plan import Plan
from segtumor.runs import REPORT

_DESCRIPTION = """k-fold cross-validation: pools the configured data sets, divides their cases into folds, and for each
fold trains on the other cases and tests on that one. Some of the other cases are set aside to choose the best model,
which never sees the test fold. Writes OUTPUT/folds.json, a run folder OUTPUT/fold_<k> for each fold, OUTPUT/pooled,
OUTPUT/crossval.csv and OUTPUT/crossval.json. The same command again resumes: finished folds are skipped, an unfinished
one continues from its last checkpoint.

Interpret the numbers with care: the standard deviation over folds is not a standard error, since the folds share
training cases; average precision pooled over folds ranks the scores of different models together."""
_PARTS = ("train", "val", "test")
_EXAMPLE = "segtumor crossval --config-file configs/tiny_phantoms.yaml"


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "segtumor crossval",
        _DESCRIPTION,
        examples=[
            f"{_EXAMPLE} --dry-run",
            f"{_EXAMPLE} --folds 5 SOLVER.MAX_ITER 300",
            "segtumor crossval --config-file configs/tiny_btxrd256.yaml --output output/cv "
            "--init-from output/demo/run/model_best.pth",
            "segtumor crossval --config-file configs/btxrd256_R_18_FPN.yaml --output output/cv --parts train val "
            "--stratify center -- MODEL.DEVICE cuda",
        ],
    )
    parser.add_argument("--config-file", required=True, metavar="FILE", help="a file of configs/")
    parser.add_argument(
        "--output", metavar="DIR", help="folder of the cross-validation (output/<name of the configuration>_crossval)"
    )
    parser.add_argument(
        "--init-from",
        metavar="WEIGHTS",
        help="weights that every fold starts from; they must not come from these cases",
    )
    parser.add_argument("--dry-run", action="store_true", help="show the folds; train and write nothing")
    parser.add_argument("--overwrite", action="store_true", help="replace the cross-validation in DIR")
    _add_folds(parser.add_argument_group("folds"))
    parser.add_argument(
        "--resamples",
        type=int,
        default=2000,
        metavar="N",
        help="resamples of cases, for intervals (default 2000)",
    )
    add_training_settings(parser)
    return parser


def _add_folds(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--folds", type=int, default=5, metavar="K", help="number of folds (default 5)")
    group.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="seed of the folds (default 0); training has the setting SEED",
    )
    group.add_argument(
        "--val-fraction",
        type=float,
        default=0.1,
        metavar="F",
        help="share of the images outside the test fold that choose the model (default 0.1); 0: test the last model",
    )
    group.add_argument(
        "--parts", nargs="+", choices=_PARTS, default=_PARTS, help="configured parts to pool (default: all)"
    )
    group.add_argument(
        "--stratify",
        nargs="+",
        default=["label"],
        metavar="KEY",
        help="fields to balance over the folds: label (always first), center, age_group or another; write -- before "
        "KEY VALUE settings that follow",
    )


@command(build_parser)
def main(arguments: argparse.Namespace) -> None:
    from segtumor.config import load_config
    from segtumor.shipped.registry import starting_weights
    from segtumor.system.locks import lock_folder
    from segtumor.training.final_evaluation import import_late_dependencies
    from segtumor.training.folds.crossval import cross_validate
    from segtumor.training.folds.plan import make_plan

    cfg = load_config(arguments.config_file, arguments.opts)
    init_from = starting_weights(arguments.init_from) if arguments.init_from else None
    output = arguments.output or f"output/{Path(arguments.config_file).stem}_crossval"
    plan = make_plan(
        cfg,
        folds=arguments.folds,
        seed=arguments.seed,
        val_fraction=arguments.val_fraction,
        parts=[part for part in _PARTS if part in arguments.parts],
        stratify=arguments.stratify,
    )
    _print_folds(plan)
    if arguments.dry_run:
        return
    import_late_dependencies()
    settings, progress = _settings(cfg, arguments), progress_bar("hashing")
    with lock_folder(output):
        predictions = cross_validate(
            cfg, plan, output, init_from=init_from, overwrite=arguments.overwrite, progress=progress
        )
        _report(plan, output, predictions, settings)


def _settings(cfg: "CfgNode", arguments: argparse.Namespace) -> "StudySettings":
    from segtumor.evaluation.facts.settings import StudySettings

    return StudySettings(
        score_threshold=cfg.TEST.CONFIDENCE_THRESHOLD,
        iou_threshold=cfg.TEST.HIT_IOU,
        n_resamples=arguments.resamples,
        seed=arguments.seed,
    )


def _print_folds(plan: "Plan") -> None:
    header = [
        "fold",
        "part",
        "images",
        "cases",
        *plan.severity,
        "lesions",
        *(f"{name} les." for name in plan.class_names),
    ]
    rows: list[list[Any]] = []
    for number, parts in plan.summaries.items():
        for part in ("test", "train", "val"):
            counts = parts.get(part)
            rows.append([number, part, *(_cells(counts, plan) if counts else ["0"] * (len(header) - 2))])
    print_table(header, rows)
    for remark in plan.remarks:
        logging.getLogger(__name__).warning("%s", remark)


def _cells(counts: Mapping[str, Any], plan: "Plan") -> list[Any]:
    labels = [counts["images_by_label"][label] for label in plan.severity]
    classes = [counts["lesions_by_class"][name] for name in plan.class_names]
    return [counts["images"], counts["cases"], *labels, counts["lesions"], *classes]


def _report(plan: "Plan", output: str, predictions: Any, settings: "StudySettings") -> None:
    from segtumor.training.folds.report import fold_table, report

    result = report(plan, output, predictions, settings=settings, progress=step_progress)
    print()
    print_table(*fold_table(result))
    print()
    for remark in result.study.remarks:
        print(f"- {remark}")
    others = "crossval.csv, crossval.json, and a run folder for each fold"
    print(f"\nIn {output}: {others}\nThe report: {Path(output) / 'pooled' / REPORT}")
