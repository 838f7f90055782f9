"""Audit: every claim of every entry recomputed, as findings, and their tables as text.

Not here: the checks themselves, and printing (``segtumor.commands.benchmark.audit``).
"""

from dataclasses import asdict

from segtumor.errors import DataError
from segtumor.literature.checks.table import CHECKS
from segtumor.literature.checks.verdict import FAILS, HOLDS, QUOTED, SOURCE, TRIAL, UNKNOWN, VERDICTS, Finding
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


def audit(entries, library=None):
    """Findings of ``entries`` in their order.

    Args:
        entries: Entry objects.
        library: {id: Entry} that claims across sources look into; default: the entries given.
    """
    entries = list(entries)
    library = {entry.id: entry for entry in entries} if library is None else library
    return [finding for entry in entries for finding in audit_entry(entry, library)]


def audit_entry(entry, library):
    """Findings of one entry, one per claim.

    Raises:
        DataError: a claim that its check cannot work with; names the file and the claim.
    """
    return [_finding(entry, claim, library) for claim in entry.claims]


def summary(findings):
    """{verdict: how many}."""
    return {verdict: sum(finding.verdict == verdict for finding in findings) for verdict in VERDICTS}


def counts_text(findings):
    """ "3 hold, 1 does not hold" of the sources' own claims; quotes and other readings apart, behind a semicolon."""
    parts = [_counts([f for f in findings if f.whose == SOURCE])]
    for whose, (_, plural) in _WHOSE.items():
        counts = _counts([f for f in findings if f.whose == whose])
        parts += [f"{plural}: {counts}"] if counts else []
    return "; ".join(part for part in parts if part) or "no claim to recompute"


def total_text(findings, n_sources) -> str:
    """The headline: the sources' own claims, then what is counted apart."""
    own = sum(f.whose == SOURCE for f in findings)
    return f"{counted(own, 'claims')} of {counted(n_sources, 'sources')}: {counts_text(findings)}"


def verdict_text(finding):
    """The verdict, and whose claim it is if not the source's own."""
    if finding.whose == SOURCE:
        return finding.verdict
    return f"{finding.verdict} ({_WHOSE[finding.whose][0]})"


def _counts(findings):
    named = ((n, verdict) for verdict, n in summary(findings).items() if n)
    return ", ".join(f"{n} {verdict if n == 1 else _OF_SEVERAL[verdict]}" for n, verdict in named)


def as_rows(findings):
    """Findings as dicts with ``COLUMNS``, for CSV and JSON."""
    return [asdict(finding) for finding in findings]


def as_markdown(findings, entries, notice: str = ""):
    """One table per source and the summary, in Markdown.

    Args:
        findings: as ``audit``; entries: {id: Entry}.
    """
    parts = ["# Audit of published numbers", "", *([notice, ""] if notice else [])]
    for entry_id in dict.fromkeys(finding.entry for finding in findings):
        entry = entries[entry_id]
        own = [finding for finding in findings if finding.entry == entry_id]
        parts += [
            f"## {markdown_text(entry.short)} ({markdown_text(entry_id)})",
            "",
            *([markdown_text(_quoted(entry)), ""] if not entry.read else []),
            counts_text(own),
            "",
        ]
        rows = [(f.claim, f.printed, f.recomputed, verdict_text(f), f.why) for f in own]
        parts += [*markdown_table(("claim", "printed", "recomputed", "verdict", "why"), rows), ""]
    total = total_text(findings, len({finding.entry for finding in findings}))
    return "\n".join([*parts, f"{total}.", "", HOW_TO_READ, ""])


def _finding(entry, claim, library):
    check = CHECKS[claim.kind]
    arguments = {**claim.arguments, "library": library} if check.uses_library else claim.arguments
    words = f"{claim.where}: {claim.what}" if claim.where else claim.what
    try:
        outcome = check.function(**arguments)
    except DataError as error:
        raise DataError(f"claim {words!r} ({claim.kind}) cannot be checked: {error}", where=entry.path) from error
    return Finding(
        entry.id, words, outcome.printed, outcome.recomputed, outcome.verdict, outcome.why, claim.kind, claim.whose
    )


def _quoted(entry) -> str:
    return f"Original not read; quoted by {entry.quoted_by}."


def only_failures(findings):
    """Findings whose claim does not hold."""
    return [finding for finding in findings if finding.verdict == FAILS]
