#!/usr/bin/env python
"""What each lever of a training is worth: one change at a time against one baseline, equal steps, on validation.

All start from the same weights and take as many steps; the last weights are judged, at the score that leaves so many
findings per normal image as the configuration says (OPERATING_POINTS.FALSE_POSITIVES, 0.3). No test part is read.
A row that is in the output folder is not trained again, so that several processes can share the levers of one folder,
and further seeds can be added. Settings at the end hold for all rows.
"""

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = """examples:
  python benchmarks/levers.py --data btxrd256 --init-from output/weights/efficientnet_lite0.pth --steps 600 \\
      --output output/levers/from_imagenet --levers baseline anchors frozen_norms --seeds 42 43
  python benchmarks/levers.py --data btxrd256 --init-from output/btxrd_lite/model_best.pth --steps 400 \\
      --output output/levers/further --levers baseline strong zoom -- MODEL.META_ARCHITECTURE ImageHeadRCNN
"""


@dataclass(frozen=True)
class Lever:
    """Settings that differ from the baseline's, how many times its steps, and data sets that are learnt first."""

    settings: tuple[str, ...] = ()
    times: int = 1
    first: str = ""


def _augmented(policy):
    return Lever(("INPUT.AUGMENTATION", policy))


def _sized(size):
    return Lever(("INPUT.MIN_SIZE_TRAIN", f"[{size}]", "INPUT.MIN_SIZE_TEST", str(size), *_longer_edge(2 * size)))


def _longer_edge(size):
    return ("INPUT.MAX_SIZE_TRAIN", str(size), "INPUT.MAX_SIZE_TEST", str(size))


_IMAGE_HEAD = ("MODEL.META_ARCHITECTURE", "ImageHeadRCNN", "MODEL.IMAGE_HEAD.LOSS_WEIGHT", "0.5")
LEVERS = {
    "baseline": Lever(),
    "size_320": _sized(320),
    "size_384": _sized(384),
    "size_448": _sized(448),
    # Sides of BTXRD's lesions at 256 px: 5th percentile 6, 25th 14, median 28, 75th 49, 95th 81.
    "anchors": Lever(("MODEL.ANCHOR_GENERATOR.SIZES", "[[6, 9], [14, 20], [28, 40], [54, 72], [84, 110]]")),
    "stride_4": Lever(("MODEL.ROI_HEADS.IN_FEATURES", "[p2]")),
    "masks_by_class": Lever(("MODEL.ROI_MASK_HEAD.CLS_AGNOSTIC_MASK", "False")),
    "more_regions": Lever(("MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE", "128", "MODEL.RPN.BATCH_SIZE_PER_IMAGE", "128")),
    "image_head": Lever(_IMAGE_HEAD),
    "auxiliary": Lever((*_IMAGE_HEAD, "MODEL.AUXILIARY.TASKS", "[site, view, sex]")),
    "pixel_head": Lever((*_IMAGE_HEAD, "MODEL.PIXEL_HEAD.ENABLED", "True")),
    # Normal radiographs of another hospital: datasets/README.md, FracAtlas.
    "more_normals": Lever(("DATASETS.TRAIN", "[btxrd256_train, fracatlas_train]")),
    "repeat_factor": Lever(
        ("DATALOADER.SAMPLER_TRAIN", "RepeatFactorTrainingSampler", "DATALOADER.REPEAT_THRESHOLD", "0.3")
    ),
    "copy_paste": Lever(("INPUT.COPY_PASTE", "0.5")),
    "mixup": Lever(("INPUT.MIXUP", "0.5")),
    "clahe": Lever(("INPUT.PREPROCESSING", "[clahe]")),
    **{policy: _augmented(policy) for policy in ("light", "strong", "zoom", "elastic")},
    "average": Lever(("SOLVER.AVERAGE_DECAY", "0.99")),
    "frozen_norms": Lever(("MODEL.EFFICIENTNET_LITE.NORM", "FrozenBN")),
    "twice_as_long": Lever(times=2),
    "phantoms_first": Lever(first="phantoms"),
}
#: Columns of the table: name, where metrics.json has it, digits.
MEASURES = (
    ("mask AP50", "mask_ap50", 1),
    ("FROC", "froc_mean", 3),
    ("lesion Dice", "dice", 3),
    ("Dice of tumour images", "image_dice", 3),
    ("missed whole", "image_missed_whole", 3),
    ("image AUC", "image_auc", 3),
)


def main(argv=None):
    """Train what is not trained yet and write the table; returns 0, or 1 where a row failed."""
    arguments = _parser().parse_args(argv)
    arguments.output.mkdir(parents=True, exist_ok=True)
    failed = 0
    for seed in arguments.seeds:
        for name in arguments.levers:
            try:
                _keep_row(arguments, name, seed)
            except subprocess.CalledProcessError as error:  # the other levers are worth their hours all the same
                failed += 1
                print(f"{error}\n{error.stderr[-2000:]}", file=sys.stderr, flush=True)
            table = table_of(_rows(arguments.output))
            (arguments.output / "levers.md").write_text(table)
    print(table)
    return min(failed, 1)


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, metavar="NAME", help="folder of datasets/ with the parts train, val")
    parser.add_argument("--init-from", required=True, metavar="WEIGHTS", help="what all start from")
    parser.add_argument("--steps", required=True, type=int, metavar="N")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="a folder for each start")
    parser.add_argument("--config-file", default="configs/btxrd256_lite0.yaml", metavar="FILE", help="the baseline")
    parser.add_argument("--levers", nargs="+", choices=LEVERS, default=list(LEVERS), metavar="LEVER")
    parser.add_argument("--seeds", nargs="+", type=int, default=[42], metavar="N")
    parser.add_argument("settings", nargs="*", metavar="KEY VALUE", help="after --: settings of all rows")
    return parser


def _keep_row(arguments, name, seed):
    folder = arguments.output / f"{name}_{seed}"
    record = folder / "row.json"
    if record.is_file():
        return
    print(f"{record} ...", flush=True)
    measured = _measured(LEVERS[name], folder / "run", arguments, seed)
    record.write_text(json.dumps({"lever": name, "seed": seed, **measured}, indent=1))


def _measured(lever, run, arguments, seed):
    """Train, and judge the last weights on validation; {measure: its value}."""
    start, settings = arguments.init_from, (*arguments.settings, *lever.settings, "SEED", str(seed))
    if lever.first:
        first = run.parent / "first"
        _train(arguments.config_file, lever.first, start, arguments.steps, first, settings)
        start = first / "model_final.pth"
    _train(arguments.config_file, arguments.data, start, arguments.steps * lever.times, run, settings)
    metrics = json.loads((run / "inference" / f"{arguments.data}_val" / "metrics.json").read_text())
    return {key: (metrics["estimates"].get(key) or {}).get("value") for _, key, _ in MEASURES}


def _train(config, data, start, steps, run, settings):
    """Train ``steps`` steps with one validation at the end, so that the last weights are the best."""
    command = [sys.executable, "tools/train_net.py", "--config-file", config, "--init-from", str(start), "--overwrite"]
    options = ["DATASETS.TRAIN", f"[{data}_train]", "DATASETS.VALIDATION", f"[{data}_val]"]
    options += ["DATASETS.TEST", f"[{data}_val]", "OPERATING_POINTS.USED", "false-positives"]
    options += ["SOLVER.MAX_ITER", str(steps), "SOLVER.WARMUP_ITERS", str(min(100, steps // 6))]
    options += ["TEST.EVAL_PERIOD", str(steps), "OUTPUT_DIR", str(run), *settings]
    subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=True)


def _rows(folder):
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*/row.json"))]


def table_of(rows):
    """The rows of all seeds to a Markdown table, a line for each lever: the mean of its seeds, and each of them."""
    lines = [f"| lever | seeds | {' | '.join(name for name, *_ in MEASURES)} |", "|" + " --- |" * (2 + len(MEASURES))]
    for name in LEVERS:
        of_lever = [row for row in rows if row["lever"] == name]
        if of_lever:
            cells = [_cell([row[key] for row in of_lever], digits) for _, key, digits in MEASURES]
            lines.append(f"| `{name}` | {len(of_lever)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(values, digits):
    """Mean of the seeds, and in brackets each of them where there are several; nothing where one has no value."""
    if None in values:
        return ""
    said = f"{statistics.fmean(values):.{digits}f}"
    return said if len(values) == 1 else f"{said} ({', '.join(f'{value:.{digits}f}' for value in values)})"


if __name__ == "__main__":
    sys.exit(main())
