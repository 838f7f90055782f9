"""What a check answers: the number as printed, as recomputed, a verdict and one plain sentence."""

from dataclasses import dataclass

HOLDS = "holds"
FAILS = "does not hold"
UNKNOWN = "cannot be checked"
VERDICTS = (HOLDS, FAILS, UNKNOWN)
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
    """An outcome with the entry, the kind of check and the claim it belongs to."""

    entry: str
    claim: str
    printed: str
    recomputed: str
    verdict: str
    why: str
    kind: str
