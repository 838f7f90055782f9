"""Options of every command that measures with intervals: thresholds, absent images, rule of patients, bootstrap."""


def add_study_options(parser) -> None:
    """Add the options to a parser; ``study_settings`` reads them, but for those of ``leniency``."""
    parser.add_argument(
        "--score-threshold",
        type=float,
        default=0.5,
        metavar="P",
        help="findings below it count in curves and AP only (0.5)",
    )
    parser.add_argument(
        "--iou-threshold", type=float, default=0.5, metavar="IOU", help="overlap that makes a finding a hit (0.5)"
    )
    parser.add_argument(
        "--only-annotated", action="store_true", help="leave out predictions for images that the annotations lack"
    )
    parser.add_argument(
        "--allow-absent",
        action="store_true",
        help="count annotated images that predictions.json lists as failed, or not at all, as without findings; "
        "otherwise an error",
    )
    parser.add_argument(
        "--rule", choices=("any", "mean", "max"), default="any", help="from the views of a patient to one answer (any)"
    )
    parser.add_argument(
        "--require-located", action="store_true", help="a tumor patient counts as found only with a lesion located"
    )
    parser.add_argument("--resamples", type=int, default=2000, metavar="N", help="bootstrap resamples of cases (2000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the resampling (0)")
    parser.add_argument("--level", type=float, default=0.95, metavar="P", help="confidence level (0.95)")


def study_settings(args, **more):
    """StudySettings of the parsed options; ConfigError for a value out of range."""
    from segtumor.evaluation.study.study import StudySettings

    return StudySettings(
        score_threshold=args.score_threshold,
        iou_threshold=args.iou_threshold,
        rule=args.rule,
        require_located=args.require_located,
        n_resamples=args.resamples,
        seed=args.seed,
        level=args.level,
        **more,
    )


def leniency(args):
    """Keyword arguments of ``pairing.pair``: what is done where predictions and annotations are of different images."""
    return {"only_annotated": args.only_annotated, "allow_absent": args.allow_absent}


def study_progress(what, items):
    """``progress`` of ``study``: a bar on a terminal."""
    from segtumor.commands.common.account import progress_bar

    return progress_bar(what, unit="step")(items)
