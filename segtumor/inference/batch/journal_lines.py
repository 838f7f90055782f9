"""The lines of a journal: an input that a run was asked for, or what became of one; to bytes and back.

Each line ends with a hash of what stands before it, so that a single changed byte is noticed: a digit of a score would
be a finding like any other. What is read is checked as far as the tables rely on it all the same. Not here: what the
first line says, and the file (``journal``).
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from segtumor.arrays import Rle
from segtumor.runs import DICOM_OBJECTS, OVERLAYS
from segtumor.structures.lesions import UNPLACED, Finding
from segtumor.structures.outcomes import DicomOutcome, InferenceOutcome
from segtumor.structures.readings import Note, Reading, Similar

#: Fields of InferenceOutcome and of Reading that a line holds as they are, and what else it holds. Maps are not kept:
#: they are as large as the radiographs.
_OF_OUTCOME = ("size_hw", "status", "reason", "seconds", "overlay")
_OF_READING = ("spacing_mm", "spacing_source", "image_probabilities", "uncertainty", "timings_s")
#: Of a reading, too; lines of older versions lack them.
_MARKS_LESIONS, _PREDICTION_SET, _SIMILAR, _ATTRIBUTES = "marks_lesions", "prediction_set", "similar", "attributes"
#: Of an outcome, where DICOM objects were asked for.
_DICOM = "dicom"
_INPUT_KEYS = {"name", "key"}
_KEYS = {*_INPUT_KEYS, "file", *_OF_OUTCOME}
_READING_KEYS = {*_OF_READING, "notes", "findings"}
_CHECKED = re.compile(rb'(\{.+),"check":"([0-9a-f]{16})"\}\n')

Line = dict[str, Any]
Number = TypeVar("Number", int, float)


def encoded(value: Line) -> bytes:
    """A line's value, a dict that is not empty -> its bytes."""
    text = json.dumps(value, separators=(",", ":")).encode().removesuffix(b"}")
    return text + b',"check":"%s"}\n' % _check(text)


def parsed(line: bytes) -> Line | None:
    """A line's dict, or None where it is not byte for byte what ``encoded`` gave."""
    match = _CHECKED.fullmatch(line)
    if match is None or match[2] != _check(match[1]):
        return None
    value: Line = json.loads(match[1] + b"}")
    return value


def _check(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:16].encode()


def input_line(key: str, name: str) -> Line:
    """The value of a line for an input; ``key`` is what it is known by, ``name`` what was typed."""
    return {"name": name, "key": key}


def is_input(entry: Line | None) -> TypeGuard[Line]:
    """Whether a parsed line is one of ``input_line``."""
    return entry is not None and entry.keys() == _INPUT_KEYS and _are_texts(*entry.values())


def outcome_line(outcome: InferenceOutcome, key: str, identity: list[int] | None) -> Line:
    """The value of a line for an InferenceOutcome; ``identity`` is ``inputs.file_identity`` of its file."""
    return {
        **input_line(key, outcome.file_name),
        "file": identity,
        **{name: getattr(outcome, name) for name in _OF_OUTCOME},
        **({} if outcome.dicom is None else {_DICOM: dataclasses.astuple(outcome.dicom)}),
        **({} if outcome.reading is None else _reading_entry(outcome.reading)),
    }


def outcome_of(entry: Line | None, class_names: Sequence[str]) -> InferenceOutcome | None:
    """The InferenceOutcome of a parsed line, or None where it is not one that ``outcome_line`` gave."""
    if entry is None or not entry.keys() >= _KEYS or not _are_texts(entry["name"], entry["key"]):
        return None
    try:
        size_hw = _pair(entry["size_hw"], int)
        return InferenceOutcome(
            entry["name"],
            _reading(entry, size_hw, tuple(class_names)) if entry.keys() >= _READING_KEYS else None,
            status=entry["status"],
            reason=entry["reason"],
            size_hw=size_hw,
            seconds=entry["seconds"],
            overlay=_file_name(entry["overlay"]),
            dicom=_dicom(*entry[_DICOM]) if entry.get(_DICOM) is not None else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError):  # KeyError: of an outline
        return None


def made_by(entry: Line | None) -> list[str]:
    """What the outcome of a parsed line has in the output folder: "overlays/0.png", "dicom/ab_seg.dcm"."""
    entry = entry or {}
    dicom = entry.get(_DICOM)
    names = [(OVERLAYS, entry.get("overlay"))]
    names += [(DICOM_OBJECTS, name) for name in (dicom[0] if isinstance(dicom, (list, tuple)) and dicom else ())]
    return [f"{folder}/{name}" for folder, name in names if isinstance(name, str)]


def _dicom(names: Sequence[Any], reason: str | None, failed: bool) -> DicomOutcome:
    known = [name for name in map(_file_name, names) if name is not None]
    return DicomOutcome(tuple(known), None if reason is None else str(reason), bool(failed))


def _reading_entry(reading: Reading) -> Line:
    return {
        **{name: getattr(reading, name) for name in (*_OF_READING, _MARKS_LESIONS, _PREDICTION_SET)},
        **({_ATTRIBUTES: dict(reading.attributes)} if reading.attributes else {}),
        "notes": [[note.code, note.text] for note in reading.notes],
        "findings": [_finding_entry(finding) for finding in reading.findings],
        **({_SIMILAR: list(map(dataclasses.astuple, reading.similar))} if reading.similar else {}),
    }


def _reading(entry: Line, size_hw: tuple[int, int] | None, class_names: tuple[str, ...]) -> Reading:
    if size_hw is None:
        raise ValueError("a reading of an image without a size")
    given = entry["image_probabilities"]
    return Reading(
        class_names=class_names,
        size_hw=size_hw,
        findings=tuple(_finding(len(class_names), *values) for values in entry["findings"]),
        image_probabilities=None if given is None else tuple(map(float, given)),
        marks_lesions=entry.get(_MARKS_LESIONS),
        similar=tuple(
            Similar(str(name), str(case), str(label), float(distance))
            for name, case, label, distance in entry.get(_SIMILAR, ())
        ),
        uncertainty=entry["uncertainty"],
        prediction_set=None if entry.get(_PREDICTION_SET) is None else tuple(map(str, entry[_PREDICTION_SET])),
        attributes={str(task): (str(v), float(p)) for task, (v, p) in entry.get(_ATTRIBUTES, {}).items()},
        notes=tuple(Note(str(code), str(text)) for code, text in entry["notes"]),
        timings_s={str(name): float(seconds) for name, seconds in entry["timings_s"].items()},
        spacing_mm=_pair(entry["spacing_mm"], float),
        spacing_source=entry["spacing_source"],
        name=Path(entry["name"]).name,
    )


def _finding_entry(finding: Finding) -> list[Any]:
    box = list(map(float, finding.box_xyxy)) if finding.is_placed else None
    probabilities = list(map(float, finding.probabilities))
    agreement = [] if finding.agreement is None else [float(finding.agreement)]
    return [int(finding.class_id), float(finding.score), box, _plain(finding.rle), probabilities, *agreement]


def _finding(
    class_count: int,
    class_id: int,
    score: float,
    box: Sequence[float] | None,
    rle: Mapping[str, Any] | None,
    probabilities: Sequence[float],
    agreement: float | None = None,
) -> Finding:
    if class_id not in range(class_count):
        raise ValueError(f"class {class_id} of {class_count}")
    left, top, right, bottom = UNPLACED if box is None else map(float, box)
    if rle is not None:
        height, width = map(int, rle["size"])
        rle = {"size": [height, width], "counts": str(rle["counts"])}
    box_xyxy = UNPLACED if box is None else (left, top, right, bottom)
    shared = None if agreement is None else float(agreement)
    return Finding(class_id, float(score), box_xyxy, rle, tuple(map(float, probabilities)), shared)


def _plain(rle: Rle | None) -> Line | None:
    if rle is None:
        return None
    counts = rle["counts"]
    return {"size": list(map(int, rle["size"])), "counts": counts.decode() if isinstance(counts, bytes) else counts}


def _are_texts(*values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


def _pair(values: Sequence[Any] | None, kind: Callable[[Any], Number]) -> tuple[Number, Number] | None:
    if values is None:
        return None
    first, second = values
    return kind(first), kind(second)


def _file_name(text: Any) -> str | None:
    """A name in the folder of overlays, or None; a path would lead out of it."""
    if text is not None and Path(text).name != text:
        raise ValueError(f"not the name of a file: {text!r}")
    return None if text is None else str(text)
