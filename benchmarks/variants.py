#!/usr/bin/env python
"""Size, time and accuracy of several versions of a model on one data set: as trained, pruned, exported, 8-bit.

Each version is a training run or an exported model. All predict the same images, decoded beforehand; for the times they
take turns over some of them, image by image, from the window to findings with masks. A training run is computed by
torch as `infer.py` does it. Size is that of its weights file or of the export's files.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

EXAMPLES = """examples:
  python benchmarks/variants.py --annotations data/annotations/test.json --images data/images \\
      trained=output/vgg pruned=output/vgg_finetuned int8=output/vgg_finetuned_int8
"""


def main(argv=None):
    """Run the benchmark; returns 0."""
    arguments = _parser().parse_args(argv)
    from segtumor.annotations.coco import load_coco
    from segtumor.imaging import read_radiograph

    dataset = load_coco(arguments.annotations, arguments.images)
    truths = dataset.annotated_images
    radiographs = [read_radiograph(Path(arguments.images) / truth.file_name) for truth in truths]
    models = {name: _load(folder, arguments.threads) for name, folder in map(_named, arguments.versions)}
    timed = [[_seconds(model, r) for model, _ in models.values()] for r in radiographs[: arguments.n_timed + 1]][1:]
    rows = []
    for (name, (model, megabytes)), seconds in zip(models.items(), zip(*timed, strict=True), strict=True):
        found = [model.read(radiograph).findings for radiograph in radiographs]
        rows.append((name, megabytes, statistics.median(seconds), *_accuracy(truths, found, dataset.taxonomy.names)))
    _print(rows)
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("versions", nargs="+", metavar="NAME=FOLDER", help="training runs or exported models")
    parser.add_argument("--annotations", required=True, metavar="FILE", help="COCO file with the truth")
    parser.add_argument("--images", required=True, metavar="DIR", help="its images")
    parser.add_argument("--n-timed", type=int, default=30, metavar="N", help="images that are timed (default 30)")
    parser.add_argument("--threads", type=int, metavar="N", help="of each version (default: one for each core)")
    return parser


def _named(text):
    name, separator, folder = text.partition("=")
    if not separator:
        sys.exit(f"{text}: expected NAME=FOLDER")
    return name, Path(folder)


def _load(folder, threads):
    """(Predictor, megabytes) of a training run or an export."""
    from segtumor.runtime.exported import is_export, open_export
    from segtumor.runtime.predictor import Predictor

    if is_export(folder):
        export = open_export(folder, threads=threads)
        size = sum(entry["bytes"] for entry in export.manifest["files"].values())
        return Predictor.from_contract(export.contract, export.model), size / 1e6
    from segtumor.config import load_config
    from segtumor.export.torch_runtime import load_fast_predictor
    from segtumor.runs import find_run

    config, weights = find_run(folder)
    predictor, _, _ = load_fast_predictor(load_config(config, ["MODEL.WEIGHTS", str(weights)]), threads=threads)
    return predictor, weights.stat().st_size / 1e6


def _seconds(predictor, radiograph):
    started = time.perf_counter()
    predictor.read(radiograph)
    return time.perf_counter() - started


def _accuracy(truths, found, class_names):
    """(mask AP50 in percent, mean lesion Dice with missed lesions as 0)."""
    from segtumor.evaluation.study.metrics import evaluate
    from segtumor.structures.lesions import ImageResult

    metrics = evaluate([ImageResult(*pair) for pair in zip(truths, found, strict=True)], class_names).metrics
    return metrics["detection"]["segm"]["AP50"], metrics["overlap"]["dice"]


def _print(rows):
    first = rows[0][2]
    print(f"{'version':<28} {'MB':>7} {'ms':>8} {'times':>6} {'mask AP50':>10} {'Dice':>6}")
    for name, megabytes, seconds, ap50, dice in rows:
        print(f"{name:<28} {megabytes:7.1f} {1e3 * seconds:8.1f} {first / seconds:6.2f} {ap50:10.1f} {dice:6.3f}")


if __name__ == "__main__":
    sys.exit(main())
