"""Checks by counting: ratios, sums, and what no set of subjects can do.

Not here: rates of a confusion matrix (``rates``).
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from segtumor.literature.claims.outcome import FAILS, HOLDS, Outcome, compare, judged
from segtumor.literature.printed_numbers import ROUNDED, Printed
from segtumor.statistics.proportions import wilson


def ratio(*, k: int, n: int, printed: Printed | None = None) -> Outcome:
    """k of n prints as it is printed; if not, says which count of n would, and Wilson's interval of k of n."""
    value = k / n if n else math.nan
    fitting = _counts_that_print(printed, n) if printed else []
    instead = f"{_listed(fitting)} of {n} would fit" if fitting else f"no count out of {n} gives it"
    outcome = compare(printed, value, source=f"{k}/{n}", why_not=instead)
    if outcome.verdict == HOLDS or k > n:
        return outcome
    digits, scale, sign = (1, 100, "%") if printed and printed.scale > 1 else (3, 1, "")
    low, high = (f"{end * scale:.{digits}f}{sign}" for end in (wilson(k, n).low, wilson(k, n).high))
    return replace(outcome, recomputed=f"{outcome.recomputed} (Wilson {low}-{high})")


def attainable(*, printed: Printed, n: int) -> Outcome:
    """Some count out of n rounds to the printed value."""
    fitting = _counts_that_print(printed, n)
    if fitting:
        return Outcome(printed.text, f"{_listed(fitting)} of {n}", HOLDS, f"a count out of {n} rounds to it")
    nearest = round(printed.value * n)
    around = sorted({max(0, nearest - 1), nearest, min(n, nearest + 1)}, key=lambda k: abs(k / n - printed.value))[:2]
    near = " and ".join(f"{k}/{n} = {printed.show(k / n)}" for k in sorted(around))
    return Outcome(printed.text, near, FAILS, f"no count out of {n} rounds to it")


def total(*, parts: Sequence[int], whole: int) -> Outcome:
    """The parts add up to the whole."""
    found = sum(parts)
    added = " + ".join(map(str, parts))
    otherwise = f"{added} is {found}, which differs from it by {abs(found - whole)}"
    return judged(found == whole, str(whole), str(found), if_so="the parts add up to it", if_not=otherwise)


def subgroups(*, parts: Sequence[Sequence[int]], whole: Sequence[int]) -> Outcome:
    """[k, n] of subgroups add up to the [k, n] of all."""
    (k, n), sums = whole, [sum(column) for column in zip(*parts, strict=True)]
    printed, found = f"{k}/{n}", f"{sums[0]}/{sums[1]}"
    words = {"if_so": "the subgroups add up to it", "if_not": "the subgroups do not add up to all"}
    return judged(sums == list(whole), printed, found, **words)


def fits_remainder(*, cell: Sequence[int], others: Sequence[Sequence[int]], whole: Sequence[int]) -> Outcome:
    """A subgroup's cell [k, n] is what the others leave of all; if not, says which cell is left."""
    left = [all_ - sum(column) for all_, *column in zip(whole, *others, strict=True)]
    printed, found = f"{cell[0]}/{cell[1]}", f"{left[0]}/{left[1]}"
    otherwise = f"the other subgroups leave {found} of {whole[0]}/{whole[1]}: another cut-off's cell"
    so = "it is what the other subgroups leave of all"
    return judged(left == list(cell), printed, found, if_so=so, if_not=otherwise)


def both_wrong(*, both: int, first: int, second: int) -> Outcome:
    """Two readers cannot share more errors than either made."""
    most, why = min(first, second), f"the readers made {first} and {second} such errors"
    return judged(both <= most, str(both), f"at most {most}", if_so=why, if_not=f"impossible: {why}")


def nearest_count(*, printed: Printed, k: int, n: int) -> Outcome:
    """k is the printed share of n, to the nearest subject."""
    exact, share = printed.value * n, f"{printed.text} of {n}"
    so, otherwise = f"{share}, to the nearest subject", f"{share} is {exact:.1f}; {k} is {k / n:.1%}"
    return judged(abs(k - exact) <= 0.5, str(k), f"{exact:.1f}", if_so=so, if_not=otherwise)


def median_side(*, printed: Printed, cut: float, below: int, n: int) -> Outcome:
    """A printed median lies on the side of the cut that the count of smaller values says."""
    at_or_above = below < n / 2
    side = f"{'at or above' if at_or_above else 'below'} {cut:g}"
    agrees = (printed.value >= cut) == at_or_above
    verdict = HOLDS if agrees else FAILS
    return Outcome(printed.text, side, verdict, f"{below} of {n} values are below {cut:g}")


def layer_parameters(*, printed: Printed, inputs: int, outputs: int, kernel: int) -> Outcome:
    """Weights and biases of a convolution, or of a dense layer as kernel 1."""
    count = kernel * kernel * inputs * outputs + outputs
    return compare(printed, float(count), source=f"{kernel} x {kernel} x {inputs} x {outputs} + {outputs}")


def _counts_that_print(printed: Printed, n: int) -> list[int]:
    """The first and the last count out of n that round to it; empty if none does."""
    ends = [math.floor(bound * n) for bound in (printed.low, printed.high)]
    near = sorted({k for end in ends for k in range(end - 1, end + 3) if 0 <= k <= n})
    fitting = [k for k in near if printed.agreement(k / n) == ROUNDED]
    return [fitting[0], fitting[-1]] if fitting else []


def _listed(counts: Sequence[int]) -> str:
    return str(counts[0]) if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
