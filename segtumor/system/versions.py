"""Versions of everything that can change a number, for whoever wants to repeat it: the one writer of provenance."""

import importlib.metadata
import importlib.util
import platform
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import segtumor

_GIT_TIMEOUT_S = 5


def versions(names: Iterable[str]) -> dict[str, str | None]:
    """{name: version}, in the order of the names; None for what is not installed.

    Args:
        names: packages as the index names them, and "segtumor", "python", "detectron2" (by whatever package it came)
            and "git": the commit that segtumor runs from, None outside a repository.
    """
    special = {
        "segtumor": lambda: segtumor.__version__,
        "python": platform.python_version,
        "detectron2": detectron2_version,
        "git": _git_commit,
    }
    return {name: special[name]() if name in special else package_version(name) for name in names}


def package_version(name: str) -> str | None:
    """Version of an installed package; None if it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def detectron2_version() -> str | None:
    """Version of the installed Detectron2 as text, read without importing it; None if there is none."""
    spec = importlib.util.find_spec("detectron2")
    if spec is None or not spec.origin:
        return None
    found = re.search(r"__version__ = [\"']([^\"']+)", Path(spec.origin).read_text(encoding="utf-8"))
    return found.group(1) if found else "unknown"


def _git_commit() -> str | None:
    here = Path(__file__).resolve().parent
    command = ["git", "-C", str(here), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None
