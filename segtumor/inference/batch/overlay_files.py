"""The overlays in an output folder: which are from an earlier run, and what must not be lost when they go."""

import os
from collections.abc import Iterable
from pathlib import Path

from segtumor.errors import ConfigError
from segtumor.inference.batch.earlier_output import read_summary
from segtumor.inference.batch.inputs import file_identity
from segtumor.inference.batch.journal import JOURNAL_NAME, overlays_in
from segtumor.runs import OVERLAYS


def check_inputs(paths: Iterable[str | Path], folder: str | Path) -> None:
    """Refuse inputs among the overlays of the output folder, which are removed or replaced.

    Raises:
        ConfigError: names the first of them.
    """
    overlays = os.path.realpath(Path(folder) / OVERLAYS)
    for path in map(Path, paths):
        if file_identity(path) is None:  # what is not there cannot be lost
            continue
        # A link and what it leads to: either may lie there.
        if overlays in (os.path.dirname(os.path.realpath(path)), os.path.realpath(path.parent)):
            remedy = "Choose another --output, or copy the picture elsewhere"
            raise ConfigError("the input is among the overlays of --output", where=path, remedy=remedy)


def known_overlays(folder: str | Path) -> set[str]:
    """Names of the overlays that the tables and the journal in an output folder list, a set."""
    try:
        inputs = (read_summary(folder) or {})["inputs"]
        names = [entry["overlay"] for entry in inputs if isinstance(entry["overlay"], str)]
    except (KeyError, TypeError):  # no summary, or not one of ours
        names = []
    return {name for name in (*names, *overlays_in(Path(folder) / JOURNAL_NAME)) if name}


def remove_overlays(folder: str | Path, names: Iterable[str]) -> None:
    """Remove these and no other files."""
    for name in names:
        (Path(folder) / OVERLAYS / Path(name).name).unlink(missing_ok=True)


def other_pictures(folder: str | Path, known: Iterable[str]) -> set[str]:
    """Names of what lies among the overlays and is none of the ``known`` ones, a set: such names are taken."""
    overlays = Path(folder) / OVERLAYS
    return {path.name for path in overlays.iterdir()} - set(known) if overlays.is_dir() else set()
