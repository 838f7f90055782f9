"""A configuration file and those that it builds on, as plain settings; nothing but files of this machine is opened.

A configuration may come with a run folder that somebody handed over. It is read as data: no tag of YAML runs code, no
address is followed, and neither nesting nor references nor a chain of ``_BASE_`` takes more than its share of memory.
Not here: which keys there are (``config``), and which values are right (``values``).
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from segtumor.errors import ConfigError
from segtumor.settings.shipped import configuration_file, shipped_configurations

BASE = "_BASE_"
_MAX_BYTES, _MAX_VALUES, _MAX_FILES = 200_000, 50_000, 32
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/?/")


def is_address(text: str) -> bool:
    """Whether a text is an address such as http://..., s3://... or detectron2://..., and no path of this machine."""
    return _ADDRESS.match(text.strip()) is not None


def read_settings(path: str | Path) -> list[tuple[Path, dict[str, Any]]]:
    """[(file, {key: value or further keys})], the file that all others build on first.

    Args:
        path: YAML file, or the name of a shipped one; its ``_BASE_``, if it has one, is a path, relative to the file,
            or a shipped one's name.

    Raises:
        ConfigError: a file is missing, too large, not YAML or no mapping, has a key twice, or builds on something that
            is not a file of this machine, on itself, or on too many files.
    """
    path = configuration_file(path)
    found: list[tuple[Path, dict[str, Any]]] = []
    seen: list[str] = []
    while True:
        identity = os.path.realpath(path)
        if identity in seen:
            names = " -> ".join(str(file) for file, _ in [*reversed(found), (path, None)])
            raise ConfigError("the configuration builds on itself", where=f"{path}, {BASE}", got=names)
        if len(seen) == _MAX_FILES:
            expected = f"at most {_MAX_FILES}"
            raise ConfigError("too many files build on one another", where=f"{path}, {BASE}", expected=expected)
        seen.append(identity)
        settings = _read(path)
        base = settings.pop(BASE, _NONE)
        found.insert(0, (path, settings))
        if base is _NONE:
            return found
        path = _base_path(path, base)


_NONE = object()


def _base_path(path: Path, base: Any) -> Path:
    where, expected = f"{path}, {BASE}", "the path of a file on this machine, relative to this file"
    if not isinstance(base, str) or not base.strip():
        raise ConfigError("wrong value", where=where, got=f"{base!s:.100}", expected=expected)
    if is_address(base):
        what = "wrong value: an address, which is not opened"
        remedy = "Save that file on this machine and name its path"
        raise ConfigError(what, where=where, got=f"{base!s:.100}", expected=expected, remedy=remedy)
    target = path.parent / os.path.expanduser(base)
    if not os.path.lexists(target):
        target = shipped_configurations().get(base, target)
    if not os.path.isfile(target):  # an impossible or overlong name is not a file either
        what = f"wrong value: {'not a file' if os.path.exists(target) else 'no such file'}"
        raise ConfigError(what, where=where, got=f"{base!s:.100}", expected=expected)
    return target


def _read(path: Path) -> dict[str, Any]:
    if not os.path.isfile(path):
        what = "not a file" if os.path.exists(path) else "no such configuration file"
        raise ConfigError(what, where=path, remedy=f"Name a file, or one of {', '.join(shipped_configurations())}")
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise ConfigError("too large for a configuration", where=path, expected=f"at most {_MAX_BYTES} bytes")
        settings = yaml.load(data, _Loader)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=path) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: numbers and dates that there are not
        reason = " ".join(str(error).split())
        raise ConfigError(f"not a YAML configuration: {reason:.300}", where=path) from error
    except RecursionError:
        raise ConfigError("not a YAML configuration: nested too deep", where=path) from None
    if not isinstance(settings, dict):
        start = data[:40].decode("utf-8", "replace").strip()
        got = "nothing" if settings is None else f"{type(settings).__name__} {start!r}"
        raise ConfigError("not a YAML configuration", where=path, got=got, expected="lines of the form KEY: value")
    _check_size(settings, path)
    return settings


def _check_size(settings: Mapping[str, Any], path: Path) -> None:
    """Refuse references that unfold to more than memory holds, and keys that are not text."""
    waiting: list[Any] = [settings]
    count = 0
    while waiting:
        value = waiting.pop()
        count += 1
        if count > _MAX_VALUES:
            raise ConfigError(
                "not a YAML configuration: too many values", where=path, expected=f"at most {_MAX_VALUES}"
            )
        if isinstance(value, dict):
            for key in value:
                if not isinstance(key, str):
                    raise ConfigError("a key is not a text", where=path, got=f"{key!s:.100}")
            waiting.extend(value.values())
        elif isinstance(value, (list, tuple, set)):
            waiting.extend(value)


class _Loader(yaml.SafeLoader):
    """YAML as data; duplicate keys are refused, since it is unclear which one counts."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node, seen = super().compose_mapping_node(anchor), set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                line = key.start_mark.line + 1
                raise yaml.YAMLError(f"duplicate key {key.value:.60} in line {line}")
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return node
