"""Checks of means and standard deviations: what a count below a cut, or another grouping of the subjects, allows."""

import math
from collections.abc import Sequence
from typing import NotRequired, TypedDict

from segtumor.literature.claims.outcome import Outcome, judged
from segtumor.literature.printed_numbers import Printed


class Group(TypedDict):
    """A group of subjects: how many, their mean and, where it is known, their standard deviation."""

    n: int
    mean: Printed
    sd: NotRequired[Printed]


def smallest_spread(*, printed: Printed, mean: Printed, cut: float, below: int, n: int) -> Outcome:
    """A printed standard deviation is not below the smallest one of the printed mean and the count below a cut.

    The least spread puts all of one side at the cut and all of the other at one value (the two-point bound); all means
    that round to the printed one are allowed for.
    """
    share = below / n
    bound = min(_two_point_bound(m, cut, share) for m in _span(mean) + ([cut] if mean.low < cut < mean.high else []))
    shown = f"at least {bound:.1f}"
    why = f"possible with {share:.1%} below {cut:g} and a mean of {mean.text}"
    return judged(printed.high >= bound, printed.text, shown, if_so=why, if_not=f"im{why}")


def pooled_mean(*, groups: Sequence[Group], regrouped: Sequence[Group]) -> Outcome:
    """Two groupings of the same subjects have one mean."""
    spans = [[sum(g["n"] * m for g, m in zip(part, ends, strict=True)) / _size(part) for ends in _means(part)]
             for part in (groups, regrouped)]  # fmt: skip
    text = " and ".join(f"{(low + high) / 2:.2f}" for low, high in spans)
    one = max(low for low, _ in spans) <= min(high for _, high in spans)
    why = "the two groupings " + ("allow one mean" if one else "have different means") + ", rounding allowed for"
    return judged(one, "one mean", text, if_so=why, if_not=why)


def pooled_spread(
    *, printed: Printed, n: int, mean: Printed, others: Sequence[Group], regrouped: Sequence[Group]
) -> Outcome:
    """The standard deviation of one group that another grouping of the same subjects leaves for it.

    The total sum of squares, within and between groups, is the same in both groupings; solved for the one group, with
    all means and standard deviations at the ends of what they may stand for.

    Args:
        printed: the group's standard deviation; n, mean: its size and mean.
        others: the remaining groups, with their deviations; regrouped: another grouping of all.
    """
    groups = [*others, Group(n=n, mean=mean)]
    least, most = ((_sum_of_squares(regrouped, end) - _sum_of_squares(groups, -end)) / n for end in (-1, 1))
    low, high = math.sqrt(max(0.0, least)), math.sqrt(max(0.0, most))
    shown = f"{low:.1f} to {high:.1f}"
    fits = most >= 0 and printed.low <= high and printed.high >= low
    other = "the other grouping of the same subjects"
    return judged(fits, printed.text, shown, if_so=f"{other} allows it", if_not=f"{other} leaves another value for it")


def _sum_of_squares(groups: Sequence[Group], end: int) -> float:
    """Within (of groups with an SD) and between groups, at the least (-1) or the most (1) that rounding allows."""
    grand = sum(g["n"] * g["mean"].value for g in groups) / _size(groups)
    distances = [abs(g["mean"].value - grand) + end * (g["mean"].high - g["mean"].value) for g in groups]
    between = sum(g["n"] * max(0.0, d) ** 2 for g, d in zip(groups, distances, strict=True))
    spreads = [(g["n"], g["sd"].high if end > 0 else g["sd"].low) for g in groups if "sd" in g]
    return between + sum(n * spread**2 for n, spread in spreads)


def _two_point_bound(mean: float, cut: float, share: float) -> float:
    if not 0 < share < 1:
        return 0.0
    odds = share / (1 - share)
    return abs(mean - cut) * math.sqrt(odds if mean > cut else 1 / odds)


def _span(printed: Printed) -> list[float]:
    return [printed.low, printed.high]


def _means(groups: Sequence[Group]) -> tuple[list[float], list[float]]:
    return [g["mean"].low for g in groups], [g["mean"].high for g in groups]


def _size(groups: Sequence[Group]) -> int:
    return sum(g["n"] for g in groups)
