"""What the registry says of a model: ``model.json`` in the model's folder, checked field by field.

    model.json   config.yaml   export/   card.md

Not here: where the folders lie (``registry``), and the format of the export (``runtime.exported``).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from segtumor.errors import ModelError
from segtumor.files import is_inside, read_ordinary, sha256_of_file
from segtumor.runtime.fields import Fields, Reads, Rule, Several, WrongFieldError

ENTRY, EXPORTED, CONFIGURATION, CARD = "model.json", "export", "config.yaml", "card.md"
SCHEMA_VERSION = 2
#: Field of ``model.json``: ``hash_of_fields`` of the others.
OWN_HASH = "entry_sha256"
_FETCH_AGAIN = "Install segtumor again, or fetch the model again: segtumor models fetch"


@dataclass(frozen=True)
class Measured:
    """One number of a model.

    Attributes:
        name: of the measure, for people.
        value, low, high: estimate and its 95% interval, which may be equal to it where there is none.
        unit: "%", "s", or "1" for a plain number.
        n: "371 lesions", what it was measured on.
    """

    name: str
    value: float
    low: float
    high: float
    unit: str
    n: str


@dataclass(frozen=True)
class OperatingPoint:
    """A score from which on images or findings count, chosen on validation (``evaluation.facts.operating_points``).

    Attributes:
        name: what it was chosen for, such as "sensitivity 0.90".
        of: "image" or "finding".
        score_threshold: [0, 1].
        sensitivity, specificity: of images, on the test part, [0, 1]; of findings, of images that have one.
    """

    name: str
    of: str
    score_threshold: float
    sensitivity: float
    specificity: float


@dataclass(frozen=True)
class Entry:
    """A model that can be asked for by name.

    Attributes:
        name, version, summary: for people.
        licence: of the model, with those of what it was made from.
        trained_on: data set, parts and hashes, in a sentence.
        started_from: weights that the training started from.
        dataset_sha256, split_sha256: of the training annotations and of the split.
        evaluated_on: the images of ``measured``, in a sentence.
        measured: the model's numbers.
        operating_points: thresholds to choose from.
        temperature: by which logits of scores are divided to calibrate them, above 0.
        files: path in the folder, with "/", -> SHA-256.
        folder: where the model lies.
    """

    name: str
    version: str
    summary: str
    licence: str
    trained_on: str
    started_from: str
    dataset_sha256: str
    split_sha256: str
    evaluated_on: str
    measured: tuple[Measured, ...]
    operating_points: tuple[OperatingPoint, ...]
    temperature: float
    files: Mapping[str, str]
    folder: Path

    def verified(self, *names: str) -> Path:
        """The folder, after the hashes of these files, or of those in these sub-folders, were compared.

        Raises:
            ModelError: one is missing or differs; or none is of that name.
        """
        wanted = [path for path in self.files if any(path == name or path.startswith(f"{name}/") for name in names)]
        if not wanted:
            raise ModelError(f"the model comes without {' and '.join(names)}", where=self.folder)
        for path in wanted:
            _compare(self.folder / path, self.files[path])
        return self.folder


def read_entry(folder: str | Path) -> Entry:
    """The entry of a model's folder.

    Raises:
        ModelError: ``model.json`` is missing, no JSON, of another version, or a field is wrong or was edited.
    """
    folder = Path(folder)
    path = folder / ENTRY
    try:
        values = json.loads(read_ordinary(path))
    except FileNotFoundError as error:
        raise ModelError("no such model", where=path, remedy=_FETCH_AGAIN) from error
    except (OSError, ValueError) as error:  # UnicodeDecodeError is one
        raise ModelError("cannot be read", where=path, remedy=_FETCH_AGAIN) from error
    written = values.pop(OWN_HASH, None) if isinstance(values, dict) else None
    found = hash_of_fields(values)
    try:
        entry = _entry(values, folder)
        if written != found:
            raise WrongFieldError(OWN_HASH, "does not fit the other fields", got=f"{written!r:.80}", expected=found)
        return entry
    except WrongFieldError as error:
        raise ModelError(
            f"{error.field} {error.what}", where=path, got=error.got, expected=error.expected, remedy=_FETCH_AGAIN
        ) from error


def hash_of_fields(values: Any) -> str:
    """SHA-256 of an entry's fields, in whatever order and layout: by it numbers and thresholds that somebody edited are
    noticed, as changed weights are."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _entry(values: Any, folder: Path) -> Entry:
    if isinstance(values, dict) and values.pop("schema_version", None) != SCHEMA_VERSION:
        raise WrongFieldError("schema_version", "is not right", expected=str(SCHEMA_VERSION))
    files = values.pop("files", None) if isinstance(values, dict) else None
    read = Fields(dict, _RULES).read(values, "")
    return Entry(**read, files=_files(files, folder), folder=folder)


def _files(values: Any, folder: Path) -> dict[str, str]:
    if not isinstance(values, dict) or not values:
        raise WrongFieldError("files", "is not right", got=f"{values!r:.60}", expected="path and SHA-256 of each file")
    for path in values:
        plain = (
            isinstance(path, str) and not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts
        )
        if not plain or "\\" in path or not is_inside(folder / path, folder):
            raise WrongFieldError("files", "leads out of the folder", got=f"{path!r:.60}")
    return {path: _SHA256.read(value, f"files.{path}") for path, value in values.items()}


def _compare(path: Path, expected: str) -> None:
    if not path.is_file():
        raise ModelError("a file of the model is missing", where=path, remedy=_FETCH_AGAIN)
    if sha256_of_file(path) != expected:
        raise ModelError("damaged, or changed since it was registered", where=path, remedy=_FETCH_AGAIN)


class _Sha256:
    def read(self, value: Any, field: str) -> str:
        """64 hexadecimal digits."""
        if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
            raise WrongFieldError(field, "is not right", got=f"{value!r:.60}", expected="a SHA-256")
        return value


_TEXT, _NUMBER, _FRACTION, _SHA256 = (
    Rule(str, "a text"),
    Rule(float, "a number"),
    Rule(float, "0 to 1", 0, 1),
    _Sha256(),
)
_RULES: dict[str, Reads] = {
    **dict.fromkeys(("name", "version", "summary", "licence", "trained_on", "started_from", "evaluated_on"), _TEXT),
    "dataset_sha256": _SHA256,
    "split_sha256": _SHA256,
    "measured": Several(
        Fields(
            Measured,
            {"name": _TEXT, "value": _NUMBER, "low": _NUMBER, "high": _NUMBER, "unit": _TEXT, "n": _TEXT},
        )
    ),
    "operating_points": Several(
        Fields(
            OperatingPoint,
            {"name": _TEXT, "of": _TEXT, **dict.fromkeys(("score_threshold", "sensitivity", "specificity"), _FRACTION)},
        )
    ),
    "temperature": Rule(float, "a number above 0", 1e-6),
}
