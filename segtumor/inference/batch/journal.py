"""infer.journal.jsonl: what a run was asked for and what it has done so far, so that it can go on.

The first line says with which model and settings; then a line for each input that it was asked for and a line for each
that was worked on. In memory are only names and positions in the file, whatever was found. Private to segtumor: the
tables are for everybody else. Not here: the form of a line (``journal_lines``).
"""

import contextlib
import json
import logging
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import segtumor
from segtumor.errors import ConfigError, OutputError
from segtumor.files import open_ordinary, output_errors, write_bytes
from segtumor.inference.batch.inputs import file_identity, input_keys
from segtumor.inference.batch.journal_lines import (
    Line,
    encoded,
    input_line,
    is_input,
    made_by,
    outcome_line,
    outcome_of,
    parsed,
)
from segtumor.settings.nested import leaves
from segtumor.structures.outcomes import STATUS_OK, InferenceOutcome

JOURNAL_NAME = "infer.journal.jsonl"
SCHEMA_VERSION = 5
_SHA256_DIGITS, _SHOWN_DIGITS, _LONGEST_SHOWN = 64, 12, 40
_SECONDS_BETWEEN_SYNCS = 5
#: Places, not what lies there: a model may be named by another path when a run is continued.
_PLACES = {"model": ("weights", "folder"), "settings": ("table.file",)}

logger = logging.getLogger(__name__)


def make_header(*, settings: Mapping[str, Any], model: Mapping[str, Any], class_names: Sequence[str]) -> Line:
    """The journal's first line, a dict. All of it must be the same for a run to be continued."""
    header = {
        "schema_version": SCHEMA_VERSION,
        "segtumor_version": segtumor.__version__,
        "settings": settings,
        "model": model,
        "class_names": class_names,
    }
    as_read: Line = json.loads(json.dumps(header))  # tuples are lists
    return as_read


class Journal:
    """A journal being written: a new one or, if ``continued``, the one that is there. Use as a context manager.

    Raises:
        ConfigError: the journal is of another version, model or other settings.
        OutputError: it cannot be written.
    """

    def __init__(self, path: str | Path, header: Line, *, continued: bool) -> None:
        self._path, self._class_names = Path(path), tuple(header["class_names"])
        self._key_of, self._synced = input_keys(), time.monotonic()
        self._names: dict[str, str] = {}  # these four by key
        self._positions: dict[str, int] = {}
        self._overlays: dict[str, str] = {}
        self._made: dict[str, list[str]] = {}
        self._outdated: set[str] = set()
        if not continued:
            write_bytes(self._path, encoded(header))
        with output_errors(self._path):
            open_ordinary(self._path).close()  # a pipe would be waited for
            self._file = open(self._path, "r+b")  # noqa: SIM115 - closed by ``close``
        try:
            self._read(header)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def overlays(self) -> dict[str, str]:
        """{key: overlay} of what is done."""
        return dict(self._overlays)

    @property
    def made(self) -> set[str]:
        """All that is done has in the output folder, as ``journal_lines.made_by``."""
        return {name for names in self._made.values() for name in names}

    def made_of(self, path: str | Path) -> list[str]:
        """What an input has in the output folder, likewise."""
        return self._made.get(self._key_of(path), [])

    def key_of(self, path: str | Path) -> str:
        """What the journal knows an input by, however its folder is typed."""
        return self._key_of(path)

    def add(self, paths: Iterable[str | Path]) -> None:
        """Note down inputs before any is worked on, so that none is forgotten if the run is stopped."""
        named = {self._key_of(path): str(path) for path in paths}
        new = {key: name for key, name in named.items() if self._names.get(key) != name}
        self._names.update(new)
        self._append(b"".join(encoded(input_line(key, name)) for key, name in new.items()))
        self._sync()

    def besides(self, paths: Iterable[str | Path]) -> list[Path]:
        """Inputs that the run was asked for but for these, a list of Path in the order in which they were named."""
        named = set(map(self._key_of, paths))
        return [Path(key) for key in self._names if key not in named]

    def is_done(self, path: str | Path) -> bool:
        """Whether an input was finished without a failure, and its file has not changed since (it may be gone).

        Findings of a file that has changed no longer count.
        """
        key = self._key_of(path)
        if key not in self._positions:
            return False
        entry = self._entry(key)
        if file_identity(path) not in (None, entry["file"]):
            self._outdated.add(key)
        return bool(entry["status"] == STATUS_OK) and key not in self._outdated

    def append(self, outcome: InferenceOutcome, identity: list[int] | None) -> None:
        """Write one outcome; an earlier one of the same input no longer counts. ``identity`` is
        ``inputs.file_identity`` of its file, taken before it was read.
        """
        key = self._key_of(outcome.file_name)
        line = outcome_line(outcome, key, identity)
        position = self._append(encoded(line))
        if time.monotonic() - self._synced > _SECONDS_BETWEEN_SYNCS:
            self._sync()
        self._remember(key, position, line)

    def outcome(self, path: str | Path) -> InferenceOutcome | None:
        """The latest InferenceOutcome of an input, under the name that it was last given; None if there is none."""
        key = self._key_of(path)
        if key not in self._positions or key in self._outdated:
            return None
        return outcome_of({**self._entry(key), "name": self.name_of(path)}, self._class_names)

    def name_of(self, path: str | Path) -> str:
        """The name that an input was last given."""
        return self._names.get(self._key_of(path), str(path))

    def close(self) -> None:
        """Close the file and leave it where it is."""
        with output_errors(self._path):
            self._file.close()

    def _remember(self, key: str, position: int, entry: Line) -> None:
        self._positions[key], self._made[key] = position, made_by(entry)
        self._outdated.discard(key)
        self._overlays.pop(key, None)
        if entry["overlay"]:
            self._overlays[key] = entry["overlay"]

    def _append(self, data: bytes) -> int:
        """Write lines to the end; returns where they begin."""
        with output_errors(self._path):
            position = self._file.seek(0, os.SEEK_END)
            self._file.write(data)
            self._file.flush()
        return position

    def _sync(self) -> None:
        with output_errors(self._path):
            os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def _entry(self, key: str) -> Line:
        with output_errors(self._path):  # what could not be written before is tried again here
            self._file.seek(self._positions[key])
            entry = parsed(self._file.readline())
        if entry is None:
            raise OutputError("the journal was changed while the run went on", where=self._path)
        return entry

    def _read(self, header: Line) -> None:
        _check_header(self._file.readline(), header, self._path)
        position, damaged = self._file.tell(), 0
        for line in iter(self._file.readline, b""):
            entry = parsed(line)
            if is_input(entry):
                self._names[entry["key"]] = entry["name"]
            elif entry and outcome_of(entry, self._class_names):
                self._names.setdefault(entry["key"], entry["name"])  # the line that named it may be damaged
                self._remember(entry["key"], position, entry)
            elif line.endswith(b"\n"):
                damaged += 1
            else:
                self._file.truncate(position)  # the end of a run that was killed while it wrote
                break
            position = self._file.tell()
        if damaged:
            lines = "a damaged line is" if damaged == 1 else f"{damaged} damaged lines are"
            logger.warning("%s: %s left out; name all inputs, what has no result is done again", self._path, lines)
        if self._names:
            logger.info("continuing: %d of %d inputs are in %s", len(self._positions), len(self._names), self._path)


def made_in(path: str | Path) -> list[str]:
    """The pictures and objects that a journal lists, as ``made_by``; nothing where there is none that can be read."""
    with contextlib.suppress(OSError), open_ordinary(path) as file:
        return [name for line in file for name in made_by(parsed(line))]
    return []


def _check_header(line: bytes, wanted: Line, path: Path) -> None:
    remedy, found = "Choose another --output; --overwrite replaces what is there", parsed(line)
    if found is None or found.get("schema_version") != SCHEMA_VERSION:
        what = "the first line is damaged, or of another version of segtumor: it cannot be continued"
        raise ConfigError(what, where=path, remedy=remedy)
    differing = _differing(found, wanted)
    if differing:
        raise ConfigError(
            f"this run was started with different settings, it cannot be continued: {'; '.join(differing)}",
            where=path,
            remedy=remedy,
        )


def _differing(found: Line, wanted: Line) -> list[str]:
    """Sentences on what is not the same in two headers."""
    pairs = [(name, found.get(name), wanted[name]) for name in ("segtumor_version", "class_names")]
    for part in ("settings", "model"):
        before, now = dict(leaves(found[part])), dict(leaves(wanted[part]))
        keys = [key for key in {**now, **before} if key not in _PLACES.get(part, ())]
        pairs += [(f"{part}.{key}", before.get(key), now.get(key)) for key in keys]
    return [f"{name} was {_short(before)}, is {_short(now)}" for name, before, now in pairs if before != now]


def _short(value: Any) -> str:
    text = str(value)
    longest = _SHOWN_DIGITS if len(text) == _SHA256_DIGITS and text.isalnum() else _LONGEST_SHOWN
    return text if len(text) <= longest else f"{text[:longest]}..."
