#!/usr/bin/env python
"""Time and peak memory of ``segtumor data check`` on a large annotation file.

Writes 100,000 image records with 300,000 lesions (half polygons of 30 points, half compressed RLEs; seeded) into a
temporary folder, runs the real command on it in a process of its own, without opening images, and prints what it took.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

_SIZE_HW = (2400, 1800)
_MASKS = 200  # different RLEs, drawn once: encoding is not what is measured


def main():
    """Run the benchmark; returns the command's exit code."""
    args = _parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "annotations" / "large.json"
        path.parent.mkdir()
        started = time.perf_counter()
        subprocess.run([sys.executable, __file__, "--write", str(path), *_sizes(args)], check=True)
        print(f"file    {path.stat().st_size / 1e6:.0f} MB, written in {time.perf_counter() - started:.1f} s")
        return _measure(path, args)


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="examples:\n  python benchmarks/check_large.py\n  python benchmarks/check_large.py --images 10000 --fix",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--images", type=int, default=100_000, metavar="N", help="image records (default 100000)")
    parser.add_argument("--lesions", type=int, default=300_000, metavar="N", help="lesions (default 300000)")
    parser.add_argument("--faults", type=float, default=0.0, metavar="SHARE", help="share of damaged lesions (0)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the file (default 0)")
    parser.add_argument("--json", action="store_true", help="let the command write its JSON report as well")
    parser.add_argument("--fix", action="store_true", help="let the command write a repaired copy as well")
    parser.add_argument("--write", metavar="FILE", help=argparse.SUPPRESS)
    return parser


def _sizes(args):
    return [f"--{name}={getattr(args, name)}" for name in ("images", "lesions", "faults", "seed")]


def _measure(path, args):
    command = [sys.executable, "-m", "segtumor", "data", "check", str(path), "--no-open"]
    command += ["--json", str(path.with_name("report.json"))] if args.json else []
    command += ["--fix", str(path.with_name("fixed.json"))] if args.fix else []
    started = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    _, status, usage = os.wait4(process.pid, 0)
    print(f"time    {time.perf_counter() - started:.1f} s, of the processor {usage.ru_utime + usage.ru_stime:.1f} s")
    print(f"memory  {usage.ru_maxrss / 1e6:.2f} GB at the peak")
    return os.waitstatus_to_exitcode(status)


def write_file(path, *, n_images, n_lesions, faults, seed):
    """Write a COCO file of random lesions to ``path``; ``faults`` is the share of lesions without an extent."""
    rng = np.random.default_rng(seed)
    height, width = _SIZE_HW
    masks = [_random_mask(rng) for _ in range(_MASKS)]
    damaged = rng.random(n_lesions) < faults
    of_image = np.sort(rng.integers(n_images, size=n_lesions))
    annotated = set(of_image.tolist())
    labels = {i: rng.choice(("benign", "malignant")) for i in annotated}
    with open(path, "w", encoding="utf-8") as file:
        categories = [{"id": 1, "name": "benign"}, {"id": 2, "name": "malignant"}]
        file.write(f'{{"categories": {json.dumps(categories)},\n"images": [')
        for i in range(n_images):
            image = {"id": i + 1, "file_name": f"{i % 100:02d}/{i}.png", "width": width, "height": height}
            image |= {"case_id": f"c{i // 2}", "image_label": str(labels.get(i, "normal")), "spacing_mm": [0.15, 0.15]}
            file.write((",\n" if i else "\n") + json.dumps(image))
        file.write('],\n"annotations": [')
        for j, i in enumerate(of_image.tolist()):
            outline = _random_polygon(rng) if j % 2 else masks[rng.integers(_MASKS)]
            lesion = {"id": j + 1, "image_id": i + 1, "category_id": 1 + (labels[i] == "malignant"), **outline}
            lesion |= {"iscrowd": 0, "bbox": [0, 0, 0, 0] if damaged[j] else outline["bbox"]}
            file.write((",\n" if j else "\n") + json.dumps(lesion))
        file.write("]}\n")


def _random_polygon(rng):
    angles = np.linspace(0, 2 * np.pi, 30, endpoint=False)
    center, radii = rng.uniform(400, 1400, 2), rng.uniform(20, 300) * rng.uniform(0.8, 1.2, 30)
    points = np.round(center[:, None] + radii * np.stack([np.cos(angles), np.sin(angles)]), 2)
    (x0, y0), (x1, y1) = points.min(axis=1), points.max(axis=1)
    area = abs(np.dot(points[0], np.roll(points[1], -1)) - np.dot(points[1], np.roll(points[0], -1))) / 2
    box = [round(float(value), 2) for value in (x0, y0, x1 - x0, y1 - y0)]
    return {"segmentation": [points.T.ravel().tolist()], "bbox": box, "area": round(float(area), 2)}


def _random_mask(rng):
    from segtumor.structures.masks import rle_from_mask

    rows, columns = np.ogrid[: _SIZE_HW[0], : _SIZE_HW[1]]
    (x, y), (a, b) = rng.uniform(400, 1400, 2), rng.uniform(10, 150, 2)
    mask = ((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 < 1
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = [int(xs[0]), int(ys[0]), int(xs[-1] - xs[0] + 1), int(ys[-1] - ys[0] + 1)]
    return {"segmentation": rle_from_mask(mask), "bbox": box, "area": int(mask.sum())}


if __name__ == "__main__":
    arguments = _parser().parse_args()
    if arguments.write:
        write_file(
            arguments.write,
            n_images=arguments.images,
            n_lesions=arguments.lesions,
            faults=arguments.faults,
            seed=arguments.seed,
        )
    else:
        sys.exit(main())
