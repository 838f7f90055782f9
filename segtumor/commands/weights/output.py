"""The file that a command writes weights to."""

from pathlib import Path

from segtumor.errors import ConfigError


def new_weights(name: str, *, overwrite: bool, where: str) -> Path:
    """The path of a name, refused by ConfigError unless it ends in .pth and is free or may be replaced."""
    output = Path(name)
    if output.suffix != ".pth":
        raise ConfigError("not a name for weights", where=where, got=output.name, expected="NAME.pth")
    if output.exists() and not overwrite:
        raise ConfigError("is there already", where=output, remedy="Add --overwrite to replace it")
    return output
