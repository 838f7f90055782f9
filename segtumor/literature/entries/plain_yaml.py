"""YAML as plain values only: no aliases, no repeated keys, limits on size and depth.

Every refusal is a ``DataError`` that names the file. Not here: what the values mean (``reading``).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from segtumor.errors import DataError
from segtumor.files import open_ordinary

MAX_BYTES = 500_000
MAX_DEPTH = 12


def read_yaml(path: Path) -> Any:
    """The values of a YAML file.

    Raises:
        DataError: unreadable, too large, or not plain YAML.
    """
    try:
        with open_ordinary(path) as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("cannot be read", where=path, got=error) from error
    if len(data) > MAX_BYTES:
        raise DataError("is too large for an entry", where=path, expected=f"at most {MAX_BYTES} bytes")
    try:
        _refuse_tricks(path, text)
        return yaml.load(text, Loader=_PlainLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise DataError("is not plain YAML", where=path, got=_complaint(error)) from error


def _complaint(error: yaml.YAMLError | ValueError) -> str:
    """What the parser says, with the line where the trouble began, which is where to look."""
    mark = (error.context_mark or error.problem_mark) if isinstance(error, yaml.MarkedYAMLError) else None
    if not isinstance(error, yaml.MarkedYAMLError) or mark is None:
        return " ".join(str(error).split())
    words = ", ".join(text for text in (error.context, error.problem) if text)
    missing = " (a colon, or the space behind it, is missing?)" if "':'" in words else ""
    return f"line {mark.line + 1}, column {mark.column + 1}: {words}{missing}"


if TYPE_CHECKING:
    _SafeLoader = yaml.SafeLoader
else:
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML was built with it


class _PlainLoader(_SafeLoader):
    """YAML's plain values; a repeated key is refused, since the first would be lost in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if not all(isinstance(key, str) for key in keys) or len(set(keys)) < len(keys):
            raise yaml.constructor.ConstructorError(None, None, "a key is repeated or is not text", node.start_mark)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def _refuse_tricks(path: Path, text: str) -> None:
    """Aliases, which can make a small file huge, and nesting deeper than any entry needs."""
    depth = 0
    for event in yaml.parse(text, Loader=_PlainLoader):
        if isinstance(event, yaml.AliasEvent):
            raise DataError("holds an alias (*name)", where=path, remedy="Write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise DataError("is nested too deeply", where=path, expected=f"at most {MAX_DEPTH} levels")
