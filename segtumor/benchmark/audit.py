"""Audit: every claim of every entry recomputed, as findings, and their tables as text.

Not here: the checks themselves, and printing (``segtumor.commands.benchmark.audit``).
"""

from dataclasses import asdict

from segtumor.benchmark.checks import CHECKS
from segtumor.benchmark.outcome import FAILS, VERDICTS, Finding
from segtumor.errors import DataError

COLUMNS = ("entry", "claim", "printed", "recomputed", "verdict", "why", "kind")


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


def as_rows(findings):
    """Findings as dicts with ``COLUMNS``, for CSV and JSON."""
    return [asdict(finding) for finding in findings]


def as_markdown(findings, entries, notice=""):
    """One table per source and the summary, in Markdown.

    Args:
        findings: as ``audit``; entries: {id: Entry}.
    """
    parts = ["# Audit of published numbers", "", *([notice, ""] if notice else [])]
    for entry_id in dict.fromkeys(finding.entry for finding in findings):
        entry = entries[entry_id]
        own = [finding for finding in findings if finding.entry == entry_id]
        counts = ", ".join(f"{n} {verdict}" for verdict, n in summary(own).items() if n)
        parts += [f"## {entry.short} ({entry_id})", "", *([_quoted(entry), ""] if not entry.read else []), counts, ""]
        parts += ["| claim | printed | recomputed | verdict | why |", "| --- | --- | --- | --- | --- |"]
        parts += [_markdown_row(f.claim, f.printed, f.recomputed, f.verdict, f.why) for f in own]
        parts.append("")
    total = ", ".join(f"{n} {verdict}" for verdict, n in summary(findings).items())
    return "\n".join([*parts, f"{len(findings)} claims: {total}.", ""])


def _finding(entry, claim, library):
    check = CHECKS[claim.kind]
    arguments = {**claim.arguments, "library": library} if check.uses_library else claim.arguments
    words = f"{claim.where}: {claim.what}" if claim.where else claim.what
    try:
        outcome = check.function(**arguments)
    except DataError as error:
        raise DataError(f"claim {words!r} ({claim.kind}) cannot be checked: {error}", where=entry.path) from error
    return Finding(entry.id, words, outcome.printed, outcome.recomputed, outcome.verdict, outcome.why, claim.kind)


def _quoted(entry):
    return f"Original not read; quoted by {entry.quoted_by}."


def _markdown_row(*cells):
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def only_failures(findings):
    """Findings whose claim does not hold."""
    return [finding for finding in findings if finding.verdict == FAILS]
