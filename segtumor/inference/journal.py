"""infer.journal.jsonl: what a run has done so far, one line for each input, so that a run can go on.

The first line says what the run was asked to do and with which model; a line at the end, that it came to its end. In
memory are only names and positions in the file, whatever was found. Private to segtumor: the tables are for everybody
else.
"""

import contextlib
import hashlib
import json
import logging
import os
import time
from pathlib import Path

import segtumor
from segtumor.errors import ConfigError
from segtumor.files import output_errors
from segtumor.inference.inputs import file_identity, input_keys
from segtumor.reporting.findings_files import STATUS_OK, InferenceOutcome
from segtumor.structures.lesions import Finding

JOURNAL_NAME = "infer.journal.jsonl"
SCHEMA_VERSION = 2
_SHA256_DIGITS, _SHOWN_DIGITS, _LONGEST_SHOWN = 64, 12, 40
_SECONDS_BETWEEN_SYNCS = 5
#: The last line of a run that came to its end; one that goes on removes it.
_FINISHED = {"finished": True}
#: Places, not what lies there: a model may be named by another path when a run is continued.
_PLACES = {"model": ("weights", "folder")}
#: Fields of InferenceOutcome that a line holds as they are, and what else it holds.
_PLAIN = ("size_hw", "status", "reason", "seconds", "spacing_mm", "spacing_source", "overlay", "note")
_KEYS = {"name", "key", "file", *_PLAIN, "findings"}

logger = logging.getLogger(__name__)


def make_header(*, settings, model, paths):
    """The journal's first line, a dict. ``settings`` and ``model`` must be the same for a run to be continued."""
    names = "\n".join(map(input_keys(), paths)).encode("utf-8", "surrogateescape")
    header = {
        "schema_version": SCHEMA_VERSION,
        "segtumor_version": segtumor.__version__,
        "settings": settings,
        "model": model,
        "inputs": {"count": len(paths), "sha256": hashlib.sha256(names).hexdigest()},
    }
    return json.loads(json.dumps(header))  # as it will be read: tuples are lists


def check_unfinished(folder, *, continued, overwrite):
    """Refuse a folder with an unfinished run that is neither to be continued nor to be replaced.

    Raises:
        ConfigError: says what to type.
    """
    if continued and overwrite:
        raise ConfigError("--continue and --overwrite exclude each other")
    if not (continued or overwrite) and _is_unfinished(Path(folder) / JOURNAL_NAME):
        raise ConfigError(
            "the folder holds an unfinished run",
            where=folder,
            remedy="Go on with --continue, start again with --overwrite, or choose another --output",
        )


class Journal:
    """A journal being written. Use as a context manager.

    Args:
        path: the file.
        header: from ``make_header``.
        continued: whether to go on with a journal that is there; else it is replaced.

    Raises:
        ConfigError: the journal is of another version, model or other settings.
        OutputError: it cannot be written.
    """

    def __init__(self, path, header, *, continued):
        self._path, self._positions, self._overlays = Path(path), {}, {}
        self._key_of, self._synced = input_keys(), time.monotonic()
        with output_errors(self._path):
            if continued and self._path.exists():
                self._file = open(self._path, "r+b")  # noqa: SIM115 - closed by ``close``
                self._read(header)
            else:
                self._file = open(self._path, "w+b")  # noqa: SIM115
                self._write(header)
                os.fsync(self._file.fileno())

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    @property
    def overlays(self):
        """{key: overlay} of what is done."""
        return dict(self._overlays)

    def key_of(self, path):
        """What the journal knows an input by, however its folder is typed."""
        return self._key_of(path)

    def is_done(self, path):
        """Whether an input was finished without a failure, and its file has not changed since (it may be gone)."""
        position = self._positions.get(self._key_of(path))
        if position is None:
            return False
        entry = self._entry(position)
        return entry["status"] == STATUS_OK and file_identity(path) in (None, entry["file"])

    def append(self, outcome, identity):
        """Write one outcome; an earlier one of the same input no longer counts.

        Args:
            outcome: InferenceOutcome.
            identity: ``inputs.file_identity`` of its file, taken before it was read.
        """
        with output_errors(self._path):
            self._file.seek(0, os.SEEK_END)
            position = self._file.tell()
            key = self._key_of(outcome.file_name)
            self._write(_line(outcome, key, identity))
            if time.monotonic() - self._synced > _SECONDS_BETWEEN_SYNCS:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        self._remember(key, position, outcome.overlay)

    def outcome(self, path):
        """The latest InferenceOutcome of an input, under the name that it has now, or None."""
        position = self._positions.get(self._key_of(path))
        return None if position is None else _outcome({**self._entry(position), "name": str(path)})

    def others(self, paths):
        """Iterator of the outcomes of all other inputs, in the order in which they were first done."""
        named = set(map(self._key_of, paths))
        for position in [position for key, position in self._positions.items() if key not in named]:
            yield _outcome(self._entry(position))

    def close(self):
        """Close the file and leave it where it is."""
        self._file.close()

    def finish(self):
        """Note that the run came to its end; it may be continued all the same, with other inputs."""
        with output_errors(self._path):
            self._file.seek(0, os.SEEK_END)
            self._write(_FINISHED)
            os.fsync(self._file.fileno())

    def _remember(self, key, position, overlay):
        self._positions[key] = position
        self._overlays.pop(key, None)
        if overlay:
            self._overlays[key] = overlay

    def _write(self, value):
        self._file.write(_encoded(value))
        self._file.flush()

    def _entry(self, position):
        self._file.seek(position)
        return json.loads(self._file.readline())

    def _read(self, header):
        _check_header(_parsed(self._file.readline()), header, self._path)
        position = self._file.tell()
        for line in iter(self._file.readline, b""):
            entry = _parsed(line)
            if _is_outcome(entry):
                self._remember(entry["key"], position, entry["overlay"])
            elif entry == _FINISHED or not line.endswith(b"\n"):
                self._file.truncate(position)  # no longer finished, or killed while it wrote
                break
            else:
                logger.warning("%s: a damaged line is left out, its input is done again", self._path)
            position = self._file.tell()
        logger.info("continuing: %d inputs are in %s", len(self._positions), self._path.name)


def overlays_in(path):
    """Names of the overlays that a journal lists; nothing where there is none that can be read."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        entries = [_parsed(line) for line in file]
        return [entry["overlay"] for entry in entries if _is_outcome(entry) and entry["overlay"]]
    return []


def _is_unfinished(path):
    if not path.is_file():
        return False
    last = _encoded(_FINISHED)
    with output_errors(path), open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(last)))
        return file.read() != last


def _encoded(value):
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _parsed(line):
    """A line's dict, or None where it is damaged or cut off."""
    if not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _is_outcome(entry):
    """Whether a parsed line is one that ``_line`` wrote, as far as its keys tell."""
    return entry is not None and entry.keys() >= _KEYS and isinstance(entry["key"], str)


def _check_header(found, wanted, path):
    remedy = "Start again with --overwrite, or choose another --output"
    if found is None or found.get("schema_version") != SCHEMA_VERSION:
        raise ConfigError("not a journal of this version, it cannot be continued", where=path, remedy=remedy)
    differing = _differing(found, wanted)
    if differing:
        raise ConfigError(
            f"the run was begun otherwise, it cannot be continued: {'; '.join(differing)}", where=path, remedy=remedy
        )
    if found.get("inputs") != wanted["inputs"]:
        logger.info("the list of inputs has changed since the run was begun; of those not named, what is done stays")


def _differing(found, wanted):
    """Sentences on what is not the same in two headers."""
    pairs = [("segtumor_version", found.get("segtumor_version"), wanted["segtumor_version"])]
    for part in ("settings", "model"):
        before, now = _flat(found.get(part) or {}), _flat(wanted[part])
        keys = [key for key in {**now, **before} if key not in _PLACES.get(part, ())]
        pairs += [(f"{part}.{key}", before.get(key), now.get(key)) for key in keys]
    return [f"{name} was {_short(before)}, is {_short(now)}" for name, before, now in pairs if before != now]


def _flat(values):
    """{"a": {"b": 1}} -> {"a.b": 1}, so that of settings that differ only those are named."""
    flat = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{inner}": found for inner, found in _flat(value).items()})
        else:
            flat[key] = value
    return flat


def _short(value):
    text = str(value)
    longest = _SHOWN_DIGITS if len(text) == _SHA256_DIGITS and text.isalnum() else _LONGEST_SHOWN
    return text if len(text) <= longest else f"{text[:longest]}..."


def _line(outcome, key, identity):
    return {
        "name": outcome.file_name,
        "key": key,
        "file": identity,
        **{name: getattr(outcome, name) for name in _PLAIN},
        "findings": [_finding_entry(finding) for finding in outcome.findings],
    }


def _finding_entry(finding):
    box, probabilities = (list(map(float, values)) for values in (finding.box_xyxy, finding.probabilities))
    return [int(finding.class_id), float(finding.score), box, _plain(finding.rle), probabilities]


def _outcome(entry):
    return InferenceOutcome(
        entry["name"],
        _tuple(entry["size_hw"]),
        tuple(Finding(c, score, tuple(box), rle, tuple(p)) for c, score, box, rle, p in entry["findings"]),
        status=entry["status"],
        reason=entry["reason"],
        seconds=entry["seconds"],
        spacing_mm=_tuple(entry["spacing_mm"]),
        spacing_source=entry["spacing_source"],
        overlay=entry["overlay"],
        note=entry["note"],
    )


def _plain(rle):
    if rle is None:
        return None
    counts = rle["counts"]
    return {"size": list(map(int, rle["size"])), "counts": counts.decode() if isinstance(counts, bytes) else counts}


def _tuple(values):
    return None if values is None else tuple(values)
