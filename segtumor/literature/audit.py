"""Audit: every claim of every entry recomputed, and the account of it as rows and Markdown.

Not here: the checks themselves (``claims``), and printing (``segtumor.commands.benchmark.audit``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from segtumor.errors import DataError
from segtumor.literature.claims.kinds import CHECKS
from segtumor.literature.claims.outcome import FAILS, HOLDS, UNKNOWN, VERDICTS
from segtumor.literature.entry import QUOTED, SOURCE, TRIAL, Claim, Entry
from segtumor.texts import counted, markdown_table, markdown_text

COLUMNS = ("entry", "claim", "printed", "recomputed", "verdict", "why", "kind", "whose")
#: Verdict -> the same of several claims.
_OF_SEVERAL = {HOLDS: "hold", FAILS: "do not hold", UNKNOWN: "cannot be checked"}
#: What is said of claims that are not the source's own, of one and of all.
_WHOSE = {
    QUOTED: ("as quoted", "quotes of one source by another"),
    TRIAL: ("another reading", "other readings tried"),
}
HOW_TO_READ = (
    "A printed number holds if the recomputed one, rounded or cut off, is it. What it is recomputed from is rounded "
    "too, which leaves a range: an F1 of 95.99 holds beside 96.002, since 95.997 is possible; 88.50 does not beside "
    "88.521, since nothing below 88.516 is. Quotes and other readings that were tried are counted apart."
)


@dataclass(frozen=True)
class AuditedClaim:
    """The outcome of a check with the entry, the claim and the kind of check it belongs to, and whose claim it is."""

    entry: str
    claim: str
    printed: str
    recomputed: str
    verdict: str
    why: str
    kind: str
    whose: str = SOURCE


def audit(entries: Iterable[Entry], library: Mapping[str, Entry] | None = None) -> list[AuditedClaim]:
    """The claims of ``entries`` in their order, recomputed.

    Args:
        library: entries by id that claims across sources look into; default: the entries given.

    Raises:
        DataError: a claim that its check cannot work with; names the file and the claim.
    """
    entries = list(entries)
    library = {entry.id: entry for entry in entries} if library is None else library
    return [_audited(entry, claim, library) for entry in entries for claim in entry.claims]


def summary(claims: Sequence[AuditedClaim]) -> dict[str, int]:
    """{verdict: how many}."""
    return {verdict: sum(claim.verdict == verdict for claim in claims) for verdict in VERDICTS}


def counts_text(claims: Sequence[AuditedClaim]) -> str:
    """ "3 hold, 1 does not hold" of the sources' own claims; quotes and other readings apart, behind a semicolon."""
    parts = [_counts([claim for claim in claims if claim.whose == SOURCE])]
    for whose, (_, plural) in _WHOSE.items():
        counts = _counts([claim for claim in claims if claim.whose == whose])
        parts += [f"{plural}: {counts}"] if counts else []
    return "; ".join(part for part in parts if part) or "no claim to recompute"


def total_text(claims: Sequence[AuditedClaim], n_sources: int) -> str:
    """The headline: the sources' own claims, then what is counted apart."""
    own = sum(claim.whose == SOURCE for claim in claims)
    return f"{counted(own, 'claims')} of {counted(n_sources, 'sources')}: {counts_text(claims)}"


def verdict_text(claim: AuditedClaim) -> str:
    """The verdict, and whose claim it is if not the source's own."""
    if claim.whose == SOURCE:
        return claim.verdict
    return f"{claim.verdict} ({_WHOSE[claim.whose][0]})"


def _counts(claims: Sequence[AuditedClaim]) -> str:
    named = ((n, verdict) for verdict, n in summary(claims).items() if n)
    return ", ".join(f"{n} {verdict if n == 1 else _OF_SEVERAL[verdict]}" for n, verdict in named)


def only_failures(claims: Iterable[AuditedClaim]) -> list[AuditedClaim]:
    """The claims that do not hold."""
    return [claim for claim in claims if claim.verdict == FAILS]


def as_rows(claims: Iterable[AuditedClaim]) -> list[dict[str, Any]]:
    """Audited claims as dicts with ``COLUMNS``, for CSV and JSON."""
    return [asdict(claim) for claim in claims]


def as_markdown(claims: Sequence[AuditedClaim], entries: Mapping[str, Entry], notice: str = "") -> str:
    """One table per source and the summary, in Markdown; ``entries`` by id."""
    parts = ["# Audit of published numbers", "", *([notice, ""] if notice else [])]
    for entry_id in dict.fromkeys(claim.entry for claim in claims):
        entry = entries[entry_id]
        own = [claim for claim in claims if claim.entry == entry_id]
        parts += [
            f"## {markdown_text(entry.short)} ({markdown_text(entry_id)})",
            "",
            *([markdown_text(_quoted(entry)), ""] if not entry.read else []),
            counts_text(own),
            "",
        ]
        rows = [(c.claim, c.printed, c.recomputed, verdict_text(c), c.why) for c in own]
        parts += [*markdown_table(("claim", "printed", "recomputed", "verdict", "why"), rows), ""]
    total = total_text(claims, len({claim.entry for claim in claims}))
    return "\n".join([*parts, f"{total}.", "", HOW_TO_READ, ""])


def _audited(entry: Entry, claim: Claim, library: Mapping[str, Entry]) -> AuditedClaim:
    check = CHECKS[claim.kind]
    arguments = {**claim.arguments, "library": library} if check.uses_library else claim.arguments
    words = f"{claim.where}: {claim.what}" if claim.where else claim.what
    try:
        outcome = check.function(**arguments)
    except DataError as error:
        raise DataError(f"claim {words!r} ({claim.kind}) cannot be checked: {error}", where=entry.path) from error
    return AuditedClaim(
        entry.id, words, outcome.printed, outcome.recomputed, outcome.verdict, outcome.why, claim.kind, claim.whose
    )


def _quoted(entry: Entry) -> str:
    return f"Original not read; quoted by {entry.quoted_by}."
