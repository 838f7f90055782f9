#!/usr/bin/env python
"""What a model finds on radiographs of other shapes: a data set of squares, stretched, and measured like the original.

Radiographs are mostly taller than wide. A data set whose radiographs were all scaled to squares shows bones shorter
than they are, and a model that learnt from it must be shown others likewise (INPUT.SQUARE). Stretching gives bones
about their own proportions again, so that this measures what a model finds on radiographs as a hospital has them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from segtumor.annotations.coco import load_coco

MEASURES = ("mask_ap50", "froc_mean", "dice", "image_dice", "image_missed_whole", "image_auc")
PER_NORMAL = "false_positives_per_normal_image"


def main():
    """Run the benchmark; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="btxrd-lite", help="name or folder of a model")
    parser.add_argument("--annotations", required=True, metavar="JSON", help="COCO file of squares, outlined")
    parser.add_argument("--shapes", nargs="+", type=float, default=[1, 1.3, 1.6, 2], metavar="N", help="height / width")
    arguments = parser.parse_args()
    rows = [[f"{shape:g}", *measured(arguments, shape)] for shape in arguments.shapes]
    print(f"| height / width | {' | '.join((*MEASURES, PER_NORMAL))} |\n|" + " --- |" * (2 + len(MEASURES)))
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))
    return 0


def measured(arguments, shape):
    """The measures of a data set whose pictures are so many times as high as they are wide, as texts."""
    with tempfile.TemporaryDirectory() as folder:
        found, numbers = Path(folder) / "found", Path(folder) / "numbers"
        annotations = write_stretched(arguments.annotations, Path(folder), shape)
        run("infer", "--run", arguments.model, "--annotations", annotations, "--output", found, "--no-overlays")
        threshold = json.loads((found / "summary.json").read_text())["settings"]["confidence_threshold"]
        given = ("--annotations", annotations, "--predictions", found / "predictions.json")
        run("evaluate", *given, "--output", numbers, "--score-threshold", threshold, "--resamples", 10)
        estimates = json.loads((numbers / "metrics.json").read_text())["estimates"]
    return [f"{estimates[key]['value']:.3f}" for key in (*MEASURES, PER_NORMAL)]


def run(*command):
    """A command of segtumor, in a process of its own."""
    subprocess.run([sys.executable, "-m", "segtumor", *map(str, command)], check=True, stdout=subprocess.DEVNULL)


def write_stretched(source, folder, shape):
    """A copy of a data set, its pictures ``shape`` times as high as before or, below 1, 1 / ``shape`` times as wide;
    the path of its annotations."""
    dataset, document = load_coco(source), json.loads(Path(source).read_text())
    factors = (1.0, shape) if shape >= 1 else (1 / shape, 1.0)
    for name in ("images", "annotations"):
        (folder / name).mkdir()
    for image in document["images"]:
        size = tuple(map(round, _stretched((image["width"], image["height"]), factors)))
        with Image.open(dataset.image_root / image["file_name"]) as picture:
            stretched = picture.convert("L").resize(size, Image.Resampling.BICUBIC)
        image["file_name"] = f"{image['id']}.png"
        stretched.save(folder / "images" / image["file_name"])
        image["width"], image["height"] = size
    for lesion in document["annotations"]:
        lesion["segmentation"] = [_stretched(outline, factors) for outline in lesion["segmentation"]]
        lesion["bbox"] = _stretched(lesion["bbox"], factors)
        lesion["area"] *= factors[0] * factors[1]
    target = folder / "annotations" / "shapes.json"
    target.write_text(json.dumps(document))
    return target


def _stretched(numbers, factors):
    """x, y, x, y ... times the factors of x and of y."""
    return [number * factors[index % 2] for index, number in enumerate(numbers)]


if __name__ == "__main__":
    sys.exit(main())
