"""What the check of a claim answers: the number as printed, as recomputed, a verdict and one plain sentence."""

from dataclasses import dataclass

from segtumor.literature.printed_numbers import ROUNDED, TRUNCATED, Printed

HOLDS = "holds"
FAILS = "does not hold"
UNKNOWN = "cannot be checked"
VERDICTS = (HOLDS, FAILS, UNKNOWN)
#: Shown where a source does not print what follows from its other numbers.
NOT_PRINTED = "not printed"


@dataclass(frozen=True)
class Outcome:
    """The answer of one check.

    Args:
        recomputed: what follows from the source's other numbers, as text.
    """

    printed: str
    recomputed: str
    verdict: str
    why: str


def judged(holds: bool, printed: str, recomputed: str, *, if_so: str, if_not: str) -> Outcome:
    """HOLDS with the one sentence or FAILS with the other."""
    return Outcome(printed, recomputed, HOLDS if holds else FAILS, if_so if holds else if_not)


def compare(
    printed: Printed | None,
    low: float,
    high: float | None = None,
    *,
    source: str,
    shown: float | None = None,
    why_not: str = "",
) -> Outcome:
    """Outcome of a printed number beside the recomputed one, or beside the range [low, high] that rounding leaves.

    Args:
        printed: None where the source does not print it: then the number is reported, not judged.
        low, high: the recomputed value, or the ends of its range.
        source: where the recomputed value comes from, to end a sentence with.
        shown: value to show; None shows ``low``.
        why_not: a reason to add if it does not hold.
    """
    shown = low if shown is None else shown
    if printed is None:
        return Outcome(NOT_PRINTED, f"{shown:.4f}", UNKNOWN, f"follows from {source}; the source does not print it")
    agreement = printed.agreement(low, high)
    if high is not None and agreement != ROUNDED:
        source += f", {printed.show(low)} to {printed.show(high)} as these are rounded,"
    if agreement == ROUNDED:
        return Outcome(printed.text, printed.show(shown), HOLDS, f"follows from {source}")
    if agreement == TRUNCATED:
        return Outcome(printed.text, printed.show(shown), HOLDS, f"follows from {source}, but cut off, not rounded")
    reason = f"{source} gives another value" + (f"; {why_not}" if why_not else "")
    return Outcome(printed.text, printed.show(shown), FAILS, reason)
