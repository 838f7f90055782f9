"""What is kept beside YOLO label files: class names (``data.yaml``, ``classes.txt``, ``obj.names``), lists of images.

Not here: the label files themselves (``lines``). YAML is read without building objects, and without aliases, with which
a few lines can stand for gigabytes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from segtumor.errors import DataError
from segtumor.formats.sources.encodings import read_text
from segtumor.formats.sources.files import files_below

NAME_FILES = ("classes.txt", "class_names.txt", "obj.names")
_YAML_SUFFIXES = (".yaml", ".yml")
_MAX_BYTES = 2**20
_MAX_CLASSES = 10_000


@dataclass(frozen=True)
class YoloNames:
    """Class names by number; {part: folders or list files, as in the yaml}; numbers of key points after each box."""

    names: Mapping[int, str]
    file: Path
    folders: Mapping[str, Sequence[str]] = field(default_factory=dict)
    key_points: int = 0


def find_names(source: Path) -> YoloNames | None:
    """Class names of a data set; None if there are none. Raises DataError for unreadable files, or several that differ.

    Looked for in ``source`` (a folder, or the yaml itself), below it, and beside it if it is called labels. A yaml wins
    over a plain list.
    """
    if source.is_file():
        return read_yaml(source)
    for folder in (source, source.parent) if source.name.lower() == "labels" else (source,):
        yamls = [path for path in sorted(folder.glob("[!.]*")) if path.suffix.lower() in _YAML_SUFFIXES]
        found = [names for names in map(read_yaml, yamls) if names is not None]
        lists = [folder / name for name in NAME_FILES if (folder / name).is_file()]
        if not found and not lists and folder == source:
            lists = [path for path in files_below(folder, (".txt", ".names")) if path.name.lower() in NAME_FILES]
        found = found or [_read_list(path) for path in lists]
        if any(names.names != found[0].names for names in found):
            files = ", ".join(names.file.name for names in found)
            raise DataError("several lists of class names, which differ", where=source, got=files, remedy="Keep one")
        if found:
            return found[0]
    return None


def read_yaml(path: Path) -> YoloNames | None:
    """Class names in a yaml file, None if it has no ``names``; raises DataError also for aliases and tags."""
    value = _load_yaml(path)
    if not isinstance(value, dict) or "names" not in value:
        return None
    names = value["names"]
    names = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(names, dict) or not all(type(number) is int and number >= 0 for number in names):
        raise DataError("names is neither a list nor {number: name}", where=path)
    if len(names) > _MAX_CLASSES or not all(type(name) in (str, int, float) for name in names.values()):
        raise DataError("names holds something that is not a name", where=path, expected="texts")
    folders = {part: _texts(value.get(part)) for part in ("train", "val", "test") if value.get(part)}
    named = {number: str(name) for number, name in sorted(names.items())}
    return YoloNames(named, path, folders, _key_points(value.get("kpt_shape"), path))


def part_by_yaml(image_path: Path, folders: Mapping[str, Sequence[str]]) -> str | None:
    """The one part whose folder in the yaml, which is never opened, is in the path of the image; else None."""
    own = PurePosixPath(image_path.as_posix()).parts[:-1]
    found = set()
    for part, written in folders.items():
        for text in written:
            wanted = tuple(p for p in PurePosixPath(text.replace("\\", "/")).parts if p not in (".", "..", "/"))
            if wanted and not text.endswith(".txt") and own[-len(wanted) :] == wanted:
                found.add(part)
    return found.pop() if len(found) == 1 else None


def _key_points(shape: Any, path: Path) -> int:
    """How many numbers ``kpt_shape: [number of points, 2 or 3]`` stands for; 0 without it."""
    if shape is None:
        return 0
    is_pair = isinstance(shape, list) and [type(n) for n in shape] == [int, int]
    if not is_pair or shape[0] < 0 or shape[1] not in (2, 3):
        got, expected = f"{shape!r:.40}", "[number of key points, 2 or 3]"
        raise DataError("kpt_shape cannot be read", where=path, got=got, expected=expected)
    return int(shape[0] * shape[1])


def _load_yaml(path: Path) -> Any:
    import yaml

    text = read_text(path, max_bytes=_MAX_BYTES)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise DataError("YAML with aliases is refused", where=path, remedy="Write the names out")
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:  # ValueError: an impossible date
        what = (str(error).splitlines() or [""])[0][:120]
        raise DataError(f"not readable as YAML: {what}", where=path) from error


def _read_list(path: Path) -> YoloNames:
    lines = [line.strip() for line in read_text(path, max_bytes=_MAX_BYTES).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if "" in lines or len(lines) > _MAX_CLASSES:
        raise DataError("a line of the class names is empty", where=path, expected="one name a line")
    return YoloNames(dict(enumerate(lines)), path)


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [re.sub(r"/+$", "", text) for text in values if isinstance(text, str)]
