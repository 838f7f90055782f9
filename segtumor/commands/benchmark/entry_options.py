"""The options of commands about published sources: which of them, and a folder of one's own."""

import argparse
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # would delay --help
    from segtumor.literature.entry import Entry


def add_entry_options(parser: argparse.ArgumentParser) -> None:
    """ENTRY ... and --entries-folder."""
    parser.add_argument("entries", nargs="*", metavar="ENTRY", help="names of sources (default: all)")
    parser.add_argument(
        "--entries-folder",
        metavar="DIR",
        help="your own YAML files, one per source, in addition to those of segtumor; a file of the same name wins",
    )


def chosen_entries(arguments: argparse.Namespace) -> tuple[list["Entry"], dict[str, "Entry"]]:
    """(chosen entries, {id: Entry} of all); warns of what is likely a slip in them. Errors as ``choose_entries``."""
    from segtumor.literature.entries.reading import choose_entries, remarks_on

    chosen, library = choose_entries(getattr(arguments, "entries", ()), arguments.entries_folder)
    for remark in (remark for entry in chosen for remark in remarks_on(entry)):
        logging.getLogger(__name__).warning("%s", remark)
    return chosen, library
