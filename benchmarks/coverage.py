#!/usr/bin/env python
"""How often 95% intervals hold the truth, by simulation: why cases are resampled, and what few cases cost.

Clustered means: cases of one to four lesions whose values share a case effect (intraclass correlation 0.7), the mean of
all lesions known to be 0. Areas under the ROC curve: two normal distributions whose true area is known.
"""

import argparse

import numpy as np

from segtumor.statistics.bootstrap import bca_interval, case_weights, leave_one_out_rows, percentile_interval
from segtumor.statistics.roc import delong_interval

_CORRELATION = 0.7


def main():
    """Run the simulation; returns 0."""
    args = _parser().parse_args()
    print(f"part of {args.repeats} simulated data sets whose 95% interval holds the truth")
    for n_cases in (5, 10, 20, 60):
        shares = _mean_coverage(n_cases, args.repeats, np.random.default_rng(args.seed))
        print(f"mean of lesions, {n_cases:>2} cases      " + ", ".join(f"{name} {s:.3f}" for name, s in shares.items()))
    for n_tumor, n_normal, area in ((20, 20, 0.95), (15, 50, 0.90), (50, 50, 0.95), (50, 50, 0.75)):
        shares = _area_coverage(n_tumor, n_normal, area, args.repeats, np.random.default_rng(args.seed))
        name = f"AUC {area:.2f}, {n_tumor} against {n_normal}"
        print(f"{name:<31} " + ", ".join(f"{kind} {share:.3f}" for kind, share in shares.items()))
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="examples:\n  python benchmarks/coverage.py\n  python benchmarks/coverage.py --repeats 200",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repeats", type=int, default=1000, metavar="N", help="simulated data sets (1000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the simulation (0)")
    return parser


def _mean_coverage(n_cases, repeats, rng):
    held = {"cases, BCa": 0, "cases, percentile": 0, "lesions one by one": 0}
    for repeat in range(repeats):
        counts = rng.integers(1, 5, n_cases)
        case_of = np.repeat(np.arange(n_cases), counts)
        shared = rng.standard_normal(n_cases)[case_of] * np.sqrt(_CORRELATION)
        values = shared + rng.standard_normal(len(case_of)) * np.sqrt(1 - _CORRELATION)
        sums = np.bincount(case_of, weights=values)
        intervals = {
            "cases, BCa": _interval(sums, counts, repeat, "bca"),
            "cases, percentile": _interval(sums, counts, repeat, "percentile"),
            "lesions one by one": _interval(values, np.ones(len(values)), repeat, "percentile"),
        }
        for name, interval in intervals.items():
            held[name] += interval.low <= 0 <= interval.high
    return {name: count / repeats for name, count in held.items()}


def _interval(sums, counts, seed, method):
    def mean(weights):
        return (weights @ sums) / (weights @ counts)

    n = len(sums)
    replicates = mean(case_weights(n, 1000, rng=np.random.default_rng(seed)))
    if method == "percentile":
        return percentile_interval(replicates)
    return bca_interval(float(mean(np.ones((1, n)))[0]), replicates, mean(leave_one_out_rows(0, n, n)))


def _area_coverage(n_tumor, n_normal, area, repeats, rng):
    from scipy.special import ndtri

    distance, held = np.sqrt(2) * ndtri(area), {"plain DeLong": 0, "logit DeLong": 0}
    positive = np.arange(n_tumor + n_normal) < n_tumor
    for _ in range(repeats):
        scores = rng.standard_normal(n_tumor + n_normal) + distance * positive
        for name, transform in (("plain DeLong", "none"), ("logit DeLong", "logit")):
            interval = delong_interval(scores, positive, transform=transform)
            held[name] += interval.low <= area <= interval.high
    return {name: count / repeats for name, count in held.items()}


if __name__ == "__main__":
    raise SystemExit(main())
