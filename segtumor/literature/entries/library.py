"""Which published sources are meant: those that come with segtumor, a folder of one's own, or some of them by name."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

from segtumor.errors import ConfigError
from segtumor.literature.entries import reading
from segtumor.literature.entry import Entry


def choose_entries(names: Sequence[str], folder: str | Path | None = None) -> tuple[list[Entry], dict[str, Entry]]:
    """(chosen entries, {id: Entry} of all).

    Args:
        names: ids; empty means all, or all of ``folder`` where one is given.
        folder: the user's own entries; one of the same id replaces ours.

    Raises:
        ConfigError: a name that no entry has; DataError: an entry that is not valid.
    """
    own = reading.load_entries(folder) if folder else {}
    library = {**reading.load_entries(), **own}
    unknown = [name for name in names if name not in library]
    if unknown:
        nearest = difflib.get_close_matches(unknown[0], library, n=1, cutoff=0.4)
        remedy = f"Did you mean {nearest[0]}? " if nearest else ""
        raise ConfigError("no such source", got=unknown[0], remedy=f"{remedy}`segtumor benchmark list` names them all")
    return [library[name] for name in names or own or library], library


def remarks_on_all(entries: Sequence[Entry]) -> Iterator[str]:
    """What is likely a slip in the entries, in sentences."""
    for entry in entries:
        yield from reading.remarks_on(entry)
