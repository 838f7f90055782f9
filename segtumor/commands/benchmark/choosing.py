"""Which published sources a ``segtumor benchmark`` command is about: names, or all, and a folder of one's own.

Not here: what is done with them.
"""

import difflib
import logging

from segtumor.errors import ConfigError


def add_entry_arguments(parser) -> None:
    """ENTRY ... and --entries-folder."""
    parser.add_argument("entries", nargs="*", metavar="ENTRY", help="names of sources (default: all)")
    parser.add_argument(
        "--entries-folder",
        metavar="DIR",
        help="your own YAML files, one per source, beside those that come with segtumor; a file of the same name wins",
    )


def choose_entries(names, folder=None):
    """(chosen entries, {id: Entry} of all).

    Args:
        names: ids; empty means all, or all of ``folder`` where one is given.
        folder: the user's own entries.

    Raises:
        ConfigError: a name that no entry has; DataError: an entry that is not valid.
    """
    from segtumor.literature.entries.reading import load_entries

    own = load_entries(folder) if folder else {}
    library = {**load_entries(), **own}
    unknown = [name for name in names if name not in library]
    if unknown:
        nearest = difflib.get_close_matches(unknown[0], library, n=1, cutoff=0.4)
        remedy = f"Did you mean {nearest[0]}? " if nearest else ""
        raise ConfigError("no such source", got=unknown[0], remedy=f"{remedy}`segtumor benchmark list` names them all")
    return [library[name] for name in names or own or library], library


def print_remarks(entries) -> None:
    """Warn of what is likely a slip in entries."""
    from segtumor.literature.entries.reading import remarks_on

    for entry in entries:
        for remark in remarks_on(entry):
            logging.getLogger(__name__).warning("%s", remark)
