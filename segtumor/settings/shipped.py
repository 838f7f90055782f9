"""The configurations that come with segtumor: ``configs/`` of the repository, which an installed package holds too."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def shipped_folder() -> Path:
    """The folder of the shipped configurations: inside an installed package, beside the package in a clone."""
    inside = _PACKAGE / "configs"
    return inside if inside.is_dir() else _PACKAGE.parent / "configs"


def shipped_configurations() -> dict[str, Path]:
    """{file name: path} of the shipped configurations, in alphabetical order."""
    return {path.name: path for path in sorted(shipped_folder().glob("*.yaml"))}


def configuration_file(name: str | Path) -> Path:
    """The file that a name means: a file of that path, else the shipped configuration of that name.

    Args:
        name: a path, or the name of a shipped configuration, with or without ``configs/`` and ``.yaml``.

    Returns:
        The path as it was given if nothing is there: whoever reads it says so.
    """
    path = Path(name)
    is_shipped_name = path.parent in (Path(), Path("configs"))
    if os.path.isfile(path) or not is_shipped_name:
        return path
    shipped = shipped_configurations()
    return shipped.get(path.name) or shipped.get(f"{path.name}.yaml") or path
