"""Which models there are, by name: those in the package, and those that a user fetched.

A fetched model of the name of a shipped one does not replace it: a name means one model on every machine.
"""

import os
from pathlib import Path

from segtumor.errors import ConfigError, ModelError
from segtumor.runs import EXPORT
from segtumor.shipped.entry import CONFIGURATION, ENTRY, EXPORTED, Entry, read_entry

#: The model that is meant where none is named.
DEFAULT = "btxrd-lite"
#: The folder that fetched models are kept in, in place of the user's cache.
FOLDER_VARIABLE = "SEGTUMOR_MODELS"
_IN_PACKAGE = Path(__file__).parent / "models"


def fetched_folder() -> Path:
    """Where fetched models are kept: ``$SEGTUMOR_MODELS``, else ``segtumor/models`` in the user's cache."""
    named = os.environ.get(FOLDER_VARIABLE)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named) if named else Path(cache) / "segtumor" / "models"


def model_folders() -> dict[str, Path]:
    """{name: folder} of every model, shipped ones first; its files are not looked at."""
    found: dict[str, Path] = {}
    for root in (_IN_PACKAGE, fetched_folder()):
        for path in sorted(root.glob(f"*/{ENTRY}")):
            found.setdefault(path.parent.name, path.parent)
    return found


def find_model(name: str) -> Entry:
    """The model of a name.

    Raises:
        ConfigError: there is none of this name; those that there are, are named.
        ModelError: as ``read_entry``, or the entry is of another name.
    """
    folders = model_folders()
    if name not in folders:
        known = f"one of {', '.join(folders)}" if folders else "there are none"
        raise ConfigError(
            "no such folder, and no model of this name",
            where=name,
            expected=f"the folder of a training run or of an exported model, or the name of a model ({known})",
            remedy="Check the path; `segtumor models` lists the names",
        )
    entry = read_entry(folders[name])
    if entry.name != name:
        remedy = f"Name the folder {entry.name}, or register or fetch the model again"
        raise ModelError("name is not its folder's", where=folders[name] / ENTRY, got=entry.name, remedy=remedy)
    return entry


def model_folder(path_or_name: str | Path | None = None) -> Path:
    """The folder of a model to read radiographs with.

    Args:
        path_or_name: a folder, which is returned as it is unless it is that of a model with its entry; else the name
            of a model. The export of either is verified. None for the default model.

    Raises:
        ConfigError, ModelError: as ``find_model``.
    """
    if path_or_name is not None and Path(path_or_name).exists():
        folder = Path(path_or_name)
        return _verified_export(read_entry(folder)) if _is_registered(folder) else folder
    if path_or_name is None and DEFAULT not in model_folders():
        raise ConfigError("no model is named, and none comes with this segtumor", remedy="Add --run DIR")
    return _verified_export(find_model(str(path_or_name or DEFAULT)))


def starting_weights(path_or_name: str | Path) -> Path:
    """Weights to start a training from: a file of that path, or the export in that folder, else those of the model in
    that folder or of that name, verified.

    Returns:
        The path as it was given if it is neither: whoever reads it says so.
    """
    path = Path(path_or_name)
    if (path / EXPORT).is_file():
        return path / EXPORT
    if _is_registered(path):
        entry = read_entry(path)
    elif path.exists() or str(path_or_name) not in model_folders():
        return path
    else:
        entry = find_model(str(path_or_name))
    return entry.verified(EXPORTED, CONFIGURATION) / EXPORTED / EXPORT


def _is_registered(folder: Path) -> bool:
    """Whether a model lies there with its entry; other programs write files of the entry's name too."""
    return (folder / ENTRY).is_file() and (folder / EXPORTED).is_dir()


def _verified_export(entry: Entry) -> Path:
    return entry.verified(EXPORTED) / EXPORTED
