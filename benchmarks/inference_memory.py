#!/usr/bin/env python
"""Peak memory of inference around the model: one very large radiograph, and thousands of small ones.

A made-up detector with fixed findings takes the model's place, so that what is measured is reading, post-processing,
overlays, the journal and the tables. Each case runs in a process of its own; pixels are seeded noise.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

_SMALL_PX = 64


def main():
    """Run the cases; returns 0."""
    args = _parser().parse_args()
    if args.part:
        print(json.dumps({"large": _large, "many": _many}[args.part](args)))
        return 0
    for part in ("large", "many"):
        command = [sys.executable, __file__, "--part", part, *_options(args)]
        print(_sentence(part, args, json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)))
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="examples:\n  python benchmarks/inference_memory.py\n"
        "  python benchmarks/inference_memory.py --files 2000 --overlays --num-workers 2",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--size", type=int, default=4000, metavar="PX", help="side of the large image (default 4000)")
    parser.add_argument("--images", type=int, default=1, metavar="N", help="large images (default 1)")
    parser.add_argument("--findings", type=int, default=20, metavar="N", help="findings on each of them (default 20)")
    parser.add_argument("--files", type=int, default=10_000, metavar="N", help="small files (default 10000)")
    parser.add_argument("--batch-size", type=int, default=1, metavar="N", help="as of tools/infer.py (default 1)")
    parser.add_argument("--num-workers", type=int, default=1, metavar="N", help="as of tools/infer.py (default 1)")
    parser.add_argument("--overlays", action="store_true", help="draw those of the small files too, which takes longer")
    parser.add_argument("--part", choices=("large", "many"), help=argparse.SUPPRESS)
    return parser


def _options(args):
    names = ("size", "images", "findings", "files", "batch_size", "num_workers")
    options = [f"--{name.replace('_', '-')}={getattr(args, name)}" for name in names]
    return options + (["--overlays"] if args.overlays else [])


def _sentence(part, args, measured):
    before, marks = measured["before_mb"], measured["peaks_mb"]
    if part == "large":
        peak = marks[-1][1]
        images = f"{args.images} of {args.size} x {args.size} px, 16 bits, {args.findings} findings each"
        return f"large   {images}: peak {peak:.0f} MB ({before:.0f} MB after imports), {measured['seconds']:.1f} s"
    peaks = ", ".join(f"{peak:.1f} MB after {count}" for count, peak in marks)
    return f"many    {args.files} of {_SMALL_PX} x {_SMALL_PX} px: peak {peaks}, {measured['seconds']:.1f} s"


def _large(args):
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.png" for number in range(args.images)]
        _in_a_child(lambda: _write_noise(paths, args.size))
        return _run(args, paths, folder, n_findings=args.findings, with_overlays=True, marks=())


def _write_noise(paths, size):
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 65535, (size, size), dtype=np.uint16)
    for path in paths:
        Image.fromarray(pixels).save(path, compress_level=1)


def _many(args):
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "first.png"
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (_SMALL_PX, _SMALL_PX), dtype=np.uint8)).save(first)
        paths = [Path(folder) / f"{number:06d}.png" for number in range(args.files)]
        for path in paths:
            path.hardlink_to(first)
        return _run(
            args, paths, folder, n_findings=2, with_overlays=args.overlays, marks=(args.files // 10, args.files)
        )


def _in_a_child(work):
    """Run in a forked process, whose memory does not count."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    os.waitpid(child, 0)


def _run(args, paths, folder, *, n_findings, with_overlays, marks):
    from segtumor.inference.batch.options import Options
    from segtumor.inference.batch.run import infer
    from segtumor.runtime.predictor import Predictor, Windowing
    from segtumor.structures.postprocessing import Postprocessing

    detector = _Detector(n_findings, marks)
    names, short_edge_px = ("benign", "malignant"), _SMALL_PX if marks else 800
    windowing = Windowing(short_edge_px=short_edge_px, max_long_edge_px=1333, window_percentiles=(0.5, 99.5))
    predictor = Predictor(detector, class_names=names, windowing=windowing, settings=Postprocessing())
    options = Options(
        confidence_threshold=0.3,
        batch_size=args.batch_size,
        num_workers=args.num_workers,
        with_overlays=with_overlays,
    )
    before_mb, started = _peak_mb(), time.perf_counter()
    infer(predictor, paths, Path(folder) / "found", options, settings={}, model={})
    peaks = [*detector.peaks, ("the tables", _peak_mb())]
    return {"before_mb": before_mb, "peaks_mb": peaks, "seconds": time.perf_counter() - started}


class _Detector:
    """The same findings, blobs of a twelfth of the height, on every radiograph; notes the memory at some counts."""

    def __init__(self, n_findings, marks):
        self.peaks, self._marks, self._n_findings, self._count, self._made = [], marks, n_findings, 0, {}

    def detect(self, windows, sizes_hw):
        self._count += len(windows)
        if self._count in self._marks:
            self.peaks.append((self._count, _peak_mb()))
        return [self._findings(tuple(size_hw)) for size_hw in sizes_hw]

    def _findings(self, size_hw):
        if size_hw not in self._made:
            rng = np.random.default_rng(1)
            self._made[size_hw] = tuple(_blob(size_hw, rng, number) for number in range(self._n_findings))
        return self._made[size_hw]


def _blob(size_hw, rng, number):
    from segtumor.structures.lesions import Finding
    from segtumor.structures.masks import rle_from_crop

    height, width = size_hw
    side = max(2, height // 12)
    rows, columns = np.ogrid[:side, :side]
    crop = (rows - side / 2) ** 2 + (columns - side / 2) ** 2 < (side / 2) ** 2
    top, left = int(rng.integers(height - side)), int(rng.integers(width - side))
    score = 0.95 - 0.5 * number / 100
    box = (float(left), float(top), float(left + side), float(top + side))
    return Finding(number % 2, score, box, rle_from_crop(crop, top, left, size_hw), (0.5, 0.5))


def _peak_mb():
    unit = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    sys.exit(main())
