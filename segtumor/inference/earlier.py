"""What an output folder holds before a run: what may not be written into, and the tables of an earlier run.

Not here: pictures (``overlay_files``) and unfinished runs (``journal``).
"""

import json
import logging
from pathlib import Path

from segtumor.errors import ConfigError
from segtumor.runtime.exported import MANIFEST

TABLES = ("summary.json", "predictions.json", "findings.csv")

logger = logging.getLogger(__name__)


def check_output(folder):
    """Refuse an output folder that holds a model.

    Raises:
        ConfigError: it is an exported model or a training run.
    """
    folder, kind = Path(folder), None
    if (folder / MANIFEST).exists():
        kind = "an exported model"
    elif (folder / "config.yaml").exists() and any(folder.glob("model_*.pth")):
        kind = "a training run"
    if kind:
        raise ConfigError(f"the folder holds {kind}", where=folder, remedy="Choose another --output")


def read_summary(folder):
    """summary.json of an earlier run, a dict; None where there is none that segtumor wrote."""
    try:
        summary = json.loads((Path(folder) / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return summary if isinstance(summary, dict) and "segtumor_version" in summary else None


def remove_tables(folder, *, asked):
    """Remove the tables of an earlier run, which would lie beside the pictures of another if this one were killed.

    Args:
        folder: Path.
        asked: whether the user asked for it; otherwise it is said.
    """
    summary = read_summary(folder)
    if summary is None:
        return
    if not asked:
        inputs = summary.get("inputs")
        number = len(inputs) if isinstance(inputs, list) else 0
        results = "1 result" if number == 1 else f"{number} results"
        logger.warning("replacing the %s of an earlier run in %s", results, folder)
    for name in TABLES:
        (folder / name).unlink(missing_ok=True)
