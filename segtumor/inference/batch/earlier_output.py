"""What an output folder holds before a run: what may not be written into, and what an earlier run wrote.

Not here: what an earlier run has done (``journal``).
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from segtumor.errors import ConfigError
from segtumor.files import open_ordinary
from segtumor.inference.batch.inputs import file_identity
from segtumor.inference.batch.journal import JOURNAL_NAME, made_in
from segtumor.runs import (
    CONFIG,
    DICOM_OBJECTS,
    EXPORT,
    FINDINGS,
    METRICS,
    OVERLAYS,
    PREDICTIONS,
    REPORT,
    RUN_RECORD,
    SIMILAR,
    SUMMARY,
)

TABLES = (SUMMARY, PREDICTIONS, FINDINGS)
_ALL_TABLES = (*TABLES, SIMILAR)
#: Folders of what is made of each input, and what lies there.
_MADE = {OVERLAYS: "an overlay", DICOM_OBJECTS: "a DICOM object"}
_ELSEWHERE = "Choose another --output"


def check_output(folder: str | Path, *, continued: bool, overwrite: bool) -> None:
    """Refuse what must not be done to an output folder; nothing that was found before goes without being asked for.

    Raises:
        ConfigError: it holds a model, tables of something else, or an earlier run that is neither to be continued nor
            to be replaced; or it cannot be continued, or both were asked for.
    """
    if continued and overwrite:
        raise ConfigError("--continue and --overwrite exclude each other")
    folder = Path(folder)
    kind = _model_in(folder)
    if kind:
        raise ConfigError(f"the folder holds {kind}", where=folder, remedy=_ELSEWHERE)
    _refuse_other_than_files(folder)
    has_journal, summary = os.path.lexists(folder / JOURNAL_NAME), read_summary(folder)
    if has_journal or summary is not None:
        _check_earlier_run(folder, has_journal, summary, continued=continued, overwrite=overwrite)
        return
    foreign = [name for name in _ALL_TABLES if os.path.lexists(folder / name)]
    if foreign:
        what = f"the folder holds {' and '.join(foreign)} of something else than infer.py"
        raise ConfigError(what, where=folder, remedy=_ELSEWHERE)


def _refuse_other_than_files(folder: Path) -> None:
    """A pipe would be waited for, and a folder not be replaced, which would only be noticed when all is done."""
    for name in (JOURNAL_NAME, *_ALL_TABLES):
        if os.path.lexists(folder / name) and not (folder / name).is_file():
            raise ConfigError("this is not an ordinary file", where=folder / name, remedy=_ELSEWHERE)


def _check_earlier_run(
    folder: Path, has_journal: bool, summary: Mapping[str, Any] | None, *, continued: bool, overwrite: bool
) -> None:
    if continued and not has_journal:
        what = f"results without {JOURNAL_NAME} cannot be continued"
        raise ConfigError(what, where=folder, remedy=f"{_ELSEWHERE}; --overwrite replaces them")
    if not (continued or overwrite):
        inputs = (summary or {}).get("inputs")
        number = len(inputs) if isinstance(inputs, list) else 0
        what = {0: "", 1: " with 1 result"}.get(number, f" with {number} results")
        raise ConfigError(
            f"the folder holds an earlier run{what}",
            where=folder,
            remedy="Go on with --continue, choose another --output, or replace it with --overwrite",
        )


def _model_in(folder: Path) -> str | None:
    if (folder / EXPORT).exists():
        return "an exported model"
    if (folder / CONFIG).exists() and any(folder.glob("model_*.pth")):
        return "a training run"
    return None


def what_infer_made(path: str | Path) -> str | None:
    """What a file is, "an overlay" or "a DICOM object", if it lies where infer puts these: they are no radiographs."""
    folder = Path(path).parent
    results, what = folder.parent, _MADE.get(folder.name)
    if what is None:
        return None
    is_ours = (results / JOURNAL_NAME).exists() or all((results / name).exists() for name in TABLES)
    return what if is_ours else None


def _several(what: str) -> str:
    """ "an overlay" -> "overlays"."""
    return f"{what.partition(' ')[2]}s"


def is_made(path: str | Path) -> bool:
    """Whether infer made a file out of a radiograph (``what_infer_made``)."""
    return what_infer_made(path) is not None


def kind_of_output(folder: Path) -> str | None:
    """What a folder holds that segtumor wrote, in a few words, None for any other: no radiographs lie there."""
    made = what_infer_made(folder / "x")
    if made is not None:
        return f"{_several(made)} of an earlier run"
    names = {"a training run": (CONFIG, RUN_RECORD), "an evaluation": (METRICS, REPORT)}
    return next((kind for kind, files in names.items() if all((folder / name).exists() for name in files)), None)


def read_summary(folder: str | Path) -> dict[str, Any] | None:
    """summary.json of an earlier run, a dict; None where there is none that segtumor wrote."""
    try:
        with open_ordinary(Path(folder) / SUMMARY) as file:
            summary = json.load(file)
    except (OSError, ValueError, RecursionError):
        return None
    return summary if isinstance(summary, dict) and "segtumor_version" in summary else None


def remove_tables(folder: Path) -> None:
    """Remove the tables of an earlier run, which would lie beside the pictures of another if this one were killed."""
    if read_summary(folder) is not None:
        for name in _ALL_TABLES:
            (folder / name).unlink(missing_ok=True)


def check_inputs(paths: Iterable[str | Path], folder: str | Path) -> None:
    """Refuse inputs among what is made in the output folder, which is removed or replaced, by ConfigError."""
    made = {os.path.realpath(Path(folder) / name): what for name, what in _MADE.items()}
    for path in map(Path, paths):
        if file_identity(path) is None:  # what is not there cannot be lost
            continue
        # A link and what it leads to: either may lie there.
        places = (os.path.dirname(os.path.realpath(path)), os.path.realpath(path.parent))
        what = next((made[place] for place in places if place in made), None)
        if what is not None:
            remedy = "Choose another --output, or copy the picture elsewhere"
            raise ConfigError(f"the input is among the {_several(what)} of --output", where=path, remedy=remedy)


def known_files(folder: str | Path) -> set[str]:
    """What the tables and the journal in an output folder list as made: "overlays/0.png", "dicom/ab_seg.dcm"."""
    try:
        inputs = (read_summary(folder) or {})["inputs"]
        listed = [name for entry in inputs for name in _listed(entry)]
    except (AttributeError, KeyError, TypeError):  # no summary, or not one of ours
        listed = []
    return {*listed, *made_in(Path(folder) / JOURNAL_NAME)}


def _listed(entry: Mapping[str, Any]) -> list[str]:
    """What one of "inputs" in summary.json names."""
    names = [(OVERLAYS, entry["overlay"]), *((DICOM_OBJECTS, name) for name in entry.get("dicom") or ())]
    return [f"{folder}/{name}" for folder, name in names if name and isinstance(name, str)]


def remove_made(folder: str | Path, names: Iterable[str]) -> None:
    """Remove these of ``known_files`` and no other files, whatever a damaged table says."""
    for name in map(Path, names):
        if name.parent.name in _MADE:
            (Path(folder) / name.parent.name / name.name).unlink(missing_ok=True)


def other_pictures(folder: str | Path, known: Iterable[str]) -> set[str]:
    """Names of what lies among the overlays and is none of the ``known`` files, a set: such names are taken."""
    overlays = Path(folder) / OVERLAYS
    found = {path.name for path in overlays.iterdir()} if overlays.is_dir() else set()
    return {name for name in found if f"{OVERLAYS}/{name}" not in set(known)}
