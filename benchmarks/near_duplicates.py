#!/usr/bin/env python
"""Time and peak memory of finding near-duplicates among many images.

The fingerprints are random (seeded), with a share of altered copies planted among them; no image is read. Every pair is
compared as it is, mirrored and inverted. With --smooth the pictures are blurred noise, nearer to one another than
white noise is.
"""

import argparse
import resource
import time

import numpy as np

from segtumor.datasets.duplicates import near_duplicates
from segtumor.datasets.fingerprints import Fingerprint
from segtumor.imaging.perceptual_hash import THUMBNAIL_SIZE, perceptual_hashes


def main():
    """Run the benchmark; returns 0."""
    args = _parser().parse_args()
    rng = np.random.default_rng(args.seed)
    prints = {str(i): _print_of(i, _picture(rng, args.smooth)) for i in range(args.images - args.copies)}
    for i, original in enumerate(rng.choice(len(prints), args.copies, replace=False)):
        noisy = prints[str(original)].thumbnail.astype(int) + rng.integers(-4, 5, (THUMBNAIL_SIZE, THUMBNAIL_SIZE))
        prints[f"copy{i}"] = _print_of(f"copy{i}", np.clip(noisy, 0, 255).astype(np.uint8))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, busy = time.perf_counter(), time.process_time()
    pairs = near_duplicates(prints)
    took, busy = time.perf_counter() - started, time.process_time() - busy
    print(f"time    {took:.1f} s for {len(prints)} images, of the processor {busy:.1f} s")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"memory  {after / 1e6:.2f} GB at the peak, {before / 1e6:.2f} GB before the search")
    print(f"pairs   {len(pairs)} found, {args.copies} planted")
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="examples:\n  python benchmarks/near_duplicates.py\n  python benchmarks/near_duplicates.py --smooth 2",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--images", type=int, default=100_000, metavar="N", help="fingerprints (default 100000)")
    parser.add_argument("--copies", type=int, default=100, metavar="N", help="of them altered copies (default 100)")
    parser.add_argument("--smooth", type=float, default=0.0, metavar="SIGMA", help="blur of the pictures, px (0)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the pictures (default 0)")
    return parser


def _picture(rng, sigma):
    noise = rng.integers(0, 256, (THUMBNAIL_SIZE, THUMBNAIL_SIZE), dtype=np.uint8)
    if not sigma:
        return noise
    import cv2

    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), sigma), None, 0, 255, cv2.NORM_MINMAX)


def _print_of(name, thumbnail):
    phash, mirror_phash = perceptual_hashes(thumbnail)
    return Fingerprint(str(name), (64, 64), str(name), str(name), phash, mirror_phash, thumbnail)


if __name__ == "__main__":
    raise SystemExit(main())
