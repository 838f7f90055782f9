#!/usr/bin/env python
"""Time and peak memory of ``segtumor data split`` on a large annotation file.

Writes the file of ``check_large.py`` (100,000 image records of 50,000 cases, 300,000 lesions) into a temporary folder,
runs the real command on it in a process of its own, without images, and prints what its phases took.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main():
    """Run the benchmark; returns the command's exit code."""
    args = _parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "annotations" / "all.json"
        path.parent.mkdir()
        writer = Path(__file__).with_name("check_large.py")
        sizes = [f"--images={args.images}", f"--lesions={args.lesions}", f"--seed={args.seed}"]
        subprocess.run([sys.executable, writer, "--write", path, *sizes], check=True)
        print(f"file       {path.stat().st_size / 1e6:.0f} MB")
        return _measure(path, Path(folder) / "parts", args)


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="examples:\n  python benchmarks/split_large.py\n  python benchmarks/split_large.py --kind kfold",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--images", type=int, default=100_000, metavar="N", help="image records (default 100000)")
    parser.add_argument("--lesions", type=int, default=300_000, metavar="N", help="lesions (default 300000)")
    parser.add_argument("--kind", default="grouped", help="grouped (default), image or kfold")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of file and split (default 0)")
    return parser


def _measure(path, output, args):
    command = [sys.executable, "-m", "segtumor", "data", "split", "--annotations", path, "--output", output]
    command += ["--kind", args.kind, "--seed", str(args.seed), "--place", "none", "--no-image-hashes", "--debug"]
    log = path.with_name("log.txt")
    started = time.perf_counter()
    with open(log, "wb") as stderr:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=stderr, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        _, status, usage = os.wait4(process.pid, 0)
    text = log.read_text()
    for phase, seconds in re.findall(r"(\w+) took (.*)", text):
        print(f"{phase:<10} {seconds}")
    print(f"all        {time.perf_counter() - started:.1f} s, of the processor {usage.ru_utime + usage.ru_stime:.1f} s")
    print(f"memory     {usage.ru_maxrss / 1e6:.2f} GB at the peak")
    code = os.waitstatus_to_exitcode(status)
    if code:
        print(text, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
