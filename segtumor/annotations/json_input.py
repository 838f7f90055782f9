"""JSON from outside: bytes to values, without what Python's reader lets pass.

Refused: other encodings than UTF-8 (with or without a byte order mark), files too large or nested too deeply for the
machine, duplicate keys in one object. NaN and Infinity, which JSON lacks but Python reads and writes, are read
and left to the checks of each field. Not here: what the values mean, but for telling annotations from predictions,
which are easily given in each other's place.
"""

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segtumor.errors import DataError
from segtumor.files import open_ordinary
from segtumor.texts import some_of

#: A parsed annotation file takes about six times its size in memory.
MAX_BYTES = 4 * 2**30
_NAMED = 5
_OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_BEGINNING = 200  # characters looked at
_SAVE_AS_UTF8 = "Save it as UTF-8"


def read_bytes(path: Path | str, *, max_bytes: int = MAX_BYTES, remedy: str | None = None) -> bytes:
    """The bytes of a file; raises DataError if it is missing, no file, not readable or larger than ``max_bytes``."""
    path = Path(path)
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise DataError("is not a file", where=path, remedy=remedy)
        if size > max_bytes:
            got, limit = f"{size / 2**30:.1f} GiB", f"at most {max_bytes / 2**30:.1f} GiB"
            raise DataError("too large", where=path, got=got, expected=limit, remedy="Split it into several files")
        with open_ordinary(path) as file:
            return file.read()
    except OSError as error:
        raise DataError(f"the file cannot be read: {error.strerror}", where=path, remedy=remedy) from error


def parse_json(data: bytes | str, path: Path | str) -> Any:
    """Bytes -> the JSON value in them; raises DataError, naming ``path``, if they are not sound JSON."""
    value, repeated = parse_json_leniently(data, path)
    if repeated:
        names = some_of([f"{key!r:.60}{where}" for key, where in repeated], _NAMED)
        what = f"not readable as JSON: duplicate keys in one object: {names}"
        raise DataError(what, where=path, remedy="Remove one of the two; readers silently keep the last")
    return value


def parse_json_leniently(data: bytes | str, path: Path | str) -> tuple[Any, list[tuple[str, str]]]:
    """As ``parse_json``, but the last of repeated keys counts; they are returned: (key, " (id 17)" or "")."""
    repeated: list[tuple[str, str]] = []

    def make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            repeated.extend(_repeated_keys(pairs, made))
        return made

    try:
        with _no_garbage_collection():
            return json.loads(_as_utf8(data, path), object_pairs_hook=make_object), repeated
    except (ValueError, RecursionError) as error:
        _refuse_other_formats(data, path, error)
        what = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise DataError(f"not readable as JSON: {what}", where=path, remedy=_remedy(data, error)) from error


def _as_utf8(data: bytes | str, path: Path | str) -> str:
    if isinstance(data, str):
        return data
    if data.startswith(_OTHER_MARKS):
        raise DataError("not readable as JSON: it is UTF-16 or UTF-32", where=path, remedy=_SAVE_AS_UTF8)
    return str(data, "utf-8-sig")


def is_annotations(content: Any) -> bool:
    """Whether a JSON value looks like a COCO annotation file: images with an id, and annotations without a score."""
    return _lists_images(content, "id", "image_id") and not _is_scored(content.get("annotations"))


def is_predictions(content: Any) -> bool:
    """Whether a JSON value looks like segtumor's ``predictions.json`` or a COCO results list."""
    if isinstance(content, list):
        return _is_scored(content)
    if not isinstance(content, dict):
        return False
    return _lists_images(content, "image_id", "id") or ("schema_version" in content and not content.get("images"))


def _lists_images(content: Any, name: str, other_name: str) -> bool:
    """Whether an object has images, the first of which has one name for its id and not the other."""
    images = content.get("images") if isinstance(content, dict) else None
    first = images[0] if isinstance(images, list) and images else None
    return isinstance(first, dict) and name in first and other_name not in first


def _is_scored(items: Any) -> bool:
    return isinstance(items, list) and bool(items) and isinstance(items[0], dict) and "score" in items[0]


def _refuse_other_formats(data: bytes | str, path: Path | str, error: Exception) -> None:
    """Raise for what does not begin as an object or a list does: a table, say, is not JSON that was cut off."""
    text = data if isinstance(data, str) else str(data[:_BEGINNING], "utf-8-sig", errors="replace")
    text = text[:_BEGINNING].lstrip()
    if text and text[0] not in "{[":
        first = text.splitlines()[0]
        raise DataError("is not JSON", where=path, got=f"{first!r:.60}", expected="an object or a list") from error


def _remedy(data: bytes | str, error: Exception) -> str | None:
    if isinstance(error, UnicodeDecodeError):
        return _SAVE_AS_UTF8
    end = data[-200:].rstrip()
    complete = end.endswith((b"}", b"]")) if isinstance(end, bytes) else end.endswith(("}", "]"))
    return None if complete or not end else "It seems cut off: copy or export it again"


def _repeated_keys(pairs: list[tuple[str, Any]], made: dict[str, Any]) -> Iterator[tuple[str, str]]:
    where = f" (id {made['id']!r:.20})" if isinstance(made.get("id"), (int, str)) else ""
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            yield key, where
        seen.add(key)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """JSON makes no cycles; looking for them among millions of new lists took a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
