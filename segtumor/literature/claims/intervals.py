"""Checks of confidence intervals, and of what an interval gives away.

Not here: intervals that need the scores themselves (DeLong, bootstrap), which cannot be recomputed.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from segtumor.errors import DataError
from segtumor.literature.claims.outcome import FAILS, HOLDS, UNKNOWN, Outcome, compare, judged
from segtumor.literature.printed_numbers import ROUNDED, Printed
from segtumor.statistics.agreement import kappa, kappa_interval
from segtumor.statistics.proportions import clopper_pearson, wilson

_Z = 1.959963984540054
#: Values tried between the two ends of what a printed number may stand for.
_STEPS = 200
#: Errors of a reader up to which every possible overlap is tried.
MAX_ERRORS = 200


def proportion_interval(*, interval: Sequence[Printed], k: int, n: int) -> Outcome:
    """A printed interval of k of n is Wilson's, Clopper and Pearson's or Wald's."""
    known = {"Wilson": wilson(k, n), "Clopper-Pearson": clopper_pearson(k, n)}
    ends = {name: (found.low, found.high) for name, found in known.items()}
    reach = _Z * math.sqrt(k * (n - k) / n**3)
    ends["Wald"] = (k / n - reach, k / n + reach)
    fitting = [name for name, (low, high) in ends.items() if not _misfits(interval, low, high)]
    shown = _show(interval, *ends[fitting[0] if fitting else "Wilson"])
    so = f"{' and '.join(fitting)} of {k}/{n}"
    otherwise = f"neither Wilson nor Clopper-Pearson nor Wald of {k}/{n}; shown: Wilson"
    return judged(bool(fitting), _text(interval), shown, if_so=so, if_not=otherwise)


def auc_interval(*, auc: Printed, interval: Sequence[Printed], n: int) -> Outcome:
    """An interval of an area under a ROC curve is the binomial exact one of ``auc * n`` of n, as MedCalc prints.

    The area is known only as printed, so all areas that round to it are tried.
    """
    best = clopper_pearson(auc.value * n, n)
    shown = _show(interval, best.low, best.high)
    if not _misfits(interval, best.low, best.high):
        return Outcome(_text(interval), shown, HOLDS, f"binomial exact (Clopper-Pearson) of {auc.text} x {n} of {n}")
    low, high = max(auc.low, 0.0), min(auc.high, 1.0)
    for step in range(_STEPS + 1):
        area = low + (high - low) * step / _STEPS
        ends = clopper_pearson(area * n, n)
        if not _misfits(interval, ends.low, ends.high):
            why = f"binomial exact (Clopper-Pearson) of n = {n} for an area of {area:.4f}, which prints as {auc.text}"
            return Outcome(_text(interval), _show(interval, ends.low, ends.high), HOLDS, why)
    if auc.value >= 1:
        return Outcome(_text(interval), shown, FAILS, f"not the binomial exact interval of n = {n}")
    return Outcome(
        _text(interval), shown, UNKNOWN, f"not the binomial exact interval of n = {n}; DeLong's needs the scores"
    )


def auc_possible(*, auc: Printed, tp: int, fp: int, fn: int, tn: int) -> Outcome:
    """A curve through one printed operating point bounds the area under it."""
    if tp + fn == 0 or fp + tn == 0:
        raise DataError("an operating point needs positives and negatives", got=f"{tp + fn} and {fp + tn}")
    sensitivity, false_positive_rate = tp / (tp + fn), fp / (fp + tn)
    low, high = sensitivity * (1 - false_positive_rate), 1 - (1 - sensitivity) * false_positive_rate
    shown = f"{low:.3f} to {high:.3f}"
    words = {
        "if_so": "possible for a ROC curve through the printed operating point",
        "if_not": "no ROC curve through the printed operating point has this area",
    }
    return judged(auc.low <= high and auc.high >= low, auc.text, shown, **words)


def kappa_with_interval(
    *,
    table: Sequence[Sequence[int]],
    printed: Printed | None = None,
    interval: Sequence[Printed] | None = None,
    weights: str = "none",
) -> Outcome:
    """The kappa of a table and its large-sample interval (Fleiss, Cohen and Everitt), either printed or not."""
    value, found = float(kappa(table, weights=weights)), kappa_interval(table, weights=weights)
    if interval is None:
        outcome = compare(printed, value, source=f"the table of {sum(map(sum, table))}")
        return replace(outcome, recomputed=f"{outcome.recomputed} ({found.low:.3f}-{found.high:.3f})")
    shown, text = _show(interval, found.low, found.high), _text(interval)
    if printed is not None:
        shown, text = f"{printed.show(value)} ({shown})", f"{printed.text} ({text})"
        if printed.agreement(value) != ROUNDED:
            return Outcome(text, shown, FAILS, "the table gives another kappa")
    wrong = _misfits(interval, found.low, found.high)
    if not wrong:
        return Outcome(text, shown, HOLDS, "large-sample interval (Fleiss, Cohen and Everitt) of the table")
    names = " and ".join(f"{name} bound recomputes to {p.show(value, 0)}" for name, p, value in wrong)
    return Outcome(text, shown, FAILS, f"the {names}, not {', '.join(p.text for _, p, _ in wrong)}")


def two_raters(
    *, printed: Printed, interval: Sequence[Printed], first: Sequence[int], second: Sequence[int], n: Sequence[int]
) -> Outcome:
    """Two raters' printed kappa fixes, with their margins, the table of their agreement, and so its interval.

    Args:
        first, second: [missed, false alarms] of each against the reference.
        n: [positives, negatives] of the reference.
    """
    check_readers(first, second, n)
    text = f"{printed.text} ({_text(interval)})"
    tables = [t for t in _agreement_tables(first, second, n) if printed.agreement(float(kappa(t))) == ROUNDED]
    if not tables:
        return Outcome(text, "none", FAILS, "no table with the two readers' margins has this kappa")
    found = kappa_interval(tables[0])
    shown = f"{printed.show(float(kappa(tables[0])))} ({_show(interval, found.low, found.high)})"
    shared = shared_errors(tables[0], first, second)
    verdict = FAILS if _misfits(interval, found.low, found.high) else HOLDS
    disagreements = tables[0][0][1] + tables[0][1][0]
    why = f"the margins leave one table, with {disagreements} disagreements and {shared} shared errors"
    return Outcome(text, shown, verdict, why if len(tables) == 1 else f"{len(tables)} tables fit; shown: the first")


def either_reader(
    *, printed: Printed, missed: int, misread: int, first: Sequence[int], second: Sequence[int], n: Sequence[int]
) -> Outcome:
    """If printed numbers of errors mean "by either reader", the readers' kappa follows; is it the printed one?

    Args:
        first, second, n: as ``two_raters``.
    """
    check_readers(first, second, n)
    shared = [first[0] + second[0] - missed, first[1] + second[1] - misread]
    text = f"{missed} and {misread} by either; kappa {printed.text}"
    if any(not max(0, a + b - m) <= s <= min(a, b) for s, a, b, m in zip(shared, first, second, n, strict=True)):
        return Outcome(text, f"{shared} shared", FAILS, "the readers' own errors do not allow it")
    table = next(t for t in _agreement_tables(first, second, n) if shared_errors(t, first, second) == sum(shared))
    value = float(kappa(table))
    shown = f"{printed.show(value)}, {shared[0]} + {shared[1]} shared errors"
    agrees, disagreements = printed.agreement(value) == ROUNDED, table[0][1] + table[1][0]
    otherwise = f"{disagreements} disagreements follow, and with them another kappa"
    return judged(agrees, text, shown, if_so="the readers' errors and kappa agree with it", if_not=otherwise)


def one_sample_size(*, intervals: Mapping[str, Sequence[Printed]]) -> Outcome:
    """Printed intervals of proportions on one test set imply one n, if they are binomial ones.

    Args:
        intervals: {name: [value, low, high]}.
    """
    spans = {name: _implied_sizes(*row) for name, row in intervals.items()}
    shown = ", ".join(f"{name}: n = {low:.0f} to {high:.0f}" for name, (low, high) in spans.items())
    one = max(low for low, _ in spans.values()) <= min(high for _, high in spans.values())
    so = "the widths of the intervals fit one number of units"
    otherwise = "the widths fit no common number of independent units; intervals that resample patients could differ so"
    return judged(one, "one test set", shown, if_so=so, if_not=otherwise)


def check_readers(first: Sequence[int], second: Sequence[int], n: Sequence[int]) -> None:
    """DataError unless two readers' errors fit the reference and are few enough to try every way they overlap."""
    fit = all(0 <= errors <= m for reader in (first, second) for errors, m in zip(reader, n, strict=True))
    if not fit or sum(n) == 0 or max(*first, *second) > MAX_ERRORS:
        raise DataError(
            "two readers' errors cannot be used",
            got=f"{first} and {second} of {n}",
            expected=f"at most {MAX_ERRORS} each, and no more than subjects",
        )


def shared_errors(table: Sequence[Sequence[int]], first: Sequence[int], second: Sequence[int]) -> int:
    """Subjects that both raters got wrong: all errors less those on which they disagree, halved."""
    return (sum(first) + sum(second) - table[0][1] - table[1][0]) // 2


def _agreement_tables(first: Sequence[int], second: Sequence[int], n: Sequence[int]) -> Iterator[list[list[int]]]:
    """All 2 x 2 tables [[both positive, only first], [only second, neither]] that the two readers' errors allow."""
    calls = [n[0] - missed + alarms for missed, alarms in (first, second)]
    most = min(first[0], second[0]) + min(first[1], second[1])
    least = sum(max(0, a + b - m) for a, b, m in zip(first, second, n, strict=True))
    for shared in range(least, most + 1):
        disagreements = sum(first) + sum(second) - 2 * shared
        only_first = (disagreements + calls[0] - calls[1]) // 2
        both = calls[0] - only_first
        yield [[both, only_first], [disagreements - only_first, sum(n) - both - disagreements]]


def _implied_sizes(value: Printed, low: Printed, high: Printed) -> tuple[float, float]:
    """n of a Wald interval of the printed width, as rounding of both ends leaves it."""
    variance = value.value * (1 - value.value) * (2 * _Z) ** 2
    narrowest = high.low - low.high
    return variance / (high.high - low.low) ** 2, variance / narrowest**2 if narrowest > 0 else math.inf


def _misfits(interval: Sequence[Printed], low: float, high: float) -> list[tuple[str, Printed, float]]:
    """[("lower"|"upper", Printed, value)] of the ends that do not round to the printed ones."""
    ends = (("lower", interval[0], low), ("upper", interval[1], high))
    return [(name, p, value) for name, p, value in ends if p.agreement(value) != ROUNDED]


def _text(interval: Sequence[Printed]) -> str:
    return f"{interval[0].text}-{interval[1].text}"


def _show(interval: Sequence[Printed], low: float, high: float) -> str:
    return f"{interval[0].show(low)}-{interval[1].show(high)}"
