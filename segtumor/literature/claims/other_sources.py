"""Checks across sources: numbers that should have been measured independently, and rows attributed to others.

The other source is an entry of the library; one that is not there cannot be checked. Not here: recomputing.
"""

from collections.abc import Mapping, Sequence

from segtumor.literature.claims.outcome import FAILS, HOLDS, UNKNOWN, Outcome, judged
from segtumor.literature.entry import Entry, Result
from segtumor.literature.printed_numbers import ROUNDED, Printed


def independent_of(*, values: Sequence[Printed], entry: str, library: Mapping[str, Entry]) -> Outcome:
    """This source's numbers were measured, not taken over: not all of them are in another source.

    Args:
        entry: id of the other source; library: entries by id.
    """
    text = ", ".join(v.text for v in values)
    if entry not in library:
        return Outcome(text, "-", UNKNOWN, f"there is no entry {entry}")
    theirs = [number for row in library[entry].results for number in _numbers(row)]
    same = [v for v in values if any(abs(v.value - number) < 1e-9 for number in theirs)]
    shown = f"{len(same)} of {len(values)} the same in {entry}"
    otherwise = f"all printed by {entry} too: one of the two did not measure them"
    differs = len(values) == 1 or len(same) < len(values)
    return judged(differs, text, shown, if_so="not all of them are in the other source", if_not=otherwise)


def measured_here(*, values: Sequence[Printed], quoted: Sequence[Printed], of: str) -> Outcome:
    """A row of a comparison was measured on the test set at hand, not copied from what the row's source printed.

    Args:
        values: the row; quoted: what its source printed; of: the data of that source, in words.
    """
    text, theirs = (", ".join(v.text for v in numbers) for numbers in (values, quoted))
    so = f"differs from what the row's source printed for {of}"
    otherwise = f"the row's source printed these very numbers for {of}: not measured here, it seems"
    differs = [v.value for v in values] != [v.value for v in quoted]
    return judged(differs, text, theirs, if_so=so, if_not=otherwise)


def attributed(
    *, printed: Printed, entry: str, metric: str, library: Mapping[str, Entry], group: str | None = None
) -> Outcome:
    """A row attributed to another source beside what that source prints itself."""
    rows = library[entry].results if entry in library else ()
    theirs = [row for row in rows if row.metric == metric and group in (None, row.group)]
    if not theirs:
        return Outcome(printed.text, "-", UNKNOWN, f"no such number in entry {entry}")
    same = any(printed.agreement(row.fraction) == ROUNDED for row in theirs)
    shown = ", ".join(row.value for row in theirs)
    if same:
        why = f"{entry} printed the same for its own data: quoted, it seems, not measured"
        return Outcome(printed.text, shown, FAILS, why)
    why = f"{entry} prints another value for its own data; whether it was trained anew is not said"
    return Outcome(printed.text, shown, UNKNOWN, why)


def one_test_set(*, sizes: Mapping[str, int]) -> Outcome:
    """Counts that should describe one test set are one number.

    Args:
        sizes: {where printed: count}.
    """
    text = ", ".join(f"{where}: {count}" for where, count in sizes.items())
    if len(set(sizes.values())) == 1:
        return Outcome(text, text, HOLDS, "one number everywhere")
    return Outcome(text, f"{min(sizes.values())} to {max(sizes.values())}", FAILS, "the counts of one test set differ")


def _numbers(row: Result) -> tuple[float, ...]:
    return (row.fraction, *(p.value for p in row.ci or ()))
