#!/usr/bin/env python
"""Read thousands of damaged DICOM files: what comes out, the slowest one, and the peak memory.

Every variant that is read (uncompressed, deflated, frames, tables, all codecs) is damaged with a seed: bytes flipped,
removed and repeated, lengths and numbers set to extremes, files cut off. Allowed outcomes are a radiograph and
BadImageError; anything else is printed and makes the exit code 1. The files: tests/imaging/damaged_dicoms.py.
"""

import argparse
import collections
import logging
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "imaging"))


def main():
    """Run the benchmark; returns 1 if anything but a radiograph or BadImageError came out."""
    args = _parser().parse_args()
    logging.disable(logging.WARNING)  # each nonsensical spacing is one
    outcomes, slowest, failures = collections.Counter(), (0.0, ""), []
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for index, (variant, data) in enumerate(_files(args)):
            path = Path(folder) / "damaged.dcm"
            path.write_bytes(data)
            before = time.perf_counter()
            outcome = _outcome(path)
            slowest = max(slowest, (time.perf_counter() - before, f"{variant}, file {index}"))
            outcomes[outcome] += 1
            if outcome not in ("radiograph", "BadImageError"):
                failures.append(f"{variant}, file {index}: {outcome}")
    print(f"files     {sum(outcomes.values())} in {time.perf_counter() - started:.1f} s, seed {args.seed}")
    print("outcomes  " + ", ".join(f"{name} {count}" for name, count in outcomes.most_common()))
    print(f"slowest   {slowest[0]:.2f} s ({slowest[1]})")
    own, decoders = (_peak_mb(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"memory    {own:.0f} MB peak, decoder processes {decoders:.0f} MB")
    print("\n".join(failures[:20]), end="\n" if failures else "")
    return 1 if failures else 0


def _files(args):
    from damaged_dicoms import damaged_files

    return damaged_files(args.files, args.seed)


def _outcome(path):
    from damaged_dicoms import MAX_PIXELS

    from segtumor.errors import BadImageError
    from segtumor.imaging import read_radiograph, read_size_hw
    from segtumor.imaging.dicom import dicom_identity

    reads = (
        read_size_hw,
        lambda path: dicom_identity(path, salt=bytes(32)),
        lambda path: read_radiograph(path, max_pixels=MAX_PIXELS, frame=1),
        lambda path: read_radiograph(path, max_pixels=MAX_PIXELS),  # the one whose outcome is counted
    )
    for read in reads:
        outcome = "radiograph"
        try:
            read(path)
        except BadImageError:
            outcome = "BadImageError"
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return f"{type(error).__name__}: {error}"[:200]
    return outcome


def _peak_mb(who):
    return resource.getrusage(who).ru_maxrss / 1024


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="examples:\n  python benchmarks/fuzz_dicom.py\n  python benchmarks/fuzz_dicom.py --files 20000 --seed 7",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--files", type=int, default=2000, help="damaged files (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed (default %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
