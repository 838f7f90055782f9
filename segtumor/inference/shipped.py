"""The models that come with segtumor, by name."""

from pathlib import Path

from segtumor.errors import ConfigError

#: Name -> folder of an export. None is shipped yet.
SHIPPED: dict[str, Path] = {}


def shipped_model(name: str) -> Path:
    """The folder of a shipped model.

    Raises:
        ConfigError: there is none of this name; those that there are, are named.
    """
    if name not in SHIPPED:
        known = f"one of {', '.join(SHIPPED)}" if SHIPPED else "segtumor ships no models yet"
        raise ConfigError(
            "no such folder, and no model of this name",
            where=name,
            expected=f"the folder of a training run or of an exported model ({known})",
            remedy="Check the path",
        )
    return SHIPPED[name]
