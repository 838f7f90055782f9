"""What a check answers: the number as printed, as recomputed, a verdict and one plain sentence."""

from dataclasses import dataclass

HOLDS = "holds"
FAILS = "does not hold"
UNKNOWN = "cannot be checked"
VERDICTS = (HOLDS, FAILS, UNKNOWN)
#: Whose a claim is: the source's own, one's quote of another, or nobody's: another reading of what is printed, tried.
SOURCE, QUOTED, TRIAL = "source", "quoted", "trial"
#: Stands where a source does not print what follows from its other numbers.
NOT_PRINTED = "not printed"


@dataclass(frozen=True)
class Outcome:
    """The answer of one check.

    Args:
        printed: the claim's number as the source prints it.
        recomputed: what follows from the source's other numbers, as text.
        verdict: one of ``VERDICTS``.
        why: one sentence.
    """

    printed: str
    recomputed: str
    verdict: str
    why: str


@dataclass(frozen=True)
class Finding:
    """An outcome with the entry, the kind of check and the claim it belongs to, and whose claim it is."""

    entry: str
    claim: str
    printed: str
    recomputed: str
    verdict: str
    why: str
    kind: str
    whose: str = SOURCE
