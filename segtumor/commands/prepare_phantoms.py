"""``prepare_phantoms.py``: write a data set of synthetic radiographs."""

import sys

from segtumor.commands.common.command_line import make_parser, run
from segtumor.progress import on_terminal


def build_parser():
    """Its arguments."""
    parser = make_parser(
        "prepare_phantoms.py",
        "Write a data set of synthetic radiographs (phantoms): two views per case, normal, benign and malignant, "
        "split by case. They show no patient; a score on them says nothing about real radiographs.",
        examples=[
            "python datasets/prepare_phantoms.py --output datasets/phantoms",
            "python datasets/prepare_phantoms.py --output /tmp/phantoms --cases 20 --seed 7 --size 512",
            "python datasets/prepare_phantoms.py --output datasets/phantoms_test --cases 40 --seed 1 --fractions 0 0 1",
        ],
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--cases", type=int, default=300, metavar="N", help="cases, two images each (default 300)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="equal seeds give equal files (default 0)")
    parser.add_argument("--size", type=int, default=256, metavar="PX", help="side of the images (default 256)")
    parser.add_argument(
        "--fractions",
        type=float,
        nargs=3,
        default=(0.7, 0.15, 0.15),
        metavar=("TRAIN", "VAL", "TEST"),
        help="shares of the cases, adding up to 1; 0 leaves a part out (default 0.7 0.15 0.15)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace earlier phantoms, and write into a folder that holds something else",
    )
    return parser


def main(argv=None):
    """Run the command; returns the exit code."""
    return run(_body, build_parser(), argv)


def _body(args) -> int:
    from segtumor.synthesis.phantoms import write_phantom_dataset

    with CaseProgress(args.cases) as progress:
        counts = write_phantom_dataset(
            args.output,
            cases=args.cases,
            seed=args.seed,
            size_px=args.size,
            fractions=tuple(args.fractions),
            progress=progress,
            overwrite=args.overwrite,
        )
    _print_summary(args.output, counts)
    return 0


def _print_summary(output, counts) -> None:
    print(f"Wrote SYNTHETIC radiographs (phantoms, no patient data) to {output}")
    print(
        f"{'part':<6} {'cases':>6} {'images':>7} {'normal images':>14} {'benign lesions':>15} {'malignant lesions':>18}"
    )
    for part, n in counts.items():
        numbers = f"{n['cases']:>6} {n['images']:>7} {n['normal']:>14} {n['benign']:>15} {n['malignant']:>18}"
        print(f"{part:<6} {numbers}")


class CaseProgress:
    """A bar on a terminal, else a plain line every tenth of the way; called with the number of cases done."""

    def __init__(self, total) -> None:
        self.total, self.bar = total, None

    def __enter__(self):
        if on_terminal():
            from tqdm import tqdm

            self.bar = tqdm(total=self.total, unit="case", desc="phantoms")
        return self

    def __call__(self, done) -> None:
        if self.bar is not None:
            self.bar.update(done - self.bar.n)
        elif done == self.total or done * 10 // self.total > (done - 1) * 10 // self.total:
            print(f"phantoms: {done}/{self.total} cases", file=sys.stderr, flush=True)

    def __exit__(self, *_) -> None:
        if self.bar is not None:
            self.bar.close()
