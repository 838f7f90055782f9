#!/usr/bin/env python
"""Every system on one data set: trained for the same time from the same kind of start, tested by the same evaluation.

A few steps of every system are timed first (`--dry-run`), and its schedule is made as long as fits into the time; what
has no steps (the classical classifiers) is fitted at once. Everything is a command of the README in a process of its
own, so that another machine repeats it. A system that is timed or done in the output folder is not timed or trained
again; the table is written after each. Run nothing else while steps are timed (`--only-time`); after that, other work
makes the trainings longer but does not shorten their schedules.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = """examples:
  python benchmarks/systems.py --data phantoms --minutes 5 --size 160 --output output/systems
  python benchmarks/systems.py --data btxrd256 --minutes 10 --weights output/weights \\
      --output output/systems --systems mask_rcnn unet classifier
"""


@dataclass(frozen=True)
class System:
    """A configuration, the ImageNet weights that fit it (a name of `segtumor weights`; None: no such file can be had
    without a hub), whether it is trained in steps, and settings that it needs here."""

    config: str
    start: str | None = "efficientnet_lite0"
    has_steps: bool = True
    settings: tuple[str, ...] = ()


_IMAGE_HEAD = ("MODEL.META_ARCHITECTURE", "ImageHeadRCNN", "MODEL.IMAGE_HEAD.LOSS_WEIGHT", "0.5")
SYSTEMS = {
    "mask_rcnn": System("Base-lite"),
    "mask_rcnn_image_head": System("Base-lite", settings=_IMAGE_HEAD),
    "faster_rcnn": System("Base-lite", settings=("MODEL.MASK_ON", "False", "SOLVER.BEST_METRIC", "bbox/AP50")),
    "retinanet": System("retinanet_lite0"),
    "yolo_lite0": System("yolo_lite0"),
    "yolov5n": System("yolov5n", None),
    "unet": System("unet_lite0"),
    "mask_rcnn_R_18": System("mask_rcnn_R_18_FPN", "resnet18"),
    "fast_mask_rcnn_VGG19": System("fast_mask_rcnn_VGG19", "vgg19"),
    "classifier": System("classifier_efficientnet_lite0"),
    "classifier_densenet121": System("classifier_densenet121", None),
    "classifier_resnet50": System("classifier_resnet50", None),
    "classifier_vgg19": System("classifier_vgg19", "vgg19"),
    "hog_svm": System("classical_hog_svm", None, has_steps=False),
    "hog_forest": System("classical_hog_forest", None, has_steps=False),
    "chog_elm": System("classical_chog_elm", None, has_steps=False),
}
#: Columns of the table: name, where metrics.json has it, digits.
MEASURES = (
    ("mask AP50", "mask_ap50", 1),
    ("box AP50", "box_ap50", 1),
    ("lesion Dice", "dice", 3),
    ("FROC", "froc_mean", 3),
    ("image AUC", "image_auc", 3),
    ("class accuracy", "image_class_accuracy", 3),
)


def main(argv=None):
    """Train what is not trained yet and write the table; returns 0."""
    arguments = _parser().parse_args(argv)
    folders = {name: arguments.output / arguments.data / name for name in arguments.systems}
    timed = {name: _kept(folders[name] / "time.json", _timed, SYSTEMS[name], arguments) for name in arguments.systems}
    if arguments.only_time:
        return 0
    rows = {}
    for name, folder in folders.items():
        rows[name] = _kept(folder / "row.json", _measured, SYSTEMS[name], arguments, timed[name])
        table = table_of(rows)
        (arguments.output / f"{arguments.data}.md").write_text(table)
    print(table)
    return 0


def _kept(record, measure, system, arguments, *further):
    """What `measure` gives, read from the file `record` where it has been measured before."""
    if not record.is_file():
        print(f"{record} ...", flush=True)
        row = measure(system, record.parent / "run", arguments, *further)
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(row, indent=1))
    return json.loads(record.read_text())


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", required=True, metavar="NAME", help="folder of datasets/ with the parts train, val, test"
    )
    parser.add_argument("--minutes", type=float, required=True, metavar="N", help="training of each system")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--weights", type=Path, metavar="DIR", help="folder of ImageNet weights; none: random ones")
    parser.add_argument("--size", type=int, default=256, metavar="PX", help="shorter edge (default 256)")
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="images in a batch (default 8)")
    parser.add_argument("--only-time", action="store_true", help="time the steps, train nothing yet")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), metavar="SYSTEM")
    return parser


def _timed(system, run, arguments):
    """Seconds of a training step and what else a dry run says."""
    start = _start(system, arguments)
    said = _run([*_command(system), "--dry-run", *start, *_options(system, run, arguments)])
    row = {"start": "ImageNet" if start else "random" if system.has_steps else "none", "parameters": None}
    if system.has_steps:
        row["parameters"] = _number(r"parameters: ([\d,]+)", said)
        row["step_s"] = _number(r"time: ([\d.]+) s", said)
    return row


def _measured(system, run, arguments, timed):
    """Train and test; the row as plain values."""
    options = _options(system, run, arguments)
    if system.has_steps:
        count = max(20, int(60 * arguments.minutes / timed["step_s"]))
        options += ["SOLVER.MAX_ITER", str(count), "SOLVER.WARMUP_ITERS", str(min(200, count // 10))]
        options += ["TEST.EVAL_PERIOD", str(count)]
    started = time.perf_counter()
    _run([*_command(system), *_start(system, arguments), "--overwrite", *options])
    row = {**timed, "minutes": (time.perf_counter() - started) / 60}
    if system.has_steps:
        row["iterations"] = count
    from segtumor.runs import best_weights

    metrics = json.loads((run / "inference" / f"{arguments.data}_test" / "metrics.json").read_text())
    row["estimates"] = {key: metrics["estimates"].get(key) for _, key, _ in MEASURES}
    weights = best_weights(run)
    row["megabytes"] = None if weights is None else weights.stat().st_size / 1e6
    row["milliseconds"] = _milliseconds(run, arguments.data)
    return row


def _command(system):
    return [sys.executable, "tools/train_net.py", "--config-file", f"configs/{system.config}.yaml"]


def _start(system, arguments):
    """What a training starts from: random weights where no file of that name is in the folder."""
    if system.start is None or arguments.weights is None:
        return []
    path = arguments.weights / f"{system.start}.pth"
    return ["--init-from", str(path)] if path.is_file() else []


def _options(system, run, arguments):
    """The same data, pixels and batches for all; no reduction on a plateau, since validation is asked once."""
    size = str(arguments.size)
    options = ["DATASETS.TRAIN", f"[{arguments.data}_train]", "DATASETS.VALIDATION", f"[{arguments.data}_val]"]
    options += ["DATASETS.TEST", f"[{arguments.data}_test]", "INPUT.MIN_SIZE_TRAIN", f"[{size}]"]
    options += ["INPUT.MIN_SIZE_TEST", size, "INPUT.MAX_SIZE_TRAIN", "640", "INPUT.MAX_SIZE_TEST", "640"]
    options += ["DATALOADER.NUM_WORKERS", "0", "OUTPUT_DIR", str(run)]
    if system.has_steps:
        options += ["SOLVER.EPOCHS", "0", "SOLVER.IMS_PER_BATCH", str(arguments.batch), "SOLVER.AMP.ENABLED", "True"]
    return [*options, *system.settings]


def _run(command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    return done.stdout + done.stderr


def _number(pattern, text):
    found = re.search(pattern, text)
    if found is None:
        sys.exit(f"no {pattern!r} in what the dry run said:\n{text[-2000:]}")
    return float(found[1].replace(",", ""))


def _milliseconds(run, data, count=20):
    """Median time of a radiograph of the test part, read beforehand, from its pixels to findings; one thread."""
    import segtumor
    from segtumor.training.batches.catalog import load_datasets

    (dataset,) = load_datasets([f"{data}_test"])
    radiographs = [segtumor.read_radiograph(record["file_name"]) for record in dataset.records[:count]]
    model = segtumor.load(run, threads=1)
    seconds = []
    for radiograph in [radiographs[0], *radiographs]:
        started = time.perf_counter()
        model.read(radiograph)
        seconds.append(time.perf_counter() - started)
    return 1e3 * statistics.median(seconds[1:])


def table_of(rows):
    """Rows by the names of their systems to a Markdown table."""
    header = ["system", "start", *(name for name, *_ in MEASURES), "parameters, millions", "MB", "ms per image"]
    header += ["iterations", "minutes in all"]
    lines = [f"| {' | '.join(header)} |", "|" + " --- |" * len(header)]
    for name, row in rows.items():
        cells = [f"`{name}`", row["start"], *(_cell(row["estimates"][key], digits) for _, key, digits in MEASURES)]
        cells += [
            "" if row["parameters"] is None else f"{row['parameters'] / 1e6:.1f}",
            f"{row['megabytes']:.1f}",
            f"{row['milliseconds']:.0f}",
        ]
        cells += [str(row.get("iterations", "")), f"{row['minutes']:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(estimate, digits):
    if estimate is None or estimate["value"] is None:
        return ""
    value = f"{estimate['value']:.{digits}f}"
    if None in (estimate["low"], estimate["high"]):
        return value
    return f"{value} ({estimate['low']:.{digits}f} to {estimate['high']:.{digits}f})"


if __name__ == "__main__":
    sys.exit(main())
